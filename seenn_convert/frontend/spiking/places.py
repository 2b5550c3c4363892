"""What stands in a network for its neurons while it is traced: a call that says which of them it is."""

import copy
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from seenn_convert.errors import InputError
from seenn_convert.frontend.spiking.libraries import SNNTORCH, library_of
from seenn_convert.frontend.torch.aten import Operator
from seenn_convert.frontend.torch.call import Call, Lifted, Refusal, describe_source, operator_name
from seenn_convert.ir.operators import FirstSpikes
from seenn_convert.neurons.layers import Neuron

_CONTAINERS = ("MultiStepContainer", "SeqToANNContainer", "StepModeContainer")
"""Of SpikingJelly: they only fold time and batch into one, or call what they hold step by step."""


LOOP = (
    "the network repeats its layers over time within forward; take the loop out, with the mean or sum behind it, and "
    "give the network of one timestep, from an image or frame (B, ...) to what it returns at that timestep, (B, K)"
)


@torch.library.custom_op("seenn_convert::neurons", mutates_args=())
def neurons_here(x: Tensor, place: int) -> Tensor:
    """Return the input: what the neurons at a place make of it is not traced."""
    return x.clone()


@neurons_here.register_fake
def _(x: Tensor, place: int) -> Tensor:
    return torch.empty_like(x)


class _Place(nn.Module):
    """Stands where neurons are; one that also returns its membrane gives the spikes in the place of it."""

    def __init__(self, place: int, pair: bool) -> None:
        super().__init__()
        self.place, self.pair = place, pair

    def forward(self, x: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        spikes: Tensor = torch.ops.seenn_convert.neurons(x, self.place)
        return (spikes, spikes) if self.pair else spikes


def with_places(module: nn.Module, neurons: Mapping[str, nn.Module]) -> nn.Module:
    """Return a copy of a network for one timestep, with a place for each of its ``neurons``, by their paths.

    Raises:
        InputError: It cannot be copied.
    """
    copied = copied_network(module)
    for place, path in enumerate(neurons):
        pair = library_of(neurons[path]) == SNNTORCH and bool(getattr(neurons[path], "output", False))
        stand_in = _Place(place, pair).eval()
        if not path:
            return stand_in
        put(copied, path, stand_in)
    for path, child in list(copied.named_modules()):
        if type(child).__name__ in _CONTAINERS and type(child).__module__.startswith("spikingjelly."):
            plain = nn.Sequential(*child.children()).eval()
            if not path:
                copied = plain
            else:
                copied.set_submodule(path, plain)
    for child in copied.modules():
        if hasattr(child, "step_mode"):
            setattr(child, "step_mode", "s")  # noqa: B010  # mypy does not know of such an attribute
    return copied


def put(network: nn.Module, path: str, stand_in: nn.Module) -> None:
    """Let a module be in the place of the one at ``path``, under all names that this has."""
    old = network.get_submodule(path)
    for name, child in list(network.named_modules(remove_duplicate=False)):
        if child is old:
            network.set_submodule(name, stand_in)


def copied_network(module: nn.Module) -> nn.Module:
    """Return a copy of a network, whose own state stays what it is.

    Raises:
        InputError: It cannot be copied.
    """
    try:
        return copy.deepcopy(module)
    except RuntimeError as error:  # a state that training left belongs to its graph of gradients
        raise InputError(
            "the network cannot be copied with the state that it is in; reset it first (SpikingJelly: "
            "functional.reset_net(net); snnTorch: utils.reset(net))"
        ) from error


def place_operator(neurons: Sequence[Neuron]) -> Operator:
    """Return how the call of a place is read: as what its neurons send at the first timestep."""
    seen: dict[int, set[tuple[str, str]]] = {}

    def lift(call: Call) -> Lifted:
        place, source = call.integer("place"), call.tensor("x")
        made = (describe_source(source), operator_name(source))
        if made in seen.get(place, ()):  # the same line of the same layer made its input before
            raise InputError(LOOP)
        if place in seen:
            raise Refusal(
                "a layer of neurons is called several times in one timestep and shares its state; give each call a "
                "layer of its own"
            )
        seen.setdefault(place, set()).add(made)
        return Lifted(FirstSpikes(neurons[place]), (source,))

    return Operator("seenn_convert::neurons", lift)
