"""The report as one HTML page that needs nothing else: no network, no scripts."""

from collections.abc import Mapping
from typing import Any

from seenn_convert.artifact.plain import dig, finite, mappings
from seenn_convert.report.html_certificate import certificate_section
from seenn_convert.report.html_layers import layers_section
from seenn_convert.report.html_page import page
from seenn_convert.report.html_readings import (
    ann_percent,
    cost_relation,
    early_exit_point,
    exit_shares,
    fixed_points,
    interval_of,
    left_by,
    points_lost,
    points_of,
    timesteps_of,
)
from seenn_convert.report.html_sections import (
    MISSING,
    Column,
    calibration_words,
    costs_section,
    details,
    examples_section,
    facts,
    not_measured,
    number,
    operators_section,
    passes_section,
    percent,
    provenance_section,
    section,
    significant,
    table,
    text,
    warnings_box,
)
from seenn_convert.report.html_words import (
    exit_rule,
    held_out_words,
    policy_head_facts,
    target_words,
    verdicts,
    what_happened,
)
from seenn_convert.report.svg import Point, accuracy_plot, exit_plot, temperature_plot, trade_off_plot

LONGEST_ALPHABET = 9
"""How many kinds of spikes are listed one by one."""


def render_html(report: Mapping[str, Any]) -> str:
    """Return the page for a report (``report.json``, schema version 1).

    Any number may be missing and is then shown as a dash; without an evaluation the page shows the conversion.
    """
    name = text(dig(report, "model", "name"))
    measured = (accuracy_section, trade_off_section, exits_section, examples_section, costs_section)
    sections = [make(report) for make in measured] if dig(report, "evaluation") else []
    sections += [certificate_section(report), conversion_section(report)]
    if dig(report, "evaluation"):
        sections.append(layers_section(report))
    sections += [operators_section(report), passes_section(report), provenance_section(report)]
    return page(
        f"{name} – SEENN report",
        "Spiking early-exit network",
        name,
        [warnings_box(report), headline_section(report), *sections],
    )


def headline_section(report: Mapping[str, Any]) -> str:
    """Return the big numbers and what they mean in plain words."""
    tiles = _measured_tiles(report) if dig(report, "evaluation") else _conversion_tiles(report)
    row = "".join(f"<div><dt>{name}</dt><dd>{value}<small>{note}</small></dd></div>" for name, value, note in tiles)
    words = [what_happened(report), *verdicts(report)]
    return section("summary", "In short", f'<dl class="tiles">{row}</dl>', *words)


def accuracy_section(report: Mapping[str, Any]) -> str:
    """Return accuracy over timesteps."""
    curve = fixed_points(report)
    if not curve:
        return section("accuracy", "Accuracy over timesteps", not_measured())
    plot = accuracy_plot(curve, timesteps_of(report), ann_percent(report), early_exit_point(report))
    words = (
        "The circles show the accuracy if every image stopped at the same timestep. The diamond is early exit: each "
        "image stops at a timestep of its own. Left is faster, up is better."
    )
    return section("accuracy", "Accuracy over timesteps", _figure(plot, words))


def trade_off_section(report: Mapping[str, Any]) -> str:
    """Return the curve of every threshold."""
    title, evaluation = "Accuracy against average timesteps", dig(report, "evaluation")
    pairs = [
        (finite(p.get("average_timesteps")), finite(p.get("accuracy"))) for p in mappings(dig(evaluation, "trade_off"))
    ]
    curve = [Point(x, 100 * y) for x, y in pairs if x is not None and y is not None]
    if not curve:
        return section("trade-off", title, not_measured())
    plot = trade_off_plot(
        curve, fixed_points(report), timesteps_of(report), ann_percent(report), early_exit_point(report)
    )
    words = (
        "The line shows what early exit would give on this data with one threshold for all timesteps, the circles what "
        "stopping all images at one timestep gives. What decides about the exits of the diamond was chosen on "
        "calibration images, not on this curve: the curve is for looking only. The bar through the diamond is the "
        "95\u00a0% interval; accuracies far below it are cut off."
    )
    return section("trade-off", title, _figure(plot, words))


def exits_section(report: Mapping[str, Any]) -> str:
    """Return who exits when, as a histogram and in words."""
    shares = exit_shares(report)
    if not any(shares):
        return section("exits", "Who exits when", not_measured())
    half, most = (left_by(shares, part) for part in (0.5, 0.9))
    words = (
        f"Half of the images have left by timestep <b>{half}</b>, nine in ten by timestep <b>{most}</b>. "
        f"<b>{percent(shares[-1])}</b> leave only at timestep {len(shares)}, the last there is."
    )
    if len(shares) == 1:
        words = "There is one timestep only, and every image leaves at it."
    plot = exit_plot([100 * share for share in shares])
    return section("exits", "Who exits when", _figure(plot, words), _timestep_table(report, shares))


