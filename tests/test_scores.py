"""Exit scores lie in [0, 1], grow with certainty, and are those of the papers."""

import math

import pytest
import torch

from seenn_convert.scores import SCORE_NAMES, confidence, negative_entropy, score


def test_confidence_is_the_largest_softmax_probability() -> None:
    logits = torch.log(torch.tensor([[0.7, 0.2, 0.1], [0.25, 0.25, 0.5]]))

    assert torch.allclose(confidence(logits), torch.tensor([0.7, 0.5]))


def test_temperature_divides_the_logits() -> None:
    """At temperature 2 the odds 9:1 become 3:1."""
    logits = torch.log(torch.tensor([[0.9, 0.1]]))

    assert confidence(logits, 2.0).item() == pytest.approx(0.75)


def test_each_row_may_have_its_own_temperature() -> None:
    logits = torch.randn(3, 5)
    temperature = torch.tensor([[0.5], [1.0], [4.0]])

    for name in SCORE_NAMES:
        rows = [score(name, logits[i : i + 1], float(temperature[i])) for i in range(3)]
        assert torch.allclose(score(name, logits, temperature), torch.cat(rows))


def test_entropy_score_against_its_definition() -> None:
    p = torch.tensor([[0.5, 0.25, 0.125, 0.125]])
    entropy = 1.75 * math.log(2)

    assert negative_entropy(p.log()).item() == pytest.approx(1 - entropy / math.log(4))


@pytest.mark.parametrize("name", SCORE_NAMES)
def test_scores_are_in_the_unit_interval(name: str) -> None:
    logits = torch.cat([torch.randn(50, 7) * scale for scale in (0.01, 1.0, 100.0)])
    values = score(name, logits)

    assert values.shape == (150,)
    assert ((values >= -1e-6) & (values <= 1 + 1e-6)).all()


def test_certain_is_one_and_uniform_is_least() -> None:
    certain, uniform = torch.tensor([[1000.0, 0.0, 0.0]]), torch.zeros(1, 3)

    assert confidence(certain).item() == negative_entropy(certain).item() == 1.0
    assert confidence(uniform).item() == pytest.approx(1 / 3)
    assert negative_entropy(uniform).item() == pytest.approx(0.0, abs=1e-6)


def test_a_single_class_is_certain() -> None:
    for name in SCORE_NAMES:
        assert score(name, torch.zeros(2, 1)).tolist() == [1.0, 1.0]
