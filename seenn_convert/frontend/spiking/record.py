"""Run a network of library neurons as its library does, and write down what every layer of neurons sends."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from seenn_convert.errors import InputError, reason_of
from seenn_convert.frontend.spiking.libraries import SNNTORCH, library_neurons, library_of
from seenn_convert.frontend.spiking.places import copied_network
from seenn_convert.frontend.spiking.source import Recording


def record_network(module: nn.Module, inputs: Tensor, layers: Mapping[str, str]) -> Recording:
    """Return what a network of SpikingJelly or snnTorch layers does with ``inputs`` ``(T, B, *F)``, from its start.

    A copy of it runs, on copies of the inputs, since it may write into them; a network for several timesteps at once
    (step mode ``"m"``) gets them at once.

    Args:
        module: The network.
        inputs: What it reads at each timestep.
        layers: Node of a layer of neurons -> its path.

    Raises:
        InputError: It fails, or returns no ``(B, K)`` at each timestep.
    """
    network, at_once = copied_network(module), takes_all_timesteps(module)
    neurons = library_neurons(network)
    for neuron in neurons.values():
        _start(neuron)
    sent: dict[str, list[Tensor]] = {path: [] for path in neurons}
    hooks = [neuron.register_forward_hook(_keeper(sent[path])) for path, neuron in neurons.items()]
    try:
        with torch.no_grad():
            if at_once:
                outputs = _first(network(inputs.clone()))
            else:
                outputs = torch.stack([_first(network(one.clone())).clone() for one in inputs])
    except Exception as error:  # the user's code may raise anything
        raise InputError(f"the network fails on {inputs.shape[1]} images ({reason_of(error)})") from error
    finally:
        for hook in hooks:
            hook.remove()
    spikes = {path: found[0] if at_once and len(found) == 1 else torch.stack(found) for path, found in sent.items()}
    return Recording(outputs, {node: spikes[path] for node, path in layers.items()})


def takes_all_timesteps(module: nn.Module) -> bool:
    """Return whether a network takes ``(T, B, *F)``: in SpikingJelly, if its layers are in step mode ``"m"``."""
    return any(getattr(child, "step_mode", "s") == "m" for child in module.modules())


def _start(neuron: Any) -> None:
    """Bring a layer of neurons to the state from which a run begins."""
    if library_of(neuron) == SNNTORCH:
        neuron.mem = torch.zeros(0, dtype=neuron.mem.dtype)
    else:
        neuron.reset()


def _keeper(found: list[Tensor]) -> Any:
    def keep(module: nn.Module, inputs: Any, output: Any) -> None:
        found.append(_first(output).clone())

    return keep


def _first(returned: object) -> Tensor:
    """Return the first tensor of what was returned."""
    while isinstance(returned, (tuple, list)):
        returned = returned[0]
    if not isinstance(returned, Tensor):
        raise InputError(f"the network returns {type(returned).__name__}, not a tensor")
    return returned
