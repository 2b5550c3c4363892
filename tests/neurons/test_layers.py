"""The modules of a step: what they return, and that rows of different age may share a batch."""

import pytest
import torch
from small_operators import GENERAL
from torch import nn

from seenn_convert.ir.operators import AtenOperator, ClippedReLU
from seenn_convert.ir.operators.step import (
    ClippedDifference,
    ExitProbe,
    MeanDifference,
    RectifiedDifference,
    TemporalDifference,
    Tick,
    TimestepBias,
)
from seenn_convert.ir.scores import CONFIDENCE, ENTROPY, PATIENCE, SCORES, Evidence, ExitScore, evidence_at
from seenn_convert.neurons.law import if_step, signed_step
from seenn_convert.neurons.layers import (
    BinaryNeuron,
    EncodingNeuron,
    GroupEncoder,
    GroupNeuron,
    MultiLevelEncoder,
    MultiLevelNeuron,
    Neuron,
    SignedNeuron,
    TrackingNeuron,
    UnsignedMultiLevelNeuron,
)
from seenn_convert.rows import per_row

HALF = torch.tensor(0.5)


def test_neurons_apply_the_arithmetic_with_their_threshold() -> None:
    current, v, emitted = torch.randn(4, 2, 3), torch.randn(4, 2, 3), torch.ones(4, 2, 3)
    v_threshold = torch.tensor([0.5, 2.0]).reshape(2, 1)
    binary, signed = BinaryNeuron(v_threshold, v_threshold / 2), SignedNeuron(v_threshold, v_threshold / 2)

    for got, expected in (
        (binary(current, v), if_step(current, v, v_threshold)),
        (signed(current, v, emitted), signed_step(current, v, emitted, v_threshold)),
    ):
        assert all(torch.equal(a, b) for a, b in zip(got, expected, strict=True))


@pytest.mark.parametrize("kind", [BinaryNeuron, SignedNeuron])
def test_a_neuron_takes_and_returns_the_state_it_names(kind: type[BinaryNeuron] | type[SignedNeuron]) -> None:
    neuron = kind(torch.tensor(1.0), torch.tensor(0.5))
    state = [torch.zeros(2, 3) for _ in kind.state_names]
    output, *following = neuron(10 * torch.randn(2, 3), *state)

    assert len(following) == len(state)
    assert set(output.unique().tolist()) <= set(map(float, kind.alphabet))
    assert list(dict(neuron.named_buffers())) == ["v_threshold", "v_initial"]


def test_neurons_print_the_range_of_their_thresholds() -> None:
    assert repr(BinaryNeuron(torch.tensor(2.0), torch.tensor(1.0))) == "BinaryNeuron(v_threshold=2)"
    assert repr(SignedNeuron(torch.tensor([0.5, 2.0]), torch.zeros(2))) == "SignedNeuron(v_threshold=0.5..2)"


@pytest.mark.parametrize(("neuron", "alphabet", "bits"), [
    (BinaryNeuron(HALF, HALF), (0, 1), 1), (SignedNeuron(HALF, HALF), (-1, 0, 1), 2),
    (EncodingNeuron(HALF, HALF), (-1, 0, 1), 2), (TrackingNeuron(HALF, HALF), None, None),
    (MultiLevelNeuron(HALF, HALF, 3), (-4, -2, -1, 0, 1, 2, 4), 3), (MultiLevelNeuron(HALF, HALF, 4), None, 4),
    (MultiLevelEncoder(HALF, HALF, 2), (-2, -1, 0, 1, 2), 3), (UnsignedMultiLevelNeuron(HALF, HALF, 1), (0, 1), 1),
    (UnsignedMultiLevelNeuron(HALF, HALF, 3), (0, 1, 2, 4), 2), (UnsignedMultiLevelNeuron(HALF, HALF, 4), None, 3),
    (GroupNeuron(HALF, HALF, 2), (-2, -1, 0, 1, 2), 3), (GroupNeuron(HALF, HALF, 4), None, 4),
    (GroupEncoder(HALF, HALF, 1), (-1, 0, 1), 2), (GroupNeuron(HALF, HALF, 256), None, 10),
], ids=repr)  # fmt: skip
def test_the_alphabet_and_the_bits_that_tell_its_spikes(
    neuron: Neuron, alphabet: tuple | None, bits: int | None
) -> None:
    """2**bits is at least the number of spikes, and half of it is not."""
    if alphabet is not None or isinstance(neuron, TrackingNeuron):
        assert neuron.alphabet == alphabet
    assert neuron.bits_per_spike == bits
    if bits is not None:
        assert 2 ** (bits - 1) < len(neuron.alphabet) <= 2**bits


