"""Other temperatures in the exit probe: scores change as they would in a fresh one, logits and state do not."""

import harness
import pytest
import torch
import toys

from seenn_convert.errors import PreconditionError
from seenn_convert.ir.scores import CONFIDENCE
from seenn_convert.passes.insert_exit_probe import InsertExitProbe
from seenn_convert.passes.replace_temperatures import ReplaceTemperatures

BEFORE, AFTER = torch.tensor([0.5, 1.0, 2.0]), torch.tensor([2.0, 0.25, 1.0])


def test_the_result_is_a_probe_with_these_temperatures() -> None:
    without = harness.spiking_program(harness.program_of(toys.residual))
    replaced = ReplaceTemperatures(AFTER)(InsertExitProbe(CONFIDENCE, BEFORE, 5)(without))
    fresh, batch = InsertExitProbe(CONFIDENCE, AFTER, 5)(without), harness.images(without)
    for one, other in zip(*(harness.timesteps(p, batch, 3) for p in (replaced, fresh)), strict=True):
        assert all(torch.equal(a, b) for a, b in zip(one.results, other.results, strict=True))


def test_the_program_before_keeps_its_own() -> None:
    without = harness.spiking_program(harness.program_of(toys.residual))
    before = InsertExitProbe(CONFIDENCE, BEFORE, 5)(without)
    ReplaceTemperatures(AFTER)(before)
    assert torch.equal(before.graph_module.get_submodule("exit_probe").temperatures, BEFORE)


def test_a_program_without_a_probe_is_refused() -> None:
    with pytest.raises(PreconditionError, match="no exit probe"):
        ReplaceTemperatures(AFTER)(harness.spiking_program(harness.program_of(toys.residual)))