def conversion_section(report: Mapping[str, Any]) -> str:
    """Return how the model was converted and how it decides to exit."""
    conversion = dig(report, "conversion")
    scope = {True: ", for each channel", False: ", for each layer"}.get(dig(conversion, "per_channel"), "")
    pairs = [
        ("Timesteps at most", number(dig(conversion, "timesteps"))),
        ("Neuron", f"{text(dig(conversion, 'neuron', 'kind'))}, spikes {_spikes(conversion)}"),
        ("Firing thresholds", text(dig(conversion, "threshold_rule")) + scope),
        ("Calibration data", calibration_words(report)),
        ("Driven by spikes", f"{percent(dig(conversion, 'spiking_share'))} of the multiply-accumulates"),
        (
            "Parity",
            f"{significant(dig(conversion, 'parity'), 2)} relative difference of the ANN read to the original",
        ),
        ("Exit", f"An image leaves {exit_rule(report)}."),
        ("Target", target_words(report) or MISSING),
        ("On held-out images", held_out_words(conversion)),
        *policy_head_facts(conversion),
    ]
    return section("conversion", "How it was converted", facts(pairs), _temperatures(report))


def _spikes(conversion: object) -> str:
    """Return what a spike may be, and how many bits tell it, where the report says so."""
    alphabet, bits = dig(conversion, "neuron", "alphabet"), finite(dig(conversion, "neuron", "bits_per_spike"))
    if not isinstance(alphabet, (list, tuple)):
        return "of any whole number" if alphabet is None and dig(conversion, "neuron") else MISSING
    if len(alphabet) > LONGEST_ALPHABET:
        values = f"of {len(alphabet)} numbers from {text(alphabet[0])} to {text(alphabet[-1])}"
    else:
        values = "{" + ", ".join(text(value) for value in alphabet) + "}"
    return values if bits is None else f"{values}, {number(bits)} bit{'s' if bits > 1 else ''} each"


def _temperatures(report: Mapping[str, Any]) -> str:
    values = dig(report, "conversion", "exit", "temperatures") or []
    known = [(t, finite(value)) for t, value in enumerate(values, 1)]
    points = [Point(t, value) for t, value in known if value is not None]
    if not points:
        return ""
    words = (
        "At each timestep the scores of the classes are divided by a temperature before they become a confidence. "
        "It is fitted so that the confidence is honest: of the answers given with 90\u00a0% confidence, about "
        "90\u00a0% should be right. Above 1, the raw network was too sure of itself; below 1, not sure enough."
    )
    return "<h3>Temperatures</h3>" + _figure(temperature_plot(points), words)


def _measured_tiles(report: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    evaluation, interval = dig(report, "evaluation"), interval_of(report)
    ann, accuracy = finite(dig(evaluation, "ann_accuracy")), finite(dig(evaluation, "early_exit", "accuracy"))
    lost, average = points_lost(report), dig(evaluation, "early_exit", "average_timesteps")
    certainty = f"95\u00a0% interval {interval[0]:.1f} to {interval[1]:.1f}" if interval else ""
    tiles = [
        ("ANN accuracy", percent(ann), "the model before conversion"),
        ("Early-exit accuracy", percent(accuracy), certainty),
        ("Points gained" if lost is not None and lost <= -0.05 else "Points lost", points_of(lost), "against the ANN"),
        ("Average timesteps", number(average, 2), f"of {number(timesteps_of(report))}"),
    ]
    name, relation = cost_relation(evaluation)
    return [*tiles, (name, MISSING if relation is None else percent(relation, 0), "of the ANN\u2019s")]


def _conversion_tiles(report: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    conversion = dig(report, "conversion")
    held_out, images = dig(conversion, "exit", "held_out"), dig(conversion, "calibration", "held_out_images")
    on = f"on {number(images)} held-out calibration images"
    accuracy = percent(dig(held_out, "accuracy"))
    first = [("ANN accuracy", percent(dig(held_out, "reference")), on), ("Early-exit accuracy", accuracy, on)]
    if dig(conversion, "calibration", "labelled") is False:  # the ANN's answers stood in for the labels
        first = [("Agreement with the ANN", accuracy, on)]
    return [
        *first,
        ("Average timesteps", number(dig(held_out, "average_timesteps"), 2), f"of {number(timesteps_of(report))}"),
        ("Driven by spikes", percent(dig(conversion, "spiking_share"), 0), "of the multiply-accumulates"),
    ]


def _timestep_table(report: Mapping[str, Any], shares: list[float]) -> str:
    accuracies = {point.x: point.y / 100 for point in fixed_points(report)}
    temperatures = dig(report, "conversion", "exit", "temperatures") or []
    columns = [
        Column("Timestep"),
        Column("Images that leave"),
        Column("Have left"),
        Column("Accuracy if all stop here"),
        Column("Temperature"),
    ]
    rows = [
        [
            str(t),
            percent(share),
            percent(sum(shares[:t])),
            percent(accuracies.get(t)),
            significant(temperatures[t - 1] if t <= len(temperatures) else None),
        ]
        for t, share in enumerate(shares, 1)
    ]
    return details("The numbers, timestep by timestep", table("By timestep", columns, rows, long=True))


def _figure(plot: str, words: str) -> str:
    return f'<figure class="chart">{plot}<figcaption>{words}</figcaption></figure>'
