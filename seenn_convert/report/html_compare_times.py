"""The times of a comparison's page: what stem, timestep and policy head take, and what was really run."""

from collections.abc import Mapping
from typing import Any

from seenn_convert.artifact.plain import dig, finite, mappings
from seenn_convert.measure.curves import at_average
from seenn_convert.report.html_sections import Column, details, number, paragraph, table, text
from seenn_convert.report.svg import Point


def way_of(comparison: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Return the way of a name, empty where there is none."""
    return next((way for way in mappings(dig(comparison, "ways")) if way.get("name") == name), {})


def really_run(comparison: Mapping[str, Any]) -> list[Point]:
    """Return measured milliseconds and accuracy in percent of the settings that were really run."""
    found = []
    for row in mappings(dig(comparison, "measured")):
        average, x = finite(row.get("average_timesteps")), finite(row.get("milliseconds"))
        points = mappings(way_of(comparison, _way_of_row(comparison, row)).get("points"))
        y = None if average is None else at_average(points, average, "accuracy")
        if x is not None and y is not None:
            found.append(Point(x, 100 * y))
    return found


def times(comparison: Mapping[str, Any]) -> str:
    """Return the prices in a sentence, and the measured times as a table."""
    prices, rows = dig(comparison, "prices"), mappings(dig(comparison, "measured"))
    threads, plan = finite(dig(prices, "threads")), finite(dig(prices, "plan"))
    head = "" if plan is None else f", policy head {number(plan, 3)}\u00a0ms"
    words = (
        f"Stem {number(dig(prices, 'stem'), 3)}\u00a0ms, timestep {number(dig(prices, 'step'), 3)}\u00a0ms{head} an "
        f"image, in batches of {number(dig(prices, 'batch_size'))} with {number(threads)} thread{'s' * (threads != 1)}."
    )
    columns = [Column("Way", numeric=False), Column("Average timesteps"), Column("Measured"), Column("Computed")]
    cells = [
        [text(way_of(comparison, _way_of_row(comparison, row)).get("label")),
         number(row.get("average_timesteps"), 2), number(row.get("milliseconds"), 3, "\u00a0ms"),
         number(row.get("milliseconds_computed"), 3, "\u00a0ms")]
        for row in rows
    ]  # fmt: skip
    return paragraph(words, "muted") + (details("Measured times", table("Times", columns, cells)) if cells else "")


def plan_words(comparison: Mapping[str, Any]) -> str:
    """Return what the page says about the policy head, or how to get one."""
    macs = finite(dig(comparison, "policy_macs"))
    if macs is None:
        return (
            "This network has no policy head: <code>seenn-convert attach-policy</code> would add two ways, planned and "
            "planned with confidence."
        )
    return (
        f"The policy head plans before the run, for {number(macs)} multiply-accumulates an image; the curves of the "
        "two planned ways pay them and its time. Along a curve a price of a timestep moves the plans; where no plan is "
        "used, nothing is paid."
    )


def _way_of_row(comparison: Mapping[str, Any], row: Mapping[str, Any]) -> str:
    return str(row.get("way") or dig(comparison, "score"))
