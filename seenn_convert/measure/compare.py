"""Compare ways to stop early on labelled data, each chosen on calibration data: accuracy against what it costs."""

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
from seenn_convert.data.checks import check_shape, checked_labels, classes_of, matched_classes
from seenn_convert.data.dataset import Dataset
from seenn_convert.devices import check_device
from seenn_convert.exits.strategies.basic import (
    WAYS,
    Grounds,
    Record,
    Setting,
    Way,
    first_right,
    ideal_exit_time,
    scores_of,
)
from seenn_convert.exits.strategies.planned import planned_ways
from seenn_convert.exits.tune import split_calibration
from seenn_convert.ir.operators.step import ExitProbe
from seenn_convert.ir.scores import SCORE_NAMES, ScoreName, confidence
from seenn_convert.ir.state import rows_together
from seenn_convert.measure.ann import run_ann
from seenn_convert.measure.costs import Counts, run_counted
from seenn_convert.measure.intervals import points_lost, wilson_interval
from seenn_convert.measure.reliability import auroc, calibration_error, reliability_bins
from seenn_convert.measure.timing import Prices, time_early_exit, time_plan, time_stem_and_step
from seenn_convert.progress import Counter, Progress, silent
from seenn_convert.runtime.all_timesteps import run_all_timesteps
from seenn_convert.runtime.plan_logits import PricedPlan, plan_logits
from seenn_convert.runtime.policies import SCORE_POLICIES, ExitPolicy, FixedPolicy, PlannedPolicy, PlannedScorePolicy
from seenn_convert.runtime.spiking_model import SpikingModel

FINEST, MOST_BUDGETS = 0.25, 64
"""Smallest distance of the averages for which each way offers a choice, and the most such averages."""

TIMED_IMAGES, MEASURED = 256, 3
"""Images on which times are measured, and how many settings of a way are really run with early exit."""


def compare(
    artifact: Artifact,
    data: Dataset,
    calibration_data: Dataset,
    batch_size: int = 256,
    device: str = "cpu",
    seed: int = 0,
    ways: Sequence[Way] = WAYS,
    progress: Progress = silent,
) -> Comparison:
    """Return what each way to stop early comes to on ``data``.

    Each data set runs once through all timesteps; every way is then chosen and judged by hindsight, which early exit
    equals. Only the times of some settings are measured by running them.

    Args:
        artifact: What ``convert`` made; its temperatures and thresholds are fitted again.
        data: Labelled images that were used for nothing else; they judge.
        calibration_data: Images to choose from, with labels if there are any.
        batch_size: Rows that run together.
        device: Where to run.
        seed: Of the split of the calibration data into a part that fits and one that chooses.
        ways: What to compare; where the artifact has a policy head, its ways come on top.
        progress: Told about each stage.

    Raises:
        InputError: Labels, classes, shapes or the device do not fit.
    """
    check_device(device)
    classes = classes_of(artifact.snn)
    data, calibration_data = (matched_classes(d, artifact.class_names, classes) for d in (data, calibration_data))
    labels = checked_labels(data, classes)
    known = None if calibration_data.labels is None else checked_labels(calibration_data, classes)
    for images in (data, calibration_data):
        check_shape(images, artifact.snn.input_shape)
    model = artifact.model().to(device)
    artifact.ann.graph_module.to(device)
    rows = rows_together(artifact.snn, batch_size)
    with torch.no_grad():
        grounds = _grounds(artifact, model, calibration_data, known, rows, seed, progress)
        record, counts = _record(artifact, model, data, labels, rows, progress)
        timed = [image for image, _ in data.take(TIMED_IMAGES).batches(rows)]
        prices, head = time_stem_and_step(model, timed), _head(artifact, model, timed)
    judge, score_name = _Judge(record, counts, prices, head), _probe(model).score_name
    ways = ways if head is None else (*ways, *planned_ways(score_name))
    chosen = [(way, way.settings(grounds, judge.record)) for way in ways]
    return Comparison(
        model=artifact.provenance.model.name,
        timesteps=artifact.timesteps,
        score=score_name,
        data=data_facts(data),
        calibration_data=ChoosingData(
            **vars(data_facts(calibration_data)),
            labelled=known is not None,
            seed=seed,
            fitting_images=len(grounds.split.fitting),
            held_out_images=len(grounds.split.held_out),
        ),
        ann_accuracy=float(judge.ann_right.double().mean()),
        accuracy_at=tuple(float(right.double().mean()) for right in judge.right),
        stem_macs=sum(site.macs for site in call_sites(artifact.ann) if site.treatment == "stem"),
        policy_macs=None if head is None else head.macs,
        prices=PriceFacts(
            **prices._asdict(),
            plan=None if head is None else head.milliseconds,
            images=sum(map(len, timed)),
            batch_size=rows,
            threads=torch.get_num_threads(),
        ),
        ways=tuple(_strategy(way, settings, judge) for way, settings in chosen),
        ideal=Ideal(
            **vars(judge.point(first_right(record), right=judge.right.any(dim=0))),
            exit_time_of_accuracies=ideal_exit_time(judge.right),
        ),
        measured=_measured(model, grounds, judge, chosen, timed, progress),
        auroc={name: _aurocs(name, grounds, judge) for name in SCORE_NAMES},
        reliability=_reliability(grounds, judge),
        warnings=tuple(_warnings(artifact, data, calibration_data)),
        environment=environment(),
    )


