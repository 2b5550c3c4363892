"""The report as one HTML page that needs nothing else: no network, no scripts."""

from collections.abc import Mapping
from importlib import resources
from typing import Any

from seenn_convert.report.html_sections import (
    MISSING,
    Column,
    calibration_words,
    cost_rows,
    costs_section,
    details,
    dig,
    energy,
    examples_section,
    facts,
    finite,
    layers_section,
    mappings,
    not_measured,
    number,
    operators_section,
    paragraph,
    passes_section,
    percent,
    plural,
    provenance_section,
    ratio,
    section,
    significant,
    table,
    text,
    warnings_box,
)
from seenn_convert.report.svg import ExitPoint, Point, accuracy_plot, exit_plot, temperature_plot, trade_off_plot

EVALUATE_COMMAND = "<code>seenn-convert evaluate ARTIFACT --data DATA</code>"
POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"


def render_html(report: Mapping[str, Any]) -> str:
    """Return the page for a report (``report.json``, schema version 1).

    Any number may be missing and is then shown as a dash; without an evaluation the page shows the conversion.
    """
    name = text(dig(report, "model", "name"))
    measured = (accuracy_section, trade_off_section, exits_section, examples_section, costs_section)
    sections = [make(report) for make in measured] if dig(report, "evaluation") else []
    sections.append(conversion_section(report))
    if dig(report, "evaluation"):
        sections.append(layers_section(report))
    sections += [operators_section(report), passes_section(report), provenance_section(report)]
    style = resources.files("seenn_convert.report").joinpath("style.css").read_text(encoding="utf-8")
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        f"<title>{name} – SEENN report</title><style>{style}</style></head><body>"
        f'<header><p class="kicker">Spiking early-exit network</p><h1>{name}</h1></header><main>'
        + "\n".join([warnings_box(report), headline_section(report), *sections])
        + "</main></body></html>\n"
    )


def headline_section(report: Mapping[str, Any]) -> str:
    """Return the big numbers and what they mean in plain words."""
    tiles = _measured_tiles(report) if dig(report, "evaluation") else _conversion_tiles(report)
    row = "".join(f"<div><dt>{name}</dt><dd>{value}<small>{note}</small></dd></div>" for name, value, note in tiles)
    words = [_what_happened(report), *_verdicts(report)]
    return section("summary", "In short", f'<dl class="tiles">{row}</dl>', *words)


