"""Neurons that can be trained: forwards the law of each neuron to the bit, backwards a surrogate of its steps."""

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import Function, FunctionCtx, once_differentiable

from seenn_convert.neurons.layers import Neuron


class TrainedNeuron(nn.Module):
    """A layer of neurons whose thresholds and initial potentials are learned.

    Thresholds are learned as logarithms of their change, so they stay positive; initial potentials in thresholds.
    Before anything is learned both are those of the ``neuron``, to the bit, and so is the arithmetic of any type.

    Args:
        neuron: Its law, its options and the values to start from.
    """

    def __init__(self, neuron: Neuron) -> None:
        super().__init__()
        self.neuron = neuron
        self.log_change = nn.Parameter(torch.zeros_like(neuron.v_threshold))
        self.shift = nn.Parameter(torch.zeros_like(neuron.v_threshold))

    @property
    def v_threshold(self) -> Tensor:
        """The firing threshold, positive."""
        return self.neuron.v_threshold * self.log_change.exp()

    @property
    def v_initial(self) -> Tensor:
        """The membrane potential before the first timestep."""
        return self.neuron.v_initial * self.log_change.exp() + self.shift * self.v_threshold

    @property
    def share(self) -> Tensor:
        """The same in thresholds."""
        return self.neuron.v_initial / self.neuron.v_threshold + self.shift

    @property
    def spike(self) -> Tensor:
        """Size of the smallest spike."""
        return self.v_threshold

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """Return ``(output, *state_next)`` as the neuron does, each ``(B, *F)``; output and ``v`` have gradients."""
        outputs: tuple[Tensor, ...] = _Step.apply(self.neuron, self.v_threshold, *inputs)  # type: ignore[no-untyped-call]
        return outputs

    def rate(self, current: Tensor, timesteps: int) -> Tensor:
        """Return the mean output ``(B, *F)`` after T timesteps of a constant ``current``: the QCFS activation.

        Rounding hands the gradient through, thresholds and initial potentials get theirs.

        Source: Bu et al. 2022 (QCFS).
        """
        v_threshold = self.v_threshold
        spikes = current / v_threshold * timesteps + self.share
        spikes = spikes + (spikes.floor() - spikes).detach()
        least, most = self._range(v_threshold)
        spikes = spikes.clamp(min=least * timesteps)
        if not isinstance(most, float) or most < math.inf:
            spikes = torch.minimum(spikes, timesteps * torch.as_tensor(most, dtype=spikes.dtype, device=spikes.device))
        return spikes * (v_threshold / timesteps)

    def _range(self, v_threshold: Tensor) -> tuple[float, float | Tensor]:
        """Return the fewest and the most spikes per timestep of a long run."""
        alphabet, recalls = self.neuron.alphabet, "emitted" in self.neuron.state_names
        if alphabet is not None:
            return 0.0 if recalls else float(min(alphabet)), float(max(alphabet))
        maximum = getattr(self.neuron, "maximum", math.inf)
        return (0.0 if recalls else -math.inf), maximum if maximum == math.inf else maximum / v_threshold.detach()

    def settled(self) -> Neuron:
        """Return a layer of neurons with what was learned."""
        options = {name: getattr(self.neuron, name) for name in self.neuron.options}
        return type(self.neuron)(self.v_threshold, self.v_initial, **options)


class _Step(Function):
    """One timestep of a neuron.

    The number of spikes is a staircase of v / theta. Backwards it is a straight line with ramps at both ends, the sum
    of a triangle around the place of each spike: ``max(0, 1 - |v / theta - 1|)`` for a neuron that fires 0 or 1. The
    gradient does not follow the reset, so no spike is made to pay twice.

    Source: triangle, Esser et al. 2016; straight through within the range, Bu et al. 2022 (QCFS); detached reset,
    Zenke and Vogels 2021.
    """

    @staticmethod
    def forward(ctx: FunctionCtx, neuron: Neuron, v_threshold: Tensor, *inputs: Tensor) -> tuple[Tensor, ...]:
        output, v, *others = torch.func.functional_call(neuron, {"v_threshold": v_threshold}, inputs)
        state = dict(zip(neuron.state_names, inputs[1 + neuron.reads_clock :], strict=True))
        ctx.save_for_backward(output, v, v_threshold, *([state["emitted"]] if "emitted" in state else []))
        ctx.neuron, ctx.inputs = neuron, len(inputs)  # type: ignore[attr-defined]
        ctx.mark_non_differentiable(*others)
        return output, v, *others

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, of_output: Tensor, of_v: Tensor, *unused: Tensor) -> tuple[Tensor | None, ...]:
        output, v, v_threshold, *emitted = ctx.saved_tensors
        due = (v + output).div_(v_threshold)
        slope = slope_of(ctx.neuron, due, *emitted).mul_(of_output)
        of_threshold = output.div(v_threshold).mul_(of_output).sub_(due.mul_(slope))
        of_current = slope.add_(of_v)
        neither: list[Tensor | None] = [None] * (ctx.inputs - 2 - ctx.neuron.reads_clock)
        clock = [None] * ctx.neuron.reads_clock
        return None, of_threshold.sum_to_size(v_threshold.shape), of_current, *clock, of_current, *neither


def slope_of(neuron: Neuron, due: Tensor, emitted: Tensor | None = None) -> Tensor:
    """Return the surrogate of d(spikes) / d(due) ``(B, *F)`` for the whole thresholds ``due`` of a membrane.

    It is 1 where another spike can be sent or taken back, and falls to 0 within one threshold beyond. ``emitted`` is
    the net number of spikes sent before, below which none is taken back.
    """
    most = math.inf if neuron.alphabet is None else max(neuron.alphabet)
    least: Tensor | float = -math.inf if neuron.alphabet is None else min(neuron.alphabet)
    if emitted is not None:
        least = (-emitted).clamp_(min=float(least))
    above = due - least if isinstance(least, Tensor) or least > -math.inf else torch.ones_like(due)
    return torch.minimum(above, most + 1 - due).clamp_(0, 1) if most < math.inf else above.clamp_(0, 1)
