"""What commands show: progress bars on a terminal, nothing in a pipe; tables a newcomer understands."""

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from seenn_convert.progress import silent

if TYPE_CHECKING:
    from seenn_convert.progress import Progress

LONGEST_ALPHABET = 9
"""How many kinds of spikes are listed one by one."""


@contextmanager
def progress_bars() -> Iterator["Progress"]:
    """Yield a progress function that draws a bar for each stage on a terminal and does nothing elsewhere."""
    if not sys.stderr.isatty():
        yield silent
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bars

    columns = (TextColumn("{task.description:<20}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    tasks: dict[str, Any] = {}
    with Bars(*columns, console=Console(stderr=True)) as bars:

        def show(stage: str, done: int, total: int) -> None:
            if stage not in tasks:
                tasks[stage] = bars.add_task(stage, total=total)
            bars.update(tasks[stage], completed=done, total=total)

        yield show


def say_json(data: Mapping[str, Any]) -> None:
    """Print one JSON object."""
    click.echo(json.dumps(data, indent=1, allow_nan=False))


def columns_text(rows: Sequence[Sequence[str]]) -> str:
    """Return rows of cells as a table whose columns are as wide as their widest cell."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def conversion_text(report: Mapping[str, Any]) -> str:
    """Return what a conversion did, in a few lines."""
    conversion = report["conversion"]
    exit_, held_out = conversion["exit"], conversion["exit"]["held_out"]
    layers = sum(site["treatment"] == "spiking" for site in conversion["operators"])
    skips = conversion.get("graded_skips", {}).get("connections", 0)
    lines = [
        f"{layers} layers of {conversion['neuron']['kind']} neurons (a spike is {_spike(conversion['neuron'])}); "
        f"spikes drive {conversion['spiking_share']:.1%} of the multiply-accumulates",
        *([f"{skips} skip connections carry graded values to sums, by additions alone"] if skips else []),
        f"held-out calibration images: {held_out['average_timesteps']:.2f} of {conversion['timesteps']} timesteps on "
        f"average, expected to lose {held_out['expected_drop']:.2f} points against the ANN "
        f"(asked for: {_target(exit_)})",
    ]
    if conversion["calibration"]["labelled"]:
        lines.append(f"the ANN is right on {held_out['reference']:.2%} of the held-out calibration images")
    lines += certificate_lines(conversion.get("certificate"), conversion["timesteps"])
    return "\n".join(lines + [f"warning: {warning}" for warning in conversion["warnings"]])


def certificate_lines(certificate: Mapping[str, Any] | None, timesteps: int) -> list[str]:
    """Return what is certified and what it rests on, nothing where nothing is."""
    from seenn_convert.report.certificate_words import evidence, promise

    return [] if certificate is None else [promise(certificate, timesteps), evidence(certificate)]


def policy_text(report: Mapping[str, Any]) -> str:
    """Return what a policy head costs and does, in a few lines."""
    exit_ = report["conversion"]["exit"]
    head, held_out, seconds = exit_["head"], exit_["held_out"], exit_["head"]["seconds"]
    lines = [
        f"policy head: {head['macs']:,} multiply-accumulates, {head['share_of_timestep']:.2%} of a timestep's; "
        f"it reads the {head['reads']}",
        f"the network ran once for {head['data']['images']:,} images ({seconds['readouts']:.0f} s); training from that "
        f"took {seconds['training']:.1f} s; with the network in every epoch it would take "
        f"{seconds['training_without_cache'] / max(seconds['training'], 1e-9):.0f} times as long",
        f"held-out images: {held_out['average_timesteps']:.2f} timesteps on average, expected to lose "
        f"{held_out['expected_drop']:.2f} points against the ANN (asked for: {_target(exit_)})",
    ]
    return "\n".join(lines + [f"warning: {warning}" for warning in report["conversion"]["warnings"]])


def evaluation_text(evaluation: Mapping[str, Any], timesteps: int) -> str:
    """Return an evaluation as a table."""
    early, time = evaluation["early_exit"], evaluation["milliseconds_per_image"]
    energy = evaluation["energy"]["nanojoule_per_image"]
    low, high = early["interval95"]
    rows = [
        ("", "accuracy", "timesteps", "ms/image", "energy*"),
        ("ANN (the original)", f"{evaluation['ann_accuracy']:.2%}", "-", f"{time['ann']:.2f}", _joule(energy["ann"])),
        ("spiking, all steps", f"{evaluation['accuracy_at'][str(timesteps)]:.2%}", f"{timesteps}",
         f"{time['all_timesteps']:.2f}", _joule(energy["all_timesteps"])),
        ("spiking, early exit", f"{early['accuracy']:.2%}", f"{early['average_timesteps']:.2f}",
         f"{time['early_exit']:.2f}", _joule(energy["early_exit"])),
    ]  # fmt: skip
    table = "\n".join(f"{row[0]:<20}" + "".join(f"{cell:>11}" for cell in row[1:]) for row in rows)
    images = evaluation["data"]["images"]
    lost = 100 * (evaluation["ann_accuracy"] - early["accuracy"])
    return (
        f"{images} images; each leaves {_when(evaluation)}\n\n{table}"
        f"\n\nearly exit: {lost:+.2f} points lost against the ANN, its accuracy is {low:.2%} to {high:.2%}, 95 % sure"
        "\n* estimate from operation counts (4.6 pJ a multiply-accumulate, 0.9 pJ an accumulate), without memory access"
        + _certified(evaluation.get("certificate"))
    )


def _certified(check: Mapping[str, Any] | None) -> str:
    from seenn_convert.report.certificate_words import outcome

    return "" if check is None else f"\n{outcome(check)}"


def _when(evaluation: Mapping[str, Any]) -> str:
    """Return when an image leaves, in words."""
    kind = str(evaluation.get("policy", {}).get("policy", ""))
    if kind == "planned":
        return "as the policy head planned before the run"
    sure = "as soon as the network is sure enough"
    return f"{sure}, or as the policy head planned" if kind.startswith("planned") else sure


def _spike(neuron: Mapping[str, Any]) -> str:
    """Return what a spike may be, and how many bits tell it, where the report says so."""
    alphabet, bits = neuron["alphabet"], neuron.get("bits_per_spike")
    if alphabet is None:
        return "any whole number"
    if len(alphabet) > LONGEST_ALPHABET:
        words = f"one of {len(alphabet)} numbers from {alphabet[0]:+d} to {alphabet[-1]:+d}"
    else:
        words = ", ".join(f"{spike:+d}" if spike else "0" for spike in alphabet)
    return words if bits is None else f"{words}: {bits} bit{'s' if bits > 1 else ''}"


def _target(exit_: Mapping[str, Any]) -> str:
    target, time = exit_["target"], exit_.get("step_time")
    if target is None:
        return "what the certificate allows"
    if target["drop"] is not None:
        return f"at most {target['drop']:g} points"
    if target.get("milliseconds") is None or time is None:
        return f"{target['timesteps']:g} timesteps"
    return (
        f"{target['milliseconds']:g} ms an image, which are {time['timesteps']:.2f} timesteps: stem "
        f"{time['stem']:.3g} ms, step {time['step']:.3g} ms, {time['batch_size']} images together on {time['device']}"
    )


def _joule(nanojoule: float) -> str:
    return f"{nanojoule / 1000:.1f} µJ"
