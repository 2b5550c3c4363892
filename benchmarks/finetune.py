"""Fine-tune converted networks on their training images, and write how far they stay below the ANN on test images.

Run: ``python benchmarks/finetune.py NAME=MODEL ... --run signed --run multilevel --training-data DATA --test-data DATA
--mean A,B,C --std A,B,C --minutes 90 --output benchmarks/results/finetune``.

Each network is converted with each type of neurons and fine-tuned, and both are judged on the same test images. Some of
the training images train nothing: they say which state is kept, and fit the exits; with ``--exit-images`` so many of
the test images do that, and then judge nothing. A run is ``NEURON``, ``NEURON:OBJECTIVE`` or
``NEURON:OBJECTIVE:QUANTISED_SHARE``. Rows are kept one by one,
and a training that was cut off goes on. The minutes are of the clock, with ``--threads`` threads.
"""

import math
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import measuring
import torch

import seenn_convert as sc
from seenn_convert.exits.readouts import collect_readouts
from seenn_convert.measure.ann import run_ann
from seenn_convert.measure.intervals import points_lost
from seenn_convert.runtime.memory import keep_pages
from seenn_convert.runtime.policies import exit_steps
from seenn_convert.workflows.convert.options import options_from_json

SHOWN = (1, 2, 4)
CURVES = (
    "In the course of the training, on the images that say which state is kept: accuracy after "
    f"{', '.join(map(str, SHOWN[:-1]))} and {SHOWN[-1]} timesteps."
)


@click.command()
@click.argument("models", nargs=-1, required=True)
@click.option(
    "--run",
    "runs",
    multiple=True,
    default=("signed",),
    show_default=True,
    help="NEURON, NEURON:OBJECTIVE or NEURON:OBJECTIVE:QUANTISED_SHARE.",
)
@click.option("--training-data", type=click.Path(path_type=Path), required=True)
@click.option("--test-data", type=click.Path(path_type=Path), required=True)
@click.option("--test-images", type=int, default=5000, show_default=True)
@click.option("--exit-images", type=int, default=0, help="Of the test images: they fit the exits and judge nothing.")
@click.option("--mean", type=measuring.NUMBERS)
@click.option("--std", type=measuring.NUMBERS)
@click.option("--timesteps", type=int, default=4, show_default=True)
@click.option("--minutes", type=float, default=90.0, show_default=True)
@click.option("--epochs", type=float, help="How often each image serves, instead of a time.")
@click.option("--no-labels", is_flag=True)
@click.option("--precision", type=click.Choice(["float32", "bfloat16"]), default="float32", show_default=True)
@click.option("--drop", "drops", type=float, multiple=True, default=(0.5,), show_default=True,
              help="Exits are fitted for at most so many points below the ANN.")  # fmt: skip
@click.option("--threads", type=int, default=2, show_default=True)
@click.option("--work", type=click.Path(path_type=Path), required=True, help="Folder for artifacts.")
@measuring.output_option
def main(models: tuple[str, ...], runs: tuple[str, ...], output: Path, **given: Any) -> None:
    """Fine-tune MODELS, each as NAME=FILE, in every run."""
    keep_pages()
    torch.set_num_threads(given["threads"])
    given["work"].mkdir(parents=True, exist_ok=True)
    rows = measuring.rows_in(output)
    for name, model in measuring.named(models):
        for run in runs:
            key = {"network": name, "run": run, "labels": not given["no_labels"], "length": _length(given)}
            if not any(all(row[word] == value for word, value in key.items()) for row in rows):
                rows.append({**key, **_measured(name, model, run, given)})
                measuring.save(output, {"rows": rows}, f"{_table(rows)}\n\n{CURVES}\n\n{_curves(rows)}")
                click.echo(_table(rows[-1:]))
    click.echo(_table(rows))


