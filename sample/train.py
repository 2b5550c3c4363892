"""Train the sample network on Fashion-MNIST and write every file of the sample.

python sample/train.py --data /usr/share/datasets/fashion-mnist --output sample
"""

from __future__ import annotations

import argparse
import datetime
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from dataset import FILES, Split, balanced_subset, load_split
from export import check_exports, export_onnx, export_pt2, multiply_accumulates, onnx_accuracy
from network import MEAN, STD, WIDTHS, SampleNetwork
from record import LICENSE, PACKAGE, README, digests, package_version, software_versions, write_json
from torch import nn
from training import Recipe, accuracy, train

CALIBRATION_PER_CLASS = 100
TEST_PER_CLASS = 200
ONNX_FILE = "fashion_mnist.onnx"
PT2_FILE = "fashion_mnist.pt2"
CALIBRATION_FILE = "calibration.npz"
TEST_FILE = "test.npz"
LICENSE_FILE = "LICENSE-fashion-mnist.txt"
README_FILE = "README.md"
PROVENANCE_FILE = "provenance.json"


def arguments() -> argparse.Namespace:
    """Read the command line."""
    usual = Recipe()
    parser = argparse.ArgumentParser(description="Train the sample network and write the sample's files.")
    parser.add_argument("--data", type=Path, default=Path("/usr/share/datasets/fashion-mnist"), help="IDX files")
    parser.add_argument("--output", type=Path, default=Path(__file__).parent, help="folder to write to")
    parser.add_argument("--seed", type=int, default=usual.seed)
    parser.add_argument("--epochs", type=int, default=usual.epochs)
    parser.add_argument("--threads", type=int, default=usual.threads)
    parser.add_argument("--precision", choices=("float32", "bfloat16"), default=usual.precision)
    return parser.parse_args()


def save_images(path: Path, split: Split) -> None:
    """Write `x` uint8 (N, 28, 28, 1) and `y` int64 (N,), compressed."""
    np.savez_compressed(path, x=split.images[..., None], y=split.labels)


def load_images(path: Path) -> Split:
    """Read back what `save_images` wrote."""
    with np.load(path) as arrays:
        return Split(arrays["x"][..., 0], arrays["y"])


def write_artefacts(network: SampleNetwork, train_split: Split, test_split: Split, seed: int, output: Path) -> None:
    """Write both exports, both sets of images and the data set's licence."""
    export_onnx(network, output / ONNX_FILE)
    export_pt2(network, output / PT2_FILE)
    save_images(output / CALIBRATION_FILE, balanced_subset(train_split, CALIBRATION_PER_CLASS, seed))
    save_images(output / TEST_FILE, balanced_subset(test_split, TEST_PER_CLASS, seed))
    (output / LICENSE_FILE).write_text(LICENSE, encoding="utf-8")


def results(network: SampleNetwork, test_split: Split, output: Path) -> dict[str, Any]:
    """Accuracy of the network and of the written files, and how closely the exports agree."""
    shipped = load_images(output / TEST_FILE)
    return {
        "test_images": len(test_split.labels),
        "test_accuracy": accuracy(network, test_split),
        "subset_images": len(shipped.labels),
        "subset_accuracy": accuracy(network, shipped),
        "subset_accuracy_onnxruntime": onnx_accuracy(output / ONNX_FILE, shipped),
        "largest_logit_difference": check_exports(network, shipped, output / ONNX_FILE, output / PT2_FILE),
    }


def network_facts(network: SampleNetwork) -> dict[str, Any]:
    """Size and cost of the network, for one image of 28 x 28 pixels."""
    return {
        "widths": list(WIDTHS),
        "parameters": sum(p.numel() for p in network.parameters()),
        "multiply_accumulates": multiply_accumulates(network),
        "relu_layers": sum(isinstance(m, nn.ReLU) for m in network.modules()),
    }


def provenance(
    network: SampleNetwork, test_split: Split, recipe: Recipe, seconds: float, options: argparse.Namespace
) -> dict[str, Any]:
    """Everything that provenance.json says, apart from the digests of the shipped files."""
    source_files = [name for names in FILES.values() for name in names]
    return {
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "source": {
            "name": "Fashion-MNIST",
            "author": "Zalando Research",
            "homepage": "https://github.com/zalandoresearch/fashion-mnist",
            "licence": "MIT",
            "debian_package": PACKAGE,
            "debian_package_version": package_version(),
            "files": digests(options.data, source_files),
        },
        "input": {"mean": MEAN, "std": STD, "scale": "pixels / 255"},
        "images": {
            CALIBRATION_FILE: {"split": "train", "per_class": CALIBRATION_PER_CLASS, "seed": recipe.seed},
            TEST_FILE: {"split": "test", "per_class": TEST_PER_CLASS, "seed": recipe.seed},
        },
        "network": network_facts(network),
        "training": {**asdict(recipe), "seconds": round(seconds, 1)},
        "results": results(network, test_split, options.output),
        "versions": software_versions(),
    }


def readme(record: dict[str, Any]) -> str:
    """The README with the record's figures filled in."""
    found, facts, training = record["results"], record["network"], record["training"]
    return README.format(
        **{key: found[key] for key in ("test_images", "test_accuracy", "subset_images", "subset_accuracy")},
        **{key: training[key] for key in ("seed", "epochs", "threads")},
        parameters=facts["parameters"],
        macs=facts["multiply_accumulates"],
        relus=facts["relu_layers"],
        widths=facts["widths"],
        minutes=training["seconds"] / 60,
        date=record["date"],
        calibration_images=CALIBRATION_PER_CLASS * 10,
        calibration_per_class=CALIBRATION_PER_CLASS,
        test_per_class=TEST_PER_CLASS,
        mean=f"{MEAN:.4f}",
        std=f"{STD:.4f}",
        package=PACKAGE,
        package_version=record["source"]["debian_package_version"],
    )


def main() -> None:
    """Train, export, choose the images, check and record."""
    options = arguments()
    recipe = Recipe(seed=options.seed, epochs=options.epochs, threads=options.threads, precision=options.precision)
    torch.set_num_threads(recipe.threads)
    options.output.mkdir(parents=True, exist_ok=True)
    train_split = load_split(options.data, "train")
    start = time.perf_counter()
    network = train(train_split, recipe)
    seconds = time.perf_counter() - start
    test_split = load_split(options.data, "test")
    write_artefacts(network, train_split, test_split, recipe.seed, options.output)
    record = provenance(network, test_split, recipe, seconds, options)
    (options.output / README_FILE).write_text(readme(record), encoding="utf-8")
    shipped = [ONNX_FILE, PT2_FILE, CALIBRATION_FILE, TEST_FILE, LICENSE_FILE, README_FILE]
    record["files"] = digests(options.output, shipped)
    write_json(options.output / PROVENANCE_FILE, record)
    print(f"test accuracy {record['results']['test_accuracy']:.2%}, files in {options.output}")


if __name__ == "__main__":
    main()
