"""Train the sample network on Fashion-MNIST and write every file of the sample.

python sample/train.py --data /usr/share/datasets/fashion-mnist --output seenn_convert/sample
"""

from __future__ import annotations

import argparse
import datetime
import json
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from dataset import FILES, Split, balanced_subset, hold_out, load_split
from export import check_exports, export_onnx, export_pt2, multiply_accumulates, onnx_accuracy
from network import CLASS_NAMES, MEAN, STD, WIDTHS, SampleNetwork
from record import PACKAGE, README, digests, package_version, software_versions, write_json
from torch import nn
from training import Recipe, accuracy, train

CALIBRATION_PER_CLASS = 100
HELD_OUT = 5000
TEST_PER_CLASS = 200
ONNX_FILE = "fashion_mnist.onnx"
PT2_FILE = "fashion_mnist.pt2"
CALIBRATION_FILE = "calibration.npz"
TEST_FILE = "test.npz"
LICENSE_FILE = "LICENSE-fashion-mnist.txt"
README_FILE = "README.md"
SAMPLE = Path(__file__).parents[1] / "seenn_convert" / "sample"
NAMES_FILE = "class_names.txt"
PROVENANCE_FILE = "provenance.json"


def arguments() -> argparse.Namespace:
    """Read the command line."""
    usual = Recipe()
    parser = argparse.ArgumentParser(description="Train the sample network and write the sample's files.")
    parser.add_argument("--data", type=Path, default=Path("/usr/share/datasets/fashion-mnist"), help="IDX files")
    parser.add_argument("--output", type=Path, default=SAMPLE, help="folder to write to")
    parser.add_argument("--seed", type=int, default=usual.seed)
    parser.add_argument("--epochs", type=int, default=usual.epochs)
    parser.add_argument("--threads", type=int, default=usual.threads)
    parser.add_argument("--peak-learning-rate", type=float, default=usual.peak_learning_rate)
    parser.add_argument("--dropout", type=float, default=usual.dropout)
    parser.add_argument("--continue-from", type=Path, help="a .pt2 that an earlier run wrote")
    parser.add_argument("--precision", choices=("float32", "bfloat16"), default=usual.precision)
    return parser.parse_args()


def earlier_training(exported: Path) -> dict[str, Any] | None:
    """Return what the provenance beside an earlier run's export says of its training."""
    record = exported.parent / PROVENANCE_FILE
    return json.loads(record.read_text(encoding="utf-8"))["training"] if record.is_file() else None


def save_images(path: Path, split: Split) -> None:
    """Write `x` uint8 (N, 28, 28, 1) and `y` int64 (N,), compressed."""
    np.savez_compressed(path, x=split.images[..., None], y=split.labels)


def load_images(path: Path) -> Split:
    """Read back what `save_images` wrote."""
    with np.load(path) as arrays:
        return Split(arrays["x"][..., 0], arrays["y"])


def write_artefacts(network: SampleNetwork, held_out: Split, test_split: Split, seed: int, output: Path) -> None:
    """Write both exports, both sets of images and the data set's licence."""
    export_onnx(network, output / ONNX_FILE)
    export_pt2(network, output / PT2_FILE)
    save_images(output / CALIBRATION_FILE, balanced_subset(held_out, CALIBRATION_PER_CLASS, seed))
    save_images(output / TEST_FILE, balanced_subset(test_split, TEST_PER_CLASS, seed))
    (output / LICENSE_FILE).write_bytes((SAMPLE / LICENSE_FILE).read_bytes())
    (output / NAMES_FILE).write_text("\n".join(CLASS_NAMES) + "\n", encoding="utf-8")


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
            CALIBRATION_FILE: {
                "split": f"train, the last {HELD_OUT}, not trained on",
                "per_class": CALIBRATION_PER_CLASS,
                "seed": recipe.seed,
            },
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
        **{key: training[key] for key in ("seed", "epochs", "threads", "dropout")},
        rate=training["peak_learning_rate"],
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
    recipe = Recipe(
        seed=options.seed,
        epochs=options.epochs,
        peak_learning_rate=options.peak_learning_rate,
        precision=options.precision,
        threads=options.threads,
        dropout=options.dropout,
        continued=options.continue_from is not None,
    )
    earlier = None if options.continue_from is None else torch.export.load(options.continue_from).state_dict
    before = None if options.continue_from is None else earlier_training(options.continue_from)
    torch.set_num_threads(recipe.threads)
    options.output.mkdir(parents=True, exist_ok=True)
    train_split, held_out = hold_out(load_split(options.data, "train"), HELD_OUT)
    start = time.perf_counter()
    network = train(train_split, recipe, earlier)
    seconds = time.perf_counter() - start
    test_split = load_split(options.data, "test")
    write_artefacts(network, held_out, test_split, recipe.seed, options.output)
    record = provenance(network, test_split, recipe, seconds, options)
    record["training_before"] = before
    held = accuracy(network, held_out)
    record["results"]["held_out_accuracy"] = held
    print(f"accuracy on the {HELD_OUT:,} training images that were held out: {held:.2%}")
    (options.output / README_FILE).write_text(readme(record), encoding="utf-8")
    shipped = [ONNX_FILE, PT2_FILE, CALIBRATION_FILE, TEST_FILE, LICENSE_FILE, README_FILE, NAMES_FILE]
    record["files"] = digests(options.output, shipped)
    write_json(options.output / PROVENANCE_FILE, record)
    print(f"test accuracy {record['results']['test_accuracy']:.2%}, files in {options.output}")


if __name__ == "__main__":
    main()
