"""Trained neurons: the law of each neuron to the bit forwards, the surrogate that theory says backwards."""

import pytest
import torch
from torch import Tensor

from seenn_convert.neurons.layers import BinaryNeuron, GroupNeuron, Neuron, SignedNeuron
from seenn_convert.neurons.types import NEURON_TYPES, can_encode
from seenn_convert.training.surrogate import TrainedNeuron, slope_of

THRESHOLDS = torch.tensor([0.3, 1.0, 2.7]).view(3, 1, 1)
EVERY = [(name, "rectifying") for name in NEURON_TYPES] + [
    (name, "encoding") for name, kind in NEURON_TYPES.items() if can_encode(kind)
]


def trained(neuron: Neuron) -> TrainedNeuron:
    return TrainedNeuron(neuron)


def run(step: torch.nn.Module, neuron: Neuron, currents: Tensor) -> list[tuple[Tensor, ...]]:
    """Return what each timestep gives, state after output."""
    rows = currents.shape[1:]
    state = [step.v_initial.expand(rows) if name == "v" else torch.zeros(rows) for name in neuron.state_names]
    seen = []
    for t, current in enumerate(currents):
        clock = [torch.full((rows[0],), float(t))] if neuron.reads_clock else []
        result = step(current, *clock, *state)
        state = list(result[1:])
        seen.append(result)
    return seen


@pytest.mark.parametrize(("name", "role"), EVERY)
def test_forwards_it_is_the_neuron_to_the_bit(name: str, role: str) -> None:
    neuron = getattr(NEURON_TYPES[name], role)(THRESHOLDS)
    learned = trained(neuron)
    with torch.no_grad():
        learned.log_change += 0.1
        learned.shift += 0.2
    settled = learned.settled()
    assert not torch.equal(settled.v_threshold, neuron.v_threshold)
    currents = torch.randn(9, 4, 3, 5, 5, generator=torch.Generator().manual_seed(0))
    for found, wanted in zip(run(learned, neuron, currents), run(settled, neuron, currents), strict=True):
        assert all(map(torch.equal, found, wanted))


def test_the_surrogate_of_one_spike_is_a_triangle() -> None:
    due = torch.tensor([-1.0, 0.0, 0.25, 1.0, 1.5, 2.0, 3.0])
    expected = torch.tensor([0.0, 0.0, 0.25, 1.0, 0.5, 0.0, 0.0])
    one = torch.ones(1)
    assert torch.equal(slope_of(BinaryNeuron(one, one / 2), due), expected)
    nothing_sent, sent = torch.zeros_like(due), torch.ones_like(due)
    signed = SignedNeuron(one, one / 2)
    assert torch.equal(slope_of(signed, due, nothing_sent), expected)
    back = torch.tensor([0.0, 1.0, 1.0, 1.0, 0.5, 0.0, 0.0])  # one spike can be taken back: a triangle around 0, too
    assert torch.equal(slope_of(signed, due, sent), back)


def test_a_group_has_a_slope_as_long_as_it_can_send_more() -> None:
    one, due = torch.ones(1), torch.tensor([0.5, 1.0, 2.0, 4.0, 4.5, 5.0])
    found = slope_of(GroupNeuron(one, one / 2, members=4), due, torch.zeros_like(due))
    assert torch.equal(found, torch.tensor([0.5, 1.0, 1.0, 1.0, 0.5, 0.0]))


def test_gradients_of_a_step() -> None:
    """Of a spike: d(output)/d(current) is the slope and d(output)/d(theta) = s - slope * u; the reset has none."""
    learned = trained(BinaryNeuron(torch.tensor([2.0]), torch.tensor([1.0])))
    current = torch.tensor([[1.6]], requires_grad=True)
    output, v = learned(current, torch.tensor([[1.0]]))
    assert (output.item(), v.item()) == pytest.approx((2.0, 0.6))
    output.backward(retain_graph=True)
    assert current.grad is not None and current.grad.item() == pytest.approx(0.7)  # u = 1.3
    assert learned.log_change.grad is not None
    assert learned.log_change.grad.item() == pytest.approx(2.0 * (1 - 0.7 * 1.3))  # d/d log theta = theta d/d theta
    current.grad = None
    v.backward()
    assert current.grad is not None and current.grad.item() == 1.0


def test_thresholds_stay_positive_and_start_where_they_were() -> None:
    learned = trained(SignedNeuron(THRESHOLDS, THRESHOLDS / 4))
    torch.testing.assert_close(learned.v_threshold, THRESHOLDS)
    torch.testing.assert_close(learned.v_initial, THRESHOLDS / 4)
    with torch.no_grad():
        learned.log_change -= 50
    assert bool((learned.settled().v_threshold > 0).all())
