"""Plan at a price of a timestep: one policy head then gives a curve."""

from collections.abc import Iterable

import torch
from torch import Tensor

from seenn_convert.runtime.early_exit import Steppable


def priced(logits: Tensor, price: float) -> Tensor:
    """Return plan logits ``(N, T)`` less ``price`` for each timestep: a higher one plans earlier exits."""
    return logits - price * torch.arange(logits.shape[-1], dtype=logits.dtype, device=logits.device)


class PricedPlan:
    """A spiking model whose policy head plans at a price of a timestep; all else is the model's.

    Args:
        model: A spiking model with a policy head.
        price: Taken off the plan logits for each timestep.
    """

    def __init__(self, model: Steppable, price: float) -> None:
        self.model, self.price = model, price
        self.timesteps, self.policy = model.timesteps, model.policy
        self.drive, self.step, self.initial_state = model.drive, model.step, model.initial_state

    def plan(self, image: Tensor, drives: Iterable[Tensor]) -> Tensor:
        """Return the plan logits ``(B, T)`` of a batch, less the price."""
        return priced(self.model.plan(image, drives).float(), self.price)

    @property
    def device(self) -> torch.device:
        """Where the model is."""
        return self.model.device

    @property
    def dtype(self) -> torch.dtype:
        """Its floating-point type."""
        return self.model.dtype
