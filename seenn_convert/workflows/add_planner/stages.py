"""The stages of attaching a policy head that read the data: look at it once, then train from what was seen."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from time import perf_counter

import torch
from torch import Tensor

from seenn_convert.analysis.memory import images_together
from seenn_convert.data.checks import checked_labels
from seenn_convert.data.dataset import Dataset
from seenn_convert.exits.plan_choice import PlanChoice, Plans, exits_of
from seenn_convert.exits.thresholds import Readouts
from seenn_convert.exits.tune import Split, ann_probabilities, shares_right
from seenn_convert.ir.program import Program
from seenn_convert.ir.state import rows_together
from seenn_convert.measure.ann import run_ann
from seenn_convert.passes.attach_policy import PolicyHead
from seenn_convert.progress import Counter, Progress
from seenn_convert.rows import pad_rows
from seenn_convert.runtime.all_timesteps import AllTimesteps, run_all_timesteps
from seenn_convert.runtime.policies import planned_timesteps
from seenn_convert.runtime.spiking_model import SpikingModel
from seenn_convert.training.planner.head import HeadPlan, normalisation
from seenn_convert.training.planner.train import train_heads, with_between
from seenn_convert.workflows.add_planner.options import PolicyOptions

TOGETHER = 512
"""Images whose plans are computed together."""

PARTS = 4
"""Into how many parts the way from one setting to the next is divided."""


@dataclass(frozen=True)
class Seen:
    """What the frozen network showed of all images, made once and kept: training reads nothing else.

    Attributes:
        run: All timesteps.
        ann: ``(N, K)`` the ANN's logits.
        features: ``(N, F, *)`` pooled inputs of the policy head.
        labels: ``(N,)`` true classes, None where there are none.
        seconds: How long it took.
    """

    run: AllTimesteps
    ann: Tensor
    features: Tensor
    labels: Tensor | None
    seconds: float


@dataclass(frozen=True)
class Heads:
    """Trained policy heads and what they plan.

    Attributes:
        heads: One for each setting of the reward, and mixtures between neighbours.
        settings: Of each of them; a mixture has one between.
        fitting: What they plan for the images they were trained on.
        held_out: What they plan for the others.
        seconds: How long training took.
    """

    heads: list[PolicyHead]
    settings: list[float]
    fitting: Plans
    held_out: Plans
    seconds: float


def look(
    ann: Program, model: SpikingModel, plan: HeadPlan, data: Dataset, options: PolicyOptions, progress: Progress
) -> Seen:
    """Run stem, ANN and all timesteps once for every image."""
    start = perf_counter()
    with torch.no_grad():
        ann_logits = run_ann(ann, data, images_together(ann, options.batch_size), progress)
        rows = rows_together(model.program, options.batch_size)
        counter = Counter(progress, "all timesteps", len(data))
        run = run_all_timesteps(model, (image for image, _ in data.batches(rows)), progress=counter.add)
        features = torch.cat(list(_features(model, plan, data, rows)))
    labels = None if data.labels is None else checked_labels(data, ann_logits.shape[-1])
    return Seen(run, ann_logits, features, labels, perf_counter() - start)


def train(plan: HeadPlan, seen: Seen, split: Split, options: PolicyOptions, progress: Progress) -> Heads:
    """Train a head for each setting of the reward on the fitting part, and plan for all images."""
    start = perf_counter()
    counter = Counter(progress, "training the policy", options.epochs)
    fitting, held_out = torch.tensor(split.fitting), torch.tensor(split.held_out)
    readouts = readouts_of(seen, fitting)
    right = _right(seen, readouts, options)[:, fitting]
    scale = normalisation(seen.features[fitting])
    losses = torch.stack([options.reward.losses(right, setting) for setting in options.reward.settings])
    trunk, last = train_heads(
        plan.trunk, plan.width, scale(seen.features[fitting]), losses, options.reward.weights(right), options.training,
        counter.add,
    )  # fmt: skip
    heads = [plan.head(scale, trunk, layer) for layer in with_between(last, PARTS)]
    latest = latest_exits(heads, seen.features)
    parts = [Plans(_part(readouts, images), latest[:, images]) for images in (fitting, held_out)]
    return Heads(heads, _between(options.reward.settings), parts[0], parts[1], perf_counter() - start)


def _between(settings: Sequence[float]) -> list[float]:
    found = [settings[0]]
    for before, after in pairwise(settings):
        found += [before + (after - before) * part / PARTS for part in range(1, PARTS + 1)]
    return found


def measured(seen: Seen, split: Split, held_out: Plans, choice: PlanChoice) -> Mapping[str, float]:
    """Return shares right on the held-out images: of early exit, of the ANN, of the full run."""
    images = torch.tensor(split.held_out)
    ann = seen.ann[images].argmax(dim=-1)
    truth = ann if seen.labels is None else seen.labels[images]
    step = exits_of(choice, held_out.readouts.scores, None if choice.head is None else held_out.latest[choice.head])
    return shares_right(seen.run.predictions[:, images], step, ann, truth)


def _features(model: SpikingModel, plan: HeadPlan, data: Dataset, rows: int) -> Iterator[Tensor]:
    for image, _ in data.batches(rows):
        padded = pad_rows(image.to(model.device, model.dtype))
        inputs = (padded,) if plan.reads == "image" else model.drive(padded)
        yield plan.features(inputs)[: len(image)].float().cpu()


def readouts_of(seen: Seen, fitting: Tensor) -> Readouts:
    """Return scores and worth of all images; ``fitting`` set the ANN's temperature, where there are labels."""
    ann_p = ann_probabilities(seen.ann, seen.labels, fitting)
    worth = ann_p.gather(1, seen.run.predictions.t()).t()
    return Readouts(seen.run.scores, worth, ann_p.amax(dim=-1))


def _right(seen: Seen, readouts: Readouts, options: PolicyOptions) -> Tensor:
    """Return ``(T, N)`` what training takes for the probability that an answer is right."""
    if options.right == "worth":
        return readouts.worth.float()
    truth = seen.ann.argmax(dim=-1) if options.right == "agreement" or seen.labels is None else seen.labels
    return (seen.run.predictions == truth).float()


def _part(readouts: Readouts, images: Tensor) -> Readouts:
    return Readouts(readouts.scores[:, images], readouts.worth[:, images], readouts.best[images])


def latest_exits(heads: Sequence[PolicyHead], features: Tensor) -> Tensor:
    """Return the planned timesteps, from 0, ``(S, N)``, by heads that share all but their last layers.

    Args:
        heads: As ``train`` made them.
        features: ``(N, F, *)`` pooled inputs.
    """
    plans = []
    for part in torch.split(features, TOGETHER):
        value = pad_rows(part)
        for module in heads[0].body[:-1]:
            value = module(value)
        latest = [planned_timesteps(head.body[-1](value))[: len(part)] - 1 for head in heads]
        plans.append(torch.stack(latest))
    return torch.cat(plans, dim=1)
