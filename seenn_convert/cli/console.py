"""What commands show: progress bars on a terminal, nothing in a pipe; tables a newcomer understands."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from seenn_convert.progress import silent

if TYPE_CHECKING:
    from seenn_convert.artifact.schema.conversion import CalibrationFacts, ExitFacts, GradedDepthwise
    from seenn_convert.artifact.schema.evaluation import Evaluation
    from seenn_convert.artifact.schema.finetuning import FinetuneFacts
    from seenn_convert.artifact.schema.report import Report
    from seenn_convert.artifact.schema.shared import Caution
    from seenn_convert.choices import Reference
    from seenn_convert.exits.certificates.certificate import Certificate
    from seenn_convert.progress import Progress

SHORTEST_IN_MS = 0.02
"""Milliseconds below which the times of a table are shown in microseconds."""


@contextmanager
def progress_bars() -> Iterator["Progress"]:
    """Yield a progress function that draws a bar for each stage, with the time that is left, on a terminal only."""
    if sys.stderr is None or not sys.stderr.isatty():  # None: the caller has closed it
        yield silent
        return
    from seenn_convert.cli.bars import bars

    with bars() as show:
        yield show


def say_json(data: object) -> None:
    """Print a document as one JSON object."""
    from seenn_convert.artifact.files import json_text

    click.echo(json_text(data), nl=False)


def columns_text(rows: Sequence[Sequence[str]]) -> str:
    """Return rows of cells as a table whose columns are as wide as their widest cell."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def conversion_text(report: "Report") -> str:
    """Return what a conversion did, in a few lines."""
    from seenn_convert.artifact.schema.shared import NETWORK_WORDS
    from seenn_convert.cli.exploration_text import exploration_text
    from seenn_convert.report.narrative.exits import spike_words
    from seenn_convert.report.narrative.front import front_words
    from seenn_convert.report.numbers import plain

    conversion = report.conversion
    if conversion is None:
        return ""
    held_out, skips, front = conversion.exit.held_out, conversion.graded_skips.connections, conversion.front
    images = conversion.calibration.exits_from
    layers = sum(site.treatment == "spiking" for site in conversion.operators)
    tried = [] if conversion.exploration is None else [exploration_text(conversion.exploration), ""]
    lines = [
        *tried,
        *drawn_lines(conversion.calibration),
        f"{layers} layers of {conversion.neuron.kind} neurons (spikes: {spike_words(conversion.neuron)}); "
        f"spikes drive {conversion.spiking_share:.1%} of the multiply-accumulates",
        *([f"analog front: {plain(front_words(front))}"] if front.asked != "none" else []),
        *([f"{skips} skip connections carry graded values to sums, by additions alone"] if skips else []),
        *depthwise_lines(conversion.graded_depthwise),
        *finetuning_lines(conversion.finetuning),
        f"held-out {images} images: {held_out.average_timesteps:.2f} of {conversion.timesteps} timesteps on "
        f"average, {_expected(conversion.exit, conversion.reference)}",
    ]
    if conversion.calibration.labelled:
        network = NETWORK_WORDS[conversion.reference]
        lines.append(f"{network} is right on {held_out.reference:.2%} of the held-out {images} images")
    lines += certificate_lines(conversion.certificate, conversion.timesteps, images)
    notes = () if report.model is None else report.model.notes
    notes = (*notes, *(note.text for note in conversion.notes))
    return "\n".join([*lines, *note_lines(notes), *warning_lines(conversion.warnings)])


def depthwise_lines(found: "GradedDepthwise | None") -> list[str]:
    """Return a line about depthwise convolutions that read graded values; nothing if there are none."""
    if found is None:
        return []
    from seenn_convert.report.narrative.depthwise import depthwise_words
    from seenn_convert.report.numbers import plain

    return [plain(depthwise_words(found))]


def finetuning_lines(found: "FinetuneFacts | None") -> list[str]:
    """Return how the network was trained through time and what that gained; nothing if it was not."""
    if found is None:
        return []
    from seenn_convert.report.narrative.finetuning import finetuning_words, gained_words
    from seenn_convert.report.numbers import plain

    return [f"fine-tuned: {plain(finetuning_words(found))}", plain(gained_words(found))]


def drawn_lines(data: "CalibrationFacts") -> list[str]:
    """Return a line for each set of images that was drawn from more."""
    sets = (("calibration", data), ("exit", data.validation))
    return [
        f"{one.images:,} of {one.drawn_from:,} {name} images drawn"
        f"{'' if one.ann_right is None else ', each class by its share'}; --calibration-images N takes N, 0 all"
        for name, one in sets
        if one is not None and one.drawn_from is not None
    ]


def note_lines(notes: Sequence[str]) -> list[str]:
    """Return a line for each thing that reading the model settled."""
    return [f"note: {note}" for note in notes]


