"""Export many architectures to ONNX, run each export beside its network, and ask every chip whether the network fits.

Run: ``python benchmarks/zoo_exports.py --models FILE.py --output benchmarks/results/zoo_exports``. ``FILE.py`` is that
of ``zoo.py``. Each network is converted on its own batch with ``--calibration fast`` and few timesteps, the smallest
first, in a process of its own whose processor time is limited. Results are kept in ``OUTPUT.jsonl`` line by line, so an
interrupted run goes on where it stopped.
"""

import json
import multiprocessing
import resource
import tempfile
from collections import Counter
from collections.abc import Mapping
from multiprocessing.connection import Connection
from pathlib import Path
from time import process_time
from typing import Any

import click
import torch
from measuring import made_on, output_option, table
from zoo import built, loaded

import seenn_convert as sc
from seenn_convert.artifact.provenance import environment
from seenn_convert.choices import CHECK_TARGET_NAMES
from seenn_convert.errors import SeennConvertError
from seenn_convert.exporters.check.judge import judge
from seenn_convert.exporters.check.reading import network_of_artifact
from seenn_convert.exporters.check.target import read_target
from seenn_convert.exporters.onnx.split import OnnxExporter

TIMESTEPS = 4
HEAD = ("network", "M parameters", "nodes", "answers that differ", "exits that differ",
        "the same by rounding alone", "largest error", "rows that flipped", "MB")  # fmt: skip
CHECK_HEAD = ("target", "fit", "raised", "nodes that fit, median")


@click.command()
@click.option("--models", type=click.Path(path_type=Path), required=True, help="File with names() and build(name).")
@output_option
@click.option("--only", multiple=True, help="Names; all where none is given.")
@click.option("--again", is_flag=True, help="Run those again that have failed.")
@click.option("--minutes", type=float, default=40.0, show_default=True, help="Processor time for all.")
@click.option("--seconds", type=int, default=60, show_default=True, help="Processor time for one at most.")
@click.option("--write", is_flag=True, help="Only write the table of what is in OUTPUT.jsonl.")
def main(models: Path, output: Path, only: tuple[str, ...], again: bool, minutes: float, seconds: int,
         write: bool) -> None:  # fmt: skip
    """Export the networks that FILE.py builds, the smallest first."""
    zoo, lines = loaded(models), output.with_suffix(".jsonl")
    rows = [json.loads(line) for line in lines.read_text().splitlines()] if lines.exists() else []
    if again:
        rows = [row for row in rows if "failed" not in row and row["network"] not in only]
    done = {row["network"] for row in rows}
    left = [name for name in _by_size(only or zoo.names(), output.with_name("zoo.jsonl")) if name not in done]
    start = _children_seconds()
    while left and not write and _children_seconds() - start < 60 * minutes:
        rows.append(_in_a_process(zoo, left.pop(0), seconds))
        lines.write_text("".join(json.dumps(row) + "\n" for row in rows))
        click.echo(json.dumps(rows[-1])[:300], err=True)
    output.with_suffix(".md").write_text(_text(rows, len(zoo.names())))


def _children_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _by_size(names: tuple[str, ...] | list[str], known: Path) -> list[str]:
    """Return names, those of the fewest parameters first as far as ``zoo.jsonl`` knows them."""
    rows = map(json.loads, known.read_text().splitlines()) if known.exists() else ()
    size = {row["network"]: row.get("parameters", 0.0) for row in rows}
    return sorted(names, key=lambda name: size.get(name, 0.0))


def _in_a_process(zoo: Any, name: str, seconds: int) -> dict[str, Any]:
    context = multiprocessing.get_context("fork")
    receive, send = context.Pipe(duplex=False)
    process = context.Process(target=_report, args=(send, zoo, name, seconds))
    process.start()
    send.close()
    row: dict[str, Any] = {}
    try:
        while True:
            row |= receive.recv()
    except EOFError:
        process.join()
    if process.exitcode and "failed" not in row:
        row["failed"] = (
            f"the process ended ({process.exitcode}) after {row.get('stage', 'nothing')}, at most {seconds} s"
        )
    return {"network": name, **row}


def _report(send: Connection, zoo: Any, name: str, seconds: int) -> None:
    """Send what there is to say about one network, part by part; the process ends when its time is up."""
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 5))
    try:
        _measure(send, zoo, name)
    except Exception as error:  # whatever an architecture may provoke
        kind = "" if isinstance(error, SeennConvertError) else f"{type(error).__name__}: "
        send.send({"failed": (kind + str(error))[:2000], "seconds": process_time()})