@pytest.mark.parametrize(("make", "option", "most"), [
    (MultiLevelNeuron, "levels", 16), (UnsignedMultiLevelNeuron, "levels", 16), (MultiLevelEncoder, "levels", 16),
    (GroupNeuron, "members", 256), (GroupEncoder, "members", 256),
])  # fmt: skip
def test_levels_and_members_have_bounds(make, option: str, most: int) -> None:
    assert repr(make(HALF, HALF, most)) == f"{make.__name__}(v_threshold=0.5, {option}={most})"
    for wrong in (0, -1, most + 1, True, 2.0, "3", None):
        with pytest.raises(ValueError, match=f"{option} must be a whole number from 1 to {most}, got"):
            make(HALF, HALF, wrong)


def test_a_spike_of_a_group_counts_as_often_as_members_fire() -> None:
    """Other spikes count once, whatever their size."""
    v_threshold = torch.tensor([0.1, 3.0]).reshape(2, 1)
    spikes = torch.tensor([[[3.0, 0.0, -2.0], [1.0, 4.0, 0.0]], [[0.0, 0.0, 0.0], [0.0, -1.0, 0.0]]])
    group, multilevel = GroupNeuron(v_threshold, v_threshold, 4), MultiLevelNeuron(v_threshold, v_threshold, 3)

    assert group.spike_counts(spikes * v_threshold).tolist() == [10.0, 1.0]
    assert multilevel.spike_counts(spikes * v_threshold).tolist() == [4.0, 1.0]
    assert GroupEncoder(v_threshold, v_threshold, 4).spike_counts(spikes * v_threshold).tolist() == [10.0, 1.0]


@pytest.mark.parametrize("pool", [nn.MaxPool2d(2), nn.MaxPool2d(3, 2, 1), nn.AdaptiveMaxPool2d((2, 3))], ids=repr)
def test_mean_law_of_the_temporal_difference(pool: nn.Module) -> None:
    """After every t, the mean output is the max pooling of the mean input."""
    difference, currents = TemporalDifference(pool), torch.randn(9, 2, 3, 6, 6)
    running_sum, previous = torch.zeros(2, 3, 6, 6), torch.zeros(pool(currents[0]).shape)
    outputs = []
    for t, current in enumerate(currents, start=1):
        output, running_sum, previous = difference(current, running_sum, previous)
        outputs.append(output)
        assert torch.allclose(torch.stack(outputs).mean(0), pool(currents[:t].mean(0)), atol=1e-5)


def test_the_rectified_difference_is_the_temporal_difference_of_a_relu() -> None:
    """With one state instead of two, to the bit; it changes nothing that it is given."""
    general, lean, currents = TemporalDifference(nn.ReLU()), RectifiedDifference(), torch.randn(9, 2, 3, 4)
    running_sum = other_sum = previous = torch.zeros(2, 3, 4)
    for current in currents:
        output, running_sum, previous = general(current, running_sum, previous)
        given = other_sum.clone()
        found, following = lean(current, other_sum)
        assert torch.equal(other_sum, given)
        assert torch.equal(found, output)
        assert torch.equal(following, running_sum)
        other_sum = following


