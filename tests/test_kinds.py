"""The kinds of neurons: each makes the layers that stand for a ReLU and for a graded signal."""

import pytest
import torch
from torch import Tensor

from seenn_convert.errors import InputError
from seenn_convert.kinds import NEURON_KINDS, Binary, NeuronKind, Signed, Tracking
from seenn_convert.spiking import BinaryNeuron, EncodingNeuron, Neuron, SignedNeuron, TrackingEncoder, TrackingNeuron

THRESHOLD = torch.tensor([0.5, 1.0, 4.0]).reshape(3, 1)
KINDS: list[NeuronKind] = [Signed(), Binary(), Tracking(), Tracking(4)]
LAYERS = [
    *((kind.rectifying, name) for kind in KINDS for name in [f"{kind.name} rectifying"]),
    *((kind.encoding, f"{kind.name} encoding") for kind in KINDS if not isinstance(kind, Binary)),
]


def run(neuron: Neuron, currents: Tensor) -> tuple[Tensor, Tensor]:
    """Return all outputs ``(T, B, *F)`` and all membrane potentials, from the state a program starts with."""
    state = [neuron.v_initial.expand(currents[0].shape).clone()]
    state += [torch.zeros_like(currents[0]) for _ in neuron.state_names[1:]]
    outputs, membranes = [], []
    for t, current in enumerate(currents):
        clock = [torch.full((current.shape[0],), float(t))] if neuron.reads_clock else []
        output, *state = neuron(current, *clock, *state)
        outputs.append(output)
        membranes.append(state[0])
    return torch.stack(outputs), torch.stack(membranes)


def test_the_kinds_by_name() -> None:
    assert {name: kind.name for name, kind in NEURON_KINDS.items()} == {
        "signed": "signed", "if": "if", "tracking": "tracking",
    }  # fmt: skip


def test_each_kind_makes_its_neurons() -> None:
    assert type(Signed().rectifying(THRESHOLD)) is SignedNeuron
    assert type(Binary().rectifying(THRESHOLD)) is BinaryNeuron
    assert type(Tracking().rectifying(THRESHOLD)) is TrackingNeuron
    assert type(Signed().encoding(THRESHOLD)) is EncodingNeuron
    assert type(Tracking().encoding(THRESHOLD)) is TrackingEncoder


def test_a_binary_spike_cannot_encode() -> None:
    with pytest.raises(InputError, match="binary neurons cannot send graded signals of either sign; use --neuron signed"):
        Binary().encoding(THRESHOLD)


@pytest.mark.parametrize("levels", [0, -3])
def test_a_tracking_neuron_has_levels(levels: int) -> None:
    with pytest.raises(InputError, match=f"at least 1 level, got {levels}"):
        Tracking(levels)


@pytest.mark.parametrize("kind", KINDS[:2])
def test_a_threshold_above_the_clip_comes_down_to_it(kind: NeuronKind) -> None:
    assert kind.rectifying(THRESHOLD, 0.8).v_threshold.flatten().tolist() == pytest.approx([0.5, 0.8, 0.8])


def test_a_tracking_spike_is_a_part_of_the_threshold() -> None:
    assert torch.equal(Tracking(4).rectifying(THRESHOLD, 0.8).v_threshold, THRESHOLD / 4)
    assert torch.equal(Tracking(4).encoding(THRESHOLD).v_threshold, THRESHOLD / 4)


@pytest.mark.parametrize(("make", "name"), LAYERS, ids=[name for _, name in LAYERS])
def test_every_layer_starts_at_half_its_threshold_and_keeps_its_charge(make, name: str) -> None:
    """v_T = v_0 + sum(current) - sum(output), after every step, for currents of either sign in any order."""
    neuron, currents = make(THRESHOLD), 2 * torch.randn(30, 2, 3, 5)
    outputs, membranes = run(neuron, currents)

    assert torch.equal(neuron.v_initial, neuron.v_threshold / 2)
    expected = neuron.v_initial + currents.cumsum(0) - outputs.cumsum(0)
    assert torch.allclose(membranes, expected, atol=1e-4)


@pytest.mark.parametrize(("make", "name"), LAYERS, ids=[name for _, name in LAYERS])
def test_spikes_are_of_the_alphabet(make, name: str) -> None:
    neuron = make(THRESHOLD)
    outputs, _ = run(neuron, 2 * torch.randn(30, 2, 3, 5))
    spikes = outputs / neuron.v_threshold

    assert torch.allclose(spikes, spikes.round(), atol=1e-5)
    if neuron.alphabet is not None:
        assert set(spikes.round().unique().tolist()) <= set(map(float, neuron.alphabet))


@pytest.mark.parametrize("levels", [1, 4, 64])
def test_a_tracking_layer_is_the_rectified_running_sum_to_half_a_level(levels: int) -> None:
    currents = torch.randn(20, 2, 3, 5)
    outputs, _ = run(Tracking(levels).rectifying(THRESHOLD), currents)

    error = (outputs.cumsum(0) - currents.cumsum(0).clamp(min=0)).abs()
    assert (error <= THRESHOLD / levels / 2 * 1.001).all()


@pytest.mark.parametrize("levels", [4, 64])
def test_a_clipped_tracking_layer_is_the_clipped_mean(levels: int) -> None:
    """At every step the mean output is the clip of the mean input, to a level over the steps."""
    currents, maximum = torch.randn(20, 2, 3, 5) + 0.5, 0.8
    outputs, _ = run(Tracking(levels).rectifying(THRESHOLD, maximum), currents)

    steps = torch.arange(1.0, 21.0).reshape(-1, 1, 1, 1)
    error = (outputs.cumsum(0) - currents.cumsum(0).clamp(min=0).minimum(steps * maximum)).abs()
    assert (error <= THRESHOLD / levels / 2 * 1.001).all()


def test_encoders_rectify_nothing() -> None:
    """A negative signal arrives as negative spikes, at once for any number of levels, at most one a step else."""
    currents = torch.full((10, 1, 3, 1), -0.4)
    for kind in (Signed(), Tracking(4)):
        outputs, _ = run(kind.encoding(THRESHOLD), currents)
        assert torch.allclose(outputs.sum(0), currents.sum(0), atol=THRESHOLD.max().item() / 2)
        assert (outputs <= 0).all()
