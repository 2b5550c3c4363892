"""The comparison of ways to stop early as one HTML page that needs nothing else: no network, no scripts."""

from collections.abc import Mapping, Sequence
from typing import Any

from seenn_convert.artifact.plain import dig, finite, mappings
from seenn_convert.measure.curves import at_average, average_within
from seenn_convert.report.html_compare_times import plan_words, really_run, times, way_of
from seenn_convert.report.html_page import page
from seenn_convert.report.html_sections import (
    MISSING,
    Column,
    facts,
    not_measured,
    number,
    paragraph,
    percent,
    section,
    significant,
    table,
    text,
)
from seenn_convert.report.svg import Point
from seenn_convert.report.svg_curves import Curve, curves_plot, reliability_plot

AVERAGES = (2, 3, 4, 5, 6, 7, 8, 10, 12, 16, 24, 32, 48, 64)
ALLOWED = 0.5
"""Points against the full run that the headline speaks of."""

LEAST_IN_A_BIN = 10
"""Images that a bin of the reliability diagram must hold to be drawn."""

Way = Mapping[str, Any]


def render_comparison(comparison: Mapping[str, Any]) -> str:
    """Return the page for a comparison, as ``compare`` returns it; any number may be missing."""
    name = text(dig(comparison, "model"))
    sections = [
        _headline(comparison),
        _section(comparison, "timesteps", "Accuracy against average timesteps", "average_timesteps", 1.0),
        _table_section(comparison),
        _section(comparison, "operations", "Accuracy against synaptic operations", "synaptic_operations", 1e-6),
        _section(comparison, "time", "Accuracy against time", "milliseconds", 1.0),
        _auroc_section(comparison),
        _reliability_section(comparison),
        _provenance(comparison),
    ]
    return page(f"{name} – SEENN comparison", "Ways to stop early, compared", name, [_warnings(comparison), *sections])


def _headline(comparison: Mapping[str, Any]) -> str:
    own = way_of(comparison, str(dig(comparison, "score")))
    last = (dig(comparison, "accuracy_at") or [None])[-1]
    timesteps, images = number(dig(comparison, "timesteps")), number(dig(comparison, "data", "images"))
    tiles = [
        ("ANN accuracy", percent(dig(comparison, "ann_accuracy")), "the model before conversion"),
        ("All timesteps", percent(last), f"after {timesteps} timesteps"),
        (f"Timesteps by {text(own.get('label'))}", _within(own), f"on average, at most {ALLOWED} points lost"),
        ("One temperature, one threshold", _within(way_of(comparison, "global")), f"at most {ALLOWED} points lost"),
        ("Ideal", number(dig(comparison, "ideal", "average_timesteps"), 2), "leaving at the first right answer"),
    ]
    row = "".join(f"<div><dt>{term}</dt><dd>{value}<small>{note}</small></dd></div>" for term, value, note in tiles)
    words = (
        f"Every way to stop was chosen on calibration images alone and is judged here on the {images} images of "
        f"<b>{text(dig(comparison, 'data', 'name'))}</b>. Points are lost against the full run."
    )
    return section(
        "summary", "In short", f'<dl class="tiles">{row}</dl>', paragraph(words), paragraph(plan_words(comparison))
    )


_AXES = {
    "average_timesteps": "Average timesteps per image",
    "synaptic_operations": "Synaptic operations per image, millions",
    "milliseconds": "Milliseconds per image",
}
_WORDS = {
    "average_timesteps": (
        "The strong line is the score that this network computes, with a temperature and a threshold for each "
        "timestep; thin lines are the other scores. Dashed is one temperature and one threshold for all timesteps; "
        "dotted, where there is a policy head, are its plan and, in the accent colour, the plan with confidence. "
        "Circles: all images stop at the same timestep, and the ideal, an exit at the first right answer. Bars are "
        "95\u00a0% intervals."
    ),
    "synaptic_operations": (
        "A synaptic operation is one addition that a spike causes, counted image by image up to its exit. The stem, "
        "which sees the analog image once, comes on top. Where a policy head plans, its multiply-accumulates are "
        "counted with them."
    ),
    "milliseconds": (
        "Lines are computed: the measured time of the stem, that of a policy head where it plans, and that of a "
        "timestep times their average number. The diamonds were really run with early exit."
    ),
}


