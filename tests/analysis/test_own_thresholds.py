"""Quantised activations keep their threshold where a run can tell their levels apart."""

import harness
import torch
import toys
from torch import Tensor, nn

from seenn_convert.analysis.own_thresholds import own_thresholds, settled
from seenn_convert.ir.program import Program
from seenn_convert.neurons.types import Signed
from seenn_convert.passes.base import run_passes
from seenn_convert.passes.sequence import spiking_passes


def quantised(levels: int, x: Tensor) -> Tensor:
    return torch.floor(x.clamp(0, 1) * levels + 0.5) / levels


def program() -> Program:
    """Return a program with activations of 4 and 8 levels, of which only the first has constant current."""
    torch.manual_seed(0)
    model = toys.toy(lambda m, x: m.head(quantised(8, m.second(quantised(4, m.first(x))))), (6,),
                     first=nn.Linear(6, 6), second=nn.Linear(6, 6), head=nn.Linear(6, 3))  # fmt: skip
    return harness.ann_program(model)


def test_those_whose_levels_the_run_tells_apart() -> None:
    ann = program()
    assert [len(own_thresholds(ann, levels)) for levels in (3, 4, 7, 8, 100)] == [0, 1, 1, 2, 2]
    assert set(own_thresholds(ann, 8).values()) == {1.0}


def test_only_constant_current_needs_no_correction() -> None:
    ann = program()
    thresholds = harness.largest_activations(ann, harness.images(ann))
    snn = run_passes(ann, spiking_passes(ann, thresholds, Signed()))
    first = next(iter(own_thresholds(ann, 4)))

    assert settled(ann, snn, 8) == {first} and settled(ann, snn, 3) == set()
