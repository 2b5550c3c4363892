"""The kinds of neurons: each makes the layers that stand for a ReLU and for a graded signal."""

import pytest
import torch
from torch import Tensor

from seenn_convert.errors import InputError
from seenn_convert.neurons.layers import (
    BinaryNeuron,
    EncodingNeuron,
    GroupEncoder,
    GroupNeuron,
    MultiLevelEncoder,
    MultiLevelNeuron,
    Neuron,
    SignedNeuron,
    TrackingEncoder,
    TrackingNeuron,
    UnsignedMultiLevelNeuron,
)
from seenn_convert.neurons.types import (
    NEURON_KINDS,
    Binary,
    Group,
    MultiLevel,
    NeuronKind,
    Signed,
    Tracking,
    UnsignedMultiLevel,
    neuron_kind,
)

THRESHOLD = torch.tensor([0.5, 1.0, 4.0]).reshape(3, 1)
KINDS: list[NeuronKind] = [
    Signed(), Binary(), Tracking(), Tracking(4), MultiLevel(), MultiLevel(6), UnsignedMultiLevel(), UnsignedMultiLevel(5),
    Group(), Group(7),
]  # fmt: skip
WITHOUT_SIGN = (Binary, UnsignedMultiLevel)
LAYERS = [
    *((kind.rectifying, f"{kind.name} {kind.levels} rectifying") for kind in KINDS),
    *((kind.encoding, f"{kind.name} {kind.levels} encoding") for kind in KINDS if not isinstance(kind, WITHOUT_SIGN)),
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
    assert {name: (kind.name, kind.levels, kind.resolution) for name, kind in NEURON_KINDS.items()} == {
        "signed": ("signed", None, 1), "if": ("if", None, 1), "tracking": ("tracking", 32, 32),
        "multilevel": ("multilevel", 3, 4), "multilevel-unsigned": ("multilevel-unsigned", 3, 4), "group": ("group", 4, 4),
    }  # fmt: skip


def test_a_kind_with_the_levels_that_are_asked_for() -> None:
    assert [neuron_kind(name) for name in NEURON_KINDS] == list(NEURON_KINDS.values())
    assert neuron_kind("tracking", 8) == Tracking(8)
    assert neuron_kind("multilevel", 5) == MultiLevel(5)
    assert neuron_kind("multilevel-unsigned", 16) == UnsignedMultiLevel(16)
    assert neuron_kind("group", 256) == Group(256)
    for name in ("signed", "if"):
        with pytest.raises(
            InputError, match=f"kind {name} have no levels; those with levels are tracking, multilevel, "
        ):
            neuron_kind(name, 3)


@pytest.mark.parametrize(("make", "levels", "reason"), [
    (MultiLevel, 0, "a multi-level neuron has 1 to 16 levels, got 0"), (MultiLevel, 17, "1 to 16 levels, got 17"),
    (UnsignedMultiLevel, 17, "1 to 16 levels, got 17"), (UnsignedMultiLevel, -1, "1 to 16 levels, got -1"),
    (Group, 0, "a group has 1 to 256 members, got 0"), (Group, 257, "1 to 256 members, got 257"),
])  # fmt: skip
def test_too_few_or_too_many_levels(make, levels: int, reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        make(levels)


def test_each_kind_makes_its_neurons() -> None:
    assert type(Signed().rectifying(THRESHOLD)) is SignedNeuron
    assert type(Binary().rectifying(THRESHOLD)) is BinaryNeuron
    assert type(Tracking().rectifying(THRESHOLD)) is TrackingNeuron
    assert type(Signed().encoding(THRESHOLD)) is EncodingNeuron
    assert type(Tracking().encoding(THRESHOLD)) is TrackingEncoder
    assert type(MultiLevel().rectifying(THRESHOLD)) is MultiLevelNeuron
    assert type(UnsignedMultiLevel().rectifying(THRESHOLD)) is UnsignedMultiLevelNeuron
    assert type(Group().rectifying(THRESHOLD)) is GroupNeuron
    assert type(MultiLevel().encoding(THRESHOLD)) is MultiLevelEncoder
    assert type(Group().encoding(THRESHOLD)) is GroupEncoder


def test_a_binary_spike_cannot_encode() -> None:
    with pytest.raises(
        InputError, match="binary neurons cannot send graded signals of either sign; use --neuron signed"
    ):
        Binary().encoding(THRESHOLD)
    with pytest.raises(InputError, match="unsigned multi-level neurons cannot send .*; use --neuron multilevel, or "):
        UnsignedMultiLevel().encoding(THRESHOLD)


@pytest.mark.parametrize("levels", [0, -3])
def test_a_tracking_neuron_has_levels(levels: int) -> None:
    with pytest.raises(InputError, match=f"at least 1 level, got {levels}"):
        Tracking(levels)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if not isinstance(kind, Tracking)])
