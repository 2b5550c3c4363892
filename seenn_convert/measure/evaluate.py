"""Evaluate an artifact on data that it has not seen: accuracy, exits, time, operations, energy."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from time import perf_counter
from typing import Any

import torch
from torch import Tensor

from seenn_convert.analysis.coverage import policy_macs
from seenn_convert.analysis.memory import images_together
from seenn_convert.artifact.artifact import Artifact
from seenn_convert.artifact.plain import dig
from seenn_convert.data.adapters import SampleData, as_samples
from seenn_convert.data.checks import check_shape, checked_labels, classes_of, matched_classes
from seenn_convert.data.samples import Samples
from seenn_convert.devices import check_device
from seenn_convert.errors import PostconditionError
from seenn_convert.exits.readouts import Readouts
from seenn_convert.exits.thresholds import trade_off
from seenn_convert.ir.program import Program
from seenn_convert.ir.state import rows_together
from seenn_convert.measure.ann import run_ann
from seenn_convert.measure.certified import check_certificate
from seenn_convert.measure.costs import Counts, costs, operation_shares, run_counted
from seenn_convert.measure.diagnosis import diagnose
from seenn_convert.measure.drift import exit_drift
from seenn_convert.measure.examples import examples
from seenn_convert.measure.intervals import wilson_interval
from seenn_convert.measure.layers import layer_rows
from seenn_convert.measure.timing import time_three_ways
from seenn_convert.progress import Counter, Progress, silent
from seenn_convert.runtime.early_exit import ExitTrace, run_early_exit
from seenn_convert.runtime.policies import ExitPolicy, exit_steps, reads_plan
from seenn_convert.runtime.spiking_model import SpikingModel

__all__ = ["check_shape", "checked_labels", "classes_of", "evaluate", "run_ann"]

TIMED_SECONDS, TIMED_IMAGES = 30.0, (512, 4096)
"""How long one timed run of all timesteps may take, and the fewest and most images in it."""

LAYER_IMAGES = 64
ROUNDING_SHARE = 0.01
"""Share of images at which early exit may differ from hindsight before it counts as a defect, except in single
precision on a CPU, where none may: there the row floor keeps the order of summation; other kernels sum in an order that
depends on the batch and flip a spike now and then."""


def evaluate(
    artifact: Artifact,
    data: SampleData,
    batch_size: int = 256,
    device: torch.device | str = "cpu",
    ann: Program | None = None,
    progress: Progress = silent,
) -> dict[str, Any]:
    """Return the evaluation as plain data; see ``docs/report.md`` for its keys.

    Args:
        artifact: What ``convert`` made.
        data: Labelled images as ``convert`` takes them, that were used for nothing else.
        batch_size: Rows that run together; fewer where their state would take more than some gigabytes.
        device: Where to run.
        ann: The ANN to compare with; the artifact's own where None.
        progress: Told about each stage.

    Raises:
        InputError: No labels, labels out of range, unknown classes, images of the wrong shape, or no such device.
        PostconditionError: Early exit does not agree with hindsight.
    """
    data = as_samples(data, artifact.preprocessing, artifact.snn.input_shape[0], progress)
    data = matched_classes(data, artifact.class_names, classes_of(artifact.snn))
    labels = checked_labels(data, classes_of(artifact.snn))
    check_shape(data, artifact.snn.input_shape)
    check_device(device)
    model = artifact.model().to(device)
    ann = ann or artifact.ann
    for program in (ann, artifact.ann):
        program.graph_module.to(device)
    with torch.no_grad():
        batch_size = rows_together(artifact.snn, batch_size)
        ann_predictions = run_ann(ann, data, images_together(ann, batch_size), progress).argmax(dim=-1)
        counter = Counter(progress, "all timesteps", len(data))
        start = perf_counter()
        plans = reads_plan(artifact.policy)
        run, counts = run_counted(model, _images(data, batch_size), counter.add, labels=labels, keep_plan=plans)
        timed = data.take(_timed_images((perf_counter() - start) / len(data)))
        trace = _run_early_exit(model, data, batch_size, progress)
        exact = model.device.type == "cpu" and model.dtype is torch.float32
        differing = _compare_with_hindsight(run, trace, artifact.policy, 0.0 if exact else ROUNDING_SHARE)
        time = time_three_ways(ann, model, list(_images(timed, batch_size)), progress=progress)
        layers = _layers(artifact, model, data, counts)
        planning = policy_macs(artifact.snn) if plans else 0
    early = _early_exit(trace, labels, artifact.timesteps)
    return {
        "data": {"name": Path(data.name).name, "images": len(data), "fingerprint": data.fingerprint()},
        "policy": artifact.policy.to_json(),
        "ann_accuracy": float((ann_predictions == labels).double().mean()),
        "accuracy_at": {str(t + 1): float(right.double().mean()) for t, right in enumerate(run.right)},
        "early_exit": early,
        "certificate": _certificate(artifact, run, trace, labels),
        "exit_drift": exit_drift(_held_out_counts(artifact), early["exit_counts"]),
        "differs_from_hindsight": differing,
        "milliseconds_per_image": time,
        "timing": {"images": len(timed), "batch_size": batch_size, "threads": torch.get_num_threads()},
        **costs(artifact.ann, counts, trace.exit_step, planning),
        "trade_off": _trade_off(run),
        "layers": layers,
        "diagnosis": diagnose(layers, artifact.report.get("conversion")).to_json(),
        "examples": examples(trace, data),
    }


def _images(data: Samples, batch_size: int) -> Iterator[Tensor]:
    return (image for image, _ in data.batches(batch_size))


def _run_early_exit(model: SpikingModel, data: Samples, batch_size: int, progress: Progress) -> ExitTrace:
    counter = Counter(progress, "early exit", len(data))
    trace = run_early_exit(model, _images(data, batch_size), batch_size, progress=counter.add)
    return ExitTrace(trace.predictions.cpu(), trace.logits.cpu(), trace.exit_step.cpu(), trace.confidence.cpu())


def _timed_images(seconds_per_image: float) -> int:
    fewest, most = TIMED_IMAGES
    return max(fewest, min(most, int(TIMED_SECONDS / max(seconds_per_image, 1e-9))))


def _compare_with_hindsight(run: Readouts, trace: ExitTrace, policy: ExitPolicy, allowed: float) -> int:
    """Return for how many images early exit differs from running everything and choosing afterwards: 0 as a rule.

    Raises:
        PostconditionError: They are more than ``allowed``, a share of the images.
    """
    steps = exit_steps(policy, run.scores, planned=None if run.plan is None else run.planned())
    differing = int(((steps != trace.exit_step) | (run.answers(steps) != trace.predictions)).sum())
    if differing > allowed * len(steps):
        raise PostconditionError(f"early exit and hindsight differ for {differing} of {len(steps)} images")
    return differing


def _early_exit(trace: ExitTrace, labels: Tensor, timesteps: int) -> dict[str, Any]:
    right = int((trace.predictions == labels).sum())
    counts = torch.bincount(trace.exit_step, minlength=timesteps + 1)[1:]
    return {
        "accuracy": right / len(labels),
        "interval95": list(wilson_interval(right, len(labels))),
        "average_timesteps": trace.average_timesteps,
        "exit_counts": {str(t + 1): int(count) for t, count in enumerate(counts)},
    }


def _held_out_counts(artifact: Artifact) -> Mapping[str, int] | None:
    """Return how many held-out calibration images left at each timestep; older artifacts do not say."""
    counts = dig(artifact.report, "conversion", "exit", "held_out", "exit_counts")
    if artifact.policy.to_json() != dig(artifact.report, "conversion", "exit", "policy") or counts is None:
        return None
    return {t: count for t, count in counts.items() if t.isdecimal()}


def _certificate(artifact: Artifact, run: Readouts, trace: ExitTrace, labels: Tensor) -> dict[str, Any] | None:
    if artifact.certificate is None:
        return None
    return check_certificate(artifact.certificate, trace.predictions, run.predictions[-1], labels)


def _trade_off(run: Readouts) -> list[dict[str, float]]:
    """Return the curve of single thresholds on this data: for looking at, nothing is chosen from it."""
    return [
        {"threshold": threshold, "accuracy": accuracy, "average_timesteps": average}
        for threshold, accuracy, average in trade_off(run.scores, run.right)
    ]


def _layers(artifact: Artifact, model: SpikingModel, data: Samples, counts: Counts) -> list[dict[str, object]]:
    """Return the table of neuron layers, with the share of the operations each causes and its dead channels."""
    few = next(_images(data.take(LAYER_IMAGES), LAYER_IMAGES))
    dead, shares = artifact.report.get("conversion", {}).get("dead_channels", {}), operation_shares(artifact, counts)
    return [
        {
            **row.to_json(),
            "operation_share": shares.get(row.name, 0.0),
            "dead_channels": dead.get(row.name, 0),
        }
        for row in layer_rows(artifact.ann, model, few)
    ]
