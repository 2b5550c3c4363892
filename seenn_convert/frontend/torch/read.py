"""Read an ``nn.Module`` or an exported program (``.pt2``) into a program."""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram

from seenn_convert.errors import InputError, UnsupportedOperatorError, reason_of
from seenn_convert.frontend.outputs import select
from seenn_convert.frontend.quiet import quiet
from seenn_convert.frontend.torch.archive import plain_archive
from seenn_convert.frontend.torch.aten import Operator
from seenn_convert.frontend.torch.fake_quantise import fake_quantisation_traced
from seenn_convert.frontend.torch.lift import lift
from seenn_convert.frontend.torch.usable import check_module, why_it_fails, why_not_traced
from seenn_convert.ir.program import Program


def from_torch(
    module: nn.Module,
    input_shape: Sequence[int],
    dtype: torch.dtype | None = None,
    output_name: str | None = None,
    extra_operators: Sequence[Operator] = (),
) -> Program:
    """Trace a classifier with ``torch.export`` and return its program.

    Args:
        module: In eval mode; takes one image batch ``(B, *input_shape)``, returns logits ``(B, K)``.
        input_shape: Shape of one image, usually ``(C, H, W)``.
        dtype: Floating-point type of the image; None for that of the module's parameters.
        output_name: Which of the results are the logits: a key of a mapping, or a position; needed where there are
            several.
        extra_operators: Operators of the user's own.

    Raises:
        InputError: The module is in training mode, does not accept such an image or any batch size, or returns
            several tensors of which none is named.
        UnsupportedOperatorError: Lists every call that has no conversion.
    """
    check_module(module)
    dtype = dtype or _dtype_of(module)
    _check_dtype(dtype)
    problem = refusal(module, input_shape, dtype)
    if problem is not None:
        raise InputError(problem)
    program = from_exported(_export(module, torch.zeros(2, *input_shape, dtype=dtype)), output_name, extra_operators)
    _check_batch(module, torch.zeros(3, *input_shape, dtype=dtype), output_name)
    return program


def from_exported(
    exported: ExportedProgram, output_name: str | None = None, extra_operators: Sequence[Operator] = ()
) -> Program:
    """Return the program of an exported model, with a static or a dynamic batch; other arguments as above."""
    program = lift(exported, output_name, extra_operators)
    _check_dtype(program.input_dtype)
    return program


def read_pt2(path: Path, extra_operators: Sequence[Operator] = ()) -> ExportedProgram:
    """Read a ``.pt2`` file written by ``torch.export.save``; nothing of it is unpickled, imported or run.

    Raises:
        InputError: It is no such file, or holds more than plain data.
        UnsupportedOperatorError: It calls operators of other libraries.
    """
    try:
        with quiet():
            return torch.export.load(plain_archive(path, {operator.name for operator in extra_operators}))
    except UnsupportedOperatorError:
        raise
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    except Exception as error:
        raise InputError(
            f"{path}: not a readable torch.export file (truncated, of another format, or saved by a newer PyTorch?); "
            "export it again"
        ) from error


def refusal(module: nn.Module, input_shape: Sequence[int], dtype: torch.dtype | None = None) -> str | None:
    """Return why a module does not accept images of this shape, None if it does."""
    dtype = dtype or _dtype_of(module)
    try:
        with torch.no_grad():
            module(torch.zeros(2, *input_shape, dtype=dtype))
    except Exception as error:  # the user's code may raise anything
        return why_it_fails(error, dtype) or (
            f"the model does not accept an image of shape {tuple(input_shape)}: {reason_of(error)}; give images as it "
            "takes them, or the shape of one (--input-shape)"
        )
    return None


def _check_batch(module: nn.Module, images: Tensor, output_name: str | None) -> None:
    """Raise InputError if a module that takes two images does not take these three."""
    try:
        with torch.no_grad():
            rows = len(select(module(images), output_name))
        reason = f"{len(images)} images give {rows} rows"
    except Exception as error:  # as above
        rows, reason = -1, reason_of(error)
    if rows != len(images):
        raise InputError(
            f"the model's own code fixes the batch size ({reason}); write x.flatten(1), or x.shape[0] for the batch"
        )


def _export(module: nn.Module, image: Tensor) -> ExportedProgram:
    """Export with a dynamic batch, or with a fixed one where the model's own code fixes it."""
    # without gradients here, a region without them in the model's own code makes no difference
    with torch.no_grad(), quiet(), fake_quantisation_traced(module):
        try:
            return torch.export.export(module, (image,), dynamic_shapes=({0: Dim.AUTO},), strict=False)
        except Exception:  # the second attempt raises if the model cannot be exported at all
            pass
        try:
            return torch.export.export(module, (image,), strict=False)
        except Exception as error:
            raise InputError(why_not_traced(error)) from error


def _dtype_of(module: nn.Module) -> torch.dtype:
    """Return the floating-point type of the parameters, single precision where they have none or several."""
    kinds = {parameter.dtype for parameter in module.parameters() if parameter.is_floating_point()}
    return kinds.pop() if len(kinds) == 1 else torch.float32


def _check_dtype(dtype: torch.dtype) -> None:
    """Refuse half precision: rewriting is checked to 1e-5, which its numbers cannot show, and CPUs lack its kernels."""
    if dtype not in (torch.float32, torch.float64):
        name = str(dtype).removeprefix("torch.")
        raise InputError(
            f"the model computes in {name}, and conversion needs float32 or float64; call model.float(), or export it "
            "in float32"
        )
