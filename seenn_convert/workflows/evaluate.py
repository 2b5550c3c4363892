"""Evaluate an artifact against its ANN, or against the model it was converted from."""

from pathlib import Path

import torch

from seenn_convert.artifact.artifact import Artifact, as_artifact
from seenn_convert.artifact.schema.evaluation import Evaluation
from seenn_convert.choices import Backend
from seenn_convert.data.adapters import SampleData, as_samples
from seenn_convert.data.checks import check_shape, checked_labels, matched_classes
from seenn_convert.errors import InputError
from seenn_convert.ir.program import Program
from seenn_convert.measure.evaluate import measure
from seenn_convert.measure.exported import ExportedEvaluation, judge_exported
from seenn_convert.progress import Progress, silent
from seenn_convert.workflows.convert.inputs import Model
from seenn_convert.workflows.other_ann import other_ann
from seenn_convert.workflows.runnable import Runnable, runnable


def evaluate(
    artifact: Artifact | Path | str,
    data: SampleData,
    batch_size: int = 256,
    device: torch.device | str = "cpu",
    against: Program | Model | None = None,
    progress: Progress = silent,
    *,
    weights: Path | str | None = None,
    output_name: str | None = None,
) -> Evaluation:
    """Return how good ``artifact`` is on data that it has not seen, with the warnings that a reader needs.

    Args:
        artifact: What ``convert`` made, or the folder in which it is.
        data: Labelled images as ``convert`` takes them, that were used for nothing else.
        batch_size: Images that run together at most; fewer where their state is large, or the images are few.
        device: Where to run.
        against: The ANN to compare with, a program or what ``convert`` takes; the artifact's own if None.
        progress: Told about each stage.
        weights: State of that ANN's module, if it is given by a factory.
        output_name: Which of that ANN's outputs are its logits, if it has several.

    Raises:
        InputError: The data or the other model do not fit, or there is no such device.
        PostconditionError: Early exit does not agree with hindsight.
    """
    if against is None and weights is not None:
        raise InputError("weights are for the model to compare with; name it too (--against package.module:factory)")
    if against is None and output_name is not None:
        raise InputError("the output's name is for the model to compare with; name that too (--against model.onnx)")
    artifact = as_artifact(artifact)
    advice = "give the model that it was converted from"
    ann = None if against is None else other_ann(against, artifact, advice, weights, output_name)
    shape = artifact.snn.input_shape
    data = as_samples(data, artifact.preprocessing, progress=progress, input_shape=shape, labelled=True)
    return measure(artifact, data, batch_size, device, ann, progress)


def evaluate_exported(
    exported: Artifact | Runnable | Path | str,
    data: SampleData,
    batch_size: int = 256,
    progress: Progress = silent,
    backend: Backend | None = None,
) -> ExportedEvaluation:
    """Return how good an exported network is on data, in the runtime that it was exported for.

    An export holds no ANN and shows no spikes, so this says less than ``evaluate`` does of the artifact.

    Args:
        exported: A folder that ``export`` wrote; or an artifact, which is then run by ``backend``.
        data: Labelled images as ``convert`` takes them, that were used for nothing else.
        batch_size: Images that run together at most.
        progress: Told about each stage.
        backend: What runs it, as ``predict`` takes it.

    Raises:
        InputError: The data do not fit, or the backend does not run the export.
        ArtifactError: The folder is neither an export nor an artifact, or was changed.
    """
    network = runnable(exported, backend, progress=progress)
    samples = as_samples(data, network.preprocessing, progress=progress, input_shape=network.input_shape, labelled=True)
    samples = matched_classes(samples, network.class_names, network.classes)
    labels = checked_labels(samples, network.classes)
    check_shape(samples, network.input_shape)
    rows = network.rows_together(batch_size)
    return judge_exported(network.backend, network.temperatures, samples, labels, rows, progress)