def accuracy_section(report: Mapping[str, Any]) -> str:
    """Return accuracy over timesteps."""
    curve = _fixed_points(report)
    if not curve:
        return section("accuracy", "Accuracy over timesteps", not_measured())
    plot = accuracy_plot(curve, _timesteps(report), _ann_percent(report), _early_exit(report))
    words = (
        "The circles show the accuracy if every image stopped at the same timestep. The diamond is early exit: each "
        "image stops when its own answer is sure enough. Left is faster, up is better."
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
    plot = trade_off_plot(curve, _fixed_points(report), _timesteps(report), _ann_percent(report), _early_exit(report))
    words = (
        "The line shows what early exit would give on this data with one threshold for all timesteps, the circles what "
        "stopping all images at one timestep gives. The thresholds of the diamond, one for each timestep, were chosen "
        "on calibration images, not on this curve: the curve is for looking only. The bar through the diamond is the "
        "95\u00a0% interval; accuracies far below it are cut off."
    )
    return section("trade-off", title, _figure(plot, words))


def exits_section(report: Mapping[str, Any]) -> str:
    """Return who exits when, as a histogram and in words."""
    shares = _exit_shares(report)
    if not any(shares):
        return section("exits", "Who exits when", not_measured())
    half, most = (_left_by(shares, part) for part in (0.5, 0.9))
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
    alphabet = dig(conversion, "neuron", "alphabet")
    values = "{" + ", ".join(text(value) for value in alphabet) + "}" if isinstance(alphabet, (list, tuple)) else ""
    scope = {True: ", for each channel", False: ", for each layer"}.get(dig(conversion, "per_channel"), "")
    pairs = [
        ("Timesteps at most", number(dig(conversion, "timesteps"))),
        ("Neuron", f"{text(dig(conversion, 'neuron', 'kind'))}, spikes {values or MISSING}"),
        ("Firing thresholds", text(dig(conversion, "threshold_rule")) + scope),
        ("Calibration data", calibration_words(report)),
        ("Driven by spikes", f"{percent(dig(conversion, 'spiking_share'))} of the multiply-accumulates"),
        (
            "Parity",
            f"{significant(dig(conversion, 'parity'), 2)} relative difference of the ANN read to the original",
        ),
        ("Exit", f"An image leaves {_exit_rule(report)}."),
        ("Target", _target_words(report) or MISSING),
        ("On held-out images", _held_out_words(conversion)),
    ]
    return section("conversion", "How it was converted", facts(pairs), _temperatures(report))


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
    evaluation, interval = dig(report, "evaluation"), _interval(report)
    ann, accuracy = finite(dig(evaluation, "ann_accuracy")), finite(dig(evaluation, "early_exit", "accuracy"))
    lost, average = _points_lost(report), dig(evaluation, "early_exit", "average_timesteps")
    certainty = f"95\u00a0% interval {interval[0]:.1f} to {interval[1]:.1f}" if interval else ""
    tiles = [
        ("ANN accuracy", percent(ann), "the model before conversion"),
        ("Early-exit accuracy", percent(accuracy), certainty),
        ("Points gained" if lost is not None and lost <= -0.05 else "Points lost", _points(lost), "against the ANN"),
        ("Average timesteps", number(average, 2), f"of {number(_timesteps(report))}"),
    ]
    name, relation = _cost_relation(evaluation)
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
        ("Average timesteps", number(dig(held_out, "average_timesteps"), 2), f"of {number(_timesteps(report))}"),
        ("Driven by spikes", percent(dig(conversion, "spiking_share"), 0), "of the multiply-accumulates"),
    ]


def _what_happened(report: Mapping[str, Any]) -> str:
    evaluation = dig(report, "evaluation")
    shown = (
        "Each image is shown to the spiking network for up to "
        f"{plural(_timesteps(report), 'timestep', 'timesteps')}; it leaves {_exit_rule(report)}."
    )
    if not evaluation:
        return paragraph(
            f"The model was converted, but not evaluated on unseen data yet: run {EVALUATE_COMMAND}. " + shown
        )
    interval, lost = _interval(report), _points_lost(report)
    images, average = dig(evaluation, "data", "images"), dig(evaluation, "early_exit", "average_timesteps")
    certainty = f" (95\u00a0% interval {interval[0]:.1f} to {interval[1]:.1f}\u00a0%)" if interval else ""
    compared = "" if lost is None else f", {_lost_words(lost)}"
    return paragraph(
        f"{shown} On the {number(images)} images of <b>{text(dig(evaluation, 'data', 'name'))}</b> this took "
        f"{number(average, 2)} timesteps on average, and "
        f"{percent(dig(evaluation, 'early_exit', 'accuracy'))} of the answers were right{certainty}{compared}."
    )


def _verdicts(report: Mapping[str, Any]) -> list[str]:
    """Return what is good and bad about the result, one list item each, as plainly as it can be said."""
    verdicts = [*_target_verdict(report)]
    if dig(report, "evaluation"):
        verdicts += [*_accuracy_verdict(report), *_energy_verdict(report)]
    items = "".join(
        f'<li class="{"good" if good else "bad"}"><span>{"✓" if good else "!"}</span>{words}</li>'
        for good, words in verdicts
    )
    return [f'<ul class="verdicts">{items}</ul>'] if items else []


def _target_verdict(report: Mapping[str, Any]) -> list[tuple[bool, str]]:
    reached, target = dig(report, "conversion", "exit", "held_out", "reached"), _target_words(report)
    if reached is None or not target:
        return []
    verdict = f"The target, {target}, was {'' if reached else '<b>not</b> '}reached on the held-out calibration images."
    return [(bool(reached), verdict)]


