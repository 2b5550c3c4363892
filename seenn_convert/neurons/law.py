"""Integrate-and-fire arithmetic on tensors: state in, state out, the law of every neuron written once.

Fresh temporaries are reused in place: most of a step's time outside the convolutions goes into memory traffic. For the
same reason a caller may say, as ``reuse``, that nobody reads the current or the state again: then results are written
over them, with the same bits.
The current comes first in a sum with a state, for the sum then lies in memory in the order that the layer before chose.
``floor(v / theta) >= 1`` holds exactly when ``v >= theta`` in floating point, since the quotient of a smaller number
never rounds up to 1.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from seenn_convert.choices import Reset
from seenn_convert.rows import NOTHING, Reuse, into, summed


def initial_membrane(v_threshold: Tensor, shape: Sequence[int], fraction: float = 0.5) -> Tensor:
    """Return the membrane potential before the first timestep.

    Args:
        v_threshold: Firing threshold, positive, broadcastable to ``shape``.
        shape: ``(B, *F)``, batch first.
        fraction: Share of the threshold to start from; 0.5 makes the spike count round to nearest.

    Returns:
        ``v`` of ``shape``, in units of the ANN activation being replaced.

    Raises:
        ValueError: If ``fraction`` is outside [0, 1].

    Source: Bu et al. 2022 (QCFS).
    """
    if not 0 <= fraction <= 1:
        raise ValueError(f"fraction must be in [0, 1], got {fraction}")
    return (fraction * v_threshold).expand(tuple(shape))


def if_step(current: Tensor, v: Tensor, v_threshold: Tensor, *, reuse: Reuse = NOTHING) -> tuple[Tensor, Tensor]:
    """Advance binary integrate-and-fire neurons by one timestep; firing subtracts the threshold (soft reset).

    Shapes: ``current`` and ``v`` ``(B, *F)``, ``v_threshold`` broadcastable. Returns ``(output, v_next)``;
    ``output`` is 0 or ``v_threshold``.

    Source: reset by subtraction, Rueckauer et al. 2017.
    """
    charged = summed(current, v, reuse)
    output = torch.div(charged, v_threshold, out=into(v, charged, reuse.state)).floor_().clamp_(0, 1).mul_(v_threshold)
    return output, charged.sub_(output)


def signed_step(
    current: Tensor, v: Tensor, emitted: Tensor, v_threshold: Tensor, *, reuse: Reuse = NOTHING
) -> tuple[Tensor, Tensor, Tensor]:
    """Advance signed integrate-and-fire neurons: as ``if_step``, and a spike already sent can be taken back.

    A neuron fires -1 when ``v < 0`` and it has sent more positive than negative spikes, so its running output
    stays a rectified, rounded copy of its running input even when early input was too large.

    Shapes: ``current``, ``v`` and ``emitted`` ``(B, *F)``, ``v_threshold`` broadcastable. ``emitted`` is the
    net number of spikes sent so far, never negative. Returns ``(output, v_next, emitted_next)``; ``output`` is
    ``-v_threshold``, 0 or ``v_threshold``.

    Source: signed neuron with memory, Wang et al. 2022 (SNM).
    """
    return group_step(current, v, emitted, v_threshold, members=1, reuse=reuse)


def group_step(
    current: Tensor, v: Tensor, emitted: Tensor, v_threshold: Tensor, members: int, *, reuse: Reuse = NOTHING
) -> tuple[Tensor, Tensor, Tensor]:
    """Advance groups of signed neurons with one membrane: up to ``members`` spikes leave, or are taken back, at once.

    Shapes: ``current``, ``v`` and ``emitted`` ``(B, *F)``, ``v_threshold`` broadcastable. ``emitted`` is the net number
    of spikes sent so far, never negative. Returns ``(output, v_next, emitted_next)``; ``output`` is a whole number of
    thresholds, from ``-members`` to ``members``.

    Source: group neurons, Lv et al. 2024 (ICASSP).
    """
    charged = summed(current, v, reuse)
    negated = -v_threshold
    # whole spikes to take back; below 0 where the membrane holds some
    owed = torch.div(charged, negated, out=into(v, charged, reuse.state)).ceil_()
    taken = owed.clamp_(max=emitted).clamp_(-members, members)
    emitted = torch.sub(emitted, taken, out=into(emitted, taken, reuse.state))
    output = taken.mul_(negated)
    return output, charged.sub_(output), emitted


def multilevel_step(
    current: Tensor, v: Tensor, emitted: Tensor, v_threshold: Tensor, levels: int, *, reuse: Reuse = NOTHING
) -> tuple[Tensor, Tensor, Tensor]:
    """Advance multi-level neurons: as ``signed_step``, but a spike is a power of two, from 1 to ``2**(levels - 1)``.

    It is the power nearest to what is due; halfway between two it is the larger one, since what is too much can be
    taken back. No spike takes back more than was sent: where the nearest power would, it is the largest that does not.

    Shapes: ``current``, ``v`` and ``emitted`` ``(B, *F)``, ``v_threshold`` broadcastable. ``emitted`` is the net number
    of thresholds sent so far, never negative. Returns ``(output, v_next, emitted_next)``; ``output`` is 0 or a power of
    two times the threshold, of either sign.

    Source: Huang et al. 2025 (multi-threshold neuron).
    """
    charged = summed(current, v, reuse)
    spike = _nearest_power(_due(charged, v_threshold, levels, into(v, charged, reuse.state)))
    spike = torch.maximum(spike, _power_within(emitted).neg_())
    emitted = torch.add(emitted, spike, out=into(emitted, spike, reuse.state))
    output = spike.mul_(v_threshold)
    return output, charged.sub_(output), emitted


def unsigned_multilevel_step(
    current: Tensor, v: Tensor, v_threshold: Tensor, levels: int, *, reuse: Reuse = NOTHING
) -> tuple[Tensor, Tensor]:
    """Advance multi-level neurons that take nothing back: a spike is the largest power of two that is due.

    Shapes: ``current`` and ``v`` ``(B, *F)``, ``v_threshold`` broadcastable. Returns ``(output, v_next)``; ``output``
    is 0 or a power of two, from 1 to ``2**(levels - 1)``, times the threshold.

    Source: Huang et al. 2025 (multi-threshold neuron), without its negative thresholds.
    """
    charged = summed(current, v, reuse)
    due = _due(charged, v_threshold, levels, into(v, charged, reuse.state))
    output = _power_within(due.clamp_(min=0)).mul_(v_threshold)
    return output, charged.sub_(output)


def multilevel_encoding_step(
    current: Tensor, v: Tensor, v_threshold: Tensor, levels: int, *, reuse: Reuse = NOTHING
) -> tuple[Tensor, Tensor]:
    """Advance multi-level encoding neurons: as ``encoding_step``, but a spike is the power of two nearest to the due.

    Shapes: ``current`` and ``v`` ``(B, *F)``, ``v_threshold`` broadcastable. Returns ``(output, v_next)``.

    Source: Huang et al. 2025 (multi-threshold neuron).
    """
    charged = summed(current, v, reuse)
    output = _nearest_power(_due(charged, v_threshold, levels, into(v, charged, reuse.state))).mul_(v_threshold)
    return output, charged.sub_(output)


def tracking_step(
    current: Tensor,
    v: Tensor,
    emitted: Tensor,
    v_threshold: Tensor,
    most: Tensor | None = None,
    *,
    reuse: Reuse = NOTHING,
) -> tuple[Tensor, Tensor, Tensor]:
    """Advance tracking neurons: as ``signed_step``, but all spikes that are due leave at once, as one graded spike.

    After every step the emitted sum is the running input sum, rectified and rounded to whole thresholds. So the mean
    output is off by at most half a threshold divided by the number of timesteps, whatever the order of the input:
    the reference that binary and signed neurons are judged against.

    Shapes: ``current``, ``v`` and ``emitted`` ``(B, *F)``, ``v_threshold`` broadcastable; ``most``, broadcastable, is
    the largest net number of spikes allowed so far. Returns ``(output, v_next, emitted_next)``.
    """
    charged = summed(current, v, reuse)
    total = torch.div(charged, v_threshold, out=into(v, charged, reuse.state)).floor_().add_(emitted).clamp_(min=0)
    if most is not None:
        total = torch.minimum(total, most)
    output = torch.sub(total, emitted, out=into(emitted, total, reuse.state)).mul_(v_threshold)
    return output, charged.sub_(output), total


def encoding_step(
    current: Tensor, v: Tensor, v_threshold: Tensor, most: float | None = 1.0, *, reuse: Reuse = NOTHING
) -> tuple[Tensor, Tensor]:
    """Advance encoding neurons: they send a graded signal of either sign as spikes of either sign.

    Shapes: ``current`` and ``v`` ``(B, *F)``, ``v_threshold`` broadcastable; ``most`` is the largest spike in units of
    the threshold, None for any. Returns ``(output, v_next)``.
    """
    charged = summed(current, v, reuse)
    spike = torch.div(charged, v_threshold, out=into(v, charged, reuse.state)).floor_()
    if most is not None:
        spike.clamp_(-most, most)
    output = spike.mul_(v_threshold)
    return output, charged.sub_(output)


def leaky_charge(current: Tensor, v: Tensor, leak: Tensor, gain: Tensor, v_rest: Tensor) -> Tensor:
    """Return the membrane potential after the leak and the input: ``v_rest + leak * (v - v_rest) + gain * current``.

    Shapes: ``current`` and ``v`` ``(B, *F)``, the others broadcastable. From ``v = v_rest = 0``, T steps without a
    spike give the sum of the currents at t, each with the weight ``gain * leak ** (T - t)``.
    """
    return (current * gain).add_(v * leak).add_((1 - leak) * v_rest)


def leaky_reset(v: Tensor, spikes: Tensor, v_threshold: Tensor, v_rest: Tensor, reset: Reset) -> Tensor:
    """Return the membrane potential after ``spikes`` ``(B, *F)``, each 0 or 1.

    They subtract the threshold (soft reset), set the membrane to ``v_rest`` (hard reset), or do nothing.
    """
    if reset == "subtract":
        return v - spikes * v_threshold
    return v - spikes * v + spikes * v_rest if reset == "rest" else v


def fired(v: Tensor, v_threshold: Tensor, strict: bool) -> Tensor:
    """Return which membranes fire, ``(B, *F)`` of 0 and 1: at the threshold and above it, or ``strict``ly above it."""
    return (v > v_threshold if strict else v >= v_threshold).to(v.dtype)


_FRACTIONS: dict[torch.dtype, tuple[torch.dtype, int]] = {
    torch.float16: (torch.int16, 10),
    torch.bfloat16: (torch.int16, 7),
    torch.float32: (torch.int32, 23),
    torch.float64: (torch.int64, 52),
}
"""Floating-point type -> the integer type of its width, and how many of its low bits are the fraction."""


def _due(v: Tensor, v_threshold: Tensor, levels: int, out: Tensor | None) -> Tensor:
    """Return the whole thresholds that the membrane holds, at most the largest spike of either sign."""
    most = 2 ** (levels - 1)
    return torch.div(v, v_threshold, out=out).floor_().clamp_(-most, most)


def _power_within(number: Tensor) -> Tensor:
    """Return the largest power of two within each whole number, with its sign; 0 for 0.

    A floating-point number without its fraction bits is just that: exact, where a logarithm may round.
    """
    bits, fraction = _FRACTIONS[number.dtype]
    return torch.bitwise_and(number.view(bits), -(1 << fraction)).view(number.dtype)


def _nearest_power(number: Tensor) -> Tensor:
    """Return the power of two nearest to each whole number, with its sign; halfway, the larger one; 0 for 0.

    With p the largest power within x: x + p/2 reaches the next power exactly where x is 3p/2 or more. ``number`` is
    a temporary of the caller's and reused.
    """
    return _power_within(number.add_(_power_within(number), alpha=0.5))
