"""Compare exit strategies on labelled data, each chosen on calibration data: accuracy against what it costs."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from seenn_convert.analysis.coverage import call_sites, policy_macs
from seenn_convert.analysis.memory import images_together
from seenn_convert.artifact.artifact import Artifact, as_artifact
from seenn_convert.artifact.provenance import environment, overlap, reused, used_data
from seenn_convert.artifact.schema.comparison import (
    ChoosingData,
    Comparison,
    Ideal,
    MeasuredPoint,
    PriceFacts,
    Strategy,
)
from seenn_convert.artifact.schema.shared import Caution, UsedData
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
from seenn_convert.ir.scores import SCORES
from seenn_convert.ir.state import rows_together
from seenn_convert.measure.ann import run_ann
from seenn_convert.measure.costs import Tally
from seenn_convert.measure.data_cautions import byte_cautions
from seenn_convert.measure.judge import Judge
from seenn_convert.measure.reliability import auroc, reliability_rows
from seenn_convert.measure.timing import time_early_exit, time_plan, time_stem_and_step
from seenn_convert.progress import Counter, Progress, silent
from seenn_convert.runtime.engine import Observer
from seenn_convert.runtime.fresh_rows import Steppable
from seenn_convert.runtime.spiking_model import SpikingModel

FINEST, MOST_BUDGETS = 0.25, 64
"""Smallest distance of the averages for which each strategy offers a setting, and the most such averages."""

TIMED_IMAGES, MEASURED = 256, 3
"""Images on which times are measured, and how many settings of a strategy are really run with early exit."""


def compare(
    artifact: Artifact | Path | str,
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
        artifact: What ``convert`` made, or its folder; its temperatures and thresholds are fitted again.
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
    artifact = as_artifact(artifact)
    classes = classes_of(artifact.snn)
    given, shape = (data, calibration_data), artifact.snn.input_shape
    read = [as_samples(one, artifact.preprocessing, progress=progress, input_shape=shape) for one in given]
    data, calibration_data = (matched_classes(one, artifact.class_names, classes) for one in read)
    labels = checked_labels(data, classes)
    known = None if calibration_data.labels is None else checked_labels(calibration_data, classes)
    for images in (data, calibration_data):
        check_shape(images, artifact.snn.input_shape)
    model = artifact.model().to(device)
    if artifact.reference is not None:
        artifact.reference.graph_module.to(device)
    rows = rows_together(artifact.snn, batch_size)
    tally, with_head = Tally(model), artifact.snn.policy_head is not None
    with torch.no_grad():
        shown = _readouts(artifact, model, calibration_data, known, rows, progress, "calibration data")
        grounds = Grounds(shown, split_calibration(len(calibration_data), seed), budgets(artifact.timesteps))
        readouts = _readouts(artifact, tally.model, data, labels, rows, progress, "all timesteps", (tally.add,))
        timed = [image for image, _ in data.take(TIMED_IMAGES).batches(rows)]
    stem, step = time_stem_and_step(model, timed)
    prices = PriceFacts(
        stem=stem,
        step=step,
        plan=time_plan(model, timed) if with_head else None,
        images=sum(map(len, timed)),
        batch_size=rows,
        threads=torch.get_num_threads(),
    )
    judge, score = Judge(readouts, tally.counts(), prices, policy_macs(artifact.snn)), model.probe.score
    own = () if score in SCORES else (ScoreStrategy(score),)
    strategies = (*strategies, *own, *(planned_strategies(score) if with_head else ()))
    temperatures = grounds.temperatures
    chosen = [(strategy, strategy.settings(grounds)) for strategy in strategies]
    judging, choosing = used_data(data), used_data(calibration_data)
    return Comparison(
        model=artifact.provenance.model.name,
        timesteps=artifact.timesteps,
        score=score.name,
        data=judging.facts,
        calibration_data=ChoosingData(
            **vars(choosing.facts),
            labelled=known is not None,
            seed=seed,
            fitting_images=len(grounds.split.fitting),
            held_out_images=len(grounds.split.held_out),
        ),
        ann_accuracy=float(judge.ann_right.double().mean()),
        reference=artifact.facts.reference,
        accuracy_at=tuple(float(right.double().mean()) for right in readouts.right),
        stem_macs=sum(site.macs for site in call_sites(artifact.ann) if site.treatment == "stem"),
        policy_macs=judge.head_macs if with_head else None,
        prices=prices,
        ways=tuple(_strategy(strategy, settings, grounds, judge) for strategy, settings in chosen),
        ideal=Ideal(
            **vars(judge.point(first_right(readouts), right=readouts.right.any(dim=0))),
            exit_time_of_accuracies=ideal_exit_time(readouts.right),
        ),
        measured=_measured(model, grounds, judge, chosen, timed, progress),
        auroc={
            score.name: tuple(map(auroc, readouts.scored(score, temperatures).scores, readouts.right))
            for score in SCORES
        },
        reliability=tuple(reliability_rows(readouts, temperatures)),
        warnings=(*_warnings(artifact, judging, choosing), *byte_cautions(data)),
        environment=environment(),
    )


def _readouts(
    artifact: Artifact, model: Steppable, data: Samples, labels: Tensor | None, rows: int, progress: Progress,
    stage: str, observers: Sequence[Observer] = (),
) -> Readouts:  # fmt: skip
    """Return the readouts in single precision, whatever the network computes in; strategies compute the scores."""
    ann, ann_logits = artifact.reference, None
    if ann is not None:
        ann_logits = run_ann(ann, data, images_together(ann, rows), progress).float()
    counter = Counter(progress, stage, len(data))
    readouts = collect_readouts(
        model, (image for image, _ in data.batches(rows)), keep_logits=True,
        keep_plan=artifact.snn.policy_head is not None, progress=counter.add, observers=observers,
    )  # fmt: skip
    assert readouts.logits is not None
    logits = readouts.logits.float()
    return from_logits(logits, logits[-1] if ann_logits is None else ann_logits, labels, readouts.plan)


def budgets(timesteps: int) -> tuple[float, ...]:
    """Return the average timesteps for which each strategy offers a setting."""
    step = max(FINEST, (timesteps - 1) / MOST_BUDGETS)
    return tuple(1 + step * i for i in range(math.floor((timesteps - 1) / step + 1e-9) + 1))


def _strategy(strategy: ExitStrategy, settings: Sequence[Setting], grounds: Grounds, judge: Judge) -> Strategy:
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
    model: SpikingModel, grounds: Grounds, judge: Judge, chosen: Sequence[tuple[ExitStrategy, Sequence[Setting]]],
    batches: Sequence[Tensor], progress: Progress,
) -> tuple[MeasuredPoint, ...]:  # fmt: skip
    """Return settings as early exit really runs them: of the network's own score, and of the policy head."""
    probe = model.probe
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


def _warnings(artifact: Artifact, judging: UsedData, choosing: UsedData) -> Iterator[Caution]:
    head = artifact.provenance.policy
    known = choosing if overlap(judging, choosing) else artifact.provenance.calibration
    yield from reused(known, head, judging, finetuning=artifact.provenance.finetuning)
    if head is not None and not overlap(judging, head) and overlap(choosing, head):
        yield Caution(
            "policy_images_choose",
            "the policy head was trained on the images that choose: its plans look better to the choice than they are; "
            "give other --calibration-data",
        )
