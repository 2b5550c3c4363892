"""Export networks with weights in 8 bits, and write what that does to answers, exits, size and time.

Run: ``python benchmarks/int8_exports.py NAME=MODEL ... --calibration-data DATA --test-data DATA --mean A,B,C
--std A,B,C --test-images 1300 --exit-images 300 --output benchmarks/results/int8_exports``.

Some of the test images fit the exits of both networks, the others judge. Both exports run in onnxruntime on
one thread; times are medians of the processor time of single timesteps, which alternate between the two. Then come
single layers with the integer kernels of onnxruntime.
"""

import json
import statistics
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from time import process_time
from typing import Any

import click
import measuring
import torch
from int8_kernels import kernel_rows, kernel_table
from torch import Tensor

import seenn_convert as sc
from seenn_convert.exits.thresholds import ExitTarget
from seenn_convert.exporters.network import ExportedNetwork
from seenn_convert.exporters.targets import exported_network
from seenn_convert.runtime.early_exit import ExitTrace

BATCHES, REPEATS, TOGETHER = (1, 64), 25, 64
NAMES = ("float32", "int8")
HEAD = (
    "network", "images", "accuracy: float32", "int8", "answers that differ", "exit steps that differ",
    "timesteps: float32", "int8", "MB: float32", "int8", "ms a step at 1: float32", "int8", "at 64: float32", "int8",
)  # fmt: skip


@click.command()
@click.argument("models", nargs=-1)
@click.option("--timesteps", type=int, default=8, show_default=True)
@click.option("--exit-images", type=int, default=300, show_default=True, help="Of the test images, to fit exits to.")
@click.option("--average", type=float, help="Average timesteps that exits aim for [a drop of 0.5].")
@click.option("--kernels", is_flag=True, help="Measure single layers, too.")
@measuring.data_options
@measuring.output_option
def main(models: tuple[str, ...], output: Path, kernels: bool, **given: Any) -> None:
    """Export MODELS, each as NAME=FILE, in single precision and in 8 bits."""
    torch.set_num_threads(1)
    data = output.with_suffix(".json")
    kept = json.loads(data.read_text()) if data.exists() else {"rows": [], "kernels": []}
    for name, model in measuring.named(models):
        name = name if given["average"] is None else f"{name}, {given['average']:g} timesteps asked for"
        if any(row["network"] == name for row in kept["rows"]):
            continue
        kept["rows"].append({"network": name, **_measured(model, given)})
        _save(output, kept)
    if kernels:
        kept["kernels"] = kernel_rows()
        _save(output, kept)


def _save(output: Path, kept: Mapping[str, Any]) -> None:
    text = measuring.table(HEAD, map(_cells, kept["rows"]))
    if kept["kernels"]:
        text += f"\n\n{kernel_table(kept['kernels'])}"
    measuring.save(output, {"rows": kept["rows"], "kernels": kept["kernels"]}, text)
    click.echo(text)


def _measured(model: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return how one network in 8 bits compares with the same in single precision."""
    calibration, test = measuring.open_data(dict(given))
    order = torch.randperm(len(test), generator=torch.Generator().manual_seed(0)).tolist()
    exits, judges = test.subset(order[: given["exit_images"]]), test.subset(order[given["exit_images"] :])
    target = None if given["average"] is None else ExitTarget(timesteps=given["average"])
    options = sc.Options(timesteps=given["timesteps"], calibration="fast", target=target)
    artifact = sc.recalibrate(sc.convert(model, calibration, options), exit_data=exits)
    traces: dict[str, ExitTrace] = {}
    networks: dict[str, ExportedNetwork] = {}
    found: dict[str, Any] = {"images": len(judges)}
    with tempfile.TemporaryDirectory() as place:
        for name in NAMES:
            folder = Path(place) / name
            made = sc.export(artifact, "onnx", folder, exits, images=16, precision=name)
            networks[name] = exported_network(folder)
            traces[name] = _traced(networks[name], judges)
            found[name] = {
                "accuracy": float((traces[name].predictions == judges.labels).double().mean()),
                "average_timesteps": traces[name].average_timesteps,
                "megabytes": sum(file.stat().st_size for file in folder.glob("*.onnx")) / 1e6,
                "verification": None if made.verification is None else vars(made.verification),
            }
        found["step_ms"] = _step_times(networks, next(judges.batches(max(BATCHES)))[0])
    ours, theirs = traces.values()
    return found | {
        "answers_differ": int((ours.predictions != theirs.predictions).sum()),
        "exits_differ": int((ours.exit_step != theirs.exit_step).sum()),
    }


def _traced(network: ExportedNetwork, data: sc.Dataset) -> ExitTrace:
    with torch.no_grad():
        return sc.run_early_exit(network, measuring.images_of(data, TOGETHER), TOGETHER)


def _step_times(networks: Mapping[str, ExportedNetwork], images: Tensor) -> dict[str, dict[str, float]]:
    """Return batch size -> precision -> median milliseconds of processor time of the second timestep."""
    found = {}
    for rows in BATCHES:
        calls = {name: _second_step(network, images[:rows]) for name, network in networks.items()}
        found[str(rows)] = median_ms(calls)
    return found


def median_ms(calls: Mapping[str, Callable[[], object]]) -> dict[str, float]:
    """Return the median milliseconds of processor time of each call; they alternate."""
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(REPEATS):
        for name, call in calls.items():
            start = process_time()
            call()
            seconds[name].append(process_time() - start)
    return {name: 1000 * statistics.median(times) for name, times in seconds.items()}


def _second_step(network: ExportedNetwork, images: Tensor) -> Callable[[], object]:
    drives = network.drive(images)
    *_, state = network.step(drives, network.initial_state(len(images)))
    return lambda: network.step(drives, state)


def _cells(row: Mapping[str, Any]) -> tuple[object, ...]:
    both = [row[name] for name in NAMES]
    return (
        row["network"], f"{row['images']:,}", *(f"{one['accuracy']:.2%}" for one in both), row["answers_differ"],
        row["exits_differ"], *(f"{one['average_timesteps']:.2f}" for one in both),
        *(f"{one['megabytes']:.2f}" for one in both),
        *(f"{times[name]:.2f}" for times in row["step_ms"].values() for name in NAMES),
    )  # fmt: skip


if __name__ == "__main__":
    main()
