"""The error at the outputs: of prefixes, relative to the ANN's logits."""

import math

import pytest
import small_artifacts as small
import torch

from seenn_convert.calibration.output_error import (
    LEAST_DIVERGENCE,
    WORST,
    divergence,
    output_errors,
    overall,
    prefix_errors,
    relative_distance,
)
from seenn_convert.calibration.timestep_bias import fit_timestep_bias
from seenn_convert.ir.state import initial_state
from seenn_convert.neurons.types import Tracking
from seenn_convert.passes.base import run_passes
from seenn_convert.passes.insert_timestep_bias import InsertTimestepBias
from seenn_convert.passes.sequence import spiking_passes

IMAGES = small.draw(20, 5)[0]


def test_prefix_errors_are_those_of_the_mean_logits() -> None:
    ann = small.ann_program()
    snn = run_passes(ann, spiking_passes(ann, small.calibration().v_thresholds(), Tracking(4)))
    drives, state, total, expected = snn.stem(IMAGES), initial_state(snn, 20), 0.0, []
    with torch.no_grad():
        wanted = ann(IMAGES)
        for t in range(1, 6):
            current, *following = snn.graph_module(*drives, *state.values())
            state, total = dict(zip(state, following, strict=True)), total + current
            expected.append(float((total / t - wanted).norm() / wanted.norm()))
        found = prefix_errors(snn, IMAGES, wanted, (2, 5))
    assert found == pytest.approx([expected[1], expected[4]])


def test_the_output_error_is_the_geometric_mean_of_three_prefixes() -> None:
    ann, thresholds = small.ann_program(), small.calibration().v_thresholds()
    snn = run_passes(ann, spiking_passes(ann, thresholds, Tracking(4)))
    with torch.no_grad():
        parts = prefix_errors(snn, IMAGES, ann(IMAGES), (2, 4, 8))
    expected = math.prod(parts) ** (1 / 3)
    assert overall(output_errors(ann, ann, thresholds, Tracking(4), 8, IMAGES)) == pytest.approx(expected)
    finer = overall(output_errors(ann, ann, thresholds, Tracking(64), 8, IMAGES))
    assert finer < expected / 4
    assert overall([0.3]) == pytest.approx(0.3)


def test_biases_are_judged_in_the_run_that_finds_them() -> None:
    """As if the network got them first and were judged then, on the same images."""
    ann, thresholds = small.ann_program(), small.calibration().v_thresholds()
    found = output_errors(ann, ann, thresholds, Tracking(4), 8, IMAGES, "timestep")
    snn = run_passes(ann, spiking_passes(ann, thresholds, Tracking(4)))
    biased = run_passes(snn, [InsertTimestepBias(fit_timestep_bias(ann, snn, 8, [IMAGES]))])
    with torch.no_grad():
        assert found == pytest.approx(prefix_errors(biased, IMAGES, ann(IMAGES), (2, 4, 8)))


def test_measures_of_one_prefix() -> None:
    """The distance is relative; the divergence of two answers is that of their probabilities, none for the same."""
    wanted = torch.tensor([[3.0, 4.0], [0.0, 0.0]])
    found = torch.tensor([[3.0, 1.0], [0.0, 4.0]])
    assert relative_distance(found, wanted) == pytest.approx(1.0)
    assert divergence(wanted + 7, wanted) == divergence(1.0001 * wanted, wanted) == LEAST_DIVERGENCE
    p, q = torch.softmax(wanted, -1), torch.softmax(found, -1)
    assert divergence(found, wanted) == pytest.approx(float((p * (p / q).log()).sum() / 2), rel=1e-5)


def test_answers_that_are_no_numbers_are_as_far_away_as_can_be() -> None:
    wanted = torch.randn(4, 3, generator=torch.Generator().manual_seed(0))
    nothing = torch.full_like(wanted, torch.nan)
    assert divergence(nothing, wanted) == relative_distance(nothing, wanted) == WORST
    assert overall([0.1, WORST]) > 1e10
