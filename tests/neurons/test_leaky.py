"""The law of leaky neurons: what the membrane holds is the weighted sum of its input, less what spikes took."""

import math

import pytest
import torch
from torch import Tensor

from seenn_convert.choices import Reset
from seenn_convert.neurons.leaky import LeakyNeuron

ZERO, ONE = torch.tensor(0.0), torch.tensor(1.0)


def neuron(
    threshold: float = 1.0, leak: float = 0.5, gain: float = 1.0, rest: float = 0.0, **options: object
) -> LeakyNeuron:
    numbers = (torch.tensor(number, dtype=torch.float64) for number in (threshold, rest, leak, gain, rest))
    return LeakyNeuron(*numbers, **options)  # type: ignore[arg-type]


def run(layer: LeakyNeuron, currents: Tensor) -> tuple[Tensor, Tensor]:
    """Return the spikes ``(T, ...)`` and the last membrane potential."""
    v, sent = layer.v_initial.expand(currents.shape[1:]), []
    for current in currents:
        spikes, v = layer(current, v)
        sent.append(spikes)
    return torch.stack(sent), v


@pytest.mark.parametrize(("leak", "gain"), [(1.0, 1.0), (0.9, 1.0), (0.5, 0.5), (0.0, 2.0)])
def test_without_spikes_the_membrane_is_the_weighted_sum_of_the_input(leak: float, gain: float) -> None:
    currents = torch.rand(6, 5, dtype=torch.float64)
    spikes, v = run(neuron(1e9, leak, gain), currents)
    weights = torch.tensor([gain * leak ** (5 - t) for t in range(6)], dtype=torch.float64)
    assert not spikes.any()
    torch.testing.assert_close(v, (weights.unsqueeze(1) * currents).sum(0))


@pytest.mark.parametrize("delayed", [False, True])
def test_a_soft_reset_takes_the_threshold_with_the_weight_of_its_age(delayed: bool) -> None:
    """Charge law with leak: v_T = sum of leak^(T-t) (gain x_t - theta s_t), a delayed reset acting one step later."""
    leak, theta, timesteps = 0.8, 0.7, 12
    currents = torch.rand(timesteps, 50, dtype=torch.float64)
    spikes, v = run(neuron(theta, leak, 1.0, delayed=delayed), currents)
    taken = torch.cat([torch.zeros_like(spikes[:1]), spikes[:-1]]) if delayed else spikes
    weights = torch.tensor([leak ** (timesteps - 1 - t) for t in range(timesteps)], dtype=torch.float64)
    assert 0 < float(spikes.mean()) < 1
    torch.testing.assert_close(v, (weights.unsqueeze(1) * (currents - theta * taken)).sum(0))


def test_owing_neurons_take_two_thresholds_to_fire_again_at_once() -> None:
    """What they hold is that of a soft reset; a spike needs two thresholds if one was left behind by the last."""
    leak, theta, timesteps = 0.8, 0.2, 12
    currents = torch.rand(timesteps, 50, dtype=torch.float64)
    spikes, v = run(neuron(theta, leak, 1.0, owing=True), currents)
    held, more = torch.zeros(50, dtype=torch.float64), 0
    for current, sent in zip(currents, spikes, strict=True):
        left = held >= theta
        held = leak * held + current
        assert torch.equal(sent, (held >= theta * (1 + left.double())).double())
        more += int((left & (sent == 0)).sum())
        held = held - theta * sent
    assert more > 0
    torch.testing.assert_close(v, held)


def test_a_reset_is_either_delayed_or_owing() -> None:
    with pytest.raises(ValueError, match="either delayed or owing"):
        neuron(delayed=True, owing=True)


def test_without_leak_a_constant_current_is_counted_in_whole_thresholds() -> None:
    spikes, v = run(neuron(1.0, 1.0), torch.full((10, 1), 0.375, dtype=torch.float64))
    assert spikes.sum() == math.floor(10 * 0.375) and v == 10 * 0.375 - spikes.sum()


def test_a_constant_current_below_the_leak_never_fires() -> None:
    """The membrane tends to x / (1 - leak): 0.49 / 0.5 stays below 1, and 0.51 / 0.5 passes it."""
    assert not run(neuron(1.0, 0.5), torch.full((60, 1), 0.49, dtype=torch.float64))[0].any()
    assert run(neuron(1.0, 0.5), torch.full((60, 1), 0.51, dtype=torch.float64))[0].any()


@pytest.mark.parametrize(("strict", "fires"), [(False, True), (True, False)])
def test_a_membrane_exactly_at_the_threshold(strict: bool, fires: bool) -> None:
    assert bool(run(neuron(1.0, strict=strict), torch.ones(1, 1, dtype=torch.float64))[0]) is fires


@pytest.mark.parametrize(("reset", "left"), [("subtract", 1.5), ("rest", 0.25), ("none", 2.5)])
def test_what_a_spike_leaves_in_the_membrane(reset: Reset, left: float) -> None:
    layer = neuron(1.0, 1.0, 1.0, 0.25, reset=reset)
    spikes, v = run(layer, torch.full((1, 1), 2.25, dtype=torch.float64))
    assert spikes.item() == 1 and v.item() == left
    delayed = neuron(1.0, 1.0, 1.0, 0.25, reset=reset, delayed=True)
    _, v = run(delayed, torch.tensor([[2.25], [0.0]], dtype=torch.float64))
    assert v.item() == left


def test_spikes_are_1_whatever_the_threshold() -> None:
    layer = LeakyNeuron(torch.tensor(0.3), ZERO, ONE, ONE, ZERO)
    spikes, _ = layer(torch.ones(2, 3), torch.zeros(2, 3))
    assert spikes.unique().tolist() == [1.0] and layer.spike_counts(spikes).tolist() == [3, 3]
    assert float(layer.spike) == layer.alphabet[-1] == 1


def test_the_membrane_leaks_to_its_rest() -> None:
    _, v = run(neuron(9.0, 0.5, 1.0, 2.0), torch.tensor([[4.0], [0.0], [0.0]], dtype=torch.float64))
    assert v.item() == 2.0 + 4.0 / 4


def test_another_reset_is_refused() -> None:
    with pytest.raises(ValueError, match="reset must be one of subtract, rest, none, got 'soft'"):
        LeakyNeuron(ONE, ZERO, ONE, ONE, ZERO, "soft")  # type: ignore[arg-type]
