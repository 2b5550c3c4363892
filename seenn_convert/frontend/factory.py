"""Call ``package.module:factory``, a function of the user's own that returns a model."""

import importlib
import sys
from pathlib import Path

from torch import nn

from seenn_convert.errors import InputError, reason_of
from seenn_convert.frontend.weights import load_weights
from seenn_convert.regular_files import check_regular

FILE_FORMATS = (".onnx", ".pt2")


def is_file_format(model: str | Path) -> bool:
    """Return whether ``model`` names a file that knows the shape of its input."""
    return Path(model).suffix in FILE_FORMATS


def is_factory(model: str | Path) -> bool:
    """Return whether ``model`` is ``package.module:factory`` and no file."""
    return not is_file_format(model) and ":" in str(model) and not Path(model).exists()


def call_factory(spec: str, weights: Path | str | None) -> tuple[nn.Module, tuple[str, ...]]:
    """Return the module in eval mode, with the weights of a file if one is given, and notes on these."""
    if not isinstance(weights, Path | str | None):
        raise InputError(f"weights are named by the path of their file, got {type(weights).__name__}")
    module_name, _, factory_name = spec.partition(":")
    if "" not in sys.path:
        sys.path.insert(0, "")
    try:
        factory = getattr(importlib.import_module(module_name), factory_name)
    except Exception as error:  # importing runs the user's code, which may raise anything
        missing = error.name if isinstance(error, ModuleNotFoundError) else None
        remedy = f"check the name, or install {missing}" if missing else "give package.module:factory"
        raise InputError(f"{spec}: cannot be imported ({error}); {remedy}") from error
    if isinstance(factory, nn.Module):
        raise InputError(
            f"{spec} is a module, not a function that returns one; write such a function, 'def make(): return "
            f"{factory_name}', and give {module_name}:make"
        )
    try:
        model = factory()
    except Exception as error:
        raise InputError(f"{spec}: calling it without arguments failed ({reason_of(error)})") from error
    if not isinstance(model, nn.Module):
        raise InputError(f"{spec} returns {type(model).__name__}, not an nn.Module")
    notes: tuple[str, ...] = ()
    if weights is not None:
        check_file(Path(weights))
        notes = load_weights(model, Path(weights), spec)
    return model.eval(), notes


def check_file(path: Path) -> None:
    """Raise InputError unless ``path`` is a regular file."""
    if path.is_dir():
        raise InputError(f"{path} is a folder but not an artifact; check the path")
    check_regular(path)
