"""The whole journey: a model and sample images in, a calibrated spiking early-exit network out."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.export import ExportedProgram

from seenn_convert.calibration.calibration import Calibration, calibrate
from seenn_convert.calibration.rules import MseRule, ThresholdRule
from seenn_convert.calibration.timestep_bias import fit_timestep_bias
from seenn_convert.data.dataset import Dataset
from seenn_convert.errors import CalibrationDataError, InputError
from seenn_convert.export.artifact import Artifact, load_artifact
from seenn_convert.export.files import sha256_of
from seenn_convert.frontend.load import Source, read_model
from seenn_convert.passes.base import run_passes
from seenn_convert.passes.insert_timestep_bias import InsertTimestepBias
from seenn_convert.passes.sequence import ANN_PASSES, probe_pass, spiking_passes
from seenn_convert.program import Program
from seenn_convert.progress import Counter, Progress, silent
from seenn_convert.report.conversion import SCHEMA_VERSION, conversion_report, environment
from seenn_convert.report.evaluate import checked_labels, classes_of, run_ann
from seenn_convert.runtime.all_timesteps import run_all_timesteps
from seenn_convert.runtime.policies import SCORE_POLICIES
from seenn_convert.runtime.spiking_model import SpikingModel
from seenn_convert.scores import ScoreName
from seenn_convert.spiking import NEURON_KINDS
from seenn_convert.tuning.exit_threshold import NEVER, ExitTarget
from seenn_convert.tuning.tune import ExitTuning, Split, split_calibration, tune_exit


BIAS_UPDATES, BIAS_IMAGES = 16, 128


@dataclass(frozen=True)
class Options:
    """How to convert.

    Attributes:
        timesteps: The longest run T.
        neuron: ``"signed"`` (fires -1, 0, +1) or ``"if"`` (fires 0, +1).
        rule: From activation statistics to thresholds.
        per_channel: One threshold a channel, else one a layer.
        timestep_bias: Correct each layer's mean output at every timestep.
        target: What early exit has to reach on the held-out part of the calibration data.
        score: ``"confidence"`` or ``"entropy"``.
        batch_size: Images that run together.
        device: Where to run.
        seed: Of the split of the calibration data.
    """

    timesteps: int = 16
    neuron: str = "signed"
    rule: ThresholdRule = field(default_factory=MseRule)
    per_channel: bool = True
    timestep_bias: bool = True
    target: ExitTarget = ExitTarget(drop=0.5)
    score: ScoreName = "confidence"
    batch_size: int = 128
    device: str = "cpu"
    seed: int = 0


def convert(
    model: nn.Module | ExportedProgram | Path | str,
    calibration_data: Dataset,
    options: Options = Options(),
    weights: Path | None = None,
    progress: Progress = silent,
) -> Artifact:
    """Convert a pretrained classifier into a spiking network with early exit.

    Args:
        model: A module in eval mode, an exported program, an ``.onnx`` or ``.pt2`` file, or ``package.module:factory``.
        calibration_data: Sample images, never the test set; with labels where there are some.
        options: How to convert.
        weights: State of the factory's module, ``.safetensors``.
        progress: Told about each stage.

    Raises:
        InputError: Model, data or options cannot be used; says what to do.
        PassError: The compiler broke its own law; nothing is returned.
    """
    progress("reading the model", 0, 1)
    source = read_model(model, calibration_data.image_shape, weights)
    _check_data(source.program, calibration_data)
    images = next(iter(calibration_data.batches(min(16, options.batch_size))))[0]
    parity = source.check(images)
    ann = run_passes(source.program, ANN_PASSES, images)
    progress("reading the model", 1, 1)
    return compile_ann(ann, calibration_data, options, _provenance(source), parity, progress)


def load(path: Path | str) -> SpikingModel:
    """Return the spiking network of an artifact folder; needs no user code.

    Raises:
        ArtifactError: The folder is missing, damaged, or of another version.
    """
    return load_artifact(Path(path)).model()


def recalibrate(artifact: Artifact, data: Dataset, options: Options, progress: Progress = silent) -> Artifact:
    """Return the artifact with thresholds, temperatures and exit chosen again, from other data or by other options."""
    _check_data(artifact.ann, data)
    model = dict(artifact.provenance["model"])
    parity = artifact.report.get("conversion", {}).get("parity")
    fresh = compile_ann(artifact.ann, data, options, model, parity, progress)
    return replace(fresh, class_names=fresh.class_names or artifact.class_names)


def compile_ann(
    ann: Program, data: Dataset, options: Options, model: dict[str, Any], parity: float | None, progress: Progress
) -> Artifact:
    """Calibrate, insert neurons, tune the exit, and put everything into an artifact."""
    if options.timesteps < 1:
        raise InputError(f"timesteps must be at least 1, got {options.timesteps}")
    ann.graph_module.to(options.device)
    split = split_calibration(len(data), options.seed)
    calibration = _calibrate(ann, data, split, options, progress)
    spiking = run_passes(ann, spiking_passes(ann, calibration.v_thresholds(), NEURON_KINDS[options.neuron]))
    if options.timestep_bias:
        spiking = run_passes(spiking, [InsertTimestepBias(_fit_bias(ann, spiking, data, split, options, progress))])
    tuning = _tune(ann, spiking, data, split, options, progress)
    snn = run_passes(spiking, [probe_pass(ann, options.score, tuning.temperatures.to(options.device))])
    for graph in (ann.graph_module, snn.graph_module, snn.stem):
        assert graph is not None
        graph.to("cpu")
    details = {"timesteps": options.timesteps, "neuron": options.neuron, "target": options.target.to_json(),
               "data": Path(data.name).name, "parity": parity}  # fmt: skip
    classes = {"classes": classes_of(snn), "class_names": None if data.class_names is None else list(data.class_names)}
    report = {
        "schema_version": SCHEMA_VERSION,
        "model": {**model, "input_shape": list(ann.input_shape), **classes},
        "conversion": conversion_report(ann, snn, calibration, tuning, split, details),
        "evaluation": None,
        "environment": environment(),
    }
    return Artifact(
        ann=ann,
        snn=snn,
        timesteps=options.timesteps,
        policy=tuning.policy,
        preprocessing=data.preprocessing,
        class_names=data.class_names,
        provenance=_full_provenance(model, data, calibration, options),
        report=report,
    )


def _calibrate(ann: Program, data: Dataset, split: Split, options: Options, progress: Progress) -> Calibration:
    counter = Counter(progress, "calibrating", len(split.fitting))

    def images() -> Iterator[Tensor]:
        for image, _ in data.batches(options.batch_size, split.fitting):
            yield image
            counter.add(len(image))

    return calibrate(ann, images(), options.rule, options.per_channel)


def _fit_bias(
    ann: Program, spiking: Program, data: Dataset, split: Split, options: Options, progress: Progress
) -> dict[str, Tensor]:
    """Fit timestep biases on the fitting part, in updates of a fixed number of images: the same for any batch size."""
    order = torch.randperm(len(split.fitting), generator=torch.Generator().manual_seed(options.seed))
    size = min(BIAS_IMAGES, len(order))
    chosen = [split.fitting[int(order[i % len(order)])] for i in range(BIAS_UPDATES * size)]
    counter = Counter(progress, "timestep bias", len(chosen))

    def images() -> Iterator[Tensor]:
        for image, _ in data.batches(size, chosen):
            yield image.to(options.device, ann.input_dtype)
            counter.add(len(image))

    return fit_timestep_bias(ann, spiking, options.timesteps, images())


def _tune(
    ann: Program, spiking: Program, data: Dataset, split: Split, options: Options, progress: Progress
) -> ExitTuning:
    """Run the calibration set through all timesteps once and fit the exit decision to it."""
    probed = run_passes(spiking, [probe_pass(ann, options.score, torch.ones(options.timesteps))])
    model = SpikingModel(probed, options.timesteps, SCORE_POLICIES[options.score]((NEVER,)))
    model.to(options.device)
    with torch.no_grad():
        ann_logits = run_ann(ann, data, options.batch_size, progress)
        counter = Counter(progress, "tuning the exit", len(data))
        images = (image for image, _ in data.batches(options.batch_size))
        run = run_all_timesteps(model, images, keep_logits=True, progress=counter.add)
    assert run.logits is not None
    labels = None if data.labels is None else checked_labels(data, run.logits.shape[-1])
    return tune_exit(run, ann_logits, labels, split, options.target, options.score)


def _check_data(program: Program, data: Dataset) -> None:
    if tuple(data.image_shape) != program.input_shape:
        raise CalibrationDataError(
            f"{data.name}: images have shape {tuple(data.image_shape)}, the model takes {program.input_shape}; "
            "use --resize and --crop, or other data"
        )
    if len(data) < 2:
        raise CalibrationDataError(f"{data.name}: {len(data)} image is too few to calibrate; give some hundreds")


def _provenance(source: Source) -> dict[str, Any]:
    digest = sha256_of(source.path) if source.path is not None else None
    return {"name": source.name, "format": source.format, "sha256": digest}


def _full_provenance(model: dict[str, Any], data: Dataset, calibration: Calibration, options: Options) -> dict[str, Any]:
    return {
        "model": model,
        "calibration": {
            "name": Path(data.name).name,
            "images": len(data),
            "fingerprint": data.fingerprint(),
            "thresholds": calibration.to_json(),
        },
        "options": {
            "timesteps": options.timesteps,
            "neuron": options.neuron,
            "threshold": options.rule.name,
            "per_channel": options.per_channel,
            "timestep_bias": options.timestep_bias,
            "target": options.target.to_json(),
            "score": options.score,
            "seed": options.seed,
        },
        "environment": environment(),
    }

