"""How fast each part of a spiking network is learned: relative to its own size, so that one rate serves all layers."""

from typing import Any

from seenn_convert.training.leaky import TrainedLeaky
from seenn_convert.training.loop import size
from seenn_convert.training.unrolled import Unrolled

WEIGHTS, THRESHOLDS, POTENTIALS, BIASES, DECAYS = 1.0, 2.0, 2.0, 1.0, 5.0
"""What the learning rate is multiplied by: of a weight, as a share of its tensor's root mean square; of the logarithm
of a threshold; of an initial potential, as a share of the threshold; of a timestep bias, as a share of it;
of the logarithm of a decay."""


def parameter_groups(network: Unrolled, rate: float) -> list[dict[str, Any]]:
    """Return the parameters of ``network`` as groups for an optimiser, each tensor with a learning rate of its own."""
    groups = [
        {"params": [one], "lr": WEIGHTS * rate * size(one)} for layer in network.layers() for one in layer.parameters()
    ]
    neurons = network.neurons()
    for neuron in neurons.values():
        groups.append({"params": [neuron.log_change], "lr": THRESHOLDS * rate})
        groups.append({"params": [neuron.shift], "lr": POTENTIALS * rate})
        if isinstance(neuron, TrainedLeaky) and neuron.log_decay is not None:
            groups.append({"params": [neuron.log_decay], "lr": DECAYS * rate})
    for name, bias in network.biases().items():
        groups.append({"params": [bias.bias], "lr": BIASES * rate * size(neurons[name].v_threshold)})
    return groups
