"""A neuron class as a user would write one."""

from torch import Tensor

from seenn_convert.neurons.layers import Neuron


class PatientNeuron(Neuron):
    """A layer of a user's own: it fires only at a multiple of its threshold."""

    state_names, options, alphabet = ("v",), ("patience",), (0, 1)

    def __init__(self, v_threshold: Tensor, v_initial: Tensor, patience: float) -> None:
        super().__init__(v_threshold, v_initial)
        self.patience = patience

    def forward(self, current: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        v = v + current
        output = (v >= self.patience * self.v_threshold).to(v.dtype) * self.v_threshold
        return output, v - output
