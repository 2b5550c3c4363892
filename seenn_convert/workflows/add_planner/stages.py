"""The stages of attaching a policy head that read the data: run everything once, then train from what was seen."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from time import perf_counter

import torch
from torch import Tensor

from seenn_convert.analysis.memory import images_together
from seenn_convert.data.checks import checked_labels, classes_of
from seenn_convert.data.samples import Samples
from seenn_convert.exits.readouts import Readouts, collect_readouts
from seenn_convert.exits.tune import Split
from seenn_convert.ir.program import Program
from seenn_convert.ir.state import rows_together
from seenn_convert.measure.ann import run_ann
from seenn_convert.passes.attach_policy import PolicyHead
from seenn_convert.progress import Counter, Progress
from seenn_convert.rows import pad_rows
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
class Heads:
    """Trained policy heads and what they plan.

    Attributes:
        heads: One for each setting of the reward, and mixtures between neighbours.
        settings: Of each of them; a mixture has one between.
        planned: ``(S, N)`` timesteps that each of them plans for all images.
        seconds: How long training took.
    """

    heads: list[PolicyHead]
    settings: list[float]
    planned: Tensor
    seconds: float


def collect(
    ann: Program | None, model: SpikingModel, plan: HeadPlan, data: Samples, options: PolicyOptions, progress: Progress
) -> Readouts:
    """Run stem, ANN and all timesteps once for every image: training reads nothing else.

    Without an ANN all timesteps take its place.
    """

    def features(image: Tensor, drives: tuple[Tensor, ...]) -> Tensor:
        return plan.features((image,) if plan.reads == "image" else drives)

    with torch.no_grad():
        ann_logits = None
        if ann is not None:
            ann_logits = run_ann(ann, data, images_together(ann, options.batch_size), progress)
        labels = None if data.labels is None else checked_labels(data, classes_of(model.program))
        counter = Counter(progress, "all timesteps", len(data))
        images = (image for image, _ in data.batches(rows_together(model.program, options.batch_size)))
        readouts = collect_readouts(
            model, images, ann_logits, labels, features=features, keep_logits=ann is None, progress=counter.add
        )
    return replace(readouts.with_reference(), logits=None)


def train(plan: HeadPlan, readouts: Readouts, split: Split, options: PolicyOptions, progress: Progress) -> Heads:
    """Train a head for each setting of the reward on the fitting part, and plan for all images."""
    start = perf_counter()
    counter = Counter(progress, "training the policy", options.epochs)
    fitting = readouts.select(split.fitting)
    assert readouts.features is not None and fitting.features is not None
    right, scale = _right(fitting, options), normalisation(fitting.features)
    losses = torch.stack([options.reward.losses(right, setting) for setting in options.reward.settings])
    trunk, last = train_heads(
        plan.trunk, plan.width, scale(fitting.features), losses, options.reward.weights(right), options.training,
        counter.add,
    )  # fmt: skip
    heads = [plan.head(scale, trunk, layer) for layer in with_between(last, PARTS)]
    planned = planned_by(heads, readouts.features)
    return Heads(heads, _between(options.reward.settings), planned, perf_counter() - start)


def _between(settings: Sequence[float]) -> list[float]:
    found = [settings[0]]
    for before, after in pairwise(settings):
        found += [before + (after - before) * part / PARTS for part in range(1, PARTS + 1)]
    return found


def _right(fitting: Readouts, options: PolicyOptions) -> Tensor:
    """Return ``(T, N)`` what training takes for the probability that an answer is right."""
    if options.right == "worth":
        return fitting.worth.float()
    return (fitting.predictions == (fitting.ann_answers if options.right == "agreement" else fitting.truth)).float()


def planned_by(heads: Sequence[PolicyHead], features: Tensor) -> Tensor:
    """Return the planned timesteps, 1-based, ``(S, N)``, by heads that share all but their last layers.

    The ``features`` ``(N, F, *)`` are the pooled inputs.
    """
    plans = []
    for part in torch.split(features, TOGETHER):
        value = pad_rows(part)
        for module in heads[0].body[:-1]:
            value = module(value)
        plans.append(torch.stack([planned_timesteps(head.body[-1](value))[: len(part)] for head in heads]))
    return torch.cat(plans, dim=1)
