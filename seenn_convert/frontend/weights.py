"""Read weights into a module: ``.safetensors``, or a state dict that ``torch.save`` wrote; nothing is unpickled."""

import io
import json
import pickle
import shlex
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from seenn_convert.errors import InputError, reason_of

WITHIN = ("state_dict", "model_state_dict", "model", "net", "weights", "params")
"""Where checkpoints keep the weights beside other things, in the order in which they are looked for."""

WRAPPERS = ("module", "_orig_mod")
"""What ``DataParallel`` and ``torch.compile`` put in front of every name."""

ARCHIVE = b"PK\x03\x04"
"""How a file begins that ``torch.save`` wrote as an archive."""

_SHOWN = 3

State = Mapping[str, Tensor]


def load_weights(module: nn.Module, path: Path, model: str) -> tuple[str, ...]:
    """Load the weights in ``path`` into ``module``, which ``model`` returned, and return notes on how they were read.

    A prefix that all names share is taken off where they fit without it.

    Raises:
        InputError: The file is not of weights, holds other objects, or does not fit; says what is missing.
    """
    state, notes = _state_in(path)
    prefix = _prefix(state, module)
    if prefix:
        state = {name.removeprefix(prefix): value for name, value in state.items()}
        notes += (f"the prefix {prefix!r} was taken off the names of the weights in {path.name}",)
    try:
        module.load_state_dict(state)
    except Exception as error:  # the user's module may have a way of its own to load its state
        reason = "; ".join(_differences(state, module)) or reason_of(error)
        raise InputError(f"{path}: does not fit {model}: {reason}; give the weights of this very model") from error
    return notes


def _state_in(path: Path) -> tuple[State, tuple[str, ...]]:
    """Return the tensors of a file by name, and notes."""
    with path.open("rb") as file:
        start = file.read(9)
    fits = int.from_bytes(start[:8], "little") < path.stat().st_size
    is_safetensors = start[8:] == b"{" and (fits or path.suffix == ".safetensors")
    is_archive = zipfile.is_zipfile(path)
    if start.startswith(ARCHIVE) and not is_archive:  # the list of its parts stands at its end
        raise InputError(_damaged(path))
    if is_safetensors or not (is_archive or start[:1] == b"\x80"):
        try:
            return load_file(path), ()
        except (SafetensorError, OSError) as error:
            if is_safetensors:
                raise InputError(_damaged(path)) from error
            raise InputError(
                f"{path}: is neither a .safetensors file nor a state dict that torch.save wrote ({reason_of(error)}); "
                "give the weights as one of these"
            ) from error
    if is_archive and _is_torchscript(path):
        raise InputError(
            f"{path}: is a TorchScript archive, which holds code; write its weights alone and give those: "
            f"torch.save(torch.jit.load({str(path)!r}).state_dict(), 'weights.pth')"
        )
    try:
        if path.suffix == ".safetensors":  # PyTorch would go by the name
            saved = torch.load(io.BytesIO(path.read_bytes()), map_location="cpu", weights_only=True)
        else:
            saved = torch.load(path, map_location="cpu", weights_only=True, mmap=is_archive)
    except pickle.UnpicklingError as error:
        raise InputError(_advice(path)) from error
    except Exception as error:  # a damaged file may provoke anything
        raise InputError(
            f"{path}: cannot be read as weights ({reason_of(error)}); give a state dict: "
            "torch.save(model.state_dict(), 'weights.pth')"
        ) from error
    return _tensors(saved, path)


def _is_torchscript(path: Path) -> bool:
    with zipfile.ZipFile(path) as archive:
        return any(name.endswith("/constants.pkl") for name in archive.namelist())


def _tensors(saved: object, path: Path) -> tuple[State, tuple[str, ...]]:
    if _is_state(saved):
        return saved, ()  # type: ignore[return-value]
    entries = saved if isinstance(saved, Mapping) else {}
    for key in WITHIN:
        if _is_state(entries.get(key)):
            return entries[key], (f"the weights are those under {key!r} in {path.name}",)
    held = ", ".join(map(str, list(entries)[:_SHOWN])) or type(saved).__name__
    raise InputError(
        f"{path}: holds no state dict (found: {held}); write the weights alone: "
        "torch.save(model.state_dict(), 'weights.pth')"
    )


def _is_state(value: object) -> bool:
    return (
        isinstance(value, Mapping)
        and len(value) > 0
        and all(isinstance(name, str) and isinstance(part, Tensor) for name, part in value.items())
    )


def _advice(path: Path) -> str:
    name, keys = json.dumps(str(path), ensure_ascii=False), ", ".join(f'"{key}"' for key in WITHIN)
    program = (
        f'import torch; saved = torch.load({name}, "cpu", weights_only=False); '
        f"parts = [saved.get(key) for key in ({keys})] if isinstance(saved, dict) else []; "
        "saved = next((part for part in parts if isinstance(part, (dict, torch.nn.Module))), saved); "
        'torch.save(saved.state_dict() if hasattr(saved, "state_dict") else saved, "weights.pth")'
    )
    return (
        f"{path}: holds pickled objects beside tensors (a whole module?), and unpickling runs code; if you trust it, "
        f"write its weights alone and give those: python -c {shlex.quote(program)}"
    )


def _damaged(path: Path) -> str:
    return f"{path}: is damaged or cut off; copy or download it again, or save the weights anew"


def _prefix(state: State, module: nn.Module) -> str:
    """Return what to take off all names: as much as makes them fit, or what wrappers are known to put there."""
    own, prefix, wrapped = set(_needed(module)), "", ""
    while not own <= set(state):
        first = {name.removeprefix(prefix).partition(".")[0] for name in state}
        if len(first) != 1 or f"{prefix}{next(iter(first))}" in state:
            return wrapped
        before, prefix = prefix, f"{prefix}{first.pop()}."
        if before == wrapped and prefix.removesuffix(".").rpartition(".")[2] in WRAPPERS:
            wrapped = prefix
        if own <= {name.removeprefix(prefix) for name in state}:
            return prefix
    return ""


def _needed(module: nn.Module) -> Iterable[str]:
    """Return the names that a state must have; the counters of batch norms came with PyTorch 0.4."""
    return (name for name in module.state_dict() if not name.endswith("num_batches_tracked"))


def _differences(state: State, module: nn.Module) -> list[str]:
    own = module.state_dict()
    missing, more = [name for name in _needed(module) if name not in state], [name for name in state if name not in own]
    shapes = [
        f"{name} has shape {tuple(state[name].shape)} where the model has {tuple(value.shape)}"
        for name, value in own.items()
        if name in state and isinstance(value, Tensor) and state[name].shape != value.shape
    ]
    found = [f"it lacks {_listed(missing)}"] if missing else []
    found += [f"the model has no {_listed(more)}"] if more else []
    return found + ([_listed(shapes)] if shapes else [])


def _listed(names: list[str]) -> str:
    rest = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {rest} more" if rest > 0 else "")
