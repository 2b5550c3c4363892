"""Exit scores: how sure the mean logits are, in [0, 1], larger is surer."""

import math
from typing import Literal

import torch
from torch import Tensor

ScoreName = Literal["confidence", "entropy"]
SCORE_NAMES: tuple[ScoreName, ...] = ("confidence", "entropy")


def confidence(logits: Tensor, temperature: Tensor | float = 1.0) -> Tensor:
    """Return the largest softmax probability, ``(B,)``, of ``logits`` ``(B, K)`` divided by ``temperature``.

    Source: Li et al. 2023 (SEENN-I).
    """
    return torch.softmax(logits / temperature, dim=-1).amax(dim=-1)


def negative_entropy(logits: Tensor, temperature: Tensor | float = 1.0) -> Tensor:
    """Return ``1 - H(p) / log K``, ``(B,)``, of the softmax of ``logits`` ``(B, K)``: 1 is certain, 0 uniform.

    Source: Li et al. 2023 (DT-SNN).
    """
    log_p = torch.log_softmax(logits / temperature, dim=-1)
    return 1 + (log_p.exp() * log_p).sum(dim=-1) / math.log(max(logits.shape[-1], 2))


def score(name: ScoreName, logits: Tensor, temperature: Tensor | float = 1.0) -> Tensor:
    """Return the score called ``name`` of ``logits`` ``(B, K)``, shape ``(B,)``."""
    return confidence(logits, temperature) if name == "confidence" else negative_entropy(logits, temperature)