def _accuracy_verdict(report: Mapping[str, Any]) -> list[tuple[bool, str]]:
    """Say where the loss is larger than asked for, and whether the conversion or the exit loses it."""
    drop, lost = finite(dig(report, "conversion", "exit", "target", "drop")), _points_lost(report)
    curve, ann = _fixed_points(report), _ann_percent(report)
    verdicts = []
    if drop is not None and lost is not None:
        within = "within" if lost <= drop else "<b>more</b> than"
        words = f"On this data, early exit is {_lost_words(lost)}: {within} the {drop:g} points asked for."
        verdicts.append((lost <= drop, words))
    if curve and ann is not None and ann - curve[-1].y >= 2:
        words = (
            f"Even after all {curve[-1].x:g} timesteps the spiking network is {ann - curve[-1].y:.1f} points below the "
            "ANN: the conversion loses this, not leaving early. More timesteps or another threshold rule may help."
        )
        verdicts.append((False, words))
    average = finite(dig(report, "evaluation", "early_exit", "average_timesteps"))
    if average is not None and _timesteps(report) > 1 and average > 0.95 * _timesteps(report):
        verdicts.append((False, "Hardly any image leaves early: early exit saves almost nothing here."))
    return verdicts


def _energy_verdict(report: Mapping[str, Any]) -> list[tuple[bool, str]]:
    joule = dig(report, "evaluation", "energy", "nanojoule_per_image")
    ann, early = dig(joule, "ann"), dig(joule, "early_exit")
    relation = ratio(early, ann)
    if relation is None:
        return []
    if relation < 1:
        words = f"costs {percent(1 - relation, 0)} <b>less</b> energy than the ANN"
    else:
        words = f"costs <b>more</b> energy than the ANN, {significant(relation)} times as much"
    words = f"By the estimate below, early exit {words}: {energy(early)} against {energy(ann)} an image."
    return [(relation < 1, words)]


def _exit_rule(report: Mapping[str, Any]) -> str:
    """Return when an image leaves, to be read after "it leaves"."""
    policy = dig(report, "conversion", "exit", "policy")
    kind, given = dig(policy, "policy"), dig(policy, "thresholds")
    if kind == "fixed":
        return f"after {number(dig(policy, 'timesteps'))} timesteps, whatever its answer"
    thresholds = [t for t in map(finite, given if isinstance(given, (list, tuple)) else []) if t is not None]
    early = thresholds[:-1]  # at the last timestep every image leaves
    if early and all(threshold >= 1 for threshold in early):
        return f"only at the end, because no {text(kind)} can be above the thresholds before"
    if early and early[0] < 0:
        return "after the first timestep, because any answer is above the threshold"
    name = {"confidence": "confidence", "entropy": "certainty (1 minus the normalized entropy)"}.get(str(kind))
    possible = [threshold for threshold in early or thresholds if 0 <= threshold <= 1]
    if not possible:
        return f"as soon as the network\u2019s {name or text(kind)} is high enough"
    low, high = f"{min(possible):.4g}", f"{max(possible):.4g}"
    values = low if low == high else f"{low} to {high}, depending on the timestep"
    return f"as soon as the network\u2019s {name or text(kind)} is above a threshold ({values})"


def _target_words(report: Mapping[str, Any]) -> str:
    target = dig(report, "conversion", "exit", "target")
    drop, timesteps = finite(dig(target, "drop")), finite(dig(target, "timesteps"))
    if drop is not None:
        return f"at most {drop:g} points below the ANN"
    return "" if timesteps is None else f"at most {timesteps:g} timesteps on average"


