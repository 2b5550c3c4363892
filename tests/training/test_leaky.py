"""Leaky neurons in training: their law to the bit forwards, the surrogate that theory says backwards."""

import itertools

import pytest
import torch

from seenn_convert.choices import RESET_NAMES
from seenn_convert.neurons.leaky import LeakyNeuron
from seenn_convert.training.leaky import TrainedLeaky

THETA, LEAK = torch.tensor([0.5, 1.0]), torch.tensor([0.9, 0.3])


def layer(leak: torch.Tensor = LEAK, **options: object) -> LeakyNeuron:
    rest = torch.zeros(2) if options.get("reset") != "rest" else torch.tensor([0.1, -0.2])
    return LeakyNeuron(THETA, 0.4 * THETA, leak, torch.tensor([1.0, 0.7]), rest, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("reset", "strict", "when"), itertools.product(RESET_NAMES, (False, True), ({}, {"delayed": True}, {"owing": True}))
)
def test_forwards_it_is_the_neuron_to_the_bit(reset: str, strict: bool, when: dict[str, bool]) -> None:
    learned = TrainedLeaky(layer(reset=reset, strict=strict, **when))
    with torch.no_grad():
        for one in learned.parameters():
            one.add_(0.1)
    settled = learned.settled()
    assert not torch.equal(settled.leak, LEAK) and not torch.equal(settled.v_threshold, THETA)
    ours, theirs = learned.v_initial.expand(6, 2), settled.v_initial.expand(6, 2)
    for current in torch.randn(8, 6, 2, generator=torch.Generator().manual_seed(0)):
        (spikes, ours), (wanted, theirs) = learned(current, ours), settled(current, theirs)
        assert torch.equal(spikes, wanted) and torch.equal(ours, theirs)


def test_the_surrogate_of_a_spike_is_a_triangle_around_the_threshold() -> None:
    learned = TrainedLeaky(LeakyNeuron(*(torch.tensor(number) for number in (2.0, 0.0, 0.5, 1.0, 0.0))))
    current = torch.tensor([-1.0, 0.0, 1.0, 2.0, 3.0, 4.0], requires_grad=True)
    with torch.enable_grad():
        learned(current, torch.zeros(6))[0].sum().backward()
    assert torch.equal(current.grad, torch.tensor([0.0, 0.0, 0.25, 0.5, 0.25, 0.0]))  # of height 1 / theta
    # d / d log(theta) is -v times that of v: -(1 * 0.25 + 2 * 0.5 + 3 * 0.25)
    torch.testing.assert_close(learned.log_change.grad, torch.tensor(-2.0))


def test_what_is_kept_of_the_membrane_has_a_gradient_and_stays_between_0_and_1() -> None:
    learned = TrainedLeaky(layer())
    assert learned.log_decay is not None
    v = torch.tensor([[0.4, 0.3]])
    with torch.enable_grad():
        learned(torch.zeros(1, 2), v)[1].sum().backward()
    decay = -LEAK.log()
    torch.testing.assert_close(learned.log_decay.grad, -decay * LEAK * v[0])  # d exp(-e^p) / dp, times v
    for far in (-50.0, 50.0):
        with torch.no_grad():
            learned.log_decay.fill_(far)
        assert bool(((learned.leak >= 0) & (learned.leak <= 1)).all())


@pytest.mark.parametrize("leak", [0.0, 1.0])
def test_neurons_that_do_not_leak_or_keep_nothing_stay_so(leak: float) -> None:
    learned = TrainedLeaky(layer(torch.full((2,), leak)))
    assert learned.log_decay is None and torch.equal(learned.settled().leak, torch.full((2,), leak))