def _measure(send: Connection, zoo: Any, name: str) -> None:
    module, images = built(zoo, name)
    parameters = sum(one.numel() for one in module.parameters()) / 1e6
    send.send({"parameters": parameters, "side": images.shape[-1], "stage": "building"})
    artifact = _converted(module, images)
    del module
    send.send({"nodes": len(list(artifact.snn.calls())), "stage": "converting"})
    send.send({"fits": _fits(artifact), "stage": "checking"})
    refusals = OnnxExporter().refusals(artifact)
    if refusals:
        send.send({"refusals": [[one.node, one.reason, one.remedy] for one in refusals], "seconds": process_time()})
        return
    with tempfile.TemporaryDirectory() as place:
        made = sc.export(artifact, "onnx", Path(place) / "out", images)
        size = sum(file.stat().st_size for file in made.folder.glob("*.onnx")) / 1e6
    assert made.verification is not None
    send.send({"verification": vars(made.verification), "megabytes": size, "seconds": process_time()})


def _converted(module: torch.nn.Module, images: torch.Tensor) -> sc.Artifact:
    """Convert; where no activation fires on the batch, encoders become the neurons, as ``convert`` then advises."""
    plain = sc.Options(timesteps=TIMESTEPS, calibration="fast", certify=None, front="none", encode="auto")
    try:
        return sc.convert(module, images, plain)
    except sc.CalibrationDataError:
        encoded = sc.Options(timesteps=TIMESTEPS, calibration="fast", certify=None, front="none", encode="always")
        return sc.convert(module, images, encoded)


def _fits(artifact: sc.Artifact) -> dict[str, Any]:
    """Return target -> whether it fits, and the share of nodes that do; or what was raised, which must be nothing."""
    found: dict[str, Any] = {}
    network = network_of_artifact(artifact)
    for target in CHECK_TARGET_NAMES:
        try:
            name, limits = read_target(target)
            fit = judge(network, limits, name)
            found[target] = {"fits": fit.fits, "share": fit.of_nodes.fits}
        except Exception as error:
            found[target] = {"raised": f"{type(error).__name__}: {error}"[:300]}
    return found


def _text(rows: list[dict[str, Any]], of: int) -> str:
    """Return what there is to say of all, the tables, and who made them."""
    good = [row for row in rows if "verification" in row]
    refused, failed = ([row for row in rows if key in row] for key in ("refusals", "failed"))
    seen = [row["verification"] for row in good]
    parts = [
        f"{len(rows)} of {of} networks were tried: {len(good)} export and run in onnxruntime, "
        f"{len(refused)} hold a node that ONNX cannot express, {len(failed)} came to no end. Of the "
        f"{sum(one['images'] for one in seen)} images, {sum(one['answers_differ'] for one in seen)} have another "
        f"answer and {sum(one['exits_differ'] for one in seen)} another exit step; double precision changes "
        f"{sum(one['answers_differ_by_rounding'] or 0 for one in seen)} and "
        f"{sum(one['exits_differ_by_rounding'] or 0 for one in seen)}.",
        "",
        *(f"- {row['network']}: {row['failed'].splitlines()[0]}" for row in failed),
        *(f"- {row['network']}: {_reasons(row)}" for row in refused),
        "",
        "What `check` says about the same networks:",
        "",
        table(CHECK_HEAD, _check_rows(rows)),
        "",
        "<details><summary>Every export</summary>",
        "",
        table(HEAD, map(_cells, good)),
        "",
        "</details>",
    ]
    return "\n".join([*parts, "", made_on(vars(environment())), ""])


def _reasons(row: Mapping[str, Any]) -> str:
    counts = Counter(f"{reason}; {remedy}" for _, reason, remedy in row["refusals"])
    return "; ".join(f"{count} x {words}" for words, count in counts.items())


def _check_rows(rows: list[dict[str, Any]]) -> list[tuple[object, ...]]:
    asked = [row["fits"] for row in rows if "fits" in row]
    lines = []
    for target in CHECK_TARGET_NAMES:
        found = [one[target] for one in asked]
        shares = sorted(one["share"] for one in found if "share" in one)
        middle = f"{shares[len(shares) // 2]:.0%}" if shares else ""
        fit = sum(bool(one.get("fits")) for one in found)
        lines.append((target, f"{fit} of {len(found)}", sum("raised" in one for one in found), middle))
    return lines


def _cells(row: Mapping[str, Any]) -> tuple[object, ...]:
    seen = row["verification"]
    rounding = f"{seen['answers_differ_by_rounding']}, {seen['exits_differ_by_rounding']}"
    return (
        row["network"], f"{row['parameters']:.1f}", row["nodes"], seen["answers_differ"], seen["exits_differ"],
        rounding, f"{seen['largest_error']:.1e}", f"{seen['flipped_rows']} of {seen['compared_rows']}",
        f"{row['megabytes']:.1f}",
    )  # fmt: skip


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
