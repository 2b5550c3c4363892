"""Fit the exits of a converted network again, to other images; the network stays as it is."""

import copy
from dataclasses import replace

from seenn_convert.artifact.artifact import Artifact
from seenn_convert.artifact.provenance import environment, used_data
from seenn_convert.artifact.schema.conversion import CalibrationFacts
from seenn_convert.artifact.schema.manifest import ConversionFacts
from seenn_convert.artifact.schema.provenance import CalibrationOrigin, Provenance
from seenn_convert.artifact.schema.report import Report
from seenn_convert.artifact.schema.shared import Caution
from seenn_convert.data.checks import classes_of
from seenn_convert.data.samples import Samples
from seenn_convert.errors import InputError
from seenn_convert.exits.certificates.certificate import check_certifiable
from seenn_convert.exits.tune import ExitTuning, split_calibration
from seenn_convert.ir.program import Program
from seenn_convert.measure.conversion import conversion_report, model_facts
from seenn_convert.measure.data_cautions import byte_cautions
from seenn_convert.measure.suspicions import suspicions
from seenn_convert.passes.base import run_passes
from seenn_convert.passes.replace_temperatures import ReplaceTemperatures
from seenn_convert.progress import Progress
from seenn_convert.runtime.spiking_model import SpikingModel
from seenn_convert.workflows.convert.known import Known
from seenn_convert.workflows.convert.options import Options, options_from_json
from seenn_convert.workflows.convert.session import Session
from seenn_convert.workflows.convert.spiking import check_converted
from seenn_convert.workflows.convert.stages.exit import estimated_energy, exit_facts, fit_probed

OF_EXITS = ("target", "certify", "calibration_images", "seed", "require_spiking", "precision")
"""Options of a conversion that leave the network that is stored as it is."""

HEAD_GONE = Caution(
    "policy_head_gone",
    "the policy head belonged to the network as it was and is gone; attach one again with seenn-convert attach-policy",
)


def head_gone(artifact: Artifact) -> list[Caution]:
    """Return the warning that a network calibrated again has lost the policy head that it had."""
    return [] if artifact.snn.policy_head is None else [HEAD_GONE]


def refit_exits(artifact: Artifact, options: Options, known: Known, progress: Progress) -> Artifact:
    """Return the artifact with temperatures, exit thresholds and certificate fitted to the exit images alone.

    Raises:
        InputError: There are no exit images, they do not fit the model, or an option would change the network
            or requires more spikes than it has.
    """
    origin = _origin(artifact)
    data = exit_images(artifact, options, known, progress)
    session = _session(artifact, data, options, progress)
    bare = replace(copy.deepcopy(artifact.snn), policy_head=None)
    session.ann.graph_module.to(options.device)
    tuning = fit_probed(session, bare, artifact.reference)
    snn = run_passes(bare, [ReplaceTemperatures(tuning.temperatures)])
    report = _report(artifact, session, snn, origin, tuning, known.accuracy)
    session.ann.graph_module.to("cpu")
    for graph in (snn.graph_module, snn.stem):
        assert graph is not None
        graph.to("cpu")
    return replace(
        artifact,
        snn=snn,
        policy=tuning.policy,
        certificate=tuning.certificate,
        provenance=_provenance(artifact, data, options),
        facts=ConversionFacts.of_report(report),
        report=report,
    )


def exit_images(artifact: Artifact, options: Options, known: Known, progress: Progress) -> Samples:
    """Return the exit images, after all checks of ``refit_exits``, so that nobody works first and is refused then.

    Raises:
        InputError: As ``refit_exits``.
    """
    _check_options(artifact, options)
    check_converted(artifact.ann, options.require_spiking)
    shape, names, classes = artifact.snn.input_shape, artifact.class_names, classes_of(artifact.snn)
    data = known.exit_images(artifact.preprocessing, names, _origin(artifact), shape, classes, progress, options)
    if data is None:
        raise InputError(
            "no images are given; give calibration images (--data, data), or images that the ANN was not trained on to "
            "fit the exits alone (--exit-data, exit_data)"
        )
    if options.certify is not None:
        held_out = split_calibration(len(data), options.seed).held_out
        check_certifiable(options.certify, len(data), len(held_out), data.labels is not None, "exit")
    return data