def test_the_largest_spike_is_the_threshold_and_never_above_the_clip(kind: NeuronKind) -> None:
    for neuron, wanted in (
        (kind.rectifying(THRESHOLD), [0.5, 1.0, 4.0]),
        (kind.rectifying(THRESHOLD, 0.8), [0.5, 0.8, 0.8]),
    ):
        assert neuron.alphabet is not None
        assert neuron.alphabet[-1] == kind.resolution
        assert (neuron.alphabet[-1] * neuron.v_threshold).flatten().tolist() == pytest.approx(wanted)


@pytest.mark.parametrize("kind", [MultiLevel(1), Group(1), UnsignedMultiLevel(1)])
def test_one_level_or_member_is_the_signed_or_binary_neuron(kind: NeuronKind) -> None:
    """Bit for bit, its encoder too."""
    like: NeuronKind = Binary() if isinstance(kind, UnsignedMultiLevel) else Signed()
    currents = 2 * torch.randn(30, 2, 3, 5)
    pairs = [(kind.rectifying(THRESHOLD, 2.0), like.rectifying(THRESHOLD, 2.0))]
    if isinstance(like, Signed):
        pairs.append((kind.encoding(THRESHOLD), like.encoding(THRESHOLD)))
    for ours, theirs in pairs:
        assert ours.alphabet == theirs.alphabet
        assert all(torch.equal(a, b) for a, b in zip(run(ours, currents), run(theirs, currents), strict=True))


@pytest.mark.parametrize("kind", [MultiLevel(3), MultiLevel(5), UnsignedMultiLevel(4), Group(4)])
def test_what_is_within_the_threshold_arrives_to_half_a_unit(kind: NeuronKind) -> None:
    """A current up to the threshold, then quiet: the sum of the outputs is that of the input, to half a spike."""
    currents = torch.cat([torch.rand(6, 2, 3, 5) * THRESHOLD, torch.zeros(24, 2, 3, 5)])
    neuron = kind.rectifying(THRESHOLD)
    outputs, _ = run(neuron, currents)

    assert ((outputs.sum(0) - currents.sum(0)).abs() <= neuron.v_threshold / 2 * 1.001).all()


@pytest.mark.parametrize("kind", [MultiLevel(4), Group(6)])
def test_the_rows_of_a_layer_are_independent(kind: NeuronKind) -> None:
    currents = 2 * torch.randn(20, 6, 3, 5)
    for make in (kind.rectifying, kind.encoding):
        whole, _ = run(make(THRESHOLD), currents)
        parts = [run(make(THRESHOLD), currents[:, rows])[0] for rows in (slice(0, 1), slice(1, 5), slice(5, 6))]
        assert torch.equal(whole, torch.cat(parts, dim=1))


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
    """Each of its spikes is met, and no other."""
    neuron = make(THRESHOLD)
    outputs, _ = run(neuron, 2 * torch.randn(30, 2, 3, 50))
    spikes = outputs / neuron.v_threshold

    assert torch.allclose(spikes, spikes.round(), atol=1e-5)
    if neuron.alphabet is not None:
        assert list(neuron.alphabet) == sorted(set(neuron.alphabet))
        assert set(spikes.round().unique().tolist()) == set(map(float, neuron.alphabet))


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
    """A negative signal arrives as negative spikes, up to the threshold a step, at once for tracking neurons."""
    currents = torch.full((10, 1, 3, 1), -0.4)
    for kind in (Signed(), Tracking(4), MultiLevel(1), Group(5)):
        neuron = kind.encoding(THRESHOLD)
        outputs, _ = run(neuron, currents)
        assert ((outputs.sum(0) - currents.sum(0)).abs() <= neuron.v_threshold / 2 * 1.001).all()
        assert (outputs <= 0).all()
