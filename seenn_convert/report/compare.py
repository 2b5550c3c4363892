"""Compare ways to stop early on labelled data, each chosen on calibration data: accuracy against what it costs."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from seenn_convert.data.dataset import Dataset
from seenn_convert.devices import check_device
from seenn_convert.draft import images_together
from seenn_convert.export.artifact import Artifact
from seenn_convert.program import rows_together
from seenn_convert.progress import Counter, Progress, silent
from seenn_convert.report.ann import run_ann
from seenn_convert.report.conversion import environment
from seenn_convert.report.costs import Counts, run_counted
from seenn_convert.report.coverage import call_sites
from seenn_convert.report.intervals import points_lost, wilson_interval
from seenn_convert.report.reliability import auroc, calibration_error, reliability_bins
from seenn_convert.report.timing import Prices, time_early_exit, time_stem_and_step
from seenn_convert.report.user_data import check_shape, checked_labels, classes_of, matched_classes
from seenn_convert.runtime.all_timesteps import run_all_timesteps
from seenn_convert.runtime.policies import SCORE_POLICIES
from seenn_convert.runtime.spiking_model import SpikingModel
from seenn_convert.scores import SCORE_NAMES, confidence
from seenn_convert.spiking import ExitProbe
from seenn_convert.tuning.tune import split_calibration
from seenn_convert.tuning.ways import WAYS, Grounds, Record, Way, first_right, ideal_exit_time, scores_of

SCHEMA_VERSION = 1
FINEST, MOST_BUDGETS = 0.25, 64
"""Smallest distance of the averages for which each way offers a choice, and the most such averages."""

TIMED_IMAGES, MEASURED = 256, 3
"""Images on which times are measured, and how many settings are really run with early exit."""


def compare(
    artifact: Artifact,
    data: Dataset,
    calibration_data: Dataset,
    batch_size: int = 256,
    device: str = "cpu",
    seed: int = 0,
    ways: Sequence[Way] = WAYS,
    progress: Progress = silent,
) -> dict[str, Any]:
    """Return the comparison as plain data; see ``docs/compare.md`` for its keys.

    Each data set runs once through all timesteps; every way is then chosen and judged by hindsight, which early exit
    equals. Only the times of some settings are measured by running them.

    Args:
        artifact: What ``convert`` made; its temperatures and thresholds are fitted again.
        data: Labelled images that were used for nothing else; they judge.
        calibration_data: Images to choose from, with labels if there are any.
        batch_size: Rows that run together.
        device: Where to run.
        seed: Of the split of the calibration data into a part that fits and one that chooses.
        ways: What to compare.
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
        check_shape(images, artifact)
    model = artifact.model().to(device)
    artifact.ann.graph_module.to(device)
    rows = rows_together(artifact.snn, batch_size)
    with torch.no_grad():
        grounds = _grounds(artifact, model, calibration_data, known, rows, seed, progress)
        record, counts = _record(artifact, model, data, labels, rows, progress)
        timed = list(data.take(TIMED_IMAGES).batches(rows))
        prices = time_stem_and_step(model, [image for image, _ in timed])
    judge = _Judge(record, counts, prices)
    found = [_way(way, grounds, judge) for way in ways]
    return {
        "schema_version": SCHEMA_VERSION,
        "model": artifact.provenance.get("model", {}).get("name"),
        "timesteps": artifact.timesteps,
        "score": _probe(model).score_name,
        "data": _facts(data),
        "calibration_data": {**_facts(calibration_data), "labelled": known is not None, "seed": seed,
                             "fitting_images": len(grounds.split.fitting),
                             "held_out_images": len(grounds.split.held_out)},
        "ann_accuracy": float((record.ann_logits.argmax(dim=-1) == labels).double().mean()),
        "accuracy_at": [float(right.double().mean()) for right in judge.right],
        "stem_macs": sum(site.macs for site in call_sites(artifact.ann) if site.treatment == "stem"),
        "prices": {**prices._asdict(), "images": sum(len(image) for image, _ in timed), "batch_size": rows,
                   "threads": torch.get_num_threads()},
        "ways": found,
        "ideal": {**judge.point(first_right(record), right=judge.right.any(dim=0)),
                  "exit_time_of_accuracies": ideal_exit_time(judge.right)},
        "measured": _measured(model, grounds, judge, [image for image, _ in timed], progress),
        "auroc": {name: _aurocs(name, grounds, judge) for name in SCORE_NAMES},
        "reliability": _reliability(grounds, judge),
        "warnings": _warnings(artifact, data, calibration_data),
        "environment": environment(),
    }  # fmt: skip


class _Judge:
    """What the judging data showed, and what a choice of exit steps comes to on it."""

    def __init__(self, record: Record, counts: Counts, prices: Prices) -> None:
        self.record, self.counts, self.prices = record, counts, prices
        self.right = record.predictions == record.truth

    def point(self, exit_step: Tensor, right: Tensor | None = None) -> dict[str, Any]:
        """Return averages over the images; ``right`` ``(N,)`` where it is not that of the answer at the exit."""
        at = exit_step.unsqueeze(0) - 1
        right = self.right.gather(0, at).squeeze(0) if right is None else right
        average, share = float(exit_step.double().mean()), float(right.double().mean())
        lost, half = points_lost(self.right[-1], right)
        return {
            "average_timesteps": average,
            "accuracy": share,
            "interval95": list(wilson_interval(int(right.sum()), len(right))),
            "points_lost": lost,
            "points_lost_interval95": [lost - half, lost + half],
            "synaptic_operations": float(self.counts.accumulates.gather(0, at).mean()),
            "milliseconds": self.prices.stem + average * self.prices.step,
        }


