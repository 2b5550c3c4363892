"""The one record of what all timesteps showed: collected once, read by everything that chooses exits or judges them."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor

from seenn_convert.exits.temperatures import fit_temperatures
from seenn_convert.finite import check_images_finite, check_logits_finite
from seenn_convert.ir.scores import ExitScore, scores_of
from seenn_convert.rows import ROW_FLOOR, pad_rows
from seenn_convert.runtime.engine import Drives, Observer, Results, State, unroll
from seenn_convert.runtime.fresh_rows import Steppable
from seenn_convert.runtime.overwriting import fast_step, own_start
from seenn_convert.runtime.policies import planned_timesteps

Features = Callable[[Tensor, tuple[Tensor, ...]], Tensor]
"""What to keep of the inputs of a policy head: image and drives in, ``(B, F, *)`` out."""

IMAGE_AXES = {"predictions": 1, "scores": 1, "logits": 1, "ann_logits": 0, "labels": 0, "plan": 0, "features": 0}
"""Fact -> the axis along which its images lie."""


@dataclass(frozen=True, eq=False)
class Readouts:
    """What all timesteps showed of some images, on the CPU.

    Attributes:
        predictions: ``(T, N)`` int64 class of the mean logits.
        scores: ``(T, N)`` exit score.
        logits: ``(T, N, K)`` mean logits, where they were kept.
        ann_logits: ``(N, K)`` of the ANN, where it was run; of all timesteps where that takes its place.
        labels: ``(N,)`` true classes, None where there are none.
        plan: ``(N, T)`` plan logits of the policy head, where it was run.
        features: ``(N, F, *)`` pooled inputs of a policy head, where they were kept.
        ann_temperature: Softmax temperature of the ANN.
    """

    predictions: Tensor
    scores: Tensor
    logits: Tensor | None = None
    ann_logits: Tensor | None = None
    labels: Tensor | None = None
    plan: Tensor | None = None
    features: Tensor | None = None
    ann_temperature: Tensor | float = 1.0

    @property
    def timesteps(self) -> int:
        """The longest run T."""
        return len(self.scores)

    @cached_property
    def ann_answers(self) -> Tensor:
        """The ANN's answers ``(N,)``."""
        return _kept(self.ann_logits, "the ANN's logits").argmax(dim=-1)

    @property
    def truth(self) -> Tensor:
        """Labels ``(N,)``, or the ANN's answers where there are none."""
        return self.ann_answers if self.labels is None else self.labels

    @cached_property
    def right(self) -> Tensor:
        """Whether the answer at each timestep is right, ``(T, N)``."""
        return self.predictions == self.truth

    @cached_property
    def ann_p(self) -> Tensor:
        """The ANN's class probabilities ``(N, K)``, with its temperature."""
        return torch.softmax(_kept(self.ann_logits, "the ANN's logits") / self.ann_temperature, dim=-1)

    @cached_property
    def worth(self) -> Tensor:
        """Probability that the ANN gives to the answer at each timestep, ``(T, N)``."""
        return self.ann_p.gather(1, self.predictions.t()).t()

    @cached_property
    def best(self) -> Tensor:
        """Probability that the ANN gives to its own answer, ``(N,)``."""
        return self.ann_p.amax(dim=-1)

    def answers(self, exit_step: Tensor) -> Tensor:
        """Return the answers ``(N,)`` at ``exit_step`` ``(N,)``, 1-based."""
        return self.predictions.gather(0, exit_step.unsqueeze(0) - 1).squeeze(0)

    def planned(self, price: float = 0.0) -> Tensor:
        """Return the timesteps ``(N,)``, 1-based, that the policy head plans at ``price`` a timestep."""
        return planned_timesteps(_kept(self.plan, "the plan logits of a policy head"), price)

    def shares_right(self, exit_step: Tensor) -> dict[str, float]:
        """Return shares right: of leaving at ``exit_step`` ``(N,)``, of the ANN (``reference``), of the full run."""
        given = {
            "accuracy": self.answers(exit_step),
            "reference": self.ann_answers,
            "full_accuracy": self.predictions[-1],
        }
        return {name: float((answers == self.truth).double().mean()) for name, answers in given.items()}

    def select(self, images: Sequence[int] | Tensor) -> "Readouts":
        """Return the readouts of the images at these positions."""
        index = torch.as_tensor(images)
        along = {0: index, 1: (slice(None), index)}  # indexing keeps the layout of the features
        facts = {name: getattr(self, name) for name in IMAGE_AXES}
        return replace(self, **{
            name: fact[along[IMAGE_AXES[name]]] for name, fact in facts.items() if fact is not None
        })  # fmt: skip

    def temperatures(self, fitting: Sequence[int]) -> Tensor:
        """Return softmax temperatures ``(T,)`` of the timesteps, fitted to the images at these positions."""
        index = torch.tensor(fitting)
        return fit_temperatures(_kept(self.logits, "the logits")[:, index], self.truth[index])

    def scored(self, score: ExitScore, temperatures: Tensor) -> "Readouts":
        """Return the readouts with the exit score that a probe with these temperatures ``(T,)`` would compute."""
        return replace(self, scores=scores_of(score, _kept(self.logits, "the logits"), temperatures))

    def with_reference(self) -> "Readouts":
        """Return the readouts with the logits after all timesteps in the place of the ANN's, if that was not run."""
        return self if self.ann_logits is not None else replace(self, ann_logits=_kept(self.logits, "the logits")[-1])

    def with_ann_temperature(self, fitting: Sequence[int]) -> "Readouts":
        """Return the readouts with the ANN's temperature fitted to the labels at these positions; 1 without labels."""
        if self.labels is None:
            return replace(self, ann_temperature=1.0)
        index, logits = torch.tensor(fitting), _kept(self.ann_logits, "the ANN's logits")
        return replace(self, ann_temperature=fit_temperatures(logits[None, index], self.labels[index]))