def _section(comparison: Mapping[str, Any], identifier: str, title: str, key: str, scale: float) -> str:
    ways = mappings(dig(comparison, "ways"))
    if not any(_points(way, key, scale) for way in ways):
        return section(identifier, title, not_measured())
    own = str(dig(comparison, "score"))
    curves = [
        Curve(text(way.get("label")), _points(way, key, scale), _kind(str(way.get("name")), own))
        for way in ways
        if way.get("name") != "fixed"
    ]
    if key == "milliseconds":
        marks = [Curve("really run", really_run(comparison), "early")]
    else:
        ideal = {"points": [dig(comparison, "ideal")]}
        marks = [
            Curve("all images stop at t", _points(way_of(comparison, "fixed"), key, scale), "fixed"),
            Curve("ideal", _points(ideal, key, scale), "fixed"),
        ]
    intervals = [(scale * x, 100 * low, 100 * high) for x, low, high in _intervals(way_of(comparison, own), key)[::4]]
    ann = finite(dig(comparison, "ann_accuracy"))
    plot = curves_plot(curves, _AXES[key], None if ann is None else 100 * ann, marks, intervals=intervals)
    figure = f'<figure class="chart">{plot}<figcaption>{_WORDS[key]}</figcaption></figure>'
    return section(identifier, title, figure, times(comparison) if key == "milliseconds" else "")


def _table_section(comparison: Mapping[str, Any]) -> str:
    timesteps = finite(dig(comparison, "timesteps")) or 0
    averages = [average for average in AVERAGES if average < timesteps]
    columns = [
        Column("Way", numeric=False),
        *(Column(f"{average}") for average in averages),
        Column("Within half a point"),
    ]
    rows = [
        [text(way.get("label")), *(_lost(way, average) for average in averages), _within(way)]
        for way in mappings(dig(comparison, "ways"))
    ]
    words = (
        "Points lost against the full run at these average timesteps, on the line between neighbouring choices, with "
        f"half of their 95\u00a0% interval; the last column is the average from which on at most {ALLOWED} points are "
        "lost."
    )
    return section("lost", "Points lost", paragraph(words), table("Points lost", columns, rows))


def _auroc_section(comparison: Mapping[str, Any]) -> str:
    found = dig(comparison, "auroc")
    if not isinstance(found, Mapping) or not found:
        return section("auroc", "Which score tells a wrong answer", not_measured())
    shown = _shown_timesteps(comparison)
    columns = [Column("Score", numeric=False), *(Column(f"t={t}") for t in shown)]
    rows = [[text(name), *(significant(_item(values, t)) for t in shown)] for name, values in found.items()]
    words = (
        "The chance that a right answer has a higher score than a wrong one at the same timestep (AUROC): 0.5 says "
        "nothing, 1 tells all."
    )
    return section(
        "auroc", "Which score tells a wrong answer", paragraph(words), table("AUROC", columns, rows, long=False)
    )


