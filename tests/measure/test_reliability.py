"""Calibration error, reliability bins and AUROC against numbers worked out by hand."""

import pytest
import torch

from seenn_convert.artifact.schema.comparison import Bin
from seenn_convert.measure.reliability import auroc, calibration_error, reliability_bins


def test_bins_hold_their_images() -> None:
    confidence = torch.tensor([0.1, 0.2, 0.9, 1.0])
    right = torch.tensor([False, True, True, True])

    assert reliability_bins(confidence, right, bins=2) == (
        Bin(2, pytest.approx(0.15), 0.5), Bin(2, pytest.approx(0.95), 1.0))  # fmt: skip


def test_the_calibration_error_is_the_weighted_distance() -> None:
    """Three images 60 % sure of which all are right, one 90 % sure and wrong: (3 * 0.4 + 1 * 0.9) / 4."""
    confidence, right = torch.tensor([0.6, 0.6, 0.6, 0.9]), torch.tensor([True, True, True, False])

    assert calibration_error(confidence, right, bins=10) == pytest.approx((3 * 0.4 + 0.9) / 4)


def test_honest_confidence_has_no_error() -> None:
    confidence = torch.full((100,), 0.75)
    right = torch.arange(100) < 75

    assert calibration_error(confidence, right) == pytest.approx(0.0, abs=1e-6)


def test_auroc_counts_ordered_pairs() -> None:
    """Of the pairs of a right and a wrong answer (0.9, 0.5) (0.9, 0.7) (0.5, 0.5) (0.5, 0.7): 1 + 1 + 1/2 + 0 of 4."""
    scores, right = torch.tensor([0.9, 0.5, 0.5, 0.7]), torch.tensor([True, True, False, False])

    assert auroc(scores, right) == pytest.approx(2.5 / 4)
    assert auroc(-scores, right) == pytest.approx(1.5 / 4)
    assert auroc(scores, torch.ones(4, dtype=torch.bool)) is None
