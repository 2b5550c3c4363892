"""The law of the neurons: charge is conserved, constant current is rounded, early mistakes are taken back."""

import math
from itertools import permutations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from seenn_convert.neuron import (
    encoding_step,
    if_step,
    initial_membrane,
    quantized_activation,
    signed_step,
    tracking_step,
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