def _held_out_words(conversion: Any) -> str:
    held_out = dig(conversion, "exit", "held_out")
    if not held_out:
        return MISSING
    if dig(conversion, "calibration", "labelled") is False:
        return (
            f"{percent(dig(held_out, 'accuracy'))} of the answers agree with the ANN's, after "
            f"{number(dig(held_out, 'average_timesteps'), 2)} timesteps on average"
        )
    return (
        f"{percent(dig(held_out, 'accuracy'))} after {number(dig(held_out, 'average_timesteps'), 2)} timesteps on "
        f"average; ANN {percent(dig(held_out, 'reference'))}, all timesteps {percent(dig(held_out, 'full_accuracy'))}"
    )


def _timestep_table(report: Mapping[str, Any], shares: list[float]) -> str:
    accuracies = {point.x: point.y / 100 for point in _fixed_points(report)}
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


def _timesteps(report: Mapping[str, Any]) -> int:
    """Return the longest run, from what was measured where the conversion does not say."""
    told = finite(dig(report, "conversion", "timesteps"))
    measured = [point.x for point in _fixed_points(report)]
    return int(told) if told else int(max(measured, default=1))


def _fixed_points(report: Mapping[str, Any]) -> list[Point]:
    """Return timestep and accuracy in percent where all images stop there, in order."""
    accuracy_at = dig(report, "evaluation", "accuracy_at") or {}
    known = [(int(t), finite(accuracy)) for t, accuracy in accuracy_at.items()]
    return sorted(Point(t, 100 * accuracy) for t, accuracy in known if accuracy is not None)


def _exit_shares(report: Mapping[str, Any]) -> list[float]:
    told = dig(report, "evaluation", "early_exit", "exit_counts") or {}
    counts = {int(t): finite(images) or 0.0 for t, images in told.items()}
    total = sum(counts.values())
    steps = range(1, max([_timesteps(report), *counts]) + 1)
    return [counts.get(t, 0.0) / total if total else 0.0 for t in steps]


def _left_by(shares: list[float], part: float) -> int:
    """Return the first timestep by which ``part`` of all images have left."""
    return next((t for t in range(1, len(shares) + 1) if sum(shares[:t]) >= part - 1e-9), len(shares))


def _ann_percent(report: Mapping[str, Any]) -> float | None:
    accuracy = finite(dig(report, "evaluation", "ann_accuracy"))
    return None if accuracy is None else 100 * accuracy


def _early_exit(report: Mapping[str, Any]) -> ExitPoint | None:
    early = dig(report, "evaluation", "early_exit")
    average, accuracy = finite(dig(early, "average_timesteps")), finite(dig(early, "accuracy"))
    return None if average is None or accuracy is None else ExitPoint(average, 100 * accuracy, _interval(report))


def _interval(report: Mapping[str, Any]) -> tuple[float, float] | None:
    """Return the 95 % interval of the accuracy in percent."""
    bounds = dig(report, "evaluation", "early_exit", "interval95")
    known = [finite(bound) for bound in bounds] if isinstance(bounds, (list, tuple)) else []
    numbers = [100 * bound for bound in known if bound is not None]
    return (numbers[0], numbers[1]) if len(numbers) == 2 else None


def _points_lost(report: Mapping[str, Any]) -> float | None:
    ann, accuracy = _ann_percent(report), finite(dig(report, "evaluation", "early_exit", "accuracy"))
    return None if ann is None or accuracy is None else round(ann - 100 * accuracy, 6)


def _points(lost: float | None) -> str:
    return MISSING if lost is None else number(abs(round(lost, 1)), 1)


def _lost_words(lost: float) -> str:
    if round(abs(lost), 1) == 0:
        return "level with the ANN"
    return f"{_points(lost)} points {'below' if lost > 0 else 'above'} the ANN"


def _cost_relation(evaluation: Any) -> tuple[str, float | None]:
    """Return the cost of early exit relative to the ANN: energy, or operations where no energy is known."""
    rows, name = dict(cost_rows(evaluation)), "Energy, estimated"
    relation = ratio(rows[name][2], rows[name][0])
    if relation is None:
        ann, _, early = rows["Operations together"]
        return ("Operations", ratio(early, ann)) if ratio(early, ann) is not None else (name, None)
    return name, relation
