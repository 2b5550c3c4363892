"""What may differ in one timestep: rounding, and rows in which a neuron on the edge of its threshold decided otherwise."""

import pytest
import small_artifacts as small
import torch
from torch import Tensor

from seenn_convert.errors import ExportError
from seenn_convert.exporters import verification
from seenn_convert.exporters.verification import row_errors

MODEL = small.model()
LAYER = MODEL.layers[1]
NAMES = ["logits", "score", *(spec.name for spec in MODEL.program.states)]
MEMBRANE = NAMES.index(next(name for name, neuron in verification._membranes(MODEL) if neuron is LAYER.neuron))


def stepped() -> list[Tensor]:
    """Return what one timestep of three images gives."""
    drives = MODEL.drive(small.draw(3, 5)[0])
    logits, score, state = MODEL.step(drives, MODEL.initial_state(3))
    return [value.clone() for value in (logits, score, *state.values())]


def compared(held: float) -> verification._Found:
    """Compare two steps: in one neuron of the second row a spike more left, and its membrane holds ``held`` thresholds."""
    ours, theirs = stepped(), stepped()
    threshold = LAYER.neuron.v_threshold.flatten()[0]
    ours[MEMBRANE][1, 0, 0, 0] = held * threshold
    theirs[MEMBRANE][1, 0, 0, 0] = (held - 1) * threshold
    theirs[0][1] += 0.3
    return verification._step_compared(MODEL, ours, theirs)


@pytest.mark.parametrize("held", [1.0, 0.0, 1 - 5e-6, 3.0])
def test_a_neuron_on_the_edge_may_decide_the_other_way(held: float) -> None:
    found = compared(held)
    assert (found.flipped, found.rows) == (1, 3) and found.error <= 1e-6


@pytest.mark.parametrize("held", [0.5, 1 - 5e-4, 0.25])
def test_a_neuron_off_the_edge_may_not(held: float) -> None:
    with pytest.raises(ExportError, match="differs"):
        compared(held)


def test_a_result_that_differs_without_a_neuron_is_an_error() -> None:
    ours, theirs = stepped(), stepped()
    theirs[0][2] += 0.01
    with pytest.raises(ExportError, match="logits by 0.0.* no neuron is on the edge of firing"):
        verification._step_compared(MODEL, ours, theirs)


def test_errors_are_shares_of_the_largest_value() -> None:
    ours = torch.tensor([[0.0, 100.0], [50.0, 1.0]])
    assert row_errors(ours, ours + torch.tensor([[0.0], [1.0]])).tolist() == pytest.approx([0.0, 0.01])
    assert row_errors(torch.zeros(2), torch.tensor([0.0, 0.1])).tolist() == pytest.approx([0.0, 0.1])
    with pytest.raises(ExportError, match=r"returns \(2, 3\) in place of \(2, 2\)"):
        row_errors(ours, torch.zeros(2, 3))
