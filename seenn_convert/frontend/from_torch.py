"""Read an ``nn.Module`` or an exported program (``.pt2``) into a program."""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import nn
from torch.export import Dim, ExportedProgram

from seenn_convert.errors import InputError
from seenn_convert.frontend.lift import lift
from seenn_convert.program import Program


def from_torch(module: nn.Module, input_shape: Sequence[int], dtype: torch.dtype = torch.float32) -> Program:
    """Trace a classifier with ``torch.export`` and return its program.

    Args:
        module: In eval mode; takes one image batch ``(B, *input_shape)``, returns logits ``(B, K)``.
        input_shape: Shape of one image, usually ``(C, H, W)``.
        dtype: Floating-point type of the image.

    Raises:
        InputError: The module is in training mode, or does not accept such an image.
        UnsupportedOperatorError: Lists every call that has no conversion.
    """
    _check_eval(module)
    image = torch.zeros(2, *input_shape, dtype=dtype)
    try:
        with torch.no_grad():
            module(image)
    except Exception as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise InputError(f"the model does not accept an image of shape {tuple(input_shape)}: {reason}") from error
    return lift(_export(module, image))


def from_exported(exported: ExportedProgram) -> Program:
    """Return the program of an exported model, with a static or a dynamic batch."""
    return lift(exported)


def read_pt2(path: Path) -> ExportedProgram:
    """Read a ``.pt2`` file written by ``torch.export.save``."""
    try:
        return torch.export.load(path)
    except Exception as error:
        raise InputError(
            f"{path}: not a readable torch.export file (truncated, or not written by torch.export.save?); export again"
        ) from error


def _export(module: nn.Module, image: torch.Tensor) -> ExportedProgram:
    """Export with a dynamic batch, or with a fixed one where the model's own code fixes it."""
    with torch.no_grad():  # a region without gradients in the model's own code then makes no difference
        try:
            return torch.export.export(module, (image,), dynamic_shapes=({0: Dim.AUTO},), strict=False)
        except Exception:  # the second attempt raises if the model cannot be exported at all
            pass
        try:
            return torch.export.export(module, (image,), strict=False)
        except Exception as error:
            reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
            raise InputError(f"torch.export cannot trace the model: {reason}") from error


def _check_eval(module: nn.Module) -> None:
    training = [name or type(module).__name__ for name, child in module.named_modules() if child.training]
    if training:
        shown = ", ".join(training[:3]) + (", ..." if len(training) > 3 else "")
        raise InputError(f"the model is in training mode ({shown}); call model.eval() before converting it")
