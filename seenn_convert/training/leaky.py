"""Leaky neurons that can be trained: their law to the bit forwards, a surrogate of their spikes backwards."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import Function, FunctionCtx, once_differentiable

from seenn_convert.neurons.law import fired
from seenn_convert.neurons.leaky import LeakyNeuron
from seenn_convert.training.surrogate import TrainedNeuron


class TrainedLeaky(TrainedNeuron):
    """A layer of leaky neurons whose thresholds, initial potentials and leaks are learned.

    A leak stays between 0 and 1: it is ``exp(-decay)`` with a positive decay, whose logarithm is learned. Neurons that
    do not leak, and those that keep nothing, stay so.

    Args:
        neuron: Its law, its options and the values to start from.
    """

    neuron: LeakyNeuron

    def __init__(self, neuron: LeakyNeuron) -> None:
        super().__init__(neuron)
        decay = -neuron.leak.log()
        learns = bool(((decay > 0) & decay.isfinite()).all())
        self.log_decay = nn.Parameter(decay.log()) if learns else None
        self.charge, self.reset = _Charge(neuron), _After(neuron)

    @property
    def leak(self) -> Tensor:
        """What the membrane keeps of itself over a timestep."""
        return self.neuron.leak if self.log_decay is None else (-self.log_decay.exp()).exp()

    @property
    def spike(self) -> Tensor:
        """Size of a spike: 1."""
        return self.neuron.spike

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """Return ``(spikes, v_next)``, each ``(B, *F)``; the gradient does not follow the reset."""
        v_threshold, neuron = self.v_threshold, self.neuron
        learned = {"neuron.v_threshold": v_threshold, "neuron.leak": self.leak}
        charged: Tensor = torch.func.functional_call(self.charge, learned, inputs)
        spikes: Tensor = _Fire.apply(charged, v_threshold, neuron.strict)  # type: ignore[no-untyped-call]
        following: Tensor = torch.func.functional_call(self.reset, learned, (charged, inputs[1], spikes.detach()))
        return spikes, following

    def settled(self) -> LeakyNeuron:
        """Return a layer of neurons with what was learned."""
        options = {name: getattr(self.neuron, name) for name in self.neuron.options}
        others = (self.leak, self.neuron.gain, self.neuron.v_rest)
        return LeakyNeuron(self.v_threshold, self.v_initial, *others, **options)


class _Charge(nn.Module):
    """The membrane potential of leaky neurons that decides about firing."""

    def __init__(self, neuron: LeakyNeuron) -> None:
        super().__init__()
        self.neuron = neuron

    def forward(self, current: Tensor, v: Tensor) -> Tensor:
        return self.neuron.charged(current, v)


class _After(nn.Module):
    """What the membranes of leaky neurons hold after their spikes."""

    def __init__(self, neuron: LeakyNeuron) -> None:
        super().__init__()
        self.neuron = neuron

    def forward(self, charged: Tensor, v: Tensor, spikes: Tensor) -> Tensor:
        return self.neuron.after(charged, v, spikes)


class _Fire(Function):
    """Fire 0 or 1; backwards a triangle around the threshold, ``max(0, 1 - |v / theta - 1|) / theta``.

    Source: Esser et al. 2016.
    """

    @staticmethod
    def forward(ctx: FunctionCtx, v: Tensor, v_threshold: Tensor, strict: bool) -> Tensor:
        ctx.save_for_backward(v, v_threshold)
        return fired(v, v_threshold, strict)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, of_spikes: Tensor) -> tuple[Tensor | None, ...]:
        v, v_threshold = ctx.saved_tensors
        due = v / v_threshold
        of_v = (1 - (due - 1).abs()).clamp_(min=0).div_(v_threshold).mul_(of_spikes)
        return of_v, (-due * of_v).sum_to_size(v_threshold.shape), None
