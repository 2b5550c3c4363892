"""Explore settings of pretrained networks, and compare what was promised with what test images show.

Run: ``python benchmarks/explore.py NAME=MODEL ... --calibration-data DATA --test-data DATA --mean a,b,c ...``.
Every setting of the frontier, and the default one, is converted again and run with early exit on the test images;
``evaluate`` measures time and energy on some of them. Nothing is chosen on test images: with ``--validation-images N``
so many images of the test data judge the settings instead of the calibration images, and only the others test. The
minutes are of processor time, so that other work on the machine changes nothing.
"""

import math
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import measuring
import torch

import seenn_convert as sc
from seenn_convert.artifact.schema.exploration import Exploration, Trial
from seenn_convert.data.checks import matched_classes
from seenn_convert.measure.ann import run_ann
from seenn_convert.measure.intervals import NORMAL_95, points_lost
from seenn_convert.runtime.early_exit import run_early_exit
from seenn_convert.runtime.memory import keep_pages


@click.command()
@click.argument("models", nargs=-1, required=True)
@measuring.data_options
@click.option("--minutes", type=float, default=5.0, show_default=True)
@click.option("--prefer", type=click.Choice(["accuracy", "steps", "time", "energy"]))
@click.option("--validation-images", type=int, default=0, help="Of the test data.")
@click.option("--evaluated-images", type=int, default=512, show_default=True, help="Test images for time and energy.")
@click.option("--append", is_flag=True, help="Keep the rows that OUTPUT.json has.")
@measuring.output_option
def main(models: tuple[str, ...], output: Path, append: bool, **given: Any) -> None:
    """Measure MODELS, each as NAME=FILE."""
    keep_pages()
    rows = measuring.rows_in(output) if append else []
    for name, model in measuring.named(models):
        rows += _measure(name, model, given)
        click.echo(measuring.save(output, {"rows": rows}, _table(rows)))


def _measure(name: str, model: str, given: dict[str, Any]) -> list[dict[str, Any]]:
    calibration, test = measuring.open_data(given)
    validation, count = None, given["validation_images"]
    if count:
        validation = test.take(count)
        taken = set(validation.indices)
        test = test.subset([place for place, index in enumerate(test.indices) if index not in taken])
    start = time.process_time()
    kept = sc.explore(
        model, calibration, minutes=given["minutes"], prefer=given["prefer"], exit_data=validation,
        clock=time.process_time,
    )  # fmt: skip
    seconds = time.process_time() - start
    found = _exploration(kept)
    default = [trial for trial in found.trials if trial.options == found.default]
    trials = {trial.options: trial for trial in (*found.frontier, *default)}
    judged = f"{found.frontier[0].images} {'new' if count else 'calibration'}"
    return [
        {"network": name, "judged_on": judged, "kept": options == found.kept, "default": options == found.default,
         "settings_tried": len(found.trials), "explore_seconds": seconds,
         "good_for": list(found.good_for.get(options, {})), "minutes": given["minutes"],
         "left_out": dict(found.left_out), "ann_milliseconds": found.ann_milliseconds,
         **_compared(trial, kept if options == found.kept else _again(trial, model, calibration, validation), test,
                     given["evaluated_images"])}
        for options, trial in trials.items()
    ]  # fmt: skip


def _exploration(artifact: sc.Artifact) -> Exploration:
    conversion = artifact.report.conversion
    assert conversion is not None and conversion.exploration is not None
    return conversion.exploration


def _again(trial: Trial, model: str, calibration: sc.Dataset, validation: sc.Dataset | None) -> sc.Artifact:
    options = replace(
        sc.Options(),
        neuron=trial.neuron,
        timesteps=trial.timesteps,
        calibration=trial.calibration,  # type: ignore[arg-type]
        front=trial.front,
    )
    return sc.convert(model, calibration, options, exit_data=validation)


def _compared(trial: Trial, artifact: sc.Artifact, test: sc.Dataset, evaluated: int) -> dict[str, Any]:
    """Return what was promised of a setting, and what the test images show, each with half of its 95 % interval."""
    evaluation = sc.evaluate(artifact, test.take(evaluated))
    with torch.no_grad():
        logits = run_ann(artifact.ann, test, 32)
        test = matched_classes(test, None, logits.shape[1])
        ann = logits.argmax(dim=-1)
        trace = run_early_exit(artifact.model(), measuring.images_of(test, 32), 32)
    lost, lost_half = points_lost(ann == test.labels, trace.predictions == test.labels)
    steps = trace.exit_step.double()
    steps_half = NORMAL_95 * float(steps.std()) * math.sqrt(1 / len(steps) + 1 / trial.images)
    return {
        "options": trial.options,
        "promised": {
            "points_lost": trial.expected_drop, "half": NORMAL_95 * trial.drop_error,
            "timesteps": trial.average_timesteps, "milliseconds": trial.milliseconds,
            "nanojoule": trial.nanojoule,
        },
        "test": {
            "points_lost": lost, "half": lost_half, "timesteps": float(steps.mean()), "timesteps_half": steps_half,
            "accuracy": measuring.share(trace.predictions, test.labels), "images": len(test),
            "milliseconds": evaluation.milliseconds_per_image.early_exit,
            "ann_milliseconds": evaluation.milliseconds_per_image.ann,
            "nanojoule": evaluation.energy.nanojoule_per_image.early_exit,
        },
    }  # fmt: skip


def _table(rows: list[dict[str, Any]]) -> str:
    head = ("network", "judged on", "setting", "expected loss", "loss on test images", "timesteps", "on test images",
            "time, of the ANN's", "by evaluate", "µJ per image", "by evaluate", "loss and timesteps agree")  # fmt: skip
    return measuring.table(head, map(_cells, rows))


def _cells(row: dict[str, Any]) -> list[object]:
    promised, test = row["promised"], row["test"]
    marks = [word for word in ("kept", "default") if row[word]]
    setting = row["options"] + (f" ({', '.join(marks)})" if marks else "")
    return [
        row["network"], row["judged_on"], setting,
        f"{promised['points_lost']:.2f} ± {promised['half']:.2f}", f"{test['points_lost']:.2f} ± {test['half']:.2f}",
        f"{promised['timesteps']:.2f}", f"{test['timesteps']:.2f} ± {test['timesteps_half']:.2f}",
        f"{promised['milliseconds'] / row['ann_milliseconds']:.2f}",
        f"{test['milliseconds'] / test['ann_milliseconds']:.2f}",
        f"{promised['nanojoule'] / 1000:.1f}", f"{test['nanojoule'] / 1000:.1f}", _agreement(promised, test),
    ]  # fmt: skip


def _agreement(promised: Mapping[str, float], test: Mapping[str, float]) -> str:
    """Return whether loss and timesteps on test images are what was promised, within both intervals together."""
    loss = abs(test["points_lost"] - promised["points_lost"]) <= math.hypot(test["half"], promised["half"])
    steps = abs(test["timesteps"] - promised["timesteps"]) <= test["timesteps_half"]
    return {(True, True): "yes", (False, True): "not the loss", (True, False): "not the timesteps"}.get(
        (loss, steps), "no"
    )


if __name__ == "__main__":
    main()