def _origin(artifact: Artifact) -> CalibrationOrigin:
    origin = artifact.provenance.calibration
    if origin is None:
        raise InputError("the artifact does not say how it was calibrated; give calibration images, too (--data, data)")
    return origin


def _check_options(artifact: Artifact, options: Options) -> None:
    """Raise InputError where the options would make another network."""
    before, after = options_from_json(artifact.provenance.options).to_json(), options.to_json()
    changed = [name for name, value in after.items() if name not in OF_EXITS and before.get(name) != value]
    if changed:
        raise InputError(
            f"{', '.join(changed)} would change the network, which takes calibration images (--data, data); give them, "
            "or change target and certificate only"
        )


def _session(artifact: Artifact, data: Samples, options: Options, progress: Progress) -> Session:
    return Session(artifact.ann, data, split_calibration(len(data), options.seed), options, progress)


def _provenance(artifact: Artifact, data: Samples, options: Options) -> Provenance:
    return replace(
        artifact.provenance,
        validation=used_data(data),
        policy=None,
        options=_options_of(artifact, options),
        environment=environment(),
    )


def _options_of(artifact: Artifact, options: Options) -> dict[str, object]:
    """Return the options of the artifact with those of its exits; an adopted network has no others of a conversion."""
    found = options.to_json()
    if artifact.reference is not None:
        return found
    same = {name: found.get(name, value) for name, value in artifact.provenance.options.items()}
    return {**same, "precision": options.precision}  # which older artifacts do not know


def _report(
    artifact: Artifact,
    session: Session,
    snn: Program,
    origin: CalibrationOrigin,
    tuning: ExitTuning,
    accuracy: float | None,
) -> Report:
    """Return the report of the conversion as it is now."""
    options, facts = session.options, artifact.facts
    model = SpikingModel(snn, options.timesteps, tuning.policy).to(options.device)
    reference = facts.reference
    data = session.data
    doubts = (*suspicions(artifact.reference, data, tuning.ann_logits, session.split.held_out), *byte_cautions(data))
    conversion = conversion_report(
        session.ann, snn, origin.thresholds, tuning, _facts(artifact, session, origin, tuning),
        neuron=_neuron_name(artifact), target=options.target, parity=facts.parity,
        energy=estimated_energy(session, model, tuning.exit_counts, reference), ann_accuracy=accuracy,
        warnings=(*doubts, *head_gone(artifact)), reference=reference,
    )  # fmt: skip
    before = artifact.report.conversion
    conversion = (
        conversion
        if before is None
        else replace(conversion, passes=before.passes, front=before.front, finetuning=before.finetuning)
    )
    origin_facts = artifact.report.model or model_facts(artifact.provenance.model, snn, artifact.class_names)
    return Report(model=origin_facts, conversion=conversion, environment=environment())


def _neuron_name(artifact: Artifact) -> str:
    """Return what the neurons are called: by the option, or for an adopted network by its report."""
    conversion = artifact.report.conversion
    if artifact.reference is None and conversion is not None:
        return conversion.neuron.kind
    return options_from_json(artifact.provenance.options).neuron_type.name


def _facts(artifact: Artifact, session: Session, origin: CalibrationOrigin, tuning: ExitTuning) -> CalibrationFacts:
    """Return the calibration images, as far as the artifact knows them, and the exit images."""
    before = split_calibration(origin.images, options_from_json(artifact.provenance.options).seed)
    facts = artifact.facts if artifact.provenance.validation is None else ConversionFacts()  # else of other images
    return CalibrationFacts(
        name=origin.name,
        images=origin.images,
        labelled=tuning.labelled,
        fitting_images=len(before.fitting),
        held_out_images=len(before.held_out),
        ann_right=facts.ann_right,
        ann_confidence=facts.ann_confidence,
        validation=exit_facts(session, tuning),
    )