def certificate_lines(certificate: "Certificate | None", timesteps: int, images: str = "calibration") -> list[str]:
    """Return what is certified and what it rests on, which ``images``; nothing where nothing is certified."""
    from seenn_convert.report.narrative.certificate import evidence, promise

    return [] if certificate is None else [promise(certificate, timesteps, images), evidence(certificate, images)]


def warning_lines(warnings: Sequence["Caution"]) -> list[str]:
    """Return a line for each warning."""
    return [f"warning: {warning.text}" for warning in warnings]


def policy_text(report: "Report") -> str:
    """Return what a policy head costs and does, in a few lines."""
    conversion = report.conversion
    if conversion is None or conversion.exit.head is None:
        return ""
    head, held_out = conversion.exit.head, conversion.exit.held_out
    seconds, expected = head.seconds, _expected(conversion.exit, conversion.reference)
    lines = [
        f"policy head: {head.macs:,} multiply-accumulates, {head.share_of_timestep:.2%} of a timestep's; "
        f"it reads the {head.reads}",
        f"the network ran once for {head.data.images:,} images ({seconds.readouts:.0f} s); training from that "
        f"took {seconds.training:.1f} s; running the network in every epoch would take "
        f"{seconds.training_without_cache / max(seconds.training, 1e-9):.0f} times as long",
        f"held-out images: {held_out.average_timesteps:.2f} timesteps on average, {expected}",
    ]
    return "\n".join([*lines, *warning_lines(conversion.warnings)])


def evaluation_text(evaluation: "Evaluation") -> str:
    """Return an evaluation as a table."""
    from seenn_convert.measure.promises import points_words
    from seenn_convert.measure.promises import target_words as promised_words
    from seenn_convert.report.narrative.certificate import outcome
    from seenn_convert.report.narrative.exits import confidence_words, exit_rule
    from seenn_convert.report.narrative.timing import timing_words
    from seenn_convert.report.numbers import energy as joule
    from seenn_convert.report.numbers import plain

    early, time = evaluation.early_exit, evaluation.milliseconds_per_image
    lost = points_words(evaluation.points_lost, evaluation.reference)
    energy, timesteps = evaluation.energy.nanojoule_per_image, max(evaluation.accuracy_at)
    unit, times = _times((time.ann, time.all_timesteps, time.early_exit))
    ann = evaluation.ann_accuracy
    (low, high), sure = early.interval95, evaluation.confidence
    rows = [
        ("", "accuracy", "timesteps", f"{unit}/image", "energy*"),
        *([] if ann is None else [("ANN (the original)", f"{ann:.2%}", "-", times[0], joule(energy.ann))]),
        ("spiking, all steps", f"{evaluation.full_accuracy:.2%}", f"{timesteps}", times[1],
         joule(energy.all_timesteps)),
        ("spiking, early exit", f"{early.accuracy:.2%}", f"{early.average_timesteps:.2f}", times[2],
         joule(energy.early_exit)),
    ]  # fmt: skip
    rule = "" if evaluation.policy is None else f"; each leaves {exit_rule(evaluation.policy)}"
    lines = [
        f"{evaluation.data.images} images{rule}",
        "",
        *(f"{row[0]:<20}" + "".join(f"{cell:>11}" for cell in row[1:]) for row in rows),
        "",
        f"early exit: {lost} (95% CI of its accuracy: {low:.2%} to {high:.2%})",
        *([] if sure is None else [confidence_words(early.accuracy, sure)]),
        *([] if evaluation.timing is None else [f"time: {timing_words(evaluation.timing, evaluation.reference)}"]),
        "* estimate from operation counts (4.6 pJ per multiply-accumulate, 0.9 pJ per accumulate), no memory access",
    ]
    lines += [] if evaluation.target is None else [promised_words(evaluation.target, evaluation.reference)]
    lines += [] if evaluation.certificate is None else [outcome(evaluation.certificate, evaluation.reference)]
    return plain("\n".join(lines))


def _expected(exit_: "ExitFacts", reference: "Reference") -> str:
    """Return the expected loss against the reference, and what was asked for."""
    from seenn_convert.artifact.schema.shared import REFERENCE_WORDS
    from seenn_convert.report.narrative.exits import target_words

    asked = target_words(exit_, reference) or "what the certificate allows"
    against = REFERENCE_WORDS[reference]
    return f"expected to lose {exit_.held_out.expected_drop:.2f} points against {against} (asked for: {asked})"


def _times(milliseconds: Sequence[float | None]) -> tuple[str, list[str]]:
    """Return the unit in which the shortest time has digits that count, and the times in it."""
    if min(time for time in milliseconds if time is not None) >= SHORTEST_IN_MS:
        return "ms", ["-" if time is None else f"{time:.2f}" for time in milliseconds]
    return "µs", ["-" if time is None else f"{1000 * time:.1f}" for time in milliseconds]
