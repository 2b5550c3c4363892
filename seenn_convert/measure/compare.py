"""Compare exit strategies on labelled data, each chosen on calibration data: accuracy against what it costs."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import torch
from torch import Tensor

from seenn_convert.analysis.coverage import call_sites, policy_macs
from seenn_convert.analysis.memory import images_together
from seenn_convert.artifact.artifact import Artifact
from seenn_convert.artifact.provenance import data_facts, environment, is_among, reused
from seenn_convert.artifact.schema.comparison import (
    ChoosingData,
    Comparison,
    Ideal,
    MeasuredPoint,
    Point,
    PriceFacts,
    ReliabilityRow,
    Strategy,
)
from seenn_convert.artifact.schema.shared import Caution
from seenn_convert.data.adapters import SampleData, as_samples
from seenn_convert.data.checks import check_shape, checked_labels, classes_of, matched_classes
from seenn_convert.data.samples import Samples
from seenn_convert.devices import check_device
from seenn_convert.exits.choose import Setting
from seenn_convert.exits.readouts import Readouts, collect_readouts, from_logits
from seenn_convert.exits.strategies.basic import (
    STRATEGIES,
    ExitStrategy,
    Grounds,
    ScoreStrategy,
    carried_out,
    first_right,
    ideal_exit_time,
)
from seenn_convert.exits.strategies.planned import planned_strategies
from seenn_convert.exits.tune import split_calibration
from seenn_convert.ir.operators.step import ExitProbe
from seenn_convert.ir.scores import SCORES, ExitScore, confidence, scores_of
from seenn_convert.ir.state import rows_together
from seenn_convert.measure.ann import run_ann
from seenn_convert.measure.costs import Counts, run_counted
from seenn_convert.measure.intervals import points_lost, wilson_interval
from seenn_convert.measure.reliability import auroc, calibration_error, reliability_bins
from seenn_convert.measure.timing import Prices, time_early_exit, time_plan, time_stem_and_step
from seenn_convert.progress import Counter, Progress, silent
from seenn_convert.runtime.spiking_model import SpikingModel

FINEST, MOST_BUDGETS = 0.25, 64
"""Smallest distance of the averages for which each strategy offers a setting, and the most such averages."""

TIMED_IMAGES, MEASURED = 256, 3
"""Images on which times are measured, and how many settings of a strategy are really run with early exit."""


def compare(
    artifact: Artifact,
    data: SampleData,
    calibration_data: SampleData,
    batch_size: int = 256,
    device: str = "cpu",
    seed: int = 0,
    strategies: Sequence[ExitStrategy] = STRATEGIES,
    progress: Progress = silent,
) -> Comparison:
    """Return what each exit strategy comes to on ``data``.

    Each data set runs once through all timesteps; every strategy is then chosen and judged by hindsight, which
    early exit equals. Only the times of some settings are measured by running them.

    Args:
        artifact: What ``convert`` made; its temperatures and thresholds are fitted again.
        data: Labelled images as ``convert`` takes them, that were used for nothing else; they judge.
        calibration_data: Images to choose from, with labels if there are any.
        batch_size: Rows that run together.
        device: Where to run.
        seed: Of the split of the calibration data into a part that fits and one that chooses.
        strategies: What to compare; those of a policy head, and of an exit score of the user's own, come on top where
            the artifact has one.
        progress: Told about each stage.

    Raises:
        InputError: Labels, classes, shapes or the device do not fit.
    """
    check_device(device)
    classes = classes_of(artifact.snn)
    given, channels = (data, calibration_data), artifact.snn.input_shape[0]
    read = [as_samples(one, artifact.preprocessing, channels, progress) for one in given]
    data, calibration_data = (matched_classes(one, artifact.class_names, classes) for one in read)
    labels = checked_labels(data, classes)
    known = None if calibration_data.labels is None else checked_labels(calibration_data, classes)
    for images in (data, calibration_data):
        check_shape(images, artifact.snn.input_shape)
    model = artifact.model().to(device)
    artifact.ann.graph_module.to(device)
    rows = rows_together(artifact.snn, batch_size)
    with torch.no_grad():
        grounds = _grounds(artifact, model, calibration_data, known, rows, seed, progress)
        readouts, counts = _judging(artifact, model, data, labels, rows, progress)
        timed = [image for image, _ in data.take(TIMED_IMAGES).batches(rows)]
        prices, head = time_stem_and_step(model, timed), _head(artifact, model, timed)
    judge, score = _Judge(readouts, counts, prices, head), _probe(model).score
    own = () if score in SCORES else (ScoreStrategy(score),)
    strategies = (*strategies, *own, *(() if head is None else planned_strategies(score)))
    chosen = [(strategy, strategy.settings(grounds)) for strategy in strategies]
    return Comparison(
        model=artifact.provenance.model.name,
        timesteps=artifact.timesteps,
        score=score.name,
        data=data_facts(data),
        calibration_data=ChoosingData(
            **vars(data_facts(calibration_data)),
            labelled=known is not None,
            seed=seed,
            fitting_images=len(grounds.split.fitting),
            held_out_images=len(grounds.split.held_out),
        ),
        ann_accuracy=float(judge.ann_right.double().mean()),
        accuracy_at=tuple(float(right.double().mean()) for right in readouts.right),
        stem_macs=sum(site.macs for site in call_sites(artifact.ann) if site.treatment == "stem"),
        policy_macs=None if head is None else head.macs,
        prices=PriceFacts(
            **prices._asdict(),
            plan=None if head is None else head.milliseconds,
            images=sum(map(len, timed)),
            batch_size=rows,
            threads=torch.get_num_threads(),
        ),
        ways=tuple(_strategy(strategy, settings, grounds, judge) for strategy, settings in chosen),
        ideal=Ideal(
            **vars(judge.point(first_right(readouts), right=readouts.right.any(dim=0))),
            exit_time_of_accuracies=ideal_exit_time(readouts.right),
        ),
        measured=_measured(model, grounds, judge, chosen, timed, progress),
        auroc={one.name: _aurocs(one, grounds, readouts) for one in SCORES},
        reliability=_reliability(grounds, readouts),
        warnings=tuple(_warnings(artifact, data, calibration_data)),
        environment=environment(),
    )


class _Head(NamedTuple):
    """What the policy head costs for one image."""

    macs: int
    milliseconds: float


class _Judge:
    """What the judging data showed, and what a choice of exit steps comes to on it."""

    def __init__(self, readouts: Readouts, counts: Counts, prices: Prices, head: _Head | None) -> None:
        self.readouts, self.counts, self.prices, self.head = readouts, counts, prices, head
        self.ann_right = readouts.ann_answers == readouts.truth

    def point(self, exit_step: Tensor, right: Tensor | None = None, planned: bool = False) -> Point:
        """Return averages over the images, with the costs of the policy head where ``planned``.

        ``right`` ``(N,)`` is given where it is not that of the answer at the exit.
        """
        macs = self.head.macs if planned and self.head else 0
        at = exit_step.unsqueeze(0) - 1
        right = self.readouts.right.gather(0, at).squeeze(0) if right is None else right
        average, share = float(exit_step.double().mean()), float(right.double().mean())
        lost, half = points_lost(self.ann_right, right)
        lost_to_full, half_to_full = points_lost(self.readouts.right[-1], right)
        return Point(
            average_timesteps=average,
            accuracy=share,
            interval95=wilson_interval(int(right.sum()), len(right)),
            points_lost=lost,
            points_lost_interval95=(lost - half, lost + half),
            points_lost_to_full_run=lost_to_full,
            points_lost_to_full_run_interval95=(lost_to_full - half_to_full, lost_to_full + half_to_full),
            synaptic_operations=macs + float(self.counts.accumulates.gather(0, at).mean()),
            milliseconds=self.milliseconds(average, planned),
        )

    def milliseconds(self, average: float, planned: bool) -> float:
        """Return the computed time of an image at ``average`` timesteps."""
        head = self.head.milliseconds if planned and self.head else 0.0
        return self.prices.stem + head + average * self.prices.step


def _head(artifact: Artifact, model: SpikingModel, images: Sequence[Tensor]) -> _Head | None:
    if artifact.snn.policy_head is None:
        return None
    return _Head(policy_macs(artifact.snn), time_plan(model, images))


def _grounds(
    artifact: Artifact, model: SpikingModel, data: Samples, labels: Tensor | None, rows: int, seed: int,
    progress: Progress,
) -> Grounds:  # fmt: skip
    ann_logits = run_ann(artifact.ann, data, images_together(artifact.ann, rows), progress)
    counter = Counter(progress, "calibration data", len(data))
    readouts = collect_readouts(
        model, (image for image, _ in data.batches(rows)), ann_logits, labels,
        keep_logits=True, keep_plan=model.policy_head is not None, progress=counter.add,
    )  # fmt: skip
    return Grounds(_single(readouts), split_calibration(len(data), seed), budgets(artifact.timesteps))


def _judging(
    artifact: Artifact, model: SpikingModel, data: Samples, labels: Tensor, rows: int, progress: Progress
) -> tuple[Readouts, Counts]:
    ann_logits = run_ann(artifact.ann, data, images_together(artifact.ann, rows), progress)
    counter = Counter(progress, "all timesteps", len(data))
    readouts, counts = run_counted(
        model, (image for image, _ in data.batches(rows)), counter.add, ann_logits, labels,
        keep_logits=True, keep_plan=model.policy_head is not None,
    )  # fmt: skip
    return _single(readouts), counts


def _single(readouts: Readouts) -> Readouts:
    """Return the readouts in single precision, whatever the network computes in; strategies compute the scores."""
    assert readouts.logits is not None and readouts.ann_logits is not None
    return from_logits(readouts.logits.float(), readouts.ann_logits.float(), readouts.labels, readouts.plan)


def budgets(timesteps: int) -> tuple[float, ...]:
    """Return the average timesteps for which each strategy offers a setting."""
    step = max(FINEST, (timesteps - 1) / MOST_BUDGETS)
    return tuple(1 + step * i for i in range(math.floor((timesteps - 1) / step + 1e-9) + 1))


def _strategy(strategy: ExitStrategy, settings: Sequence[Setting], grounds: Grounds, judge: _Judge) -> Strategy:
    points = [
        replace(
            judge.point(exit_step, planned=setting.head is not None),
            thresholds=None if setting.thresholds is None else tuple(setting.thresholds),
            plan_price=None if setting.head is None else setting.price,
        )
        for setting, exit_step in zip(settings, carried_out(strategy, settings, grounds, judge.readouts), strict=True)
    ]
    in_order = sorted(points, key=lambda point: point.average_timesteps)
    return Strategy(name=strategy.name, label=strategy.label, points=tuple(in_order))


def _measured(
    model: SpikingModel, grounds: Grounds, judge: _Judge, chosen: Sequence[tuple[ExitStrategy, Sequence[Setting]]],
    batches: Sequence[Tensor], progress: Progress,
) -> tuple[MeasuredPoint, ...]:  # fmt: skip
    """Return settings as early exit really runs them: of the network's own score, and of the policy head."""
    probe = _probe(model)
    probe.temperatures.copy_(grounds.temperatures)
    names = {probe.score_name, *(strategy.name for strategy in planned_strategies(probe.score))}
    run = [(strategy.name, one) for strategy, settings in chosen if strategy.name in names for one in _spread(settings)]
    counter, found = Counter(progress, "timing", len(run)), []
    for name, setting in run:
        planned = setting.head is not None
        policy, price = setting.policy(probe.score_name), setting.price if planned else None
        average, milliseconds = time_early_exit(model, batches, policy, price=price)
        point = MeasuredPoint(
            way=name,
            average_timesteps=average,
            milliseconds=milliseconds,
            milliseconds_computed=judge.milliseconds(average, planned),
        )
        found.append(point)
        counter.add(1)
    return tuple(sorted(found, key=lambda row: row.average_timesteps))


