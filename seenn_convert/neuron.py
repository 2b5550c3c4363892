"""Integrate-and-fire arithmetic on tensors: state in, state out, the law of every neuron written once.

Fresh temporaries are reused in place: most of a step's time outside the convolutions goes into memory traffic.
``floor(v / theta) >= 1`` holds exactly when ``v >= theta`` in floating point, since the quotient of a smaller number
never rounds up to 1.
"""

from collections.abc import Sequence

import torch
from torch import Tensor


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


def if_step(current: Tensor, v: Tensor, v_threshold: Tensor) -> tuple[Tensor, Tensor]:
    """Advance binary integrate-and-fire neurons by one timestep; firing subtracts the threshold (soft reset).

    Shapes: ``current`` and ``v`` ``(B, *F)``, ``v_threshold`` broadcastable. Returns ``(output, v_next)``;
    ``output`` is 0 or ``v_threshold``.

    Source: reset by subtraction, Rueckauer et al. 2017.
    """
    v = v + current
    output = torch.div(v, v_threshold).floor_().clamp_(0, 1).mul_(v_threshold)
    return output, v - output


def signed_step(current: Tensor, v: Tensor, emitted: Tensor, v_threshold: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Advance signed integrate-and-fire neurons: as ``if_step``, and a spike already sent can be taken back.

    A neuron fires -1 when ``v < 0`` and it has sent more positive than negative spikes, so its running output
    stays a rectified, rounded copy of its running input even when early input was too large.

    Shapes: ``current``, ``v`` and ``emitted`` ``(B, *F)``, ``v_threshold`` broadcastable. ``emitted`` is the
    net number of spikes sent so far, never negative. Returns ``(output, v_next, emitted_next)``; ``output`` is
    ``-v_threshold``, 0 or ``v_threshold``.

    Source: signed neuron with memory, Wang et al. 2022 (SNM).
    """
    v = v + current
    due = torch.div(v, v_threshold).floor_()  # whole spikes that the membrane holds; below 0 where it owes some
    spike = torch.maximum(due, -emitted).clamp_(-1, 1)
    emitted = emitted + spike
    output = spike.mul_(v_threshold)
    return output, v - output, emitted


def tracking_step(
    current: Tensor, v: Tensor, emitted: Tensor, v_threshold: Tensor, most: Tensor | None = None
) -> tuple[Tensor, Tensor, Tensor]:
    """Advance tracking neurons: as ``signed_step``, but all spikes that are due leave at once, as one graded spike.

    After every step the emitted sum is the running input sum, rectified and rounded to whole thresholds. So the mean
    output is off by at most half a threshold divided by the number of timesteps, whatever the order of the input:
    the reference that binary and signed neurons are judged against.

    Shapes: ``current``, ``v`` and ``emitted`` ``(B, *F)``, ``v_threshold`` broadcastable; ``most``, broadcastable, is
    the largest net number of spikes allowed so far. Returns ``(output, v_next, emitted_next)``.
    """
    v = v + current
    total = torch.div(v, v_threshold).floor_().add_(emitted).clamp_(min=0)
    if most is not None:
        total = torch.minimum(total, most)
    output = (total - emitted).mul_(v_threshold)
    return output, v - output, total


def encoding_step(current: Tensor, v: Tensor, v_threshold: Tensor, most: float | None = 1.0) -> tuple[Tensor, Tensor]:
    """Advance encoding neurons: they send a graded signal of either sign as spikes of either sign.

    Shapes: ``current`` and ``v`` ``(B, *F)``, ``v_threshold`` broadcastable; ``most`` is the largest spike in units of
    the threshold, None for any. Returns ``(output, v_next)``.
    """
    v = v + current
    spike = torch.div(v, v_threshold).floor_()
    if most is not None:
        spike.clamp_(-most, most)
    output = spike.mul_(v_threshold)
    return output, v - output


def quantized_activation(x: Tensor, v_threshold: Tensor, levels: int) -> Tensor:
    """Return what a neuron's mean output tends to: ``theta / L * clip(floor(L * x / theta + 1/2), 0, L)``.

    Shapes: ``x`` ``(B, *F)``, ``v_threshold`` broadcastable; the result has the shape of ``x``.

    Source: Bu et al. 2022 (QCFS activation).
    """
    return torch.clamp(torch.floor(levels * x / v_threshold + 0.5), 0, levels) * (v_threshold / levels)
