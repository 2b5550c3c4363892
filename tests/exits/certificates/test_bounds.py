"""Exact bounds on a share, against brute force in exact fractions."""

import itertools
import math
from fractions import Fraction

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from seenn_convert.exits.certificates.bounds import (
    binomial_p_values,
    binomial_tails,
    images_needed,
    lower_share,
    upper_share,
)

SHARES = (Fraction(1, 200), Fraction(1, 20), Fraction(1, 3), Fraction(9, 10))


def exact(failures: int, images: int, share: Fraction) -> Fraction:
    """Return the probability of at most ``failures``."""
    return sum(
        (math.comb(images, k) * share**k * (1 - share) ** (images - k) for k in range(failures + 1)), Fraction(0)
    )


@pytest.mark.parametrize(
    ("images", "share"),
    [*itertools.product((1, 7, 60), SHARES), *(pytest.param(400, share, marks=pytest.mark.slow) for share in SHARES)],
)
def test_the_tail_is_the_sum_of_exact_fractions(images: int, share: Fraction) -> None:
    found = binomial_tails(images, float(share))
    wanted = [float(exact(k, images, share)) for k in range(images + 1)]
    assert found.tolist() == pytest.approx(wanted, rel=1e-10, abs=1e-300)
    assert float(found[-1]) == pytest.approx(1.0, abs=1e-12)


def test_a_tail_far_out_neither_vanishes_nor_overflows() -> None:
    """No failure among 100,000 images at one in 200 has probability 0.995 ** 100,000, about 2e-218."""
    tails = binomial_tails(100_000, 0.005)
    assert float(tails[0]) == pytest.approx(0.995**100_000, rel=1e-9)
    assert 0.48 < float(tails[500]) < 0.53  # the median is at the mean


def test_p_values_look_failures_up_in_any_shape() -> None:
    found = binomial_p_values(torch.tensor([[0, 1], [2, 3]]), 3, 0.5)
    assert found.shape == (2, 2)
    assert found.flatten().tolist() == pytest.approx([0.125, 0.5, 0.875, 1.0])


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 60), st.data(), st.sampled_from([0.01, 0.05, 0.3]))
def test_the_upper_bound_is_where_the_tail_is_delta(images: int, data: st.DataObject, delta: float) -> None:
    failures = data.draw(st.integers(0, images))
    upper, lower = upper_share(failures, images, delta), lower_share(failures, images, delta)
    assert lower <= failures / images <= upper
    if failures == images:
        assert upper == 1.0
    else:
        assert float(exact(failures, images, Fraction(upper))) == pytest.approx(delta, rel=1e-6)
    if failures == 0:
        assert lower == 0.0
    else:
        assert 1 - float(exact(failures - 1, images, Fraction(lower))) == pytest.approx(delta, rel=1e-6)


@settings(deadline=None, max_examples=60)
@given(st.sampled_from([0.002, 0.01, 0.05, 0.5]), st.sampled_from([0.01, 0.05, 0.2]))
def test_images_needed_are_the_fewest_without_a_failure(epsilon: float, delta: float) -> None:
    needed = images_needed(epsilon, delta)
    assert float(binomial_p_values(torch.tensor(0), needed, epsilon)) <= delta + 1e-12
    assert needed == 1 or float(binomial_p_values(torch.tensor(0), needed - 1, epsilon)) > delta


def test_one_point_at_five_in_a_hundred_needs_299_images() -> None:
    assert images_needed(0.01, 0.05) == 299
