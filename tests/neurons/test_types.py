"""The neuron types: each makes the layers that stand for a ReLU and for a graded signal."""

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
    NEURON_TYPES,
    Binary,
    Group,
    MultiLevel,
    NeuronType,
    Signed,
    Tracking,
    UnsignedMultiLevel,
    neuron_type,
)

THRESHOLD = torch.tensor([0.5, 1.0, 4.0]).reshape(3, 1)
TYPES: list[NeuronType] = [
    Signed(), Binary(), Tracking(), Tracking(4), MultiLevel(), MultiLevel(6), UnsignedMultiLevel(), UnsignedMultiLevel(5),
    Group(), Group(7),
]  # fmt: skip
WITHOUT_SIGN = (Binary, UnsignedMultiLevel)
LAYERS = [
    *((one.rectifying, f"{one.name} {one.levels} rectifying") for one in TYPES),
    *((one.encoding, f"{one.name} {one.levels} encoding") for one in TYPES if not isinstance(one, WITHOUT_SIGN)),
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


def test_the_types_by_name() -> None:
    assert {name: (one.name, one.levels, one.resolution) for name, one in NEURON_TYPES.items()} == {
        "signed": ("signed", None, 1), "if": ("if", None, 1), "tracking": ("tracking", 32, 32),
        "multilevel": ("multilevel", 3, 4), "multilevel-unsigned": ("multilevel-unsigned", 3, 4), "group": ("group", 4, 4),
    }  # fmt: skip


def test_a_type_with_the_levels_that_are_asked_for() -> None:
    assert [neuron_type(name) for name in NEURON_TYPES] == list(NEURON_TYPES.values())
    assert neuron_type("tracking", 8) == Tracking(8)
    assert neuron_type("multilevel", 5) == MultiLevel(5)
    assert neuron_type("multilevel-unsigned", 16) == UnsignedMultiLevel(16)
    assert neuron_type("group", 256) == Group(256)
    for name in ("signed", "if"):
        with pytest.raises(
            InputError, match=f"{name} neurons have no levels; neuron types with levels: tracking, multilevel, "
        ):
            neuron_type(name, 3)


@pytest.mark.parametrize(("make", "levels", "reason"), [
    (MultiLevel, 0, "a multi-level neuron has 1 to 16 levels, got 0"), (MultiLevel, 17, "1 to 16 levels, got 17"),
    (UnsignedMultiLevel, 17, "1 to 16 levels, got 17"), (UnsignedMultiLevel, -1, "1 to 16 levels, got -1"),
    (Group, 0, "a group has 1 to 256 members, got 0"), (Group, 257, "1 to 256 members, got 257"),
])  # fmt: skip
def test_too_few_or_too_many_levels(make, levels: int, reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        make(levels)


def test_each_type_makes_its_neurons() -> None:
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
    with pytest.raises(InputError, match=f"1 to 1048576 levels, got {levels}"):
        Tracking(levels)


@pytest.mark.parametrize("one", [one for one in TYPES if not isinstance(one, Tracking)])
def test_the_largest_spike_is_the_threshold_and_never_above_the_clip(one: NeuronType) -> None:
    for neuron, wanted in (
        (one.rectifying(THRESHOLD), [0.5, 1.0, 4.0]),
        (one.rectifying(THRESHOLD, 0.8), [0.5, 0.8, 0.8]),
    ):
        assert neuron.alphabet is not None
        assert neuron.alphabet[-1] == one.resolution
        assert (neuron.alphabet[-1] * neuron.v_threshold).flatten().tolist() == pytest.approx(wanted)


@pytest.mark.parametrize("one", [MultiLevel(1), Group(1), UnsignedMultiLevel(1)])
def test_one_level_or_member_is_the_signed_or_binary_neuron(one: NeuronType) -> None:
    """Bit for bit, its encoder too."""
    like: NeuronType = Binary() if isinstance(one, UnsignedMultiLevel) else Signed()
    currents = 2 * torch.randn(30, 2, 3, 5)
    pairs = [(one.rectifying(THRESHOLD, 2.0), like.rectifying(THRESHOLD, 2.0))]
    if isinstance(like, Signed):
        pairs.append((one.encoding(THRESHOLD), like.encoding(THRESHOLD)))
    for ours, theirs in pairs:
        assert ours.alphabet == theirs.alphabet
        assert all(torch.equal(a, b) for a, b in zip(run(ours, currents), run(theirs, currents), strict=True))


@pytest.mark.parametrize("one", [MultiLevel(3), MultiLevel(5), UnsignedMultiLevel(4), Group(4)])
def test_what_is_within_the_threshold_arrives_to_half_a_unit(one: NeuronType) -> None:
    """A current up to the threshold, then quiet: the sum of the outputs is that of the input, to half a spike."""
    currents = torch.cat([torch.rand(6, 2, 3, 5) * THRESHOLD, torch.zeros(24, 2, 3, 5)])
    neuron = one.rectifying(THRESHOLD)
    outputs, _ = run(neuron, currents)

    assert ((outputs.sum(0) - currents.sum(0)).abs() <= neuron.v_threshold / 2 * 1.001).all()


@pytest.mark.parametrize("one", [MultiLevel(4), Group(6)])
def test_the_rows_of_a_layer_are_independent(one: NeuronType) -> None:
    currents = 2 * torch.randn(20, 6, 3, 5)
    for make in (one.rectifying, one.encoding):
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
    for one in (Signed(), Tracking(4), MultiLevel(1), Group(5)):
        neuron = one.encoding(THRESHOLD)
        outputs, _ = run(neuron, currents)
        assert ((outputs.sum(0) - currents.sum(0)).abs() <= neuron.v_threshold / 2 * 1.001).all()
        assert (outputs <= 0).all()
