"""The plot of the analog fronts that were tried: points expected to be lost at each timestep."""

from collections.abc import Sequence

from seenn_convert.artifact.schema.front import FrontFacts, FrontTrial
from seenn_convert.report.plots.axes import timestep_axis, vertical_axis
from seenn_convert.report.plots.plot import Plot, Point, Series


def front_plot(front: FrontFacts) -> Plot:
    """Return a line for each front that was tried; the chosen one stands out, no front is dashed."""
    trials = front.tried
    lines = [_line(one, len(front.names)) for one in trials]
    highest = max(point.y for line in lines for point in line.points)
    x, y = timestep_axis(max(len(one.drop_at) for one in trials)), vertical_axis(0.0, max(highest, 1.0))
    spoken = "Points expected to be lost over timesteps: " + ", ".join(line.label for line in lines)
    return Plot("front", spoken, x, y, "Timesteps", "Points lost", _chosen_last(lines))


def _line(trial: FrontTrial, chosen: int) -> Series:
    label = f"{trial.share:.0%} once per image" if trial.activations else f"no front ({trial.share:.0%})"
    kind = "early" if trial.activations == chosen else "other" if trial.activations else "reference"
    points = tuple(Point(t, max(drop, 0.0)) for t, drop in enumerate(trial.drop_at, 1))
    return Series(label, kind, points, "t = {x:g}, {y:.1f} points", line=True, marker="circle")


def _chosen_last(lines: Sequence[Series]) -> tuple[Series, ...]:
    return tuple(sorted(lines, key=lambda line: line.kind == "early"))
