"""What the benchmarks share: options that name data, accuracies, readouts that are kept, tables and their files."""

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click
import torch
from torch import Tensor

import seenn_convert as sc
from seenn_convert.artifact.provenance import environment
from seenn_convert.cli.options import NUMBERS
from seenn_convert.exits.readouts import collect_readouts
from seenn_convert.measure.ann import run_ann

F = TypeVar("F", bound=Callable[..., Any])

output_option = click.option("--output", type=click.Path(path_type=Path), required=True, help="Without ending.")


def data_options(function: F) -> F:
    """Add the options that say which images calibrate and which test."""
    for option in (
        click.option("--std", type=NUMBERS),
        click.option("--mean", type=NUMBERS),
        click.option("--test-images", type=int, default=5000, show_default=True),
        click.option("--test-data", type=click.Path(path_type=Path), required=True),
        click.option("--calibration-images", type=int, default=1000, show_default=True),
        click.option("--calibration-data", type=click.Path(path_type=Path), required=True),
    ):
        function = option(function)
    return function


def open_data(given: dict[str, Any]) -> tuple[sc.Dataset, sc.Dataset]:
    """Return calibration and test images as ``data_options`` name them."""
    preprocessing = sc.Preprocessing(mean=given["mean"], std=given["std"])
    calibration = sc.open_dataset(given["calibration_data"], preprocessing).take(given["calibration_images"])
    return calibration, sc.open_dataset(given["test_data"], preprocessing).take(given["test_images"])


def named(arguments: Iterable[str]) -> list[tuple[str, str]]:
    """Return the parts of arguments ``NAME=FILE``."""
    return [(name, file) for name, file in (argument.split("=", 1) for argument in arguments)]


def images_of(data: sc.Dataset, batch_size: int = 256) -> Iterator[Tensor]:
    """Return an iterator over batches of images."""
    return (image for image, _ in data.batches(batch_size))


def share(answers: Tensor, truth: Tensor | None) -> float:
    """Return the share of ``answers`` ``(N,)`` that are right."""
    assert truth is not None
    return float((answers == truth).double().mean())


def accuracies(artifact: sc.Artifact, test: sc.Dataset, predictions: Tensor) -> dict[str, Any]:
    """Return the accuracy of the ANN and, with ``predictions`` ``(T, N)``, at every timestep."""
    with torch.no_grad():
        ann = run_ann(artifact.ann, test, 256).argmax(dim=-1)
    return {
        "ann_accuracy": share(ann, test.labels),
        "accuracy_at": {str(t): share(found, test.labels) for t, found in enumerate(predictions, 1)},
    }


def outputs(artifact: sc.Artifact, data: sc.Dataset) -> dict[str, Any]:
    """Return mean logits ``(T, N, K)``, the ANN's ``(N, K)``, and labels ``(N,)``."""
    with torch.no_grad():
        logits = collect_readouts(artifact.model(), images_of(data), keep_logits=True).logits
        return {"logits": logits, "ann": run_ann(artifact.ann, data, 256), "labels": data.labels}


def kept(folder: Path | None, name: str, make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Return what ``make`` returns, from the file that keeps it where there is one."""
    file = None if folder is None else folder / f"{name}.pt"
    if file is not None and file.exists():
        found: dict[str, Any] = torch.load(file, weights_only=True)
        return found
    made = make()
    if file is not None:
        file.parent.mkdir(parents=True, exist_ok=True)
        torch.save(made, file)
    return made


def points_lost(row: dict[str, Any], timesteps: Sequence[int], digits: int = 2) -> list[str]:
    """Return the points below the ANN at each of ``timesteps``, empty where the run is shorter."""
    at = [row["accuracy_at"].get(str(t)) for t in timesteps]
    return ["" if found is None else f"{100 * (row['ann_accuracy'] - found):.{digits}f}" for found in at]


def table(head: Sequence[str], rows: Iterable[Sequence[object]], rule: str = "---") -> str:
    """Return a table in Markdown."""
    lines = [f"| {' | '.join(map(str, cells))} |" for cells in (head, *rows)]
    return "\n".join([lines[0], f"|{'|'.join([rule] * len(head))}|", *lines[1:]])


def rows_in(output: Path) -> list[dict[str, Any]]:
    """Return the rows that were saved before."""
    target = output.with_suffix(".json")
    rows: list[dict[str, Any]] = json.loads(target.read_text())["rows"] if target.exists() else []
    return rows


def save(output: Path, data: dict[str, Any], text: str) -> str:
    """Write ``data`` as JSON and ``text``, which tells it, as Markdown, with machine and command; return the text."""
    where = vars(environment())
    data = {**data, "environment": where, "command": " ".join(Path(part).name for part in sys.argv)}
    text = f"{text}\n\n{made_on(where)}\n"
    output.with_suffix(".json").write_text(json.dumps(data, indent=1) + "\n")
    output.with_suffix(".md").write_text(text)
    return text


def made_on(environment: dict[str, Any]) -> str:
    """Return date, machine and versions as a sentence."""
    versions = ", ".join(f"{name} {version}" for name, version in environment["versions"].items())
    return f"{environment['date']}, {environment['machine']}; {versions}."
