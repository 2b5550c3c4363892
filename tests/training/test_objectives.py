"""Objectives of fine-tuning, against their formulas."""

import pytest
import torch
from torch.nn import functional as F

from seenn_convert.training.objectives import (
    OBJECTIVES,
    SOFTNESS,
    Seen,
    cross_entropy,
    prefix_distillation,
    shares_of,
    temporal_distillation,
)

TEACHER = torch.tensor([[2.0, 0.0, -1.0], [0.0, 3.0, 1.0]])


def seen(means: torch.Tensor, labels: torch.Tensor | None = None) -> Seen:
    return Seen(means, TEACHER, labels, torch.full((len(means),), 1 / len(means)))


def test_the_logits_of_single_timesteps() -> None:
    """The means of 1, 2, 3 timesteps with logits 1, 5, 0 are 1, 3, 2."""
    found = seen(torch.tensor([1.0, 3.0, 2.0]).view(3, 1, 1)).steps.flatten()
    assert found.tolist() == pytest.approx([1.0, 5.0, 0.0])


def test_where_the_readout_is_the_latest_value_it_is_what_a_timestep_says() -> None:
    latest = torch.tensor([[2.0, 0.0], [1.0, 0.0], [0.9, 0.0]]).view(3, 1, 2)
    found = Seen(latest, torch.zeros(1, 2), torch.tensor([0]), torch.full((3,), 1 / 3), latest=True)
    assert torch.equal(found.steps, latest)
    wanted = F.cross_entropy(latest.flatten(0, 1), torch.tensor([0, 0, 0]))
    assert cross_entropy(found).item() == pytest.approx(wanted.item())


def test_who_answers_as_the_ann_does_has_no_loss_to_its_answers() -> None:
    assert prefix_distillation(seen(TEACHER.expand(3, 2, 3))).item() == pytest.approx(0.0, abs=1e-6)


def test_one_prefix_is_compared_at_a_temperature() -> None:
    means = torch.tensor([[[0.0, 1.0, 0.0], [1.0, 0.0, 0.0]]])
    p, q = torch.softmax(TEACHER / SOFTNESS, -1), torch.softmax(means[0] / SOFTNESS, -1)
    expected = SOFTNESS**2 * (p * (p / q).log()).sum(-1).mean()
    assert prefix_distillation(seen(means)).item() == pytest.approx(expected.item())


def test_cross_entropy_is_that_of_every_timestep() -> None:
    means, labels = torch.randn(3, 2, 3, generator=torch.Generator().manual_seed(0)), torch.tensor([2, 1])
    steps = torch.stack([means[0], 2 * means[1] - means[0], 3 * means[2] - 2 * means[1]])
    expected = torch.stack([F.cross_entropy(one, labels) for one in steps]).mean()
    assert cross_entropy(seen(means, labels)).item() == pytest.approx(expected.item())


def test_where_no_timestep_is_right_none_is_followed() -> None:
    """Else the mean of no timesteps, a uniform answer, would be the target."""
    wrong = torch.tensor([[[0.0, 9.0, 0.0]], [[0.0, 9.0, 0.0]]])
    labels, teacher = torch.tensor([2]), torch.tensor([[0.0, 9.0, 0.0]])
    given = Seen(wrong, teacher, labels, torch.ones(2) / 2)
    assert temporal_distillation(given).item() == pytest.approx(cross_entropy(given).item(), abs=1e-5)


@pytest.mark.parametrize("name", OBJECTIVES)
def test_without_labels_the_answers_of_the_ann_stand_in(name: str) -> None:
    means = torch.randn(3, 2, 3, generator=torch.Generator().manual_seed(1))
    objective = OBJECTIVES[name]  # type: ignore[index]
    assert objective(seen(means)).item() == objective(seen(means, TEACHER.argmax(-1))).item()


def test_no_prefix_counts_nothing() -> None:
    found = shares_of(torch.tensor([98, 2, 0, 0]))
    assert found.sum().item() == pytest.approx(1.0)
    assert found[0] > 0.6 and found[3].item() == pytest.approx(found[2].item()) and found[3] > 0.08
