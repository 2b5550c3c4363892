"""What the benchmarks share: the options that name data, accuracies, and the line that says where figures come from."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click
import torch
from torch import Tensor

import seenn_convert as sc
from seenn_convert.cli.options import NUMBERS

F = TypeVar("F", bound=Callable[..., Any])


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


def accuracy(predictions: Tensor, test: sc.Dataset) -> float:
    """Return the share of ``predictions`` ``(N,)`` that are right."""
    assert test.labels is not None
    return float((predictions == torch.as_tensor(test.labels)).double().mean())


def accuracies(artifact: sc.Artifact, test: sc.Dataset, predictions: Tensor) -> dict[str, Any]:
    """Return the accuracy of the ANN and, with ``predictions`` ``(T, N)``, at every timestep."""
    with torch.no_grad():
        ann = torch.cat([artifact.ann(image).argmax(dim=-1) for image, _ in test.batches(256)])
    return {
        "ann_accuracy": accuracy(ann, test),
        "accuracy_at": {str(t): accuracy(found, test) for t, found in enumerate(predictions, 1)},
    }


def points_lost(row: dict[str, Any], timesteps: tuple[int, ...]) -> list[str]:
    """Return the points below the ANN at each of ``timesteps``, empty where the run is shorter."""
    at = [row["accuracy_at"].get(str(t)) for t in timesteps]
    return ["" if found is None else f"{100 * (row['ann_accuracy'] - found):.2f}" for found in at]


def made_on(environment: dict[str, Any]) -> str:
    """Return date, machine and versions as a sentence."""
    versions = ", ".join(f"{name} {version}" for name, version in environment["versions"].items())
    return f"{environment['date']}, {environment['machine']}; {versions}."
