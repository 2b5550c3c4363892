"""Run the policy head alone over a data set: what it would choose, without running the spiking network."""

from collections.abc import Iterable

import torch
from torch import Tensor

from seenn_convert.rows import ROW_FLOOR, pad_rows
from seenn_convert.runtime.early_exit import Steppable


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
