"""Where a layer's rate error comes from: what arrives, what the neuron can express, and the order of arrival."""

import math

import torch
from torch import Tensor, nn

from seenn_convert.neurons.layers import Neuron

PARTS = ("startup", "upstream", "clipping", "quantisation", "unevenness")


def split_error(
    neuron: Neuron, activation: nn.Module, output: Tensor, current: Tensor, late: Tensor, wanted: Tensor, timesteps: int
) -> dict[str, Tensor]:
    """Return the parts of ``output - wanted``, which add up to it.

    With f the activation and means over all timesteps where nothing else is said:

    - ``startup``: f of the mean current less f of its mean over the second half, when everything has arrived.
    - ``upstream``: f of that late mean less the ANN's activation: what the layers before got wrong for good.
    - ``clipping``: more than the neuron can send in every timestep.
    - ``quantisation``: rounding to a whole number of spikes.
    - ``unevenness``: spikes that the order of arrival added, or that did not leave in time.

    Shapes: mean ``output`` and ``current``, ``late``, the mean current of the second half of the run, and ``wanted``,
    the ANN's activation, are ``(B, *F)``.
    """
    now, settled = apply(activation, current), apply(activation, late)
    v_threshold = neuron.v_threshold
    most = math.inf if neuron.alphabet is None else neuron.alphabet[-1]
    clipped = now if math.isinf(most) else torch.clamp(now, -most * v_threshold, most * v_threshold)
    rounded = torch.floor(timesteps * clipped / v_threshold + 0.5) * (v_threshold / timesteps)
    return {
        "startup": now - settled,
        "upstream": settled - wanted,
        "clipping": clipped - now,
        "quantisation": rounded - clipped,
        "unevenness": output - rounded,
    }


def apply(activation: nn.Module, x: Tensor) -> Tensor:
    """Return the activation of ``x``, as the ANN has it."""
    result: Tensor = activation(x)
    return result