def test_the_clipped_difference_is_the_mean_difference_of_a_clipped_relu() -> None:
    """For rows of different age, too; it changes nothing that it is given."""
    general, lean = MeanDifference(ClippedReLU(0.4)), ClippedDifference(0.4)
    currents, clock = torch.randn(9, 2, 3, 4), torch.tensor([0.0, 3.0])
    general_sum = lean_sum = torch.stack([torch.zeros(3, 4), torch.randn(3, 4)])
    previous = lean_sum.clamp(torch.zeros(()), per_row(clock * 0.4, lean_sum))
    for current in currents:
        output, previous, general_sum = general(clock, previous, current, general_sum)
        given = lean_sum.clone()
        found, following = lean(current, clock, lean_sum)
        assert torch.equal(lean_sum, given)
        assert torch.allclose(found, output, atol=1e-6)
        assert torch.equal(following, general_sum)
        lean_sum, clock = following, clock + 1


@pytest.mark.parametrize("name", GENERAL)
@pytest.mark.parametrize("still", [None, 0])
def test_mean_law_of_the_mean_difference(name: str, still: int | None) -> None:
    """After every t, the mean output is the operator of the mean inputs; an input that does not vary is its own mean."""
    operator, shapes = GENERAL[name]
    varying = [index != still for index in range(len(shapes))]
    currents = [torch.randn(8, 2, *shape) for shape in shapes]
    for index, varies in enumerate(varying):
        if not varies:
            currents[index] = currents[index][:1].expand(8, 2, *shapes[index])
    difference = MeanDifference(operator, varying)
    sums = [torch.zeros(2, *shape) for shape, varies in zip(shapes, varying, strict=True) if varies]
    previous, total = torch.zeros_like(operator(*(c[0] for c in currents))), 0.0
    with torch.no_grad():
        for t in range(1, 9):
            inputs = [c[t - 1] for c in currents]
            output, previous, *sums = difference(torch.full((2,), t - 1.0), previous, *inputs, *sums)
            total = total + output
            assert torch.allclose(total / t, operator(*(c[:t].mean(0) for c in currents)), atol=1e-5)


def test_the_mean_difference_serves_rows_of_different_age() -> None:
    """A row's output does not depend on how old its neighbours are."""
    difference = MeanDifference(AtenOperator("mul.Tensor", ("@0", "@1")), (True, False))
    clock = torch.tensor([0.0, 1.0, 5.0])
    state = [torch.randn(3, 4) for _ in range(4)]
    together = difference(clock, *state)

    for row in range(3):
        alone = difference(clock[row : row + 1], *(value[row : row + 1] for value in state))
        assert all(torch.equal(a[row : row + 1], b) for a, b in zip(together, alone, strict=True))


def test_where_an_operator_has_no_finite_value_its_difference_waits() -> None:
    """1 / x of a mean of 0 sends nothing; as soon as there is a value, the mean law holds again."""
    difference = MeanDifference(AtenOperator("reciprocal.default", ("@0",)))
    previous, running_sum, total = torch.zeros(1, 1), torch.zeros(1, 1), torch.zeros(1, 1)
    for t, (current, wanted) in enumerate(((0.0, 0.0), (2.0, 2.0), (-2.0, 2.0), (4.0, 4.0))):
        output, previous, running_sum = difference(
            torch.tensor([float(t)]), previous, torch.tensor([[current]]), running_sum
        )
        total += output
        assert total.item() == pytest.approx(wanted if t in (0, 2) else (t + 1) / (running_sum.item() / (t + 1)))


def test_places_filled_with_minus_infinity_stay_out_of_a_softmax() -> None:
    """Masked attention over timesteps: what is masked gets nothing at every step, the rest follows the mean law."""
    mask = torch.ones(4, 4).triu(1).bool()
    fill = AtenOperator("masked_fill.Scalar", ("@0", "#0", float("-inf")), (), (mask,))
    softmax = MeanDifference(AtenOperator("softmax.int", ("@0", -1)))
    currents, total = torch.randn(6, 2, 4, 4), 0.0
    previous, running_sum = torch.zeros(2, 4, 4), torch.zeros(2, 4, 4)
    for t, current in enumerate(currents):
        output, previous, running_sum = softmax(torch.full((2,), float(t)), previous, fill(current), running_sum)
        total = total + output
        expected = currents[: t + 1].mean(0).masked_fill(mask, float("-inf")).softmax(-1)
        assert torch.allclose(total / (t + 1), expected, atol=1e-5)


