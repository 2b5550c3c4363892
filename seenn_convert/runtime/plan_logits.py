"""Run the policy head alone over a data set: what it would choose, at any price of a timestep."""

from collections.abc import Iterable

import torch
from torch import Tensor

from seenn_convert.rows import ROW_FLOOR, pad_rows
from seenn_convert.runtime.early_exit import Steppable
from seenn_convert.runtime.policies import planned_timesteps


def plan_logits(model: Steppable, batches: Iterable[Tensor], row_floor: int = ROW_FLOOR) -> Tensor:
    """Return the plan logits ``(N, T)`` of all images, on the CPU.

    With the scores of all timesteps, ``exit_steps(policy, scores, planned=planned_timesteps(logits))`` then gives the
    exit steps of a planned policy.

    Args:
        model: A spiking model with a policy head.
        batches: Images ``(B, *input_shape)``.
        row_floor: Fewest rows in a batch, as in ``run_early_exit``.
    """
    found = [torch.zeros(0, model.timesteps)]
    for image in batches:
        if len(image):
            rows = pad_rows(image.to(model.device, model.dtype), row_floor)
            found.append(model.plan(rows, model.drive(rows))[: len(image)].float().cpu())
    return torch.cat(found)


def priced(logits: Tensor, price: float) -> Tensor:
    """Return plan logits ``(N, T)`` less ``price`` for each timestep: a higher one plans earlier exits."""
    return logits - price * torch.arange(logits.shape[-1], dtype=logits.dtype, device=logits.device)


def priced_timesteps(logits: Tensor, price: float) -> Tensor:
    """Return the timesteps ``(N,)``, 1-based, that plan logits ``(N, T)`` choose at ``price`` a timestep."""
    return planned_timesteps(priced(logits, price))


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
