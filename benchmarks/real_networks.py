"""Convert and evaluate real networks that packages ship, as a user does, and write the table.

Run: ``python benchmarks/real_networks.py --work FOLDER --imagenet FOLDER --output benchmarks/results/real_networks``.
A run is ``NETWORK:NEURON:PRESET:T``; ``--only`` chooses some by a pattern such as ``crepe:*`` or ``*:signed:fast:8``.
``convert`` and ``evaluate`` each run in a process of their own, whose processor seconds and peak of memory are theirs.
Rows are kept in ``OUTPUT.jsonl`` one by one, so an interrupted table goes on where it stopped; remove a row to measure
it again. Nothing is chosen on the test images.
"""

import fnmatch
import itertools
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import click
import torch
from measuring import made_on, output_option, table
from shipped_networks import NETWORKS, Given, Ready, Shipped

from seenn_convert.artifact.provenance import environment

NEURONS, PRESETS, TIMESTEPS = ("signed", "multilevel"), ("fast", "balanced"), (4, 8, 16, 32)
HEAD = (
    "neurons", "preset", "T", "accuracy at T", "early exit", "average timesteps", "driven by spikes", "once per image",
    "`convert` s", "GB", "`evaluate` s", "GB",
)  # fmt: skip


@click.command()
@click.option("--work", type=click.Path(path_type=Path), required=True, help="Folder for models, data and artifacts.")
@click.option("--imagenet", type=click.Path(path_type=Path), help="Class folders 0000 to 0999; some may be missing.")
@click.option("--only", multiple=True, default=("*",), show_default=True, help="Pattern NETWORK:NEURON:PRESET:T.")
@click.option("--test-images", type=int, default=200, show_default=True, help="Images to evaluate on, at most.")
@click.option("--threads", type=int, default=1, show_default=True)
@click.option("--write", is_flag=True, help="Only write the table of what is in OUTPUT.jsonl.")
@output_option
def main(output: Path, only: tuple[str, ...], work: Path, imagenet: Path | None, write: bool, **given: int) -> None:
    """Measure the networks of shipped_networks.py."""
    torch.set_num_threads(given["threads"])
    work.mkdir(parents=True, exist_ok=True)
    lines = output.with_suffix(".jsonl")
    rows = [json.loads(line) for line in lines.read_text().splitlines()] if lines.exists() else []
    done = {row["run"] for row in rows}
    wanted = [] if write else [(network, run) for network, run in _runs(only) if run not in done]
    networks = dict.fromkeys(network for network, _ in wanted)
    ready = {network: network.made(Given(work.resolve(), imagenet)) for network in networks}
    failed: dict[str, str] = {}
    for network, run in wanted:
        try:
            rows.append(_measured(ready[network], run, work, given))
        except click.ClickException as error:  # the others are worth measuring all the same
            failed[run] = error.message
            continue
        with lines.open("a") as file:
            file.write(json.dumps(rows[-1]) + "\n")
        click.echo(json.dumps(rows[-1]), err=True)
    output.with_suffix(".md").write_text(tables(rows))
    if failed:
        raise click.ClickException("\n".join(f"{run}: {message}" for run, message in failed.items()))


def _runs(only: Sequence[str]) -> Iterator[tuple[Shipped, str]]:
    """Return an iterator over the runs that a pattern names."""
    for network, neuron, preset, timesteps in itertools.product(NETWORKS, NEURONS, PRESETS, TIMESTEPS):
        run = f"{network.name}:{neuron}:{preset}:{timesteps}"
        if any(fnmatch.fnmatchcase(run, pattern) for pattern in only):
            yield network, run


def _measured(ready: Ready, run: str, work: Path, given: dict[str, int]) -> dict[str, Any]:
    network, neuron, preset, timesteps = run.split(":")
    artifact = work / "artifacts" / run.replace(":", "_")
    artifact.parent.mkdir(exist_ok=True)
    options = [*ready.options, "--neuron", neuron, "--calibration", preset, "-T", timesteps, "-o", str(artifact)]
    data = "--calibration-data", str(ready.calibration)
    converted, convert_cost = _command(["convert", str(ready.model), *data, *options], given["threads"])
    judge = ["evaluate", str(artifact), "--data", str(ready.test), "--limit", str(given["test_images"])]
    judged, evaluate_cost = _command(judge, given["threads"])
    sites = converted["conversion"]["operators"]
    return {
        "run": run,
        "network": network,
        "neuron": neuron,
        "preset": preset,
        "timesteps": int(timesteps),
        "calibration_images": converted["conversion"]["calibration"]["images"],
        "test_images": judged["data"]["images"],
        **{key: judged[key] for key in ("ann_accuracy", "accuracy_at", "early_exit")},
        "spiking_share": converted["conversion"]["spiking_share"],
        "share_once": sum(site["share"] for site in sites if site["driven_by"] not in ("", "spikes", "graded")),
        "convert": convert_cost,
        "evaluate": evaluate_cost,
        "environment": vars(environment()),
    }