def test_a_clipped_tracking_neuron_reads_the_clock_of_each_row() -> None:
    """A row that has done 3 steps may have sent 4 times the maximum, a fresh one only once."""
    neuron = TrackingNeuron(torch.tensor(0.5), torch.tensor(0.25), maximum=1.0)
    output, *_ = neuron(
        torch.full((2, 1), 100.0), torch.tensor([0.0, 3.0]), torch.full((2, 1), 0.25), torch.zeros(2, 1)
    )

    assert output.flatten().tolist() == [1.0, 4.0]


def test_mean_differences_print_which_inputs_vary() -> None:
    assert repr(MeanDifference(nn.LayerNorm(2), [True, False])).startswith("MeanDifference(")
    assert MeanDifference(nn.LayerNorm(2), [True, False]).extra_repr() == "varying=(True, False)"
    assert MeanDifference(nn.LayerNorm(2)).extra_repr() == ""


def test_timestep_bias_follows_the_clock_of_each_row() -> None:
    """Rows of age 0, 2 and past the end get the bias of their own timestep, the last one from then on."""
    bias = torch.tensor([[1.0, 10.0], [2.0, 20.0], [3.0, 30.0]]).unsqueeze(-1)
    corrected = TimestepBias(bias)(torch.zeros(3, 2, 4), torch.tensor([0.0, 2.0, 9.0]))

    assert corrected[:, :, 0].tolist() == [[1.0, 10.0], [3.0, 30.0], [3.0, 30.0]]
    assert (corrected == corrected[..., :1]).all()


def test_a_tick_advances_every_row() -> None:
    assert Tick()(torch.tensor([0.0, 5.0])).tolist() == [1.0, 6.0]


@pytest.mark.parametrize("score", SCORES, ids=lambda score: score.name)
def test_the_probe_returns_the_mean_and_its_score(score: ExitScore) -> None:
    """Logits are the running mean; the score is that of ``scores`` with the temperature of the timestep."""
    temperatures = torch.tensor([0.5, 1.0, 3.0])
    probe, clock = ExitProbe(score, temperatures), torch.zeros(2)
    state = [torch.zeros(2, 5), torch.zeros(2)][: len(probe.state_names)]
    currents = torch.randn(3, 2, 5)
    means = torch.stack([currents[: t + 1].mean(0) for t in range(3)])
    for t, seen in enumerate(evidence_at(means, temperatures)):
        logits, value, *state = probe(currents[t], state[0], clock, *state[1:])
        clock = clock + 1
        assert torch.allclose(logits, means[t], atol=1e-6)
        assert torch.allclose(value, score.of(seen), atol=1e-6)


def test_a_probe_whose_score_remembers_needs_what_it_remembers() -> None:
    with pytest.raises(ValueError, match="needs the run length"):
        ExitProbe(PATIENCE, torch.ones(3))(torch.zeros(2, 5), torch.zeros(2, 5), torch.zeros(2))


def test_the_probe_serves_rows_of_different_age() -> None:
    """A row's logits and score do not depend on how old its neighbours are."""
    probe = ExitProbe(CONFIDENCE, torch.tensor([0.5, 1.0, 3.0]))
    current, readout, clock = torch.randn(4, 5), torch.randn(4, 5), torch.tensor([0.0, 1.0, 2.0, 7.0])
    together = probe(current, readout, clock)

    for row in range(4):
        alone = probe(*(value[row : row + 1] for value in (current, readout, clock)))
        assert all(torch.equal(a[row : row + 1], b) for a, b in zip(together, alone, strict=True))
    assert torch.allclose(together[1][3], CONFIDENCE.of(Evidence(together[0][3], 3.0)))


def test_what_the_others_print() -> None:
    assert repr(TimestepBias(torch.zeros(4, 2, 1))) == "TimestepBias(T=4)"
    assert repr(ExitProbe(ENTROPY, torch.tensor([1.0, 2.0]))) == "ExitProbe(entropy, temperatures=1..2, T=2)"