class _Head(NamedTuple):
    """What the policy head costs for one image."""

    macs: int
    milliseconds: float


class _Judge:
    """What the judging data showed, and what a choice of exit steps comes to on it."""

    def __init__(self, record: Record, counts: Counts, prices: Prices, head: _Head | None) -> None:
        self.record, self.counts, self.prices, self.head = record, counts, prices, head
        self.right = record.predictions == record.truth
        self.ann_right = record.ann_logits.argmax(dim=-1) == record.truth

    def point(self, exit_step: Tensor, right: Tensor | None = None, planned: bool = False) -> Point:
        """Return averages over the images, with the costs of the policy head where ``planned``.

        ``right`` ``(N,)`` is given where it is not that of the answer at the exit.
        """
        macs = self.head.macs if planned and self.head else 0
        at = exit_step.unsqueeze(0) - 1
        right = self.right.gather(0, at).squeeze(0) if right is None else right
        average, share = float(exit_step.double().mean()), float(right.double().mean())
        lost, half = points_lost(self.ann_right, right)
        lost_to_full, half_to_full = points_lost(self.right[-1], right)
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
    if artifact.snn.policy is None:
        return None
    return _Head(policy_macs(artifact.snn), time_plan(model, images))


def _grounds(
    artifact: Artifact, model: SpikingModel, data: Dataset, labels: Tensor | None, rows: int, seed: int,
    progress: Progress,
) -> Grounds:  # fmt: skip
    ann = run_ann(artifact.ann, data, images_together(artifact.ann, rows), progress)
    counter = Counter(progress, "calibration data", len(data))
    run = run_all_timesteps(model, (image for image, _ in data.batches(rows)), True, progress=counter.add)
    assert run.logits is not None
    record = Record(run.logits.float(), ann.float(), labels, data, _plan(model, data, rows))
    return Grounds(record, split_calibration(len(data), seed), budgets(artifact.timesteps))


def _record(
    artifact: Artifact, model: SpikingModel, data: Dataset, labels: Tensor, rows: int, progress: Progress
) -> tuple[Record, Counts]:
    ann = run_ann(artifact.ann, data, images_together(artifact.ann, rows), progress)
    counter = Counter(progress, "all timesteps", len(data))
    run, counts = run_counted(model, (image for image, _ in data.batches(rows)), counter.add, keep_logits=True)
    assert run.logits is not None
    return Record(run.logits.float(), ann.float(), labels, data, _plan(model, data, rows)), counts