def _command(arguments: Sequence[str], threads: int) -> tuple[dict[str, Any], dict[str, float]]:
    """Return what ``seenn-convert ARGUMENTS --json`` prints, and what it cost."""
    with tempfile.TemporaryDirectory() as folder:
        cost, printed = Path(folder, "cost.json"), Path(folder, "printed.json")
        command = [sys.executable, str(Path(__file__).with_name("measured_run.py")), str(cost), *arguments, "--json"]
        limits = {"OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads)}
        with printed.open("w") as out:
            code = subprocess.run(command, stdout=out, env={**os.environ, **limits}, check=False).returncode
        if code:
            how = (
                f"failed with exit code {code}, see above"
                if code > 0
                else f"killed by signal {-code}, 9 if memory ended"
            )
            raise click.ClickException(f"seenn-convert {' '.join(arguments)}: {how}")
        return json.loads(printed.read_text()), json.loads(cost.read_text())


def tables(rows: Sequence[dict[str, Any]]) -> str:
    """Return a table for each network, with what it takes to measure it."""
    parts = [_introduction()]
    for network in NETWORKS:
        found = sorted((row for row in rows if row["network"] == network.name), key=_place)
        if found:
            parts += [_heading(network, found), table(HEAD, map(_cells, found))]
    made = dict.fromkeys(made_on(row["environment"]) for row in rows)
    return "\n\n".join([*parts, *made]) + "\n"


def _introduction() -> str:
    packages = " ".join(itertools.chain(*(network.packages for network in NETWORKS)))
    return (
        "Each row is `seenn-convert convert` with its defaults except for neurons, preset and T, and `evaluate`, each "
        "in a process of its own: *s* are processor seconds, *GB* the peak of its memory, start of Python and "
        "libraries included. Two ran at a time on two cores, sometimes beside other work, so seconds are upper bounds. "
        "*Driven by spikes* and *once per image* are shares of the multiply-accumulates. To measure again:\n\n"
        f"```sh\npip install --no-deps {packages}\npython benchmarks/real_networks.py --work FOLDER --imagenet FOLDER "
        "--output benchmarks/results/real_networks\n```\n\n"
        "`--imagenet` is a folder of class folders named by the number of the class, `0000` to `0999`, some of which "
        "may be missing, with images of 224 x 224 pixels; `--only 'crepe:*'` measures some of the rows, and those of "
        "other networks need no such folder."
    )


def _heading(network: Shipped, rows: Sequence[dict[str, Any]]) -> str:
    last = rows[-1]
    return (
        f"## {network.name}\n\n{network.what[0].upper()}{network.what[1:]}. Weights: {', '.join(network.packages)}. "
        f"Data: {network.data}; {last['calibration_images']} calibration and {last['test_images']} test images. "
        f"The ANN is right on {last['ann_accuracy']:.1%}."
    )


def _place(row: dict[str, Any]) -> tuple[int, int, int]:
    return NEURONS.index(row["neuron"]), PRESETS.index(row["preset"]), row["timesteps"]


def _cells(row: dict[str, Any]) -> list[str]:
    early, costs = row["early_exit"], (row["convert"], row["evaluate"])
    shares = (row["accuracy_at"][str(row["timesteps"])], early["accuracy"])
    return [
        row["neuron"], row["preset"], str(row["timesteps"]),
        *(f"{share:.1%}" for share in shares), f"{early['average_timesteps']:.2f}",
        *(f"{share:.0%}" for share in (row["spiking_share"], row["share_once"])),
        *itertools.chain(*((f"{cost['processor_seconds']:.0f}", f"{cost['peak_gb']:.1f}") for cost in costs)),
    ]  # fmt: skip


if __name__ == "__main__":
    main()
