"""Put what a conversion or an adoption made into an artifact."""

from collections.abc import Mapping

from seenn_convert.artifact.artifact import Artifact
from seenn_convert.artifact.provenance import environment, used_data
from seenn_convert.artifact.schema.conversion import Conversion
from seenn_convert.artifact.schema.manifest import ConversionFacts
from seenn_convert.artifact.schema.provenance import CalibrationOrigin, ModelOrigin, Provenance
from seenn_convert.artifact.schema.report import Report
from seenn_convert.calibration.calibration import Calibration
from seenn_convert.data.counts import noting_counts
from seenn_convert.exits.tune import ExitTuning
from seenn_convert.ir.program import Program
from seenn_convert.measure.conversion import model_facts
from seenn_convert.workflows.convert.session import Session


def move(ann: Program, snn: Program, device: str) -> None:
    """Move the programs of an artifact to a device."""
    for graph in (ann.graph_module, snn.graph_module, snn.stem):
        assert graph is not None
        graph.to(device)


def assembled(
    session: Session, ann: Program, snn: Program, calibration: Calibration, tuning: ExitTuning, model: ModelOrigin,
    conversion: Conversion, options: Mapping[str, object],
) -> Artifact:  # fmt: skip
    """Return an artifact of the network ``snn`` and of ``ann``, which says what its layers are.

    ``session`` has the images that were used, and ``options`` is what the user chose, as plain data.
    """
    data, machine = session.data, environment()
    report = Report(model=model_facts(model, snn, data.class_names), conversion=conversion, environment=machine)
    return Artifact(
        ann=ann,
        snn=snn,
        timesteps=session.options.timesteps,
        policy=tuning.policy,
        preprocessing=noting_counts(data),
        class_names=data.class_names,
        certificate=tuning.certificate,
        provenance=Provenance(
            model=model,
            calibration=CalibrationOrigin(**vars(used_data(data)), thresholds=calibration),
            validation=None if session.validation is None else used_data(session.validation),
            options=options,
            environment=machine,
        ),
        facts=ConversionFacts.of_report(report),
        report=report,
    )