def _plan(model: SpikingModel, data: Dataset, rows: int) -> Tensor | None:
    return None if model.policy_head is None else plan_logits(model, (image for image, _ in data.batches(rows)))


def budgets(timesteps: int) -> tuple[float, ...]:
    """Return the average timesteps for which each way offers a choice."""
    step = max(FINEST, (timesteps - 1) / MOST_BUDGETS)
    return tuple(1 + step * i for i in range(math.floor((timesteps - 1) / step + 1e-9) + 1))


def _strategy(way: Way, settings: Sequence[Setting], judge: _Judge) -> Strategy:
    points = [
        replace(
            judge.point(setting.exit_step, planned=setting.plan_price is not None),
            thresholds=None if setting.thresholds is None else tuple(setting.thresholds),
            plan_price=setting.plan_price,
        )
        for setting in settings
    ]
    return Strategy(
        name=way.name, label=way.label, points=tuple(sorted(points, key=lambda point: point.average_timesteps))
    )


def _measured(
    model: SpikingModel, grounds: Grounds, judge: _Judge, chosen: Sequence[tuple[Way, Sequence[Setting]]],
    batches: Sequence[Tensor], progress: Progress,
) -> tuple[MeasuredPoint, ...]:  # fmt: skip
    """Return settings as early exit really runs them: of the network's own score, and of the policy head."""
    probe = _probe(model)
    probe.temperatures.copy_(grounds.temperatures)
    names = {probe.score_name, *(way.name for way in planned_ways(probe.score_name))}
    run = [(way.name, one) for way, settings in chosen if way.name in names for one in _spread(settings)]
    counter, found = Counter(progress, "timing", len(run)), []
    for name, setting in run:
        planned = setting.plan_price is not None
        network = model if setting.plan_price is None else PricedPlan(model, setting.plan_price)
        average, milliseconds = time_early_exit(network, batches, _policy(setting, probe.score_name))
        computed = judge.milliseconds(average, planned)
        found.append(
            MeasuredPoint(
                way=name, average_timesteps=average, milliseconds=milliseconds, milliseconds_computed=computed
            )
        )
        counter.add(1)
    return tuple(sorted(found, key=lambda row: row.average_timesteps))


def _spread(settings: Sequence[Setting]) -> list[Setting]:
    """Return a few settings, evenly from the first to the last."""
    numbers = dict.fromkeys(round(i * (len(settings) - 1) / (MEASURED - 1)) for i in range(MEASURED))
    return [settings[number] for number in numbers] if settings else []


def _policy(setting: Setting, score_name: str) -> ExitPolicy:
    """Return the exit policy that carries out a setting."""
    if setting.thresholds is None:
        return FixedPolicy(int(setting.exit_step[0])) if setting.plan_price is None else PlannedPolicy()
    early = SCORE_POLICIES[score_name](setting.thresholds)
    return early if setting.plan_price is None else PlannedScorePolicy(early)


def _probe(model: SpikingModel) -> ExitProbe:
    return next(module for _, module in model.program.calls() if isinstance(module, ExitProbe))


def _aurocs(name: ScoreName, grounds: Grounds, judge: _Judge) -> tuple[float | None, ...]:
    scores = scores_of(name, judge.record.logits, grounds.temperatures)
    return tuple(auroc(values, right) for values, right in zip(scores, judge.right, strict=True))


def _reliability(grounds: Grounds, judge: _Judge) -> tuple[ReliabilityRow, ...]:
    """Return, for each timestep, how far confidence is from accuracy before and after its temperature."""
    rows = []
    for t, (logits, right) in enumerate(zip(judge.record.logits, judge.right, strict=True), 1):
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


def _warnings(artifact: Artifact, data: Dataset, calibration_data: Dataset) -> list[Caution]:
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
