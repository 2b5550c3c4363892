"""What the page reads out of a report; None where a number is missing."""

from collections.abc import Mapping
from typing import Any

from seenn_convert.artifact.plain import dig, finite
from seenn_convert.report.html_sections import MISSING, cost_rows, number, ratio
from seenn_convert.report.svg import ExitPoint, Point


def timesteps_of(report: Mapping[str, Any]) -> int:
    """Return the longest run, from what was measured where the conversion does not say."""
    told = finite(dig(report, "conversion", "timesteps"))
    measured = [point.x for point in fixed_points(report)]
    return int(told) if told else int(max(measured, default=1))


def fixed_points(report: Mapping[str, Any]) -> list[Point]:
    """Return timestep and accuracy in percent where all images stop there, in order."""
    accuracy_at = dig(report, "evaluation", "accuracy_at") or {}
    known = [(int(t), finite(accuracy)) for t, accuracy in accuracy_at.items()]
    return sorted(Point(t, 100 * accuracy) for t, accuracy in known if accuracy is not None)


def exit_shares(report: Mapping[str, Any]) -> list[float]:
    """Return the share of images that leave at each timestep, in per cent."""
    told = dig(report, "evaluation", "early_exit", "exit_counts") or {}
    counts = {int(t): finite(images) or 0.0 for t, images in told.items()}
    total = sum(counts.values())
    steps = range(1, max([timesteps_of(report), *counts]) + 1)
    return [counts.get(t, 0.0) / total if total else 0.0 for t in steps]


def left_by(shares: list[float], part: float) -> int:
    """Return the first timestep by which ``part`` of all images have left."""
    return next((t for t in range(1, len(shares) + 1) if sum(shares[:t]) >= part - 1e-9), len(shares))


def ann_percent(report: Mapping[str, Any]) -> float | None:
    """Return the ANN's accuracy in per cent."""
    accuracy = finite(dig(report, "evaluation", "ann_accuracy"))
    return None if accuracy is None else 100 * accuracy


def early_exit_point(report: Mapping[str, Any]) -> ExitPoint | None:
    """Return average timesteps and accuracy of early exit, with its interval."""
    early = dig(report, "evaluation", "early_exit")
    average, accuracy = finite(dig(early, "average_timesteps")), finite(dig(early, "accuracy"))
    return None if average is None or accuracy is None else ExitPoint(average, 100 * accuracy, interval_of(report))


def interval_of(report: Mapping[str, Any]) -> tuple[float, float] | None:
    """Return the 95 % interval of the accuracy in percent."""
    bounds = dig(report, "evaluation", "early_exit", "interval95")
    known = [finite(bound) for bound in bounds] if isinstance(bounds, (list, tuple)) else []
    numbers = [100 * bound for bound in known if bound is not None]
    return (numbers[0], numbers[1]) if len(numbers) == 2 else None


def points_lost(report: Mapping[str, Any]) -> float | None:
    """Return the points of accuracy that early exit loses against the ANN."""
    ann, accuracy = ann_percent(report), finite(dig(report, "evaluation", "early_exit", "accuracy"))
    return None if ann is None or accuracy is None else round(ann - 100 * accuracy, 6)


def points_of(lost: float | None) -> str:
    """Return a number of points as text, without its sign."""
    return MISSING if lost is None else number(abs(round(lost, 1)), 1)


def lost_words(lost: float) -> str:
    """Return a loss or gain in words."""
    if round(abs(lost), 1) == 0:
        return "level with the ANN"
    return f"{points_of(lost)} points {'below' if lost > 0 else 'above'} the ANN"


def cost_relation(evaluation: Any) -> tuple[str, float | None]:
    """Return the cost of early exit relative to the ANN: energy, or operations where no energy is known."""
    rows, name = dict(cost_rows(evaluation)), "Energy, estimated"
    relation = ratio(rows[name][2], rows[name][0])
    if relation is None:
        ann, _, early = rows["Operations together"]
        return ("Operations", ratio(early, ann)) if ratio(early, ann) is not None else (name, None)
    return name, relation