def _reliability_section(comparison: Mapping[str, Any]) -> str:
    rows = mappings(dig(comparison, "reliability"))
    if not rows:
        return section("reliability", "How honest the confidence is", not_measured())
    columns = [
        Column("Timestep"),
        Column("Right"),
        Column("Confidence before"),
        Column("after"),
        Column("Calibration error before", "Mean distance of confidence and accuracy in 15 bins"),
        Column("after"),
        Column("Temperature"),
    ]
    cells = [
        [number(row.get("t")), percent(row.get("accuracy")), percent(row.get("confidence_before")),
         percent(row.get("confidence_after")), percent(row.get("error_before")), percent(row.get("error_after")),
         significant(row.get("temperature"))]
        for row in rows
    ]  # fmt: skip
    middle = rows[min(len(rows) - 1, max(0, len(rows) // 4 - 1))]
    before, after = (_bins(middle.get(key)) for key in ("bins_before", "bins_after"))
    words = (
        f"At timestep {number(middle.get('t'))}: how many of the answers given with some confidence are right, before "
        "and after the temperature of that timestep. On the dotted line a confidence is honest. The temperatures were "
        "fitted to calibration images: where those are easier for the network than these, as training images are, some "
        "overconfidence remains."
    )
    figure = f'<figure class="chart">{reliability_plot(before, after)}<figcaption>{words}</figcaption></figure>'
    return section(
        "reliability", "How honest the confidence is", figure, table("Reliability", columns, cells, long=True)
    )


def _provenance(comparison: Mapping[str, Any]) -> str:
    calibration, environment = dig(comparison, "calibration_data"), dig(comparison, "environment")
    versions = dig(environment, "versions")
    labelled = {True: ", labelled", False: ", without labels"}.get(dig(calibration, "labelled"), "")
    split = (
        f"{number(dig(calibration, 'fitting_images'))} to fit, {number(dig(calibration, 'held_out_images'))} to choose"
    )
    pairs = [
        ("Calibration data", f"{text(dig(calibration, 'name'))}, {number(dig(calibration, 'images'))} images ({split})"
                             + labelled),
        ("Data", f"{text(dig(comparison, 'data', 'name'))}, {number(dig(comparison, 'data', 'images'))} images"),
        ("Exit time that the accuracies alone suggest", number(dig(comparison, "ideal", "exit_time_of_accuracies"), 2)),
        ("Right at some timestep", percent(dig(comparison, "ideal", "accuracy"))),
        ("Versions", ", ".join(f"{text(k)} {text(v)}" for k, v in (versions or {}).items()) or MISSING),
        ("Machine", text(dig(environment, "machine"))),
        ("Date", text(dig(environment, "date"))),
    ]  # fmt: skip
    return section("provenance", "Provenance", facts(pairs))


def _warnings(comparison: Mapping[str, Any]) -> str:
    warnings = dig(comparison, "warnings") or []
    items = "".join(f"<li>{text(warning)}</li>" for warning in warnings)
    return f'<aside class="warnings" aria-label="Warnings"><h2>Mind</h2><ul>{items}</ul></aside>' if items else ""


def _kind(name: str, own: str) -> str:
    kinds = {own: "early", "global": "reference", "planned": "planned", "planned+confidence": "joint"}
    return kinds.get(name, "other")


def _points(way: Way, key: str, scale: float) -> list[Point]:
    pairs = [(finite(p.get(key)), finite(p.get("accuracy"))) for p in mappings(way.get("points"))]
    return sorted(Point(scale * x, 100 * y) for x, y in pairs if x is not None and y is not None)


def _intervals(way: Way, key: str) -> list[tuple[float, float, float]]:
    found = []
    for point in mappings(way.get("points")):
        x, (low, high) = finite(point.get(key)), (map(finite, point.get("interval95") or (None, None)))
        if x is not None and low is not None and high is not None:
            found.append((x, low, high))
    return found


def _lost(way: Way, average: float) -> str:
    points = mappings(way.get("points"))
    lost = at_average(points, average)
    near = min(points, key=lambda p: abs((finite(p.get("average_timesteps")) or 0.0) - average), default={})
    low, high = map(finite, near.get("points_lost_interval95") or (None, None))
    if lost is None:
        return MISSING
    return number(lost, 2) + ("" if low is None or high is None else f"<small>± {(high - low) / 2:.2f}</small>")


def _within(way: Way) -> str:
    return number(average_within(mappings(way.get("points")), ALLOWED), 2)


def _shown_timesteps(comparison: Mapping[str, Any]) -> list[int]:
    timesteps = int(finite(dig(comparison, "timesteps")) or 0)
    return [t for t in (1, 2, 3, 4, 5, 6, 8, 12, 16, 24, 32, 48, 64) if t <= timesteps]


def _item(values: Any, t: int) -> Any:
    return values[t - 1] if isinstance(values, Sequence) and len(values) >= t else None


def _bins(bins: Any) -> list[Point]:
    """Return the bins that hold enough images to say something."""
    known = [b for b in bins or [] if isinstance(b, (list, tuple)) and len(b) == 3]
    return [Point(100 * b[1], 100 * b[2]) for b in known if b[0] >= LEAST_IN_A_BIN]
