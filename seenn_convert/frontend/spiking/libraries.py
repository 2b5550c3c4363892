"""The neurons of SpikingJelly and snnTorch as ours: which they are, and what they are made of.

Neither library is imported: its classes are known by their names, and what they hold is read from their attributes. The
network as a whole is compared with the original afterwards.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from seenn_convert.choices import Reset
from seenn_convert.errors import InputError
from seenn_convert.neurons.leaky import LeakyNeuron

SPIKINGJELLY, SNNTORCH = "spikingjelly", "snntorch"
_RESETS: tuple[Reset, ...] = ("subtract", "rest", "none")
"""As snnTorch numbers them."""


def library_of(module: nn.Module) -> str | None:
    """Return the library that a module with a state of its own comes from, None for any other module."""
    for kind in type(module).__mro__:
        package = kind.__module__.split(".")[0]
        if package == SPIKINGJELLY and kind.__name__ == "MemoryModule" and getattr(module, "_memories", None):
            return None if type(module).__name__.startswith("Dropout") else SPIKINGJELLY
        if package == SNNTORCH and kind.__name__ == "SpikingNeuron":
            return SNNTORCH
    return None


def keeps_state(module: nn.Module) -> bool:
    """Return whether a module of a library keeps its state to itself; those of snnTorch may take and return it."""
    library = library_of(module)
    return library == SPIKINGJELLY or (library == SNNTORCH and bool(getattr(module, "init_hidden", True)))


def library_neurons(module: nn.Module) -> dict[str, nn.Module]:
    """Return the neurons and other modules of both libraries that keep a state, by their paths."""
    return {path: child for path, child in module.named_modules() if library_of(child) is not None}


def as_ours(path: str, module: nn.Module, dtype: torch.dtype) -> LeakyNeuron:
    """Return the layer of neurons that computes what a library's does.

    Raises:
        InputError: It is of a class, or has an option, that is not known here.
    """
    kind = type(module).__name__
    known = _KNOWN.get((type(module).__module__.split(".")[0], kind))
    if known is None:
        names = ", ".join(name for library, name in _KNOWN if library == library_of(module))
        raise InputError(
            f"{path} is a {kind}, whose law is not known; of {library_of(module)} {names} are read; write the network "
            "as a module with explicit state, step(input, state) -> (output, state)"
        )
    neuron = known(path, module).to(dtype)
    if not bool((neuron.v_threshold > 0).all()):
        raise InputError(f"{path} has a firing threshold that is not positive; neurons here start at 0 or at rest")
    return neuron


def _jelly(path: str, module: Any, leak: Tensor, gain: Tensor) -> LeakyNeuron:
    if not getattr(module.surrogate_function, "spiking", True):
        raise InputError(f"{path}: its surrogate function sends no spikes (spiking=False); make it one that does")
    v_rest = torch.tensor(0.0 if module.v_reset is None else module.v_reset)
    return LeakyNeuron(
        torch.tensor(module.v_threshold), v_rest, leak, gain, v_rest, "subtract" if module.v_reset is None else "rest"
    )


def _jelly_if(path: str, module: Any) -> LeakyNeuron:
    """Return ``IFNode``: ``v + x``."""
    return _jelly(path, module, torch.tensor(1.0), torch.tensor(1.0))


def _jelly_lif(path: str, module: Any) -> LeakyNeuron:
    """Return ``LIFNode``: ``v + (x - (v - v_reset)) / tau``, or the input undivided."""
    rate = torch.tensor(1 / module.tau)
    return _jelly(path, module, 1 - rate, rate if module.decay_input else torch.tensor(1.0))


def _jelly_parametric(path: str, module: Any) -> LeakyNeuron:
    """Return ``ParametricLIFNode``: as ``LIFNode`` with ``1 / tau`` the sigmoid of a weight."""
    rate = module.w.detach().sigmoid()
    return _jelly(path, module, 1 - rate, rate if module.decay_input else torch.tensor(1.0))


def _snntorch_leaky(path: str, module: Any) -> LeakyNeuron:
    """Return ``Leaky``: ``beta * v + x``, fires above the threshold; a reset acts at the next timestep by default.

    One that acts at once is made again where it left the membrane above the threshold: the library decides about firing
    with the reset of the timestep before taken off, and only then adds it back.
    """
    for name, wanted in (("inhibition", False), ("state_quant", False), ("graded_spikes_factor", 1)):
        value = getattr(module, name, wanted)
        if bool(torch.as_tensor(value).ne(wanted).any()) if isinstance(value, Tensor) else value != wanted:
            raise InputError(f"{path}: {name} is set, which is not known here; train the network with {name}={wanted}")
    reset, delayed = _RESETS[int(module.reset_mechanism_val)], bool(getattr(module, "reset_delay", True))
    return LeakyNeuron(
        module.threshold.detach(), torch.tensor(0.0), module.beta.detach().clamp(0, 1), torch.tensor(1.0),
        torch.tensor(0.0), reset, strict=True, delayed=delayed, owing=not delayed and reset != "none",
    )  # fmt: skip


_KNOWN: dict[tuple[str, str], Callable[[str, Any], LeakyNeuron]] = {
    (SPIKINGJELLY, "IFNode"): _jelly_if,
    (SPIKINGJELLY, "SimpleIFNode"): _jelly_if,
    (SPIKINGJELLY, "LIFNode"): _jelly_lif,
    (SPIKINGJELLY, "SimpleLIFNode"): _jelly_lif,
    (SPIKINGJELLY, "ParametricLIFNode"): _jelly_parametric,
    (SNNTORCH, "Leaky"): _snntorch_leaky,
}
