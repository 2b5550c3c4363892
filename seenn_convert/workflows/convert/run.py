"""The whole journey: a model and sample images in, a calibrated spiking early-exit network out."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from torch import nn

from seenn_convert.analysis.frames import frames_of
from seenn_convert.artifact.artifact import Artifact, as_artifact, load_artifact
from seenn_convert.artifact.provenance import reused, used_data
from seenn_convert.artifact.schema.provenance import ModelOrigin, Provenance
from seenn_convert.artifact.schema.shared import Caution
from seenn_convert.data.adapters import SampleData, as_samples
from seenn_convert.data.checks import checked_classes, outputs_of
from seenn_convert.data.counts import noting_counts
from seenn_convert.data.preprocessing import Preprocessing
from seenn_convert.data.samples import Samples
from seenn_convert.errors import InputError
from seenn_convert.exits.certificates.certificate import check_certifiable
from seenn_convert.exits.tune import split_calibration
from seenn_convert.frontend.torch.aten import Operator
from seenn_convert.ir.program import Program, Stage
from seenn_convert.ir.scores import ExitScore
from seenn_convert.measure.conversion import conversion_report
from seenn_convert.measure.data_cautions import byte_cautions, data_cautions, frame_cautions
from seenn_convert.measure.suspicions import output_cautions, suspicions
from seenn_convert.passes.base import Pass, run_passes
from seenn_convert.passes.sequence import encoding_passes, last_passes, probe_pass, spiking_passes
from seenn_convert.progress import Progress, silent
from seenn_convert.runtime.spiking_model import SpikingModel
from seenn_convert.workflows.convert.assemble import assembled, move
from seenn_convert.workflows.convert.drawing import used_images
from seenn_convert.workflows.convert.inputs import Model
from seenn_convert.workflows.convert.known import Known
from seenn_convert.workflows.convert.options import Options, options_from_json
from seenn_convert.workflows.convert.prepare import (
    Prepared,
    check_data,
    check_options,
    first_images,
    of_stage,
    prepare,
)
from seenn_convert.workflows.convert.refit import head_gone, refit_exits
from seenn_convert.workflows.convert.session import Session
from seenn_convert.workflows.convert.spiking import check_spiking
from seenn_convert.workflows.convert.stages.biases import correct
from seenn_convert.workflows.convert.stages.exit import calibration_facts, estimated_energy, fit_exit
from seenn_convert.workflows.convert.stages.front import asked_front, settle_front
from seenn_convert.workflows.convert.stages.thresholds import calibrate_thresholds
from seenn_convert.workflows.convert.stages.weights import tune_weights

__all__ = ["Options", "compile_ann", "convert", "load", "recalibrate"]

VALIDATION_GONE = Caution(
    "validation_gone",
    "temperatures, exits, expected loss and any certificate came from exit images and now come from the calibration "
    "images, which the ANN may have memorised; give the exit images again (--exit-data)",
)


def convert(
    model: Model,
    calibration_data: SampleData,
    options: Options = Options(),
    weights: Path | str | None = None,
    progress: Progress = silent,
    *,
    output_name: str | None = None,
    class_names: Sequence[str] | None = None,
    preprocessing: Preprocessing | None = None,
    input_shape: Sequence[int] | None = None,
    extra_operators: Sequence[Operator] = (),
    extra_passes: Sequence[Pass] = (),
    ann_accuracy: float | None = None,
    exit_data: SampleData | None = None,
    validation_data: SampleData | None = None,
) -> Artifact:
    """Convert a pretrained classifier into a spiking network with early exit.

    Args:
        model: A module in eval mode, an exported program, an ``.onnx`` or ``.pt2`` file, or ``package.module:factory``,
            or what ``read_model`` made of one of them.
        calibration_data: Sample images, never the test set, with labels where there are some: a path, tensors or arrays
            ``images`` or ``(images, labels)``, a torch ``Dataset`` or ``DataLoader``, a Hugging Face data set, or
            ``Samples``. See ``as_samples``.
        options: How to convert.
        weights: State of the factory's module: ``.safetensors``, or a state dict that ``torch.save`` wrote.
        progress: Told about each stage.
        output_name: Which of the model's outputs are the logits, where it has several.
        class_names: Names of the model's outputs, in order; class folders of the data are matched with them by name.
        preprocessing: Of pixels: image files, ``uint8`` arrays and PIL images. The artifact keeps it for images that
            come later. It is not applied to floating-point images, which are preprocessed already.
        input_shape: Shape of one image, for a module or factory where the data does not tell.
        extra_operators: Operators of the user's own, for calls that this package does not know.
        extra_passes: Passes of the user's own. Those of stage ANN run behind ours and are checked like them: they keep
            the outputs; those of stage SNN run on the step, before its exit probe.
        ann_accuracy: Share of new images on which the ANN is right, where that is known; a warning says if it is right
            on clearly more or fewer of the calibration images.
        exit_data: Images that the ANN was not trained on, best with labels, of any kind that ``calibration_data`` may
            be. Temperatures, exit thresholds, expected loss and certificate are then fitted to them.
        validation_data: The older name of ``exit_data``.

    Raises:
        InputError: Model, data or options cannot be used; says what to do.
        PassError: The compiler broke its own law; nothing is returned.
    """
    prepared = prepare(
        model, calibration_data, options, weights, progress,
        output_name=output_name, class_names=class_names, preprocessing=preprocessing, input_shape=input_shape,
        extra_operators=extra_operators, extra_passes=extra_passes, ann_accuracy=ann_accuracy,
        exit_data=exit_data, validation_data=validation_data,
    )  # fmt: skip
    return compile_prepared(prepared, options, progress)


def compile_prepared(prepared: Prepared, options: Options, progress: Progress = silent) -> Artifact:
    """Return the artifact that ``options`` make of a model and images that were read before."""
    ann, images = prepared.ann, prepared.images
    options = options.for_frames(frames_of(ann))
    ann = run_passes(ann, encoding_passes(ann, options.encode, options.neuron_type), images)
    return compile_ann(ann, prepared.data, options, prepared.model, prepared.parity, progress, prepared.extra_passes,
                       prepared.known, prepared.warnings)  # fmt: skip


def compile_ann(
    ann: Program, data: Samples, options: Options, model: ModelOrigin, parity: float | None, progress: Progress,
    extra_passes: Sequence[Pass] = (), known: Known = Known(), warnings: Sequence[Caution] = (),
) -> Artifact:  # fmt: skip
    """Calibrate, insert neurons, tune the exit, and put everything into an artifact.

    The ANN has been through its passes; those of the user's own that are for stage SNN are run here. ``parity`` is the
    relative error against the original, None where it is not known. ``warnings`` are those about the inputs.
    """
    options = options.for_frames(frames_of(ann))
    session = open_session(ann, data, options, progress, known)
    session, front = settle_front(session)
    ann, data = session.ann, session.data
    calibration = calibrate_thresholds(session)
    tuned, calibration = tune_weights(session, calibration)
    spiking = run_passes(tuned, spiking_passes(tuned, calibration.v_thresholds(), options.neuron_type))
    spiking = run_passes(spiking, of_stage(Stage.SNN, extra_passes))
    spiking = correct(session, spiking)
    tuning = fit_exit(session.exits, spiking, ann)
    temperatures = tuning.temperatures.to(options.device, ann.input_dtype)
    snn = run_passes(spiking, [probe_pass(ann, options.exit_score, temperatures)])
    exits, logits = session.exits, tuning.ann_logits
    doubts = (*output_cautions(ann, logits), *suspicions(ann, exits.data, logits, exits.split.held_out),
              *data_cautions(data), *(byte_cautions(exits.data) if exits is not session else ()),
              *frame_cautions(frames_of(ann), options.timesteps), *warnings)  # fmt: skip
    energy = estimated_energy(session, SpikingModel(snn, options.timesteps, tuning.policy), tuning.exit_counts)
    facts = calibration_facts(session, tuning)
    move(ann, snn, "cpu")
    conversion = conversion_report(
        ann, snn, calibration, tuning, facts,
        neuron=options.neuron_type.name, target=options.target, parity=parity, energy=energy,
        ann_accuracy=known.accuracy, front=front, warnings=doubts,
    )  # fmt: skip
    return assembled(session, ann, snn, calibration, tuning, model, conversion, options.to_json())


def open_session(ann: Program, data: Samples, options: Options, progress: Progress, known: Known = Known()) -> Session:
    """Return what the stages read, with the last passes of stage ANN done and everything checked before the work.

    Raises:
        InputError: The network would not spike enough, or the data does not fit it.
        CalibrationDataError: There are too few images for the certificate asked for.
    """
    passes = last_passes(options.skips, options.depthwise)
    ann = run_passes(asked_front(ann, options.front), passes, first_images(ann, data))
    check_spiking(ann, options.encode, options.require_spiking)
    data = checked_classes(data, None, outputs_of(ann))  # labels are checked now, not after the work
    ann.graph_module.to(options.device)
    split = split_calibration(len(data), options.seed)
    own = None if known.exit_data is None else used_data(data)
    validation = known.exit_images(
        noting_counts(data), data.class_names, own, ann.input_shape, outputs_of(ann), progress, options
    )
    session = Session(ann, data, split, options, progress, validation)
    if options.certify is not None:
        used = session.exits
        kind, labelled = "calibration" if validation is None else "exit", used.data.labels is not None
        check_certifiable(options.certify, len(used.data), len(used.split.held_out), labelled, kind)
    return session


def recalibrate(
    artifact: Artifact | Path | str,
    data: SampleData | None = None,
    options: Options | None = None,
    progress: Progress = silent,
    extra_passes: Sequence[Pass] = (),
    *,
    ann_accuracy: float | None = None,
    exit_data: SampleData | None = None,
    validation_data: SampleData | None = None,
) -> Artifact:
    """Return the artifact with thresholds, temperatures and exit chosen again, from other data or by other options.

    Args:
        artifact: What ``convert`` made, or its folder.
        data: What ``convert`` takes; pixels go through the artifact's preprocessing. None leaves the network as it is:
            temperatures, exit thresholds and certificate alone are fitted again, to ``exit_data``.
        options: How to convert; as the artifact was where None.
        progress: Told about each stage.
        extra_passes: Those of stage SNN that ``convert`` was given; the ANN has been through the others.
        ann_accuracy: As for ``convert``.
        exit_data: As for ``convert``.
        validation_data: The older name of ``exit_data``.

    Raises:
        InputError: The data does not fit the model.
    """
    artifact = as_artifact(artifact)
    options = options_from_json(artifact.provenance.options) if options is None else options
    check_options(options)
    known = Known.of(ann_accuracy, exit_data, validation_data)
    if data is None:
        return _with_doubts(refit_exits(artifact, options, known, progress))
    if artifact.reference is None:
        raise InputError(
            "the network was trained as a spiking one and adopted as it was, so there is nothing to calibrate; give "
            "images for the exits alone (--exit-data, exit_data)"
        )
    if artifact.provenance.finetuning is not None:
        raise InputError(
            "the network was fine-tuned, which calibrating it again would undo; give images for the exits alone "
            "(--exit-data, exit_data), or calibrate the artifact that it was fine-tuned from"
        )
    data = as_samples(data, artifact.preprocessing, progress=progress, input_shape=artifact.ann.input_shape)
    check_data(artifact.ann, data)
    if artifact.class_names is not None:
        data = data.with_classes(artifact.class_names)
    data = used_images(data, options)
    model, parity = artifact.provenance.model, artifact.facts.parity
    fresh = compile_ann(artifact.ann, data, options, model, parity, progress, extra_passes, known)
    report, conversion = fresh.report, fresh.report.conversion
    gone = [VALIDATION_GONE] if _lost_validation(artifact.provenance, fresh.provenance) else []
    gone += head_gone(artifact)
    if gone and conversion is not None:
        report = replace(report, conversion=replace(conversion, warnings=(*conversion.warnings, *gone)))
    return replace(fresh, class_names=fresh.class_names or artifact.class_names, report=report)


def _with_doubts(artifact: Artifact) -> Artifact:
    """Return the artifact with a warning if the images that its exits were fitted to trained its network."""
    origin, conversion = artifact.provenance, artifact.report.conversion
    if origin.validation is None or conversion is None:
        return artifact
    doubts = reused(None, None, origin.validation, finetuning=origin.finetuning)
    conversion = replace(conversion, warnings=(*conversion.warnings, *doubts))
    return replace(artifact, report=replace(artifact.report, conversion=conversion))


def _lost_validation(before: Provenance, after: Provenance) -> bool:
    """Return whether exits were fitted to validation images that are used no more."""
    if before.validation is None or after.validation is not None or after.calibration is None:
        return False
    return before.validation.fingerprint != after.calibration.fingerprint


def load(
    path: Path | str, scores: Sequence[ExitScore] = (), extra_modules: Sequence[type[nn.Module]] = ()
) -> SpikingModel:
    """Return the spiking network of an artifact folder; needs no user code but what ``load_artifact`` takes.

    Raises:
        ArtifactError: The folder is missing, damaged, or of another version.
    """
    return load_artifact(path, scores, extra_modules).model()
