"""The plots of an evaluation: accuracy over timesteps, its trade-off with early exit, exit steps, temperatures."""

from collections.abc import Sequence
from dataclasses import dataclass

from seenn_convert.artifact.schema.evaluation import Evaluation
from seenn_convert.artifact.schema.report import Report
from seenn_convert.report.plots.axes import (
    accuracy_axis,
    horizontal_axis,
    timestep_axis,
    timestep_ticks,
    vertical_axis,
)
from seenn_convert.report.plots.exploration import exploration_plot
from seenn_convert.report.plots.finetuning import finetuning_plot
from seenn_convert.report.plots.front import front_plot
from seenn_convert.report.plots.plot import Plot, Point, Series, ann_line

MOST_BAR_LABELS = 20
SHOWN_BELOW = 15.0
"""Points of accuracy below early exit that the trade-off shows."""


def report_plots(report: Report) -> dict[str, Plot]:
    """Return the plots of a report by name, in reading order."""
    plots = [] if report.evaluation is None else _evaluation_plots(report.evaluation)
    conversion = report.conversion
    if conversion is not None and conversion.exploration is not None:
        plots.append(exploration_plot(conversion.exploration))
    temperatures = () if conversion is None else conversion.exit.temperatures
    if temperatures:
        plots.append(temperature_plot([Point(t, value) for t, value in enumerate(temperatures, 1)]))
    if conversion is not None and conversion.front.tried:
        plots.append(front_plot(conversion.front))
    if conversion is not None and conversion.finetuning is not None:
        plots.append(finetuning_plot(conversion.finetuning))
    return {plot.name: plot for plot in plots}


def _evaluation_plots(evaluation: Evaluation) -> list[Plot]:
    early, timesteps = evaluation.early_exit, max(evaluation.accuracy_at)
    low, high = early.interval95
    chosen = Point(early.average_timesteps, 100 * early.accuracy)
    name = "ANN" if evaluation.reference == "ann" else "all timesteps"
    result = Result(100 * evaluation.reference_accuracy, chosen, (100 * low, 100 * high), name)
    fixed = [Point(t, 100 * accuracy) for t, accuracy in sorted(evaluation.accuracy_at.items())]
    curve = [Point(p.average_timesteps, 100 * p.accuracy) for p in evaluation.trade_off]
    return [
        accuracy_plot(fixed, timesteps, result),
        *([trade_off_plot(curve, fixed, timesteps, result)] if curve else []),
        exit_plot([100 * share for share in evaluation.exit_shares]),
    ]


@dataclass(frozen=True)
class Result:
    """What the ANN and early exit came to, accuracies in percent.

    Attributes:
        reference: Accuracy of the ANN, or of all timesteps where there is none.
        early: Average timesteps and accuracy of early exit.
        interval: The 95 % interval of that accuracy.
        name: What the reference is called.
    """

    reference: float
    early: Point
    interval: tuple[float, float]
    name: str = "ANN"

    def spoken(self) -> str:
        """Return the text alternative."""
        x, y = self.early
        return f"; {self.name} {self.reference:.1f} %; early exit {y:.1f} % after {x:.2f} timesteps on average"

    def series(self, right: float, name: str) -> tuple[Series, Series]:
        """Return the reference as a line up to ``right``, and early exit as a diamond called ``name``."""
        direct, intervals = f"{name} {self.early.y:.1f} %", ((self.early.x, *self.interval),)
        early = Series(name, "early", (self.early,), marker="diamond", direct=direct, intervals=intervals)
        return ann_line(self.reference, right, name=self.name), early


def accuracy_plot(accuracy_at: Sequence[Point], timesteps: int, result: Result) -> Plot:
    """Return accuracy over timesteps, with the ANN as a line and early exit as a point."""
    x = timestep_axis(timesteps)
    y = accuracy_axis([result.reference, result.early.y, *(p.y for p in accuracy_at)])
    fixed = _fixed(accuracy_at, line=True)
    spoken = "Accuracy over timesteps" + result.spoken()
    series = (fixed, *result.series(x.high, "early exit"))
    return Plot("accuracy", spoken, x, y, "Timesteps", "Accuracy, %", series)


def trade_off_plot(curve: Sequence[Point], fixed: Sequence[Point], timesteps: int, result: Result) -> Plot:
    """Return accuracy against average timesteps: early exit at every threshold, and all images stopping at one t.

    Points far below the chosen one are cut off: the plot is about what is worth choosing between.
    """
    values = [result.reference, *(p.y for p in (*curve, result.early, *fixed))]
    x, y = timestep_axis(timesteps), accuracy_axis([v for v in values if v >= result.early.y - SHOWN_BELOW])
    name = "one threshold for all timesteps"
    line = Series(name, "early", tuple(curve), line=True, direct=name)
    spoken = "Accuracy against average timesteps" + result.spoken()
    series = (line, _fixed(fixed), *result.series(x.high, "chosen"))
    return Plot("trade-off", spoken, x, y, "Average timesteps per image", "Accuracy, %", series)


def exit_plot(shares: Sequence[float]) -> Plot:
    """Return a bar for each exit step, the first for timestep 1; ``shares`` are percent of all images."""
    steps = max(len(shares), 1)
    ticks = timestep_ticks(steps)[1:]
    x = horizontal_axis(0.5, steps + 0.5, ticks if ticks[0] == 1 else (1, *ticks))
    most = max(range(len(shares)), key=lambda t: shares[t], default=0)
    wide = len(shares) <= MOST_BAR_LABELS
    tagged = dict.fromkeys([most, len(shares) - 1, *(range(len(shares)) if wide else ())]) if shares else {}
    bars = Series(
        "images that leave",
        "bar",
        tuple(Point(t, share) for t, share in enumerate(shares, 1)),
        "timestep {x:g}, {y:.1f} %",
        marker="bar",
        tags=tuple((t, f"{shares[t]:.{0 if wide else 1}f}") for t in tagged if shares[t] >= 0.5),
    )
    spoken = f"; most leave at timestep {most + 1}, {shares[most]:.1f} %" if any(shares) else ""
    spoken = f"Share of the images that leave at each timestep{spoken}"
    return Plot("exits", spoken, x, vertical_axis(0.0, max([*shares, 1.0])), "Exit step", "Images, %", (bars,))


def temperature_plot(temperatures: Sequence[Point]) -> Plot:
    """Return the softmax temperature at each timestep."""
    y = vertical_axis(0.0, max([p.y for p in temperatures], default=1.0))
    words = "timestep {x:g}, {y:.3g}"
    line = Series("temperature", "fixed", tuple(temperatures), words, line=True, marker="circle")
    ends = [
        Series("", "fixed", (end,), "", direct=f"{end.y:.3g}")
        for end in dict.fromkeys([*temperatures[:1], *temperatures[-1:]])
    ]
    x = timestep_axis(max((round(p.x) for p in temperatures), default=1))
    spoken = "Softmax temperature at each timestep"
    return Plot("temperatures", spoken, x, y, "Timestep", "Temperature", (line, *ends))


def _fixed(points: Sequence[Point], line: bool = False) -> Series:
    name = "all images stop at t"
    return Series(name, "fixed", tuple(points), "t = {x:g}, {y:.1f} %", line, "circle", name)
