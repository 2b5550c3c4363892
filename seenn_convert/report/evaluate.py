"""Evaluate an artifact on data that it has not seen: accuracy, exits, time, operations, energy."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from seenn_convert.data.dataset import Dataset
from seenn_convert.errors import InputError, PostconditionError
from seenn_convert.export.artifact import Artifact
from seenn_convert.program import Program
from seenn_convert.progress import Counter, Progress, silent
from seenn_convert.report.coverage import call_sites
from seenn_convert.report.energy import ASSUMPTIONS, Operations
from seenn_convert.report.examples import examples
from seenn_convert.report.instruments import CountingModel
from seenn_convert.report.intervals import wilson_interval
from seenn_convert.report.layers import layer_rows
from seenn_convert.report.timing import time_three_ways
from seenn_convert.runtime.all_timesteps import AllTimesteps, run_all_timesteps
from seenn_convert.runtime.early_exit import ExitTrace, run_early_exit
from seenn_convert.runtime.policies import exit_steps
from seenn_convert.runtime.spiking_model import SpikingModel
from seenn_convert.tuning.exit_threshold import trade_off

TIMED_IMAGES = 512
LAYER_IMAGES = 64


@dataclass(frozen=True)
class _Counts:
    """Totals up to each timestep, image by image: ``(T, N)`` spikes and accumulates, and accumulates by layer."""

    spikes: Tensor
    accumulates: Tensor
    by_layer: dict[str, float]


def evaluate(
    artifact: Artifact,
    data: Dataset,
    batch_size: int = 256,
    device: torch.device | str = "cpu",
    ann: Program | None = None,
    progress: Progress = silent,
) -> dict[str, Any]:
    """Return the evaluation as plain data; see ``docs/report.md`` for its keys.

    Args:
        artifact: What ``convert`` made.
        data: Labelled images that were used for nothing else.
        batch_size: Rows that run together.
        device: Where to run.
        ann: The ANN to compare with; the artifact's own where None.
        progress: Told about each stage.

    Raises:
        InputError: No labels, labels out of range, or images of the wrong shape.
        PostconditionError: Early exit does not agree with hindsight.
    """
    labels = checked_labels(data, classes_of(artifact.snn))
    check_shape(data, artifact)
    model = artifact.model().to(device)
    ann = ann or artifact.ann
    ann.graph_module.to(device)
    with torch.no_grad():
        ann_predictions = run_ann(ann, data, batch_size, progress).argmax(dim=-1)
        run, counts = _run_counted(model, data, batch_size, progress)
        counter = Counter(progress, "early exit", len(data))
        trace = _to_cpu(run_early_exit(model, _images(data, batch_size), batch_size, progress=counter.add))
        _check_hindsight(run, trace, artifact)
        timed = data.take(TIMED_IMAGES)
        time = time_three_ways(ann, model, [x for x, _ in timed.batches(batch_size)], progress=progress)
        few = next(iter(data.take(LAYER_IMAGES).batches(LAYER_IMAGES)))[0]
        layers = [row.to_json() for row in layer_rows(artifact.ann, model, few)]
    _add_shares(layers, counts, artifact)
    return {
        "data": {"name": data.name, "images": len(data), "fingerprint": data.fingerprint()},
        "ann_accuracy": float((ann_predictions == labels).double().mean()),
        "accuracy_at": {str(t + 1): float((p == labels).double().mean()) for t, p in enumerate(run.predictions)},
        "early_exit": _early_exit(trace, labels, artifact.timesteps),
        "milliseconds_per_image": time,
        **_costs(artifact, counts, trace),
        "trade_off": _trade_off(run, labels),
        "layers": layers,
        "examples": examples(trace, data),
    }


def classes_of(snn: Program) -> int:
    """Return the number of classes."""
    return next(spec.shape[0] for spec in snn.states if spec.name == "readout")


def checked_labels(data: Dataset, classes: int) -> Tensor:
    """Return the labels of ``data``; raises InputError where there are none or one is out of range."""
    labels = data.labels
    if labels is None:
        raise InputError(f"{data.name} has no labels; evaluation needs an npz with 'y', class folders, or an IDX label file")
    if int(labels.max()) >= classes:
        raise InputError(f"{data.name}: label {int(labels.max())} is out of range, the model has {classes} classes (0 to {classes - 1})")
    return labels


def check_shape(data: Dataset, artifact: Artifact) -> None:
    """Raise InputError unless the images of ``data`` have the shape the model takes."""
    if tuple(data.image_shape) != artifact.snn.input_shape:
        raise InputError(
            f"{data.name}: images have shape {tuple(data.image_shape)}, the model takes {artifact.snn.input_shape}; "
            "give --resize and --crop to 'convert', or other data"
        )


def run_ann(ann: Program, data: Dataset, batch_size: int, progress: Progress = silent) -> Tensor:
    """Return the ANN's logits ``(N, K)``, on the CPU."""
    counter, parts = Counter(progress, "ANN", len(data)), []
    for image in _images(data, batch_size):
        weights = next(ann.graph_module.parameters())
        parts.append(ann(image.to(weights.device, weights.dtype)).cpu())
        counter.add(len(image))
    return torch.cat(parts)


def _images(data: Dataset, batch_size: int) -> Iterator[Tensor]:
    return (image for image, _ in data.batches(batch_size))


