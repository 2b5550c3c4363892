"""``seenn-convert inspect``: what a model holds and how each part is treated."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from seenn_convert.cli.console import certificate_lines, columns_text, say_json
from seenn_convert.cli.diagnosis_text import calibrated_text, measured_text
from seenn_convert.cli.help import GroupedCommand
from seenn_convert.cli.options import Shape, json_option, output_name_option, weights_option

if TYPE_CHECKING:
    from seenn_convert.artifact.artifact import Artifact
    from seenn_convert.ir.program import Program
    from seenn_convert.measure.diagnosis import Diagnosis


@click.command(cls=GroupedCommand)
@click.argument("model_or_artifact")
@weights_option
@click.option("--input-shape", type=Shape(), help="Shape of one image, for package.module:factory, e.g. 3,32,32.")
@output_name_option
@json_option
def inspect(
    model_or_artifact: str, weights: Path | None, input_shape: tuple[int, ...] | None, output_name: str | None,
    as_json: bool,
) -> None:  # fmt: skip
    """Show operators and their treatment, passes, and the program text of MODEL_OR_ARTIFACT.

    Of an artifact also: the thresholds of its neuron layers, and once it was evaluated what is wrong with them.
    """
    from seenn_convert.artifact.artifact import is_artifact, load_artifact

    path = Path(model_or_artifact)
    if not is_artifact(path):
        found = _inspect_model(model_or_artifact, weights, input_shape, output_name)
        say_json(found) if as_json else click.echo(_text(found))
        return
    artifact = load_artifact(path)
    calibrated, measured, diagnosis = _diagnosis(artifact)
    found = _inspect_artifact(path, artifact)
    if as_json:
        say_json({**found, "diagnosis": {"measured": measured, "calibration": calibrated, **diagnosis.to_json()}})
    else:
        layers = measured_text(diagnosis) if measured else calibrated_text(calibrated, diagnosis, str(path))
        click.echo(_text(found, layers))


def _inspect_model(
    model: str, weights: Path | None, input_shape: tuple[int, ...] | None, output_name: str | None
) -> dict[str, Any]:
    from seenn_convert.frontend.load import read_model
    from seenn_convert.passes.base import run_passes
    from seenn_convert.passes.sequence import ANN_PASSES

    source = read_model(model, input_shape, weights, output_name)
    ann = run_passes(source.program, ANN_PASSES)
    return _describe(source.name, ann, ann, {"input_shape": list(ann.input_shape)})


def _inspect_artifact(path: Path, artifact: "Artifact") -> dict[str, Any]:
    from seenn_convert.analysis.coverage import policy_macs

    facts = {
        "input_shape": list(artifact.snn.input_shape),
        "timesteps": artifact.timesteps,
        "policy": artifact.policy.to_json(),
        "certificate": None if artifact.certificate is None else artifact.certificate.to_json(),
        "policy_macs": policy_macs(artifact.snn),
        "preprocessing": artifact.preprocessing.to_json(),
        "class_names": artifact.class_names,
        "options": artifact.provenance.get("options", {}),
        "model": artifact.provenance.get("model", {}),
    }
    found = _describe(str(path), artifact.ann, artifact.snn, facts)
    return {**found, "passes": artifact.report.get("conversion", {}).get("passes", found["passes"])}


def _diagnosis(artifact: "Artifact") -> tuple[list[dict[str, Any]], bool, "Diagnosis"]:
    """Return what the calibration knows, whether an evaluation measured more, and the diagnosis of what there is."""
    from seenn_convert.artifact.plain import dig, mappings
    from seenn_convert.measure.calibrated import calibrated_layers
    from seenn_convert.measure.diagnosis import diagnose

    calibrated = calibrated_layers(artifact.provenance)
    rows = mappings(dig(artifact.report, "evaluation", "layers"))
    return calibrated, bool(rows), diagnose(rows or calibrated, dig(artifact.report, "conversion"))


def _describe(name: str, ann: "Program", shown: "Program", facts: dict[str, Any]) -> dict[str, Any]:
    from seenn_convert.analysis.coverage import call_sites, spiking_share
    from seenn_convert.ir.program import format_program

    sites = call_sites(ann)
    passes = [
        {"name": r.name, "changed": len(r.changed), "declined": [list(pair) for pair in r.declined]}
        for r in ann.history
    ]
    return {
        "name": name,
        **facts,
        "spiking_share": spiking_share(sites),
        "operators": [site.to_json() for site in sites],
        "passes": passes,
        "program": format_program(shown),
    }


def _text(found: dict[str, Any], layers: str = "") -> str:
    rows = [("call site", "operator", "treatment", "share", "driven by", "source")]
    rows += [
        (s["name"], s["operator"], s["treatment"], f"{s['share']:.1%}", s["driven_by"], s["source"])
        for s in found["operators"]
    ]
    passes = [f"  {p['name']}: {p['changed']} changed" for p in found["passes"]]
    declined = [f"    declined {name}: {why}" for p in found["passes"] for name, why in p["declined"]]
    facts = [
        f"{key}: {found[key]}"
        for key in ("input_shape", "timesteps", "policy", "policy_macs", "preprocessing", "options")
        if found.get(key)
    ]
    facts += certificate_lines(found.get("certificate"), found.get("timesteps", 0))
    share = f"spikes drive {found['spiking_share']:.1%} of the multiply-accumulates"
    parts = [found["name"], *facts, share, "", columns_text(rows), ""]
    parts += [layers, ""] if layers else []
    return "\n".join([*parts, "passes", *passes, *declined, "", found["program"]])
