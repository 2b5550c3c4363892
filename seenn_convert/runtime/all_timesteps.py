"""Run every timestep for every image: an analysis tool, never inference."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from seenn_convert.rows import ROW_FLOOR, pad_rows
from seenn_convert.runtime.early_exit import Steppable
from seenn_convert.runtime.engine import Drives, Results, State, unroll
from seenn_convert.runtime.policies import planned_timesteps


@dataclass(frozen=True)
class AllTimesteps:
    """The readout of every timestep.

    Attributes:
        predictions: ``(T, N)`` int64 class of the mean logits.
        scores: ``(T, N)`` exit score.
        logits: ``(T, N, K)`` mean logits, where they were asked for.
        planned: ``(N,)`` timesteps that the policy head chose, where they were asked for.
    """

    predictions: Tensor
    scores: Tensor
    logits: Tensor | None
    planned: Tensor | None = None


def run_all_timesteps(
    model: Steppable,
    batches: Iterable[Tensor],
    keep_logits: bool = False,
    row_floor: int = ROW_FLOOR,
    progress: Callable[[int], None] | None = None,
    after_step: Callable[[int, int], None] | None = None,
    keep_plan: bool = False,
) -> AllTimesteps:
    """Run all images for all timesteps and return the readout of each.

    Args:
        model: A spiking model.
        batches: Images ``(B, *input_shape)``.
        keep_logits: Keep the logits too; ``T * N * K`` numbers.
        row_floor: Fewest rows in a batch, as in ``run_early_exit``.
        progress: Called with the number of samples that have just finished.
        after_step: Called with the timestep and the number of images after each step, for instruments.
        keep_plan: Run the policy head, too, and keep the timesteps that it chooses.
    """
    predictions, scores, kept, planned = [], [], [], []
    for image in batches:
        count = image.shape[0]
        rows = pad_rows(image.to(model.device, model.dtype), row_floor)
        drives = model.drive(rows)
        logits, score = _readouts(model, drives, len(rows), count, after_step)
        predictions.append(logits.argmax(dim=-1).cpu())
        scores.append(score.cpu())
        if keep_plan:
            planned.append(planned_timesteps(model.plan(rows, drives))[:count].cpu())
        if keep_logits:
            kept.append(logits.cpu())
        if progress is not None:
            progress(count)
    return AllTimesteps(
        torch.cat(predictions, dim=1),
        torch.cat(scores, dim=1),
        torch.cat(kept, dim=1) if keep_logits else None,
        torch.cat(planned) if keep_plan else None,
    )


def _readouts(
    model: Steppable, drives: Drives, rows: int, count: int, after_step: Callable[[int, int], None] | None
) -> tuple[Tensor, Tensor]:
    """Return the mean logits ``(T, B, K)`` and the scores ``(T, B)`` of the first ``count`` of ``rows`` rows."""
    logits, scores = [], []

    def keep(t: int, results: Results, state: State) -> None:
        logits.append(results[0][:count])
        scores.append(results[1][:count])
        if after_step is not None:
            after_step(t, count)

    unroll(model.step, drives, model.initial_state(rows), model.timesteps, [keep])
    return torch.stack(logits), torch.stack(scores)
