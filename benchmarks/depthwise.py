"""Measure what each idea for networks of depthwise convolutions gives, alone and together, and write the table.

Run: ``python benchmarks/depthwise.py NAME=MODEL ... --run depthwise=graded,rule=mse:8 ...`` with the folders that
calibrate and that judge, and the preprocessing. A run lists what differs from a fast conversion with signed neurons,
8 timesteps, an analog front of no activation, thresholds at the largest activations, and no encoders; the keys are in
``PARTS``. All networks have their answers compared with the ANN's on the same images. *Divergence* is that of the
answers from the ANN's, in nats, after the best single temperature at that timestep: it tells settings apart on far
fewer images than accuracy does. Rows are kept in ``OUTPUT.json`` one by one, so an interrupted table goes on where it
stopped.
"""

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import click
import torch
from measuring import named, output_option, rows_in, save, share, table
from torch import Tensor

import seenn_convert as sc
from seenn_convert.calibration.output_error import divergence
from seenn_convert.calibration.rules import AutoRule, MaxRule, MseRule, PercentileRule, ScaledRule
from seenn_convert.cli.options import NUMBERS
from seenn_convert.data.checks import matched_classes
from seenn_convert.data.samples import Samples
from seenn_convert.exits.readouts import collect_readouts
from seenn_convert.measure.ann import run_ann
from seenn_convert.neurons.types import Group
from seenn_convert.passes.keep_front import KeepFront
from seenn_convert.runtime.memory import keep_pages

SHOWN = (2, 4, 8, 16, 32)
SHARPER = (1.0, 1.15, 1.3, 1.5, 1.75, 2.0, 2.5, 3.0, 4.0, 5.0)
"""What the logits are multiplied by to find the best temperature."""

RULES: Mapping[str, Callable[[str], Any]] = {
    "max": lambda factor: ScaledRule(MaxRule(), float(factor)) if factor else MaxRule(),
    "percentile": lambda percent: PercentileRule(float(percent)),
    "mse": lambda levels: MseRule(int(levels)),
    "auto": lambda _: AutoRule(),
}
PARTS = {
    "T": "8", "front": "0", "depthwise": "spiking", "rule": "max", "neuron": "signed", "correction": "bias",
    "encode": "never", "calibration": "fast",
}  # fmt: skip
"""Part of a run -> its value where the run does not say it. A neuron ``group:2`` may send two whole thresholds at once:
its threshold is that many times what the rule says."""


@click.command()
@click.argument("models", nargs=-1, required=True)
@click.option("--run", "runs", multiple=True, default=("",), help="KEY=VALUE,KEY=VALUE... of what differs.")
@click.option("--calibration-data", type=click.Path(path_type=Path), required=True)
@click.option("--judging-data", type=click.Path(path_type=Path), required=True)
@click.option("--calibration-images", type=int, default=64, show_default=True)
@click.option("--judging-images", type=int, default=64, show_default=True)
@click.option("--resize", type=int)
@click.option("--crop", type=int)
@click.option("--interpolation", default="bilinear", show_default=True)
@click.option("--mean", type=NUMBERS)
@click.option("--std", type=NUMBERS)
@output_option
def main(models: tuple[str, ...], runs: tuple[str, ...], output: Path, **given: Any) -> None:
    """Measure MODELS, each as NAME=FILE, in every run."""
    keep_pages()
    torch.set_num_threads(1)
    rows = rows_in(output)
    done = {(row["network"], row["run"], row["judged_on"]) for row in rows}
    for name, file in named(models):
        for run in runs:
            if (name, run, given["judging_data"].name) not in done:
                rows.append({"network": name, "run": run, **_measure(file, run, given)})
                save(output, {"rows": rows}, _table(rows))
                click.echo(_table(rows[-1:]), err=True)
    click.echo(_table(rows))


def _measure(model: str, run: str, given: dict[str, Any]) -> dict[str, Any]:
    calibration, judging = (_open(given, which) for which in ("calibration", "judging"))
    parts = PARTS | dict(part.split("=") for part in run.split(",") if part)
    start = time.process_time()
    front = [KeepFront(int(parts["front"]))] if parts["front"] != "0" else []
    artifact = sc.convert(model, calibration, _options(parts), extra_passes=front)
    seconds = time.process_time() - start
    with torch.no_grad():
        wanted = run_ann(artifact.ann, judging, 32)
        judging = matched_classes(judging, None, wanted.shape[1])
        found = collect_readouts(artifact.model(), (image for image, _ in judging.batches(16)), keep_logits=True)
    assert found.logits is not None
    conversion = artifact.report.conversion
    ticks = [t for t in SHOWN if t <= artifact.timesteps]
    return {
        "judged_on": given["judging_data"].name,
        "images": len(judging),
        "ann_accuracy": share(wanted.argmax(dim=-1), judging.labels),
        "accuracy_at": {str(t): share(found.logits[t - 1].argmax(dim=-1), judging.labels) for t in ticks},
        "agreement_at": {str(t): share(found.logits[t - 1].argmax(dim=-1), wanted.argmax(dim=-1)) for t in ticks},
        "divergence_at": {str(t): _divergence(found.logits[t - 1], wanted) for t in ticks},
        "spiking_share": conversion.spiking_share,
        "energy": vars(conversion.energy),
        "convert_processor_seconds": seconds,
    }


def _open(given: dict[str, Any], which: str) -> Samples:
    preprocessing = sc.Preprocessing(
        **{name: given[name] for name in ("resize", "crop", "interpolation", "mean", "std")}
    )
    return sc.open_dataset(given[f"{which}_data"], preprocessing).take(given[f"{which}_images"])


def _options(parts: Mapping[str, str]) -> sc.Options:
    kind, _, value = parts["rule"].partition(":")
    rule, neuron = RULES[kind](value), parts["neuron"]
    name, _, members = neuron.partition(":")
    if members:
        rule = ScaledRule(rule, float(members))
    return sc.Options(
        timesteps=int(parts["T"]),
        neuron=Group(int(members)) if members else name,
        rule=rule,
        depthwise=parts["depthwise"],  # type: ignore[arg-type]
        correction=None if parts["correction"] == "preset" else parts["correction"],  # type: ignore[arg-type]
        encode=parts["encode"],  # type: ignore[arg-type]
        calibration=parts["calibration"],  # type: ignore[arg-type]
    )


def _divergence(logits: Tensor, wanted: Tensor) -> float:
    return min(divergence(factor * logits, wanted) for factor in SHARPER)


def _table(rows: list[dict[str, Any]]) -> str:
    head = (
        "network", "what differs", *(f"divergence at t={t}" for t in SHOWN), *(f"agreement at t={t}" for t in SHOWN),
        "accuracy at T (ANN)", "driven by spikes", "energy of T timesteps, ANN = 1", "images",
    )  # fmt: skip
    return table(head, map(_cells, rows))


def _cells(row: dict[str, Any]) -> list[object]:
    last = max(row["accuracy_at"], key=int)
    return [
        row["network"], row["run"].replace(",", ", ") or "nothing",
        *(f"{row['divergence_at'][str(t)]:.3f}" if str(t) in row["divergence_at"] else "" for t in SHOWN),
        *(f"{row['agreement_at'][str(t)]:.1%}" if str(t) in row["agreement_at"] else "" for t in SHOWN),
        f"{row['accuracy_at'][last]:.1%} ({row['ann_accuracy']:.1%})", f"{row['spiking_share']:.0%}",
        f"{row['energy']['all_timesteps'] / row['energy']['ann']:.2f}", f"{row['images']} {row['judged_on']}",
    ]  # fmt: skip


if __name__ == "__main__":
    main()