def _spread(settings: Sequence[Setting]) -> list[Setting]:
    """Return a few settings, evenly from the first to the last."""
    numbers = dict.fromkeys(round(i * (len(settings) - 1) / (MEASURED - 1)) for i in range(MEASURED))
    return [settings[number] for number in numbers] if settings else []


def _probe(model: SpikingModel) -> ExitProbe:
    return next(module for _, module in model.program.calls() if isinstance(module, ExitProbe))


def _aurocs(score: ExitScore, grounds: Grounds, readouts: Readouts) -> tuple[float | None, ...]:
    assert readouts.logits is not None
    scores = scores_of(score, readouts.logits, grounds.temperatures)
    return tuple(auroc(values, right) for values, right in zip(scores, readouts.right, strict=True))


def _reliability(grounds: Grounds, readouts: Readouts) -> tuple[ReliabilityRow, ...]:
    """Return, for each timestep, how far confidence is from accuracy before and after its temperature."""
    assert readouts.logits is not None
    rows = []
    for t, (logits, right) in enumerate(zip(readouts.logits, readouts.right, strict=True), 1):
        temperature = float(grounds.temperatures[t - 1])
        before, after = confidence(logits), confidence(logits, temperature)
        row = ReliabilityRow(
            t=t,
            temperature=temperature,
            accuracy=float(right.double().mean()),
            confidence_before=float(before.double().mean()),
            confidence_after=float(after.double().mean()),
            error_before=calibration_error(before, right),
            error_after=calibration_error(after, right),
            bins_before=reliability_bins(before, right),
            bins_after=reliability_bins(after, right),
        )
        rows.append(row)
    return tuple(rows)


def _warnings(artifact: Artifact, data: Samples, calibration_data: Samples) -> list[Caution]:
    judging, choosing, head = data.fingerprint(), data_facts(calibration_data), artifact.provenance.policy
    known = choosing if is_among(data, judging, choosing) else artifact.provenance.calibration
    warnings = reused(known, head, data, judging)
    if head is not None and head.fingerprint != judging and is_among(calibration_data, choosing.fingerprint, head):
        words = (
            "the policy head was trained on the images that choose: its plans look better to the choice than they are; "
            "give other --calibration-data"
        )
        warnings.append(Caution("policy_images_choose", words))
    return warnings
