"""Read a model in every way it may be given, and hold what is read to its laws."""

from collections.abc import Callable
from typing import Any

import harness
import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram

from seenn_convert.frontend.torch.lift import lift
from seenn_convert.ir.program import Program

Body = Callable[[Any, Tensor], Any]


def exported(model: nn.Module, batch: int = 2, dynamic: bool = False) -> ExportedProgram:
    image = torch.zeros(batch, *model.input_shape)
    with torch.no_grad():  # autograd refuses some in-place writes before they are traced
        return torch.export.export(model, (image,), dynamic_shapes=({0: Dim.AUTO},) if dynamic else None, strict=False)


def same_numbers(program: Program, model: nn.Module, counts: tuple[int, ...] = (1, 3, 4)) -> None:
    """The program computes what PyTorch computes, whatever the batch, and no row depends on another."""
    for count in counts:
        batch = harness.images(program, count)
        with torch.no_grad():
            actual = program(batch.clone())
            harness.assert_same(actual, model(batch.clone()))
            turned = program(batch.flip(0))
        harness.assert_same(turned.flip(0), actual)


def read(model: nn.Module, batches: tuple[int, ...] = (2,)) -> Program:
    """Return the program of an export with an open batch; those of exports for fixed ``batches`` are as good."""
    program = lift(exported(model, dynamic=True))
    for one in (program, *(lift(exported(model, batch)) for batch in batches)):
        same_numbers(one, model)
    return program


def kinds(program: Program) -> list[str]:
    """Return what each call is: the class of its module, or the name of its ATen operator."""
    return [getattr(module, "name", type(module).__name__) for _, module in program.calls()]
