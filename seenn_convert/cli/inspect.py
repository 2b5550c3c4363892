"""``seenn-convert inspect``: what a model holds and how each part is treated."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from seenn_convert.cli.console import certificate_lines, columns_text, note_lines, say_json
from seenn_convert.cli.diagnosis_text import calibrated_text, measured_text
from seenn_convert.cli.exploration_text import exploration_text
from seenn_convert.cli.help import GroupedCommand
from seenn_convert.cli.options import SHAPE, json_option, output_name_option, weights_option

if TYPE_CHECKING:
    from seenn_convert.analysis.coverage import CallSite
    from seenn_convert.artifact.artifact import Artifact
    from seenn_convert.artifact.schema.conversion import PassFacts
    from seenn_convert.artifact.schema.layers import Diagnosis
    from seenn_convert.ir.program import Program
    from seenn_convert.measure.calibrated import CalibratedLayer

MOST_FRONTS = 8
"""Possible analog fronts that are listed."""


@click.command(cls=GroupedCommand)
@click.argument("model_or_artifact")
@weights_option
@click.option("--input-shape", type=SHAPE,
              help="Shape of one image, for package.module:factory or a file that leaves sizes "
                   "open, e.g. 3,32,32.")  # fmt: skip
@output_name_option
@click.option(
    "--netron",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE.onnx",
    help="Write the network to look at in Netron: each node says how it is treated [none].",
)
@click.option(
    "--target",
    metavar="TARGET",
    help="With --netron: each node says, too, whether it fits this target of check [none].",
)
@json_option
def inspect(
    model_or_artifact: str, weights: Path | None, input_shape: tuple[int, ...] | None, output_name: str | None,
    netron: Path | None, target: str | None, as_json: bool,
) -> None:  # fmt: skip
    """Show operators and their treatment, passes, and the program text of MODEL_OR_ARTIFACT.

    Of an artifact also: the thresholds of its neuron layers, and once it was evaluated what is wrong with them.
    """
    from seenn_convert.artifact.artifact import is_artifact, load_artifact

    path = Path(model_or_artifact)
    if target is not None and netron is None:
        raise click.UsageError("--target says what --netron shows; give --netron FILE.onnx, or use check --target")
    if not is_artifact(path):
        found, ann = _inspect_model(model_or_artifact, weights, input_shape, output_name)
        _draw(ann, netron, target, str(found["name"]))
        say_json(found) if as_json else click.echo(_text(found))
        return
    artifact = load_artifact(path)
    _draw(artifact, netron, target, str(path))
    calibrated, measured, diagnosis = _diagnosis(artifact)
    found = _inspect_artifact(path, artifact)
    if as_json:
        layers = {"measured": measured, "calibration": calibrated, **vars(diagnosis)}
        say_json({**found, "diagnosis": layers})
    else:
        table = measured_text(diagnosis) if measured else calibrated_text(calibrated, diagnosis, str(path))
        table = "" if artifact.reference is None else table  # its layers stand for no activations of an ANN
        click.echo(_text(found, table))


def _draw(network: "Artifact | Program", file: Path | None, target: str | None, name: str) -> None:
    from seenn_convert.workflows.picture import write_picture

    if file is not None:
        write_picture(network, file, target, name)
        click.echo(f"wrote {file}", err=True)


def _inspect_model(
    model: str, weights: Path | None, input_shape: tuple[int, ...] | None, output_name: str | None
) -> tuple[dict[str, Any], "Program"]:
    from seenn_convert.frontend.load import read_model
    from seenn_convert.passes.base import run_passes
    from seenn_convert.passes.sequence import ANN_PASSES

    source = read_model(model, input_shape, weights, output_name)
    ann = run_passes(source.program, ANN_PASSES)
    return _describe(source.name, ann, ann, {"input_shape": list(ann.input_shape), "notes": source.notes}), ann


def _inspect_artifact(path: Path, artifact: "Artifact") -> dict[str, Any]:
    from seenn_convert.analysis.coverage import policy_macs

    facts = {
        "input_shape": list(artifact.snn.input_shape),
        "timesteps": artifact.timesteps,
        "policy": artifact.policy.to_json(),
        "certificate": artifact.certificate,
        "exits_from": "calibration" if artifact.provenance.validation is None else "exit",
        "policy_macs": policy_macs(artifact.snn),
        "preprocessing": artifact.preprocessing.to_json(),
        "class_names": artifact.class_names,
        "options": artifact.provenance.options,
        "model": artifact.provenance.model,
        "notes": artifact.provenance.model.notes,
    }
    found, conversion = _describe(str(path), artifact.ann, artifact.snn, facts), artifact.report.conversion
    if conversion is None:
        return found
    tried = {} if conversion.exploration is None else {"exploration": conversion.exploration}
    return {**found, **tried, "passes": conversion.passes}


def _diagnosis(artifact: "Artifact") -> tuple[Sequence["CalibratedLayer"], bool, "Diagnosis"]:
    """Return what the calibration knows, whether an evaluation measured more, and the diagnosis of what there is."""
    from seenn_convert.artifact.schema.layers import LayerRow
    from seenn_convert.measure.calibrated import calibrated_layers
    from seenn_convert.measure.diagnosis import diagnose
    from seenn_convert.measure.remedies import Settings

    calibration, evaluation = artifact.provenance.calibration, artifact.report.evaluation
    calibrated = () if calibration is None else calibrated_layers(calibration.thresholds)
    measured = () if evaluation is None else evaluation.layers
    rows = measured or [LayerRow(name=x.name, channels=x.channels, dead_channels=x.dead_channels) for x in calibrated]
    return calibrated, bool(measured), diagnose(rows, Settings.of(artifact))


def _describe(name: str, ann: "Program", shown: "Program", facts: dict[str, Any]) -> dict[str, Any]:
    from seenn_convert.analysis.coverage import call_sites, spiking_share
    from seenn_convert.analysis.front import cuts, front_names
    from seenn_convert.ir.program import format_program
    from seenn_convert.measure.conversion import passes_of

    sites, front = call_sites(ann), front_names(ann)
    possible = [] if front else [{"activations": cut.activations, "share": cut.share} for cut in cuts(ann)]
    return {
        "name": name,
        **facts,
        "front": {"names": front, "share": sum(site.share for site in sites if site.treatment == "stem")},
        "possible_fronts": possible,
        "spiking_share": spiking_share(sites),
        "operators": sites,
        "passes": passes_of(ann),
        "program": format_program(shown),
    }


def _text(found: dict[str, Any], layers: str = "") -> str:
    sites: Sequence[CallSite] = found["operators"]
    done: Sequence[PassFacts] = found["passes"]
    rows = [("call site", "operator", "treatment", "share", "driven by", "source")]
    rows += [(s.name, s.operator, s.treatment, f"{s.share:.1%}", s.driven_by, s.source) for s in sites]
    passes = [f"  {one.name}: {one.changed} changed" for one in done]
    declined = [f"    declined {name}: {why}" for one in done for name, why in one.declined]
    facts = [
        f"{key}: {found[key]}"
        for key in ("input_shape", "timesteps", "policy", "policy_macs", "preprocessing", "options")
        if found.get(key)
    ]
    images = found.get("exits_from", "calibration")
    facts += certificate_lines(found.get("certificate"), found.get("timesteps", 0), images)
    share = f"spikes drive {found['spiking_share']:.1%} of the multiply-accumulates"
    parts = [
        found["name"],
        *facts,
        share,
        *_front_lines(found),
        *note_lines(found["notes"]),
        "",
        columns_text(rows),
        "",
    ]
    parts += [layers, ""] if layers else []
    parts += [exploration_text(found["exploration"]), ""] if "exploration" in found else []
    return "\n".join([*parts, "passes", *passes, *declined, "", found["program"]])


def _front_lines(found: dict[str, Any]) -> list[str]:
    """Return what the analog front holds, or how large it could be."""
    names, possible = found["front"]["names"], found["possible_fronts"]
    if names:
        return [f"analog front: {', '.join(names)}; {found['front']['share']:.1%} of the multiply-accumulates run once"]
    if len(possible) < 2:
        return []
    sizes = ", ".join(f"{one['activations']} ({one['share']:.0%})" for one in possible[:MOST_FRONTS])
    more = "" if len(possible) <= MOST_FRONTS else ", ..."
    return [f"possible analog fronts, activations (share of the multiply-accumulates run once): {sizes}{more}"]