def collect_readouts(
    model: Steppable,
    batches: Iterable[Tensor],
    ann_logits: Tensor | None = None,
    labels: Tensor | None = None,
    *,
    keep_logits: bool = False,
    keep_plan: bool = False,
    features: Features | None = None,
    row_floor: int = ROW_FLOOR,
    progress: Callable[[int], None] | None = None,
    observers: Sequence[Observer] = (),
    first: int = 0,
) -> Readouts:
    """Run all images for all timesteps and return what each showed: an analysis tool, never inference.

    Args:
        model: A spiking model.
        batches: Images ``(B, *input_shape)``.
        ann_logits: ``(N, K)`` of the ANN, for the same images.
        labels: ``(N,)`` true classes.
        keep_logits: Keep the logits; ``T * N * K`` numbers.
        keep_plan: Run the policy head, too, and keep its plan logits.
        features: What to keep of the inputs of a policy head.
        row_floor: Fewest rows in a batch, as in ``run_early_exit``.
        progress: Called with the number of images that have just finished.
        observers: See each timestep of a batch; its results are of the images alone, without padding.
        first: Number of the first image, for messages.

    Raises:
        InputError: An image or its last logits are NaN or infinite; names the image.
    """
    parts, seen = [], first
    for image in batches:
        rows, count = pad_rows(image.to(model.device, model.dtype), row_floor), len(image)
        numbers = range(seen, seen + count)
        check_images_finite(rows[:count], numbers)
        drives = model.drive(rows)
        logits, scores = _unrolled(model, drives, len(rows), count, observers)
        check_logits_finite(logits[-1], numbers)
        seen += count
        parts.append(Readouts(
            predictions=logits.argmax(dim=-1).cpu(),
            scores=scores.cpu(),
            logits=logits.cpu() if keep_logits else None,
            plan=model.plan(rows, drives)[:count].float().cpu() if keep_plan else None,
            features=None if features is None else features(rows, drives)[:count].float().cpu(),
        ))  # fmt: skip
        if progress is not None:
            progress(count)
    return replace(joined(parts), ann_logits=ann_logits, labels=labels)


def joined(parts: Sequence[Readouts]) -> Readouts:
    """Return the readouts of all images of all parts, in this order."""
    facts = {name: [getattr(part, name) for part in parts] for name in IMAGE_AXES}
    return replace(parts[0], **{
        name: torch.cat(found, dim=IMAGE_AXES[name]) for name, found in facts.items() if found[0] is not None
    })  # fmt: skip


def from_logits(
    logits: Tensor, ann_logits: Tensor, labels: Tensor | None = None, plan: Tensor | None = None
) -> Readouts:
    """Return readouts made of logits ``(T, N, K)`` that were kept; no exit score is known, so all are 0."""
    predictions = logits.argmax(dim=-1)
    return Readouts(predictions, torch.zeros_like(predictions, dtype=logits.dtype), logits, ann_logits, labels, plan)


def _unrolled(
    model: Steppable, drives: tuple[Tensor, ...], rows: int, count: int, observers: Sequence[Observer]
) -> tuple[Tensor, Tensor]:
    """Return logits ``(T, B, K)`` and scores ``(T, B)`` of the first ``count`` rows."""
    found: list[Results] = []

    make = model.step if observers else fast_step(model)  # an observer may keep the state it sees

    def step(drives: Drives, state: State) -> tuple[*Results, State]:
        *results, state = make(drives, state)
        return *(result[:count] for result in results), state

    def keep(t: int, results: Results, state: State) -> None:
        found.append(results)

    unroll(step, drives, own_start(model, rows), model.timesteps, (keep, *observers))
    logits, scores = zip(*found, strict=True)
    return torch.stack(logits), torch.stack(scores)


def _kept(fact: Tensor | None, name: str) -> Tensor:
    if fact is None:
        raise ValueError(f"{name} were not kept, and are needed")
    return fact
