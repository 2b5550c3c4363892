"""Read a network of library neurons into a program: its first timestep, each layer of neurons a call of its own."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from seenn_convert.errors import InputError, UnsupportedOperatorError
from seenn_convert.frontend.spiking.libraries import as_ours, keeps_state, library_neurons
from seenn_convert.frontend.spiking.places import LOOP, copied_network, place_operator, with_places
from seenn_convert.frontend.spiking.record import record_network, takes_all_timesteps
from seenn_convert.frontend.spiking.source import SpikingSource, check_output
from seenn_convert.frontend.torch.read import from_torch
from seenn_convert.ir.operators import FirstSpikes


def read_network(module: nn.Module, input_shape: Sequence[int], name: str = "") -> SpikingSource:
    """Read a network of SpikingJelly or snnTorch layers; its program computes the first timestep.

    Args:
        module: In eval mode; at each timestep it takes a batch ``(B, *input_shape)`` and returns ``(B, K)``.
        input_shape: Of what it reads at one timestep.
        name: What it is called; its class if empty.

    Raises:
        InputError: It holds no neurons that are known, or does not take such inputs, or returns no ``(B, K)``.
        UnsupportedOperatorError: Lists every call that has no conversion.
    """
    found = library_neurons(module)
    if not found:
        raise InputError(
            f"{type(module).__name__} holds no neurons of SpikingJelly or snnTorch; convert an ANN with "
            "seenn-convert convert, or give a module with explicit state, step(input, state) -> (output, state)"
        )
    given = [path for path, one in found.items() if not keeps_state(one)]
    if given:
        raise InputError(
            f"{', '.join(given)} take and return their membrane; give the network as one timestep, step(input, state) "
            "-> (output, state), with the membranes in the state, or make these layers with init_hidden=True"
        )
    dtype = next((value.dtype for value in module.parameters() if value.is_floating_point()), torch.float32)
    neurons = [as_ours(path or type(one).__name__, one, dtype) for path, one in found.items()]
    bare = with_places(module, found)
    try:
        program = from_torch(bare, input_shape, dtype, _first_of(bare), [place_operator(neurons)])
    except UnsupportedOperatorError:
        raise
    except InputError as error:
        raise InputError(LOOP) if _repeats_itself(module, input_shape, dtype) else error from None
    check_output(program)
    paths = {id(neuron): path for path, neuron in zip(found, neurons, strict=True)}
    layers = {node.name: paths[id(one.neuron)] for node, one in program.calls() if isinstance(one, FirstSpikes)}
    unread = [path for path in found if path not in layers.values()]
    if unread:
        raise InputError(f"{', '.join(unread)}: no path leads from these neurons to the output; leave them out")
    return SpikingSource(
        program,
        name or type(module).__name__,
        lambda inputs: record_network(module, inputs, layers),
        layers,
    )


def _repeats_itself(module: nn.Module, input_shape: Sequence[int], dtype: torch.dtype) -> bool:
    """Return whether a network for several timesteps at once takes single images and makes an answer of each."""
    if not takes_all_timesteps(module):
        return False
    try:
        with torch.no_grad():
            answers = copied_network(module)(torch.zeros(2, *input_shape, dtype=dtype))
    except Exception:  # the user's code may raise anything
        return False
    return isinstance(answers, Tensor) and answers.dim() == 2 and len(answers) == 2


def _first_of(module: nn.Module) -> str | None:
    """Return the name of the first result of a network whose last neurons return their membrane, too."""
    return "0" if any(getattr(child, "pair", False) for child in module.modules()) else None
