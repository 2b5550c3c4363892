"""Read a module with explicit state, ``step(input, state) -> (output, state)``: its first timestep as a program."""

import inspect
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from seenn_convert.errors import InputError, reason_of
from seenn_convert.frontend.spiking.libraries import as_ours, keeps_state, library_neurons
from seenn_convert.frontend.spiking.places import copied_network, put
from seenn_convert.frontend.spiking.source import Recording, SpikingSource, check_output
from seenn_convert.frontend.spiking.states import Rebuild, flattened
from seenn_convert.frontend.torch.aten import Operator
from seenn_convert.frontend.torch.call import Call, Lifted, Refusal
from seenn_convert.frontend.torch.layout import PLAIN
from seenn_convert.frontend.torch.read import from_torch
from seenn_convert.frontend.torch.usable import check_module
from seenn_convert.ir.operators import FirstState, KeepState
from seenn_convert.neurons.leaky import LeakyNeuron

Step = Callable[[Tensor, object], tuple[object, object]]

START = 1e-6
"""Largest relative difference between a first timestep without a state and with what is said to be the first state."""


@torch.library.custom_op("seenn_convert::state", mutates_args=())
def state_here(image: Tensor, place: int, shape: Sequence[int]) -> Tensor:
    """Return a place for a state ``(B, *shape)`` in a traced timestep."""
    return image.new_zeros((image.shape[0], *shape))


@state_here.register_fake
def _(image: Tensor, place: int, shape: Sequence[int]) -> Tensor:
    return image.new_empty((image.shape[0], *shape))


@torch.library.custom_op("seenn_convert::keep", mutates_args=())
def keep_states(output: Tensor, states: Sequence[Tensor]) -> Tensor:
    """Return the output of a traced timestep, which is read with the next states."""
    return output.clone()


@keep_states.register_fake
def _(output: Tensor, states: Sequence[Tensor]) -> Tensor:
    return torch.empty_like(output)


def step_of(module: nn.Module) -> Step | None:
    """Return the timestep of a module with explicit state, None if it has none.

    It is the method ``step``, or ``forward`` if that takes an input and a state and no neurons keep theirs.
    """
    step = getattr(module, "step", None)
    if callable(step) and len(_positional(step)) >= 2:
        return step  # type: ignore[no-any-return]
    if any(keeps_state(child) for child in module.modules()):
        return None
    return module if len(_positional(module.forward)) >= 2 else None


def read_explicit(module: nn.Module, input_shape: Sequence[int], start: object = None, name: str = "") -> SpikingSource:
    """Read a module with explicit state.

    Args:
        module: In eval mode; its timestep takes a batch ``(B, *input_shape)`` and a state, None at the start, and
            returns ``(output, state)``. The state is made of tensors, batch first.
        input_shape: Of what it reads at one timestep.
        start: The state of one row before the first timestep; None if it is zero.
        name: What it is called; its class if empty.

    Raises:
        InputError: It cannot be traced so; says why.
        UnsupportedOperatorError: Lists every call that has no conversion.
    """
    check_module(module)
    plain = _with_own_neurons(module)
    step = step_of(plain)
    assert step is not None
    dtype = next((value.dtype for value in module.parameters() if value.is_floating_point()), torch.float32)
    leaves, rebuild = _state_of(step, torch.zeros(2, *input_shape, dtype=dtype))
    first = _first(leaves, start, dtype)
    _check_start(step, torch.rand(2, *input_shape, dtype=dtype), first, rebuild)
    traced = _FirstStep(plain, step, [tuple(value.shape) for value in first], rebuild).eval()
    program = from_torch(traced, input_shape, dtype, extra_operators=_operators(first))
    check_output(program)
    nodes = {one.place: node.name for node, one in program.calls() if isinstance(one, FirstState)}
    layers = {nodes[place]: path for place, path in enumerate(leaves) if place in nodes}
    return SpikingSource(
        program, name or type(module).__name__, lambda inputs: _record(module, inputs, layers),
        layers, by_state=True,
    )  # fmt: skip


class _FirstStep(nn.Module):
    """One timestep as a function of the image alone: states come from calls that the reader knows, and go into one."""

    def __init__(self, module: nn.Module, step: Step, shapes: Sequence[tuple[int, ...]], rebuild: Rebuild) -> None:
        super().__init__()
        self.module, self.shapes, self.rebuild = module, tuple(shapes), rebuild
        self.is_step = step is not module

    def forward(self, image: Tensor) -> Tensor:
        states = [torch.ops.seenn_convert.state(image, place, shape) for place, shape in enumerate(self.shapes)]
        step: Any = self.module.step if self.is_step else self.module
        output, following = step(image, self.rebuild(states))
        kept: Tensor = torch.ops.seenn_convert.keep(_tensor(output), list(flattened(following)[0].values()))
        return kept


def _operators(first: Sequence[Tensor]) -> list[Operator]:
    """Return how the calls of states are read."""

    def state(call: Call) -> Lifted:
        place = call.integer("place")
        return Lifted(FirstState(first[place], place), (call.image(),), PLAIN)

    def keep(call: Call) -> Lifted:
        following = call.value("states")
        assert isinstance(following, (list, tuple))
        if any(one in call.constants for one in following):
            raise Refusal("a state of the network is a constant after the first timestep; leave it out of the state")
        return Lifted(KeepState(), (call.tensor("output"), *following))

    return [Operator("seenn_convert::state", state), Operator("seenn_convert::keep", keep)]


