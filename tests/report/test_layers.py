"""The table of layers says what each layer does, and how far its mean is from the activation."""

import json

import pytest
import small_artifacts as small
import torch

from seenn_convert.report.layers import layer_rows

IMAGES = small.draw(24, 43)[0]


def test_rows_by_hand() -> None:
    model = small.model(5, neuron="if")
    rows = {row.name: row for row in layer_rows(small.ann_program(), model, IMAGES)}
    theta = model.layers[0].neuron.v_threshold
    drive = model.drive(IMAGES)[0]
    spikes = torch.clamp(torch.floor(5 * drive / theta + 0.5), 0, 5)  # the law of the neuron: constant current
    row = rows["relu"]
    assert row.neurons == 80
    assert row.spikes_per_image == pytest.approx(float(spikes.sum()) / 24)
    assert row.firing_rate == pytest.approx(float(spikes.mean()) / 5)
    error = (spikes * theta / 5 - drive.relu()).norm() / drive.relu().norm()
    assert row.rate_error == pytest.approx(float(error), rel=1e-4)
    assert row.v_threshold == (float(theta.min()), float(theta.median()), float(theta.max()))
    assert list(rows) == ["relu", "relu_1"]
    json.dumps([row.to_json() for row in rows.values()], allow_nan=False)


def test_more_timesteps_make_the_error_smaller() -> None:
    short, long = (layer_rows(small.ann_program(), small.model(t), IMAGES) for t in (4, 64))
    assert all(b.rate_error < a.rate_error / 3 for a, b in zip(short, long, strict=True))