def _run_counted(
    model: SpikingModel, data: Dataset, batch_size: int, progress: Progress
) -> tuple[AllTimesteps, _Counts]:
    """Run all timesteps and count spikes and accumulates up to each of them."""
    counting, counter = CountingModel(model), Counter(progress, "all timesteps", len(data))
    spikes: list[list[Tensor]] = [[] for _ in range(model.timesteps)]
    accumulates: list[list[Tensor]] = [[] for _ in range(model.timesteps)]
    by_layer: dict[str, float] = {}

    def after_step(t: int, count: int) -> None:
        spikes[t - 1].append(torch.stack(list(counting.spikes.values()))[:, :count].sum(dim=0).cpu())
        accumulates[t - 1].append(torch.stack(list(counting.operations.values()))[:, :count].sum(dim=0).cpu())
        for name, values in counting.operations.items():
            by_layer[name] = by_layer.get(name, 0.0) + float(values[:count].sum()) / len(data)

    run = run_all_timesteps(counting, _images(data, batch_size), progress=counter.add, after_step=after_step)
    totals = [torch.stack([torch.cat(parts) for parts in steps]).cumsum(dim=0) for steps in (spikes, accumulates)]
    return run, _Counts(totals[0], totals[1], by_layer)


def _check_hindsight(run: AllTimesteps, trace: ExitTrace, artifact: Artifact) -> None:
    """Early exit must give the exit steps and predictions that running everything and choosing afterwards gives."""
    steps = exit_steps(artifact.policy, run.scores)
    predictions = run.predictions.gather(0, steps.unsqueeze(0) - 1).squeeze(0)
    differing = int(((steps != trace.exit_step) | (predictions != trace.predictions)).sum())
    if differing and run.scores.dtype == torch.float32 and trace.logits.device.type == "cpu":
        raise PostconditionError(f"early exit and hindsight differ for {differing} of {len(steps)} images; report this")


def _early_exit(trace: ExitTrace, labels: Tensor, timesteps: int) -> dict[str, Any]:
    right = int((trace.predictions == labels).sum())
    counts = torch.bincount(trace.exit_step, minlength=timesteps + 1)[1:]
    return {
        "accuracy": right / len(labels),
        "interval95": list(wilson_interval(right, len(labels))),
        "average_timesteps": trace.average_timesteps,
        "exit_counts": {str(t + 1): int(count) for t, count in enumerate(counts)},
    }


def _costs(artifact: Artifact, counts: _Counts, trace: ExitTrace) -> dict[str, Any]:
    sites = call_sites(artifact.ann)
    total, stem = sum(s.macs for s in sites), sum(s.macs for s in sites if s.treatment == "stem")
    at_exit = (trace.exit_step - 1).unsqueeze(0)
    ways = {
        "ann": Operations(total),
        "all_timesteps": Operations(stem, float(counts.accumulates[-1].mean())),
        "early_exit": Operations(stem, float(counts.accumulates.gather(0, at_exit).mean())),
    }
    return {
        "operations": {
            "ann_macs": total,
            "stem_macs": stem,
            "synaptic_operations": {name: ways[name].accumulates for name in ("all_timesteps", "early_exit")},
            "spikes": {
                "all_timesteps": float(counts.spikes[-1].mean()),
                "early_exit": float(counts.spikes.gather(0, at_exit).mean()),
            },
        },
        "energy": {
            "assumptions": list(ASSUMPTIONS),
            "nanojoule_per_image": {name: way.nanojoule for name, way in ways.items()},
        },
    }


def _trade_off(run: AllTimesteps, labels: Tensor) -> list[dict[str, float]]:
    """Return the curve of single thresholds on this data: for looking at, nothing is chosen from it."""
    return [
        {"threshold": threshold, "accuracy": accuracy, "average_timesteps": average}
        for threshold, accuracy, average in trade_off(run.scores, run.predictions == labels)
    ]


def _add_shares(layers: list[dict[str, object]], counts: _Counts, artifact: Artifact) -> None:
    """Give each layer the share of the accumulates that its spikes cause, and its dead channels."""
    total = max(sum(counts.by_layer.values()), 1e-12)
    dead = artifact.report.get("conversion", {}).get("dead_channels", {})
    caused: dict[str, float] = {}
    for node in artifact.snn.graph_module.graph.nodes:
        if node.name in counts.by_layer:
            sources = _neurons_before(node)
            for source in sources:
                caused[source] = caused.get(source, 0.0) + counts.by_layer[node.name] / len(sources)
    for layer in layers:
        layer["operation_share"] = caused.get(str(layer["name"]), 0.0) / total
        layer["dead_channels"] = dead.get(layer["name"], 0)


def _neurons_before(node: Any) -> list[str]:
    """Return the neuron layers whose spikes reach ``node`` through linear operators."""
    found: dict[str, None] = {}
    open_nodes = list(node.all_input_nodes)
    while open_nodes:
        current = open_nodes.pop()
        if current.op == "call_function":
            source = current.args[0]
            if any(n.name.endswith("_v") for n in source.all_input_nodes):
                found[source.name] = None
                continue
        open_nodes.extend(n for n in current.all_input_nodes if n.op != "placeholder")
    return list(found) or ["input"]


def _to_cpu(trace: ExitTrace) -> ExitTrace:
    return ExitTrace(trace.predictions.cpu(), trace.logits.cpu(), trace.exit_step.cpu(), trace.confidence.cpu())


