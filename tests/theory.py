"""What the theory says that neurons do; the expected values of several tests."""

import torch
from torch import Tensor


def quantized_activation(x: Tensor, v_threshold: Tensor, levels: int) -> Tensor:
    """Return what a neuron's mean output tends to: ``theta / L * clip(floor(L * x / theta + 1/2), 0, L)``.

    Shapes: ``x`` ``(B, *F)``, ``v_threshold`` broadcastable; the result has the shape of ``x``.

    Source: Bu et al. 2022 (QCFS activation).
    """
    return torch.clamp(torch.floor(levels * x / v_threshold + 0.5), 0, levels) * (v_threshold / levels)