def _grounds(
    artifact: Artifact, model: SpikingModel, data: Dataset, labels: Tensor | None, rows: int, seed: int,
    progress: Progress,
) -> Grounds:  # fmt: skip
    ann = run_ann(artifact.ann, data, images_together(artifact.ann, rows), progress)
    counter = Counter(progress, "calibration data", len(data))
    run = run_all_timesteps(model, (image for image, _ in data.batches(rows)), True, progress=counter.add)
    assert run.logits is not None
    record = Record(run.logits.float(), ann.float(), labels, data)
    return Grounds(record, split_calibration(len(data), seed), budgets(artifact.timesteps))


def _record(
    artifact: Artifact, model: SpikingModel, data: Dataset, labels: Tensor, rows: int, progress: Progress
) -> tuple[Record, Counts]:
    ann = run_ann(artifact.ann, data, images_together(artifact.ann, rows), progress)
    counter = Counter(progress, "all timesteps", len(data))
    run, counts = run_counted(model, (image for image, _ in data.batches(rows)), counter.add, keep_logits=True)
    assert run.logits is not None
    return Record(run.logits.float(), ann.float(), labels, data), counts


def budgets(timesteps: int) -> tuple[float, ...]:
    """Return the average timesteps for which each way offers a choice."""
    step = max(FINEST, (timesteps - 1) / MOST_BUDGETS)
    return tuple(1 + step * i for i in range(math.floor((timesteps - 1) / step + 1e-9) + 1))


def _way(way: Way, grounds: Grounds, judge: _Judge) -> dict[str, Any]:
    points = [
        {**judge.point(setting.exit_step), "thresholds": None if setting.thresholds is None else [*setting.thresholds]}
        for setting in way.settings(grounds, judge.record)
    ]
    return {
        "name": way.name,
        "label": way.label,
        "points": sorted(points, key=lambda point: point["average_timesteps"]),
    }


def _measured(
    model: SpikingModel, grounds: Grounds, judge: _Judge, batches: Sequence[Tensor], progress: Progress
) -> list[dict[str, float]]:
    """Return settings of the network's own score as early exit really runs them, with the price that was computed."""
    probe = _probe(model)
    probe.temperatures.copy_(grounds.temperatures)
    way = next((way for way in WAYS if way.name == probe.score_name), None)
    settings = [] if way is None else way.settings(grounds, judge.record)
    chosen = dict.fromkeys(round(i * (len(settings) - 1) / (MEASURED - 1)) for i in range(MEASURED)) if settings else {}
    counter, found = Counter(progress, "timing", len(chosen)), []
    for number in chosen:
        policy = SCORE_POLICIES[probe.score_name](settings[number].thresholds or ())
        average, milliseconds = time_early_exit(model, batches, policy)
        computed = judge.prices.stem + average * judge.prices.step
        found.append({"average_timesteps": average, "milliseconds": milliseconds, "milliseconds_computed": computed})
        counter.add(1)
    return sorted(found, key=lambda row: row["average_timesteps"])


def _probe(model: SpikingModel) -> ExitProbe:
    return next(module for _, module in model.program.calls() if isinstance(module, ExitProbe))


def _aurocs(name: Any, grounds: Grounds, judge: _Judge) -> list[float | None]:
    scores = scores_of(name, judge.record.logits, grounds.temperatures)
    return [auroc(values, right) for values, right in zip(scores, judge.right, strict=True)]


def _reliability(grounds: Grounds, judge: _Judge) -> list[dict[str, Any]]:
    """Return, for each timestep, how far confidence is from accuracy before and after its temperature."""
    rows = []
    for t, (logits, right) in enumerate(zip(judge.record.logits, judge.right, strict=True), 1):
        temperature = float(grounds.temperatures[t - 1])
        before, after = confidence(logits), confidence(logits, temperature)
        rows.append({
            "t": t,
            "temperature": temperature,
            "accuracy": float(right.double().mean()),
            "confidence_before": float(before.double().mean()),
            "confidence_after": float(after.double().mean()),
            "error_before": calibration_error(before, right),
            "error_after": calibration_error(after, right),
            "bins_before": [list(one) for one in reliability_bins(before, right)],
            "bins_after": [list(one) for one in reliability_bins(after, right)],
        })  # fmt: skip
    return rows


def _facts(data: Dataset) -> dict[str, Any]:
    return {"name": Path(data.name).name, "images": len(data), "fingerprint": data.fingerprint()}


def _warnings(artifact: Artifact, data: Dataset, calibration_data: Dataset) -> list[str]:
    used = {calibration_data.fingerprint(), artifact.provenance.get("calibration", {}).get("fingerprint")}
    if data.fingerprint() in used:
        return ["these are calibration images: the figures say nothing about new ones"]
    return []
