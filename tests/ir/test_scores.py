"""Exit scores lie in [0, 1], grow with certainty, and are those of the papers."""

import math

import pytest
import torch

from seenn_convert.choices import SCORE_NAMES, ScoreName
from seenn_convert.errors import ArtifactError, InputError
from seenn_convert.ir.scores import (
    GAP,
    SCORES,
    Evidence,
    ExitScore,
    confidence,
    energy,
    evidence_at,
    gap,
    margin,
    negative_entropy,
    patience,
    score_named,
    scores_of,
)


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
        rows = [score_named(name).of(Evidence(logits[i : i + 1], float(temperature[i]))) for i in range(3)]
        assert torch.allclose(score_named(name).of(Evidence(logits, temperature)), torch.cat(rows))


def test_entropy_score_against_its_definition() -> None:
    p = torch.tensor([[0.5, 0.25, 0.125, 0.125]])
    entropy = 1.75 * math.log(2)

    assert negative_entropy(p.log()).item() == pytest.approx(1 - entropy / math.log(4))


@pytest.mark.parametrize("name", SCORE_NAMES)
def test_scores_are_in_the_unit_interval(name: ScoreName) -> None:
    logits = torch.cat([torch.randn(50, 7) * scale for scale in (0.01, 1.0, 100.0)])
    run_length = torch.randint(1, 300, (150,))
    values = score_named(name).of(Evidence(logits, 1.0, 16, run_length))

    assert values.shape == (150,)
    assert ((values >= -1e-6) & (values <= 1 + 1e-6)).all()


@pytest.mark.parametrize("name", SCORE_NAMES)
def test_surer_is_larger(name: ScoreName) -> None:
    """A class whose logit grows makes every score grow, as a longer run length does for patience."""
    logits = torch.zeros(6, 4)
    logits[:, 1] = torch.tensor([0.5, 1.0, 2.0, 4.0, 8.0, 12.0])
    values = score_named(name).of(Evidence(logits, 1.0, 1.0, torch.arange(1, 7)))

    assert (values.diff() > 0).all()


def test_certain_is_one_and_uniform_is_least() -> None:
    certain, uniform = torch.tensor([[1000.0, 0.0, 0.0]]), torch.zeros(1, 3)

    assert confidence(certain).item() == negative_entropy(certain).item() == margin(certain).item() == 1.0
    assert confidence(uniform).item() == pytest.approx(1 / 3)
    assert negative_entropy(uniform).item() == pytest.approx(0.0, abs=1e-6)
    assert margin(uniform).item() == gap(uniform).item() == 0.0


def test_margin_is_the_lead_of_the_probabilities() -> None:
    logits = torch.log(torch.tensor([[0.6, 0.1, 0.3]]))

    assert margin(logits).item() == pytest.approx(0.3)
    assert margin(logits, 1e9).item() == pytest.approx(0.0, abs=1e-6)


def test_gap_is_that_of_the_summed_outputs() -> None:
    """Means of 2 and 1.5 after four timesteps are sums of 8 and 6: a gap of 2, which becomes 2/3."""
    logits = torch.tensor([[1.5, -3.0, 2.0]])

    assert gap(logits, 4).item() == pytest.approx(2 / 3)
    assert GAP.of(Evidence(logits, 7.0, torch.tensor([4.0]))).item() == pytest.approx(2 / 3)


def test_energy_is_the_log_of_the_summed_exponentials() -> None:
    """exp(0) + exp(log 2) = 3; x becomes (1 + 2x) / (2 + 2x), and -x one less that."""
    x = math.log(3)
    logits = torch.tensor([[0.0, math.log(2)]])

    assert energy(logits).item() == pytest.approx((1 + 2 * x) / (2 + 2 * x))
    assert energy(logits - 2 * x).item() == pytest.approx(1 - (1 + 2 * x) / (2 + 2 * x), abs=1e-6)


def test_patience_is_the_run_length_alone() -> None:
    logits = torch.randn(3, 4)

    assert patience(logits, torch.tensor([1, 3, 9])).tolist() == pytest.approx([0.5, 0.75, 0.9])


def test_the_run_length_starts_again_when_the_answer_changes() -> None:
    """Answers 0 0 1 1 1 0: run lengths 1 2 1 2 3 1."""
    logits = torch.nn.functional.one_hot(torch.tensor([[0], [0], [1], [1], [1], [0]]), 3).float()
    known = evidence_at(logits, torch.ones(6))

    assert [seen.run_length.item() for seen in known] == [1, 2, 1, 2, 3, 1]
    assert [seen.t for seen in known] == [1, 2, 3, 4, 5, 6]


def test_a_single_class_is_certain() -> None:
    for name in ("confidence", "entropy", "margin", "gap"):
        assert score_named(name).of(Evidence(torch.zeros(2, 1))).tolist() == [1.0, 1.0]


def test_names_lead_to_scores_and_a_user_s_own_joins_them() -> None:
    own = ExitScore("lead", lambda seen: seen.logits[..., 0])
    assert tuple(score_named(name) for name in SCORE_NAMES) == SCORES
    assert score_named("lead", (own,)) is own
    with pytest.raises(ArtifactError, match="'lead' is none of confidence, entropy, .*hand it over"):
        score_named("lead")
    for twice in ((own, ExitScore("lead", own.of)), (ExitScore("margin", own.of),)):
        with pytest.raises(InputError, match="two exit scores called"):
            score_named("margin", twice)


@pytest.mark.parametrize("name", ["", "a b", "planned+x", "fixed", "planned", 3])
def test_a_name_that_an_artifact_cannot_hold_is_refused(name: str) -> None:
    with pytest.raises(InputError, match="identifier"):
        ExitScore(name, lambda seen: seen.logits[..., 0])


def test_the_scores_of_all_timesteps_are_those_of_each() -> None:
    logits, temperatures = torch.randn(3, 5, 4), torch.tensor([0.5, 1.0, 2.0])
    found = scores_of(score_named("confidence"), logits, temperatures)
    assert torch.equal(found, torch.stack([confidence(logits[t], float(temperatures[t])) for t in range(3)]))
