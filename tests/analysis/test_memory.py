"""Images run through an ANN in batches whose largest activation fits into memory."""

import harness
import pytest
import torch
import toys

from seenn_convert.analysis.memory import images_together
from seenn_convert.ir.editor import shapes_of


def test_images_run_together_as_the_largest_result_allows(monkeypatch: pytest.MonkeyPatch) -> None:
    program = harness.program_of(toys.residual)
    largest = max(torch.Size(shape).numel() for shape in shapes_of(program).values())
    assert images_together(program, 50) == 50
    monkeypatch.setattr("seenn_convert.analysis.memory.LARGEST_RESULT", 9 * largest)
    assert images_together(program, 50) == 9
    monkeypatch.setattr("seenn_convert.analysis.memory.LARGEST_RESULT", 1)
    assert images_together(program, 50) == 1


def test_fewer_images_on_a_cpu_but_not_below_the_floor_of_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    program = harness.program_of(toys.residual)
    monkeypatch.setattr("seenn_convert.analysis.memory.LARGEST_ON_CPU", 1)
    assert images_together(program, 50) == 16
