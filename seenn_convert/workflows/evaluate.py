"""Evaluate an artifact against its ANN, or against the model it was converted from."""

from pathlib import Path
from typing import Any

from seenn_convert.artifact.artifact import Artifact
from seenn_convert.artifact.provenance import reused
from seenn_convert.data.adapters import SampleData, as_samples
from seenn_convert.data.samples import Samples
from seenn_convert.errors import InputError
from seenn_convert.frontend.load import read_model
from seenn_convert.ir.program import Program
from seenn_convert.measure.drift import drift_words
from seenn_convert.measure.evaluate import evaluate
from seenn_convert.passes.base import run_passes
from seenn_convert.passes.sequence import ANN_PASSES
from seenn_convert.progress import Progress, silent
from seenn_convert.report.certificate_words import outcome


def evaluate_artifact(
    artifact: Artifact,
    data: SampleData,
    against: str | None = None,
    weights: Path | None = None,
    batch_size: int = 256,
    device: str = "cpu",
    progress: Progress = silent,
    output_name: str | None = None,
) -> dict[str, Any]:
    """Return the evaluation as plain data, with the warnings a reader needs.

    Args:
        artifact: What ``convert`` made.
        data: Labelled images as ``convert`` takes them, that were used for nothing else.
        against: The ANN to compare with, as ``convert`` takes it; the artifact's own where None.
        weights: State of the factory's module.
        batch_size: Rows that run together.
        device: Where to run.
        progress: Told about each stage.
        output_name: Which of that ANN's outputs are its logits, where it has several.

    Raises:
        InputError: The data or the other model do not fit.
    """
    if against is None and weights is not None:
        raise InputError("weights are for the model to compare with; name it too (--against package.module:factory)")
    if against is None and output_name is not None:
        raise InputError("the output's name is for the model to compare with; name that too (--against model.onnx)")
    ann = None if against is None else _other(against, weights, output_name, artifact)
    data = as_samples(data, artifact.preprocessing, artifact.snn.input_shape[0], progress)
    result = evaluate(artifact, data, batch_size, device, ann, progress)
    return {**result, "warnings": _warnings(artifact, data, result)}


def _other(against: str, weights: Path | None, output_name: str | None, artifact: Artifact) -> Program:
    source = read_model(against, artifact.snn.input_shape, weights, output_name)
    if source.program.input_shape != artifact.snn.input_shape:
        raise InputError(
            f"{against}: takes images {source.program.input_shape}, the artifact takes {artifact.snn.input_shape}; "
            "give the model that it was converted from"
        )
    return run_passes(source.program, ANN_PASSES)


def _warnings(artifact: Artifact, data: Samples, result: dict[str, Any]) -> list[str]:
    warnings = []
    if result["differs_from_hindsight"]:
        warnings.append(
            f"{result['differs_from_hindsight']} images left at another step than hindsight says: this machine's "
            "kernels round differently for batches of different size"
        )
    warnings += reused(artifact.provenance, data, result["data"]["fingerprint"])
    drift, certificate = result["exit_drift"], result["certificate"]
    if drift is not None and drift["drifted"]:
        warnings.append(drift_words(drift))
    if certificate is not None and not certificate["holds"]:
        warnings.append(outcome(certificate))
    return warnings