def _state_of(step: Step, image: Tensor) -> tuple[dict[str, Tensor], Rebuild]:
    """Return the state after a first timestep, which starts with None."""
    try:
        with torch.no_grad():
            _, state = step(image, None)
    except Exception as error:  # the user's code may raise anything
        raise InputError(
            f"the first timestep fails with {tuple(image.shape)} and the state None ({reason_of(error)}); let "
            "step(input, state) start by itself if the state is None"
        ) from error
    leaves, rebuild = flattened(state)
    if not leaves:
        raise InputError("the network keeps no state; convert it with seenn-convert convert if it is an ANN")
    wrong = [path for path, value in leaves.items() if not value.dim() or len(value) != len(image)]
    wrong += [path for path, value in leaves.items() if not value.dtype.is_floating_point and path not in wrong]
    if wrong:
        raise InputError(
            f"{', '.join(wrong)} of the network: a state is a tensor of floating-point numbers, batch first"
        )
    return leaves, rebuild


def _first(leaves: dict[str, Tensor], start: object, dtype: torch.dtype) -> list[Tensor]:
    """Return the state of one row before the first timestep, without its batch axis."""
    if start is None:
        return [torch.zeros(value.shape[1:], dtype=dtype) for value in leaves.values()]
    given, _ = flattened(start)
    if list(given) != list(leaves):
        raise InputError(f"the start has {', '.join(given)}, and the state of the network {', '.join(leaves)}")
    for path, value in leaves.items():
        if tuple(given[path].shape) not in ((1, *value.shape[1:]), tuple(value.shape[1:])):
            raise InputError(
                f"{path} of the start has shape {tuple(given[path].shape)}; give that of one row, "
                f"{(1, *value.shape[1:])}"
            )
    return [given[path].detach().to(dtype, copy=True).reshape(value.shape[1:]) for path, value in leaves.items()]


def _check_start(step: Step, image: Tensor, first: Sequence[Tensor], rebuild: Rebuild) -> None:
    """Raise InputError unless a run that starts with None starts with this state."""
    rows = [value.expand(len(image), *value.shape).clone() for value in first]
    with torch.no_grad():  # each its own memory, since a timestep may write into what it is given
        (one, state), (other, again) = step(image.clone(), None), step(image.clone(), rebuild(rows))
    pairs = zip([_tensor(one), *flattened(state)[0].values()], [_tensor(other), *flattened(again)[0].values()],
                strict=True)  # fmt: skip
    if any(float((a - b).abs().max()) > START * max(1.0, float(a.abs().max())) for a, b in pairs):
        raise InputError(
            "the first timestep with the state None is not that with a state of zeros; give the state of one row "
            "before the first timestep (start=...)"
        )


def _record(module: nn.Module, inputs: Tensor, layers: dict[str, str]) -> Recording:
    """Return what the module does with ``inputs`` ``(T, B, *F)``, with every state behind every timestep.

    Everything is copied, since the next timestep may write into it.
    """
    step = step_of(copied_network(module))
    assert step is not None
    state, outputs, states = None, list[Tensor](), list[dict[str, Tensor]]()
    with torch.no_grad():
        for one in inputs:
            output, state = step(one.clone(), state)
            outputs.append(_tensor(output).clone())
            states.append({path: value.clone() for path, value in flattened(state)[0].items()})
    seen = {node: torch.stack([one[path] for one in states]) for node, path in layers.items()}
    return Recording(torch.stack(outputs), seen)


def _with_own_neurons(module: nn.Module) -> nn.Module:
    """Return a copy in which neurons of snnTorch that take and return their membrane compute without buffers.

    Raises:
        InputError: It holds neurons that keep their state to themselves.
    """
    copied = copied_network(module)
    for path, child in library_neurons(module).items():
        if keeps_state(child):
            raise InputError(
                f"{path} keeps its state to itself in a module with explicit state; let it take and return its state, "
                "or give the network without a state of its own"
            )
        dtype = next((value.dtype for value in module.parameters()), torch.float32)
        put(copied, path, _Explicit(as_ours(path, child, dtype)).eval())
    return copied


class _Explicit(nn.Module):
    """Neurons called with their membrane, zero if that is None or empty, as snnTorch does."""

    def __init__(self, neuron: LeakyNeuron) -> None:
        super().__init__()
        self.neuron = neuron

    def forward(self, current: Tensor, v: Tensor | None = None) -> tuple[Tensor, Tensor]:
        empty = v is None or v.shape != current.shape
        spikes, following = self.neuron(current, torch.zeros_like(current) if empty else v)
        return spikes, following

    def init_leaky(self) -> Tensor:
        """Return an empty membrane."""
        return torch.zeros(0)

    reset_mem = init_leaky


def _tensor(output: object) -> Tensor:
    if not isinstance(output, Tensor):
        raise InputError(f"the network returns {type(output).__name__} at a timestep, not a tensor (B, K)")
    return output


def _positional(function: Callable[..., object]) -> list[str]:
    """Return the names of the arguments that a function takes by position."""
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return [name for name, one in inspect.signature(function).parameters.items() if one.kind in kinds]
