"""Export networks with every neuron type, and write how their ONNX files compare with PyTorch.

Run: ``python benchmarks/exports.py NAME=MODEL ... --calibration-data DATA --test-data DATA --mean A,B,C --std A,B,C
--test-images 1000 --output benchmarks/results/exports``.

Each network is converted with each neuron type, exported to ``onnx`` and ``onnx-loop``, and run on test images.
The times are medians of the processor time of single timesteps, which alternate between the two runtimes, on one
thread. Rows are kept one by one.
"""

import statistics
import tempfile
from collections.abc import Callable
from pathlib import Path
from time import process_time
from typing import Any

import click
import measuring
import torch
from torch import Tensor

import seenn_convert as sc
from seenn_convert.choices import NEURON_NAMES
from seenn_convert.exporters.network import ExportedNetwork
from seenn_convert.exporters.targets import exported_network
from seenn_convert.runtime.memory import keep_pages
from seenn_convert.runtime.spiking_model import SpikingModel

BATCHES, REPEATS = (1, 64), 15
LOOP_IMAGES = 200
"""Images that the single file is run on at most."""
HEAD = (
    "network", "neurons", "images", "answers that differ", "exits that differ", "the same by rounding alone",
    "largest error", "rows that flipped", f"loop ({LOOP_IMAGES} images): answers, exits", "onnx, MB", "loop, MB",
    "ms a step at 1: PyTorch", "onnxruntime", "at 64: PyTorch", "onnxruntime",
)  # fmt: skip


@click.command()
@click.argument("models", nargs=-1, required=True)
@click.option("--neuron", "neurons", multiple=True, type=click.Choice(NEURON_NAMES), default=NEURON_NAMES)
@click.option("--timesteps", type=int, default=8, show_default=True)
@measuring.data_options
@measuring.output_option
def main(models: tuple[str, ...], neurons: tuple[str, ...], output: Path, **given: Any) -> None:
    """Export MODELS, each as NAME=FILE, with every type of neurons."""
    keep_pages()
    torch.set_num_threads(1)
    calibration, test = measuring.open_data(given)
    rows = measuring.rows_in(output)
    for name, model in measuring.named(models):
        for neuron in neurons:
            key = {"network": name, "neuron": neuron, "timesteps": given["timesteps"]}
            if any(all(row[word] == value for word, value in key.items()) for row in rows):
                continue
            options = sc.Options(timesteps=given["timesteps"], neuron=neuron, calibration="fast")
            rows.append({**key, **_measured(sc.convert(model, calibration, options), test)})
            measuring.save(output, {"rows": rows}, _table(rows))
            click.echo(_table(rows[-1:]))


def _measured(artifact: sc.Artifact, test: sc.Dataset) -> dict[str, Any]:
    """Return how the exports of one network compare, and what they take."""
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as place:
        for target, images in (("onnx", len(test)), ("onnx-loop", LOOP_IMAGES)):
            folder = Path(place) / target
            made = sc.export(artifact, target, folder, test, images=images)
            assert made.verification is not None
            found[target] = {
                "verification": vars(made.verification),
                "megabytes": sum(file.stat().st_size for file in folder.glob("*.onnx")) / 1e6,
            }
        batch = next(test.batches(max(BATCHES)))[0]
        found["step_ms"] = _step_times(artifact.model(), exported_network(Path(place) / "onnx"), batch)
    return found


@torch.inference_mode()
def _step_times(model: SpikingModel, network: ExportedNetwork, images: Tensor) -> dict[str, dict[str, float]]:
    """Return batch size -> runtime -> median milliseconds of processor time of the second timestep."""
    found = {}
    for rows in BATCHES:
        calls = {"eager": _second_step(model, images[:rows]), "onnxruntime": _second_step(network, images[:rows])}
        seconds: dict[str, list[float]] = {name: [] for name in calls}
        for _ in range(REPEATS):
            for name, call in calls.items():
                start = process_time()
                call()
                seconds[name].append(process_time() - start)
        found[str(rows)] = {name: 1000 * statistics.median(times) for name, times in seconds.items()}
    return found


def _second_step(model: SpikingModel | ExportedNetwork, images: Tensor) -> Callable[[], object]:
    drives = model.drive(images)
    *_, state = model.step(drives, model.initial_state(len(images)))
    return lambda: model.step(drives, state)


def _table(rows: list[dict[str, Any]]) -> str:
    lines = []
    for row in rows:
        seen, loop, times = row["onnx"]["verification"], row["onnx-loop"]["verification"], row["step_ms"]
        rounding = f"{seen['answers_differ_by_rounding']}, {seen['exits_differ_by_rounding']}"
        lines.append((
            row["network"], row["neuron"], f"{seen['images']:,}", seen["answers_differ"], seen["exits_differ"],
            rounding, f"{seen['largest_error']:.1e}", f"{seen['flipped_rows']} of {seen['compared_rows']}",
            f"{loop['answers_differ']}, {loop['exits_differ']}",
            f"{row['onnx']['megabytes']:.2f}", f"{row['onnx-loop']['megabytes']:.2f}",
            *(f"{times[batch][name]:.2f}" for batch in times for name in ("eager", "onnxruntime")),
        ))  # fmt: skip
    return measuring.table(HEAD, lines)


if __name__ == "__main__":
    main()
