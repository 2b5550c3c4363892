"""Halving an interval finds the temperature of least negative log likelihood."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from seenn_convert.exits.temperatures import fit_temperatures, negative_log_likelihood


@settings(deadline=None, max_examples=15)
@given(seed=st.integers(0, 10**6), scale=st.floats(0.3, 30))
def test_no_temperature_of_a_dense_grid_is_better(seed: int, scale: float) -> None:
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(4, (60,), generator=generator)
    noise = torch.randn(3, 60, 4, generator=generator)
    logits = scale * (noise + 1.5 * torch.nn.functional.one_hot(labels, 4))
    found = negative_log_likelihood(logits, labels, fit_temperatures(logits, labels))
    grid = torch.logspace(-1.3, 2.17, 400, dtype=torch.float64)
    best = torch.stack([negative_log_likelihood(logits, labels, t.expand(3)) for t in grid]).amin(dim=0)
    assert bool((found <= best + 1e-6).all())


@pytest.mark.parametrize("scale", [1e-4, 5, 1e5])
def test_it_undoes_a_scaling(scale: float) -> None:
    """If the best temperature of z is s, the best of 5 z is 5 s; logits may be as small as probabilities are."""
    generator = torch.Generator().manual_seed(1)
    labels = torch.randint(3, (200,), generator=generator)
    z = torch.randn(200, 3, generator=generator) + torch.nn.functional.one_hot(labels, 3)
    found = fit_temperatures(z[None], labels), fit_temperatures(scale * z[None], labels)
    assert float(found[1] / found[0]) == pytest.approx(scale, rel=1e-3)


def test_the_likelihood_is_that_of_the_softmax() -> None:
    logits = torch.tensor([[[2.0, 0.0], [0.0, 1.0]]])
    labels = torch.tensor([0, 0])
    expected = -torch.log(torch.tensor([1 / (1 + torch.e**-1), 1 / (1 + torch.e**0.5)])).mean()
    assert float(negative_log_likelihood(logits, labels, torch.tensor([2.0]))) == pytest.approx(float(expected))


def test_right_answers_only_and_no_information_stay_finite() -> None:
    labels = torch.tensor([0, 1])
    sure, nothing = 10 * torch.eye(2), torch.zeros(2, 2)
    found = fit_temperatures(torch.stack([sure, nothing]), labels)
    assert bool(torch.isfinite(found).all())
    assert bool((found > 0).all())