def _measured(name: str, model: str, run: str, given: dict[str, Any]) -> dict[str, Any]:
    neuron, objective, quantised = (*run.split(":"), "", "")[:3]
    preprocessing = sc.Preprocessing(mean=given["mean"], std=given["std"])
    training, test = (sc.open_dataset(given[f"{which}_data"], preprocessing) for which in ("training", "test"))
    exits, test = _divided(test.take(given["test_images"]), given["exit_images"])
    options = sc.FinetuneOptions(
        minutes=given["minutes"],
        epochs=given["epochs"],
        use_labels=not given["no_labels"],
        objective=objective or "prefixes",  # type: ignore[arg-type]
        quantised_share=float(quantised) if quantised else sc.FinetuneOptions().quantised_share,
        precision=given["precision"],
    )
    start = time.perf_counter()
    converted = sc.convert(model, training, sc.Options(timesteps=given["timesteps"], neuron=neuron), exit_data=exits)
    seconds = time.perf_counter() - start
    labelled = "" if not given["no_labels"] else "-unlabelled"
    state = given["work"] / f"{name}-{run.replace(':', '-')}-{_length(given)}{labelled}.training.pt".replace(" ", "-")
    processor, begun = time.process_time(), not state.exists()
    tuned = sc.finetune(converted, training, options, exit_data=exits, state=state)
    tuned.save(given["work"] / state.name.removesuffix(".training.pt"))
    state.unlink(missing_ok=True)
    conversion = tuned.report.conversion
    assert conversion is not None and conversion.finetuning is not None
    return {
        "timesteps": given["timesteps"],
        "convert_seconds": seconds,
        "processor_minutes": (time.process_time() - processor) / 60 if begun else None,
        "trained_minutes": conversion.finetuning.minutes,
        "updates": conversion.finetuning.updates,
        "images_trained": conversion.finetuning.updates * conversion.finetuning.batch_size,
        "looks": [
            [look.update * conversion.finetuning.batch_size, *look.accuracy_at] for look in conversion.finetuning.looks
        ],
        "threads": given["threads"],
        "precision": given["precision"],
        "quantised_updates": conversion.finetuning.quantised_updates,
        "before": _judged(converted, exits, test, given["drops"]),
        "after": _judged(tuned, exits, test, given["drops"]),
        "test_images": len(test),
    }


def _length(given: dict[str, Any]) -> str:
    return f"{given['minutes']:g} minutes" if given["epochs"] is None else f"{given['epochs']:g} epochs"


def _divided(test: sc.Dataset, count: int) -> tuple[sc.Dataset | None, sc.Dataset]:
    """Return images that fit the exits, None if there are none, and those that judge."""
    if count == 0:
        return None, test
    exits = test.take(count, seed=1)
    taken = set(exits.indices)
    return exits, test.subset([place for place, index in enumerate(test.indices) if index not in taken])


def _judged(
    artifact: sc.Artifact, exits: sc.Dataset | None, test: sc.Dataset, drops: tuple[float, ...]
) -> dict[str, Any]:
    """Return points below the ANN at each timestep, and with exits fitted for each of the ``drops``.

    With exit images exits are fitted again to these; else they stay as they are, which is for the first of the drops.
    """
    seen, lost_at, early = None, {}, {}
    for drop in drops if exits is not None else drops[:1]:
        fitted = artifact
        if exits is not None:
            options = replace(options_from_json(artifact.provenance.options), target=sc.ExitTarget(drop=drop))
            fitted = sc.recalibrate(artifact, options=options, exit_data=exits)
        with torch.no_grad():
            ann_logits = run_ann(fitted.ann, test, 256) if seen is None else seen.ann_logits
            images = (image for image, _ in test.batches(128))
            seen = collect_readouts(fitted.model(), images, ann_logits, test.labels)
        ann = seen.ann_answers == test.labels
        steps = exit_steps(fitted.policy, seen.scores, None)
        lost, half = points_lost(ann, seen.answers(steps) == test.labels)
        early[str(drop)] = {"lost": lost, "half": half, "timesteps": float(steps.double().mean())}
        lost_at = {str(t): points_lost(ann, seen.right[t - 1])[0] for t in SHOWN if t <= seen.timesteps}
    return {"ann_accuracy": float(ann.double().mean()), "lost_at": lost_at, "early_exit": early}


def _table(rows: list[dict[str, Any]]) -> str:
    drops = sorted({drop for row in rows for drop in row["after"]["early_exit"]}, key=float)
    head = (
        "network", "run", "labels", "minutes of one core", "images trained", "ANN", "",
        *(f"points lost at t={t}" for t in SHOWN),
        *(f"exits for at most {drop} points: points lost, timesteps" for drop in drops),
    )  # fmt: skip
    return measuring.table(head, [_cells(row, when, drops) for row in rows for when in ("before", "after")])


def _cells(row: dict[str, Any], when: str, drops: list[str]) -> list[object]:
    found, early = row[when], row[when]["early_exit"]
    return [
        row["network"], row["run"], "yes" if row["labels"] else "no",
        "-" if row["processor_minutes"] is None else f"{row['processor_minutes']:.0f}",
        f"{row['images_trained']:,}", f"{found['ann_accuracy']:.1%}", when,
        *(f"{found['lost_at'].get(str(t), math.nan):.2f}" for t in SHOWN),
        *(f"{early[drop]['lost']:.2f} ± {early[drop]['half']:.2f}, {early[drop]['timesteps']:.2f}"
          if drop in early else "-" for drop in drops),
    ]  # fmt: skip


def _curves(rows: list[dict[str, Any]]) -> str:
    cells = [
        [row["network"], row["run"], "yes" if row["labels"] else "no", f"{images:,}",
         *(f"{accuracy[t - 1]:.1%}" for t in SHOWN if t <= len(accuracy))]
        for row in rows
        for images, *accuracy in row["looks"]
    ]  # fmt: skip
    return measuring.table(("network", "run", "labels", "images", *(f"t={t}" for t in SHOWN)), cells)


if __name__ == "__main__":
    main()
