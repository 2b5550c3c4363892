"""The law of the neurons: charge is conserved, constant current is rounded, early mistakes are taken back."""

import math
from itertools import permutations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from theory import quantized_activation
from torch import Tensor

from seenn_convert.neurons.law import (
    encoding_step,
    group_step,
    if_step,
    initial_membrane,
    multilevel_encoding_step,
    multilevel_step,
    signed_step,
    tracking_step,
    unsigned_multilevel_step,
)

ONE = torch.tensor(1.0)


def run_binary(currents: Tensor, v: Tensor, v_threshold: Tensor) -> tuple[Tensor, Tensor]:
    """Return all outputs ``(T, ...)`` and the last membrane potential."""
    outputs = []
    for current in currents:
        output, v = if_step(current, v, v_threshold)
        outputs.append(output)
    return torch.stack(outputs), v


def run_signed(currents: Tensor, v: Tensor, v_threshold: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return all outputs ``(T, ...)``, the last membrane potential and the net number of spikes."""
    outputs, emitted = [], torch.zeros_like(currents[0])
    for current in currents:
        output, v, emitted = signed_step(current, v, emitted, v_threshold)
        outputs.append(output)
    return torch.stack(outputs), v, emitted


def spike_count(x: float, timesteps: int) -> int:
    return min(max(math.floor(timesteps * x + 0.5), 0), timesteps)


@pytest.mark.parametrize("drive", [-0.3, 0.0, 0.0624, 0.0625, 0.1, 0.5, 0.9374, 0.9375, 0.94, 1.0, 1.7])
def test_spike_count_is_the_quantized_activation(drive: float) -> None:
    """From v = threshold/2, T steps of constant current give clip(floor(T*x + 1/2), 0, T) spikes."""
    currents = torch.full((8, 1), drive)
    outputs, _ = run_binary(currents, initial_membrane(ONE, (1,)), ONE)
    _, _, emitted = run_signed(currents, initial_membrane(ONE, (1,)), ONE)

    assert outputs.sum().item() == emitted.item() == spike_count(drive, 8)


@given(
    x=st.integers(-64, 128).map(lambda n: n / 64),
    scale=st.sampled_from([0.25, 0.5, 1.0, 2.0, 8.0]),
    timesteps=st.integers(1, 24),
)
def test_every_prefix_of_a_constant_current_is_quantized(x: float, scale: float, timesteps: int) -> None:
    """The law holds at every T and for every threshold; the numbers are exact in floating point."""
    v_threshold = torch.tensor(scale)
    currents = torch.full((timesteps, 1), x * scale)
    outputs, _ = run_binary(currents, initial_membrane(v_threshold, (1,)), v_threshold)

    counts = (outputs.cumsum(0) / scale).flatten().tolist()
    assert counts == [spike_count(x, t) for t in range(1, timesteps + 1)]


def test_the_mean_output_is_the_qcfs_activation_layer_by_channel() -> None:
    v_threshold = torch.tensor([0.5, 2.0]).reshape(2, 1)
    x = torch.linspace(-1, 3, 34).reshape(1, 2, 17)
    outputs, _ = run_binary(x.expand(16, 1, 2, 17), initial_membrane(v_threshold, (1, 2, 17)), v_threshold)

    assert torch.allclose(outputs.mean(0), quantized_activation(x, v_threshold, 16), atol=1e-6)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_charge_is_conserved_at_every_step(dtype: torch.dtype) -> None:
    """v_T = v_0 + sum(current) - sum(output), for both neurons, after every step."""
    currents = torch.randn(40, 3, 4, 5, dtype=dtype)
    v_threshold = torch.tensor([0.3, 1.0, 2.5, 0.7], dtype=dtype).reshape(4, 1)
    v_start = initial_membrane(v_threshold, (3, 4, 5))
    tolerance = 1e-5 if dtype is torch.float32 else 1e-13
    for t in range(1, 41):
        for outputs, v, *_ in (
            run_binary(currents[:t], v_start, v_threshold),
            run_signed(currents[:t], v_start, v_threshold),
        ):
            expected = v_start + currents[:t].sum(0) - outputs.sum(0)
            assert torch.allclose(v, expected, atol=tolerance)


def test_a_neuron_fires_exactly_at_its_threshold() -> None:
    """Fires at v >= threshold, and not one step of the floating-point grid below."""
    for number in (0.1, 1.0, 3.7, 1e-6, 1e6):
        v_threshold = torch.tensor(number)
        below = torch.nextafter(v_threshold, torch.tensor(0.0))
        outputs, _ = if_step(torch.stack([v_threshold, below]), torch.zeros(2), v_threshold)
        assert outputs.tolist() == [v_threshold.item(), 0.0]


def test_the_output_alphabets() -> None:
    """A binary neuron sends 0 or the threshold, a signed one minus it too; more charge than one spike stays."""
    currents, v_threshold = 5 * torch.randn(50, 200), torch.tensor(0.7)
    v_start = initial_membrane(v_threshold, (200,))
    binary, _ = run_binary(currents, v_start, v_threshold)
    signed, _, _ = run_signed(currents, v_start, v_threshold)

    assert set((binary / v_threshold).unique().tolist()) == {0.0, 1.0}
    assert set((signed / v_threshold).unique().tolist()) == {-1.0, 0.0, 1.0}


def test_a_signed_neuron_never_takes_back_what_it_did_not_send() -> None:
    currents, v_threshold = torch.randn(60, 300), torch.tensor(0.4)
    outputs, _, emitted = run_signed(currents, initial_membrane(v_threshold, (300,)), v_threshold)

    net = (outputs / v_threshold).cumsum(0)
    assert (net >= -1e-4).all()
    assert torch.allclose(net[-1], emitted, atol=1e-3)


@given(
    charges=st.lists(st.integers(-12, 12).map(lambda n: n / 8), min_size=1, max_size=5),
)
def test_the_settled_signed_count_ignores_the_order(charges: list[float]) -> None:
    """Once its running sum has settled, the net count is max(floor(sum + 1/2), 0), whatever came first."""
    quiet = [0.0] * 16
    for order in set(permutations(charges)):
        currents = torch.tensor([*order, *quiet]).unsqueeze(1)
        _, _, emitted = run_signed(currents, initial_membrane(ONE, (1,)), ONE)
        assert emitted.item() == max(math.floor(sum(charges) + 0.5), 0)


def test_a_binary_neuron_cannot_take_back_early_charge() -> None:
    """The mistake that the signed neuron corrects: one early spike too many stays."""
    currents = torch.tensor([[1.0], [-1.0], [0.0], [0.0]])
    outputs, _ = run_binary(currents, initial_membrane(ONE, (1,)), ONE)
    _, _, emitted = run_signed(currents, initial_membrane(ONE, (1,)), ONE)

    assert outputs.sum().item() == 1.0
    assert emitted.item() == 0.0


def test_the_steps_leave_their_arguments_alone() -> None:
    """State is a value: temporaries are reused in place, arguments never."""
    arguments = [torch.randn(4, 3), torch.randn(4, 3), torch.randint(0, 3, (4, 3)).float(), torch.tensor(0.5)]
    copies = [argument.clone() for argument in arguments]
    if_step(arguments[0], arguments[1], arguments[3])
    signed_step(*arguments)

    assert all(torch.equal(a, b) for a, b in zip(arguments, copies, strict=True))


def test_initial_membrane_is_a_share_of_the_threshold() -> None:
    v_threshold = torch.tensor([1.0, 4.0]).reshape(2, 1)

    assert initial_membrane(v_threshold, (5, 2, 3)).shape == (5, 2, 3)
    assert initial_membrane(v_threshold, (1, 2, 1)).flatten().tolist() == [0.5, 2.0]
    assert initial_membrane(v_threshold, (1, 2, 1), 0.0).flatten().tolist() == [0.0, 0.0]


@pytest.mark.parametrize("fraction", [-0.1, 1.1])
def test_initial_membrane_refuses_other_fractions(fraction: float) -> None:
    with pytest.raises(ValueError, match="fraction must be in"):
        initial_membrane(ONE, (1,), fraction)


def run_tracking(currents: Tensor, v_threshold: Tensor, most: list[Tensor] | None = None) -> tuple[Tensor, Tensor]:
    """Return all outputs ``(T, ...)`` and the net number of spikes after each step."""
    v, emitted = initial_membrane(v_threshold, currents[0].shape), torch.zeros_like(currents[0])
    outputs, counts = [], []
    for t, current in enumerate(currents):
        output, v, emitted = tracking_step(current, v, emitted, v_threshold, None if most is None else most[t])
        outputs.append(output)
        counts.append(emitted)
    return torch.stack(outputs), torch.stack(counts)


EIGHTHS = st.lists(st.integers(-20, 20).map(lambda n: n / 8), min_size=1, max_size=8)


@given(charges=EIGHTHS, scale=st.sampled_from([0.25, 1.0, 4.0]))
def test_a_tracking_neuron_has_sent_the_rounded_rectified_sum(charges: list[float], scale: float) -> None:
    """After every step, whatever the order: theta * max(floor(S / theta + 1/2), 0); exact in floating point."""
    v_threshold, currents = torch.tensor(scale), scale * torch.tensor(charges).unsqueeze(1)
    outputs, _ = run_tracking(currents, v_threshold)

    for t in range(len(charges)):
        assert outputs[: t + 1].sum().item() == scale * max(math.floor(sum(charges[: t + 1]) + 0.5), 0)


@given(charges=EIGHTHS, maximum=st.integers(1, 24).map(lambda n: n / 8))
def test_a_clipped_tracking_neuron_has_sent_the_rounded_clipped_sum(charges: list[float], maximum: float) -> None:
    """``most`` bounds the sum after each step; charge above it is not lost, but waits."""
    currents = torch.tensor(charges).unsqueeze(1)
    most = [torch.tensor(math.floor(t * maximum + 0.5)) for t in range(1, len(charges) + 1)]
    _, counts = run_tracking(currents, ONE, most)

    for t, allowed in enumerate(most):
        wanted = max(math.floor(sum(charges[: t + 1]) + 0.5), 0)
        assert counts[t].item() == min(wanted, allowed.item())


@given(charges=EIGHTHS, most=st.sampled_from([1.0, 2.0, None]))
def test_an_encoding_neuron_that_has_caught_up_is_off_by_half_a_threshold(
    charges: list[float], most: float | None
) -> None:
    """|sum out - sum in| <= theta / 2, for sums of either sign; the last of the input may take quiet steps to leave."""
    quiet = [0.0] * (24 if most else 0)
    v, sent = initial_membrane(ONE, (1,)), torch.zeros(1)
    for charge in [*charges, *quiet]:
        output, v = encoding_step(torch.tensor([charge]), v, ONE, most)
        sent = sent + output
        assert most is None or abs(output.item()) <= most

    assert sent.item() == math.floor(sum(charges) + 0.5)
    assert abs(sent.item() - sum(charges)) <= 0.5
    assert v.item() == 0.5 + sum(charges) - sent.item()


def test_the_graded_steps_leave_their_arguments_alone() -> None:
    arguments = [torch.randn(4, 3), torch.randn(4, 3), torch.randint(0, 3, (4, 3)).float(), torch.tensor(0.5)]
    copies = [argument.clone() for argument in arguments]
    tracking_step(*arguments)
    tracking_step(*arguments, torch.ones(4, 3))
    encoding_step(arguments[0], arguments[1], arguments[3])

    assert all(torch.equal(a, b) for a, b in zip(arguments, copies, strict=True))


def nearest_power(due: int, levels: int) -> int:
    """The power of two nearest to ``due``, a tie up, at most ``2**(levels - 1)``, by comparing distances."""
    powers = [2**level for level in range(levels)]
    nearest = min(powers, key=lambda power: (abs(power - abs(due)), -power))
    return 0 if due == 0 else nearest if due > 0 else -nearest


def largest_power(most: int, levels: int) -> int:
    """The largest power of two up to ``most``, at most ``2**(levels - 1)``; 0 where there is none."""
    return max((2**level for level in range(levels) if 2**level <= most), default=0)


@pytest.mark.parametrize("levels", [1, 2, 3, 7, 16])
@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
def test_a_multilevel_spike_is_the_nearest_power_of_two(levels: int, dtype: torch.dtype) -> None:
    """Of every whole number that may be due, of either sign; what takes back is never above what was sent."""
    most = 1000 if dtype is torch.float16 else 70_000
    due = torch.cat([torch.arange(-600, 600), torch.tensor([most - 1, most, 1 - most, -most])]).to(dtype)
    none, all_sent = torch.zeros_like(due), torch.full_like(due, 2048 if dtype is torch.float16 else 2**17)
    expected = [nearest_power(int(number), levels) for number in due.tolist()]
    one = torch.tensor(1.0, dtype=dtype)

    assert multilevel_step(none, due, all_sent, one, levels)[0].tolist() == expected
    assert multilevel_encoding_step(none, due, one, levels)[0].tolist() == expected
    assert multilevel_step(none, due, none, one, levels)[0].tolist() == [max(spike, 0) for spike in expected]
    assert unsigned_multilevel_step(none, due, one, levels)[0].tolist() == [
        largest_power(int(number), levels) for number in due.tolist()
    ]


@pytest.mark.parametrize(("due", "sent", "spike"), [(3, 0, 4), (5, 0, 4), (6, 0, 8), (11, 0, 8), (40, 0, 8), (-3, 4, -4),
                                                    (-3, 3, -2), (-6, 7, -4), (-1, 0, 0), (-9, 1, -1), (-9, 100, -8)])  # fmt: skip
def test_multilevel_spikes_by_hand(due: int, sent: int, spike: int) -> None:
    """Four levels: 3 is halfway between 2 and 4, and goes up unless 4 was never sent."""
    v, emitted = torch.tensor([due + 0.5]), torch.tensor([float(sent)])
    output, v_next, emitted_next = multilevel_step(torch.zeros(1), v, emitted, ONE, 4)

    assert (output.item(), v_next.item(), emitted_next.item()) == (spike, due + 0.5 - spike, sent + spike)


@pytest.mark.parametrize(("due", "sent", "spike"), [(3, 0, 3), (9, 0, 4), (-3, 2, -2), (-9, 9, -4), (-1, 0, 0)])
def test_group_spikes_by_hand(due: int, sent: int, spike: int) -> None:
    """Four members: as many fire as are due, and take back no more than was sent."""
    v, emitted = torch.tensor([due + 0.5]), torch.tensor([float(sent)])
    output, v_next, emitted_next = group_step(torch.zeros(1), v, emitted, ONE, 4)

    assert (output.item(), v_next.item(), emitted_next.item()) == (spike, due + 0.5 - spike, sent + spike)


@pytest.mark.parametrize("step", [multilevel_step, group_step])
@given(charges=st.lists(st.integers(-80, 80).map(lambda n: n / 8), min_size=1, max_size=6), size=st.integers(1, 5))
def test_what_takes_back_settles_on_the_rounded_rectified_sum(step, charges: list[float], size: int) -> None:
    """Whatever the order: max(floor(sum + 1/2), 0) once quiet; nothing below 0 was ever sent; exact in floating point."""
    v, emitted, sent = initial_membrane(ONE, (1,)), torch.zeros(1), 0.0
    for charge in [*charges, *[0.0] * 64]:
        output, v, emitted = step(torch.tensor([charge]), v, emitted, ONE, size)
        sent += output.item()
        assert emitted.item() == sent >= 0

    assert sent == max(math.floor(sum(charges) + 0.5), 0)
    assert v.item() == 0.5 + sum(charges) - sent


@given(charges=st.lists(st.integers(0, 64).map(lambda n: n / 8), min_size=1, max_size=6), levels=st.integers(1, 5))
def test_unsigned_multilevel_neurons_settle_on_the_rounded_sum(charges: list[float], levels: int) -> None:
    """Of currents that are never negative, it sends all, and never more than was due."""
    v, sent = initial_membrane(ONE, (1,)), 0.0
    for t, charge in enumerate([*charges, *[0.0] * 64]):
        output, v = unsigned_multilevel_step(torch.tensor([charge]), v, ONE, levels)
        sent += output.item()
        assert sent <= math.floor(sum(charges[: t + 1]) + 0.5)

    assert sent == math.floor(sum(charges) + 0.5)


@given(charges=st.lists(st.integers(-80, 80).map(lambda n: n / 8), min_size=1, max_size=6), levels=st.integers(1, 5))
def test_a_multilevel_encoder_settles_on_the_rounded_sum(charges: list[float], levels: int) -> None:
    v, sent = initial_membrane(ONE, (1,)), 0.0
    for charge in [*charges, *[0.0] * 64]:
        output, v = multilevel_encoding_step(torch.tensor([charge]), v, ONE, levels)
        sent += output.item()

    assert sent == math.floor(sum(charges) + 0.5)


def test_with_one_level_or_member_they_are_the_signed_and_the_binary_neuron() -> None:
    """Bit for bit, over many steps of currents of either sign."""
    v_threshold = torch.tensor([0.3, 1.7, 0.01]).reshape(3, 1)
    v = initial_membrane(v_threshold, (4, 3, 50))
    signed, binary = (v, torch.zeros_like(v)), v
    multilevel, group, unsigned = signed, signed, v
    for _ in range(40):
        current = torch.randn(4, 3, 50)
        results = (
            (wanted := signed_step(current, *signed, v_threshold)),
            multilevel_step(current, *multilevel, v_threshold, 1),
            group_step(current, *group, v_threshold, 1),
        )
        for result in results[1:]:
            assert all(torch.equal(a, b) for a, b in zip(result, wanted, strict=True))
        signed, multilevel, group = (result[1:] for result in results)
        fired, other = (
            if_step(current, binary, v_threshold),
            unsigned_multilevel_step(current, unsigned, v_threshold, 1),
        )
        assert all(torch.equal(a, b) for a, b in zip(fired, other, strict=True))
        binary, unsigned = fired[1], other[1]
    assert {-1.0, 0.0, 1.0} == set((wanted[0] / v_threshold).round().unique().tolist())


@pytest.mark.parametrize("step", [multilevel_step, group_step])
def test_charge_and_splits_of_a_batch(step) -> None:
    """v_T = v_0 + sum(current) - sum(output), and no bit of a row depends on the rows beside it."""
    v_threshold, currents = torch.tensor([0.3, 1.0, 0.07]).reshape(3, 1), torch.randn(30, 7, 3, 11)
    v = start = initial_membrane(v_threshold, (7, 3, 11))
    emitted, total = torch.zeros_like(v), torch.zeros_like(v)
    for current in currents:
        alone = [step(*(x[row : row + 1] for x in (current, v, emitted)), v_threshold, 4) for row in range(7)]
        output, v, emitted = step(current, v, emitted, v_threshold, 4)
        for whole, rows in zip((output, v, emitted), zip(*alone, strict=True), strict=True):
            assert torch.equal(whole, torch.cat(rows))
        total += output
    assert torch.allclose(v, start + currents.sum(0) - total, atol=1e-4)


def test_the_steps_of_many_levels_leave_their_arguments_alone() -> None:
    arguments = [3 * torch.randn(4, 3), torch.randn(4, 3), torch.randint(0, 9, (4, 3)).float(), torch.tensor(0.5)]
    copies = [argument.clone() for argument in arguments]
    multilevel_step(*arguments, 3)
    group_step(*arguments, 3)
    unsigned_multilevel_step(arguments[0], arguments[1], arguments[3], 3)
    multilevel_encoding_step(arguments[0], arguments[1], arguments[3], 3)

    assert all(torch.equal(a, b) for a, b in zip(arguments, copies, strict=True))
