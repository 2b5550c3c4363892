"""The table of layers says what each layer does, and how far its mean is from the activation."""

import copy

import pytest
import small_artifacts as small
import torch

from seenn_convert.artifact.files import json_text
from seenn_convert.measure.layers import layer_rows, saturated_channels
from seenn_convert.neurons.layers import BinaryNeuron, EncodingNeuron, SignedNeuron, TrackingNeuron

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
    json_text(list(rows.values()))


def test_more_timesteps_make_the_error_smaller() -> None:
    short, long = (layer_rows(small.ann_program(), small.model(t), IMAGES) for t in (4, 64))
    assert all(b.rate_error < a.rate_error / 3 for a, b in zip(short, long, strict=True))


@pytest.mark.parametrize(("timesteps", "enough"), [(1, 1), (4, 4), (8, 7), (16, 14), (100, 90)])
def test_a_channel_is_saturated_where_more_than_a_twentieth_sends_the_most_in_nine_of_ten_steps(
    timesteps: int, enough: int
) -> None:
    """Forty neurons a channel: none, two, three, and all of them at the limit; two are not more than a twentieth."""
    theta = torch.tensor([0.3, 0.7, 1.1, 2.0]).reshape(4, 1)
    spikes = torch.zeros(4, 4, 10)
    for channel, at_limit in enumerate((0, 2, 3, 40)):
        flat = torch.full((40,), enough - 1.0)
        flat[:at_limit] = enough
        spikes[:, channel] = flat.reshape(4, 10)
    for kind in (BinaryNeuron, SignedNeuron):
        assert saturated_channels(kind(theta, theta / 2), spikes * theta / timesteps, timesteps) == 2


def test_neurons_without_a_most_are_never_saturated() -> None:
    theta = torch.tensor(1.0)
    assert saturated_channels(TrackingNeuron(theta, theta / 2), torch.full((2, 3), 9.0), 8) is None


def test_an_encoder_is_saturated_by_either_sign() -> None:
    theta = torch.tensor(1.0)
    output = torch.tensor([[-1.0, 0.5, 1.0]])
    assert saturated_channels(EncodingNeuron(theta, theta / 2), output, 8) == 2


def test_saturated_channels_of_a_run_by_hand() -> None:
    """Thresholds at a tenth: the channels in which more than a twentieth of the drives reach nine tenths of it."""
    model = copy.deepcopy(small.model(16, neuron="if"))  # its neurons are those of other tests
    for layer in model.layers:
        layer.neuron.v_threshold.mul_(0.1)
        layer.neuron.v_initial.mul_(0.1)
    first, second = layer_rows(small.ann_program(), model, IMAGES)
    spikes = torch.clamp(torch.floor(16 * model.drive(IMAGES)[0] / model.layers[0].neuron.v_threshold + 0.5), 0, 16)
    shares = (spikes >= 14).transpose(0, 1).flatten(1).double().mean(dim=1)
    assert first.channels == second.channels == 5
    assert first.saturated_channels == int((shares > 0.05).sum()) > 0
    assert all(row.saturated_channels == 0 for row in layer_rows(small.ann_program(), small.model(16), IMAGES))


def test_start_up_and_upstream_together() -> None:
    rows = layer_rows(small.ann_program(), small.model(8), IMAGES)
    assert rows[0].input_error == pytest.approx(0, abs=1e-5)  # the stem's drive is exact
    assert 0 < rows[1].input_error <= rows[1].error_parts["startup"] + rows[1].error_parts["upstream"]
