"""The plot of the settings that were tried."""

from collections.abc import Sequence

from seenn_convert.artifact.schema.exploration import Exploration, Trial
from seenn_convert.report.plots.axes import accuracy_axis, horizontal_axis, nice_ticks
from seenn_convert.report.plots.plot import Plot, Point, Series, ann_line


def exploration_plot(exploration: Exploration) -> Plot:
    """Return accuracy against average timesteps of every setting that was tried on all images."""
    (kept,) = [trial for trial in exploration.trials if trial.options == exploration.kept]
    ticks = nice_ticks(0.0, max(trial.average_timesteps for trial in exploration.trials), 8)
    x, ann = horizontal_axis(0.0, ticks[-1], ticks), 100 * exploration.ann_accuracy
    others = tuple(trial for trial in exploration.frontier if trial is not kept)
    groups = (("beaten", "other", exploration.dominated), ("frontier", "fixed", others))
    series = [_series(name, kind, trials) for name, kind, trials in groups if trials]
    low, high = kept.interval95
    label = f"kept {100 * kept.accuracy:.1f} %"
    bars = ((kept.average_timesteps, 100 * low, 100 * high),)
    best = Series("kept", "early", (_point(kept),), marker="diamond", direct=label, intervals=bars)
    y = accuracy_axis([ann, *(100 * trial.accuracy for trial in exploration.trials)])
    spoken = "Accuracy against average timesteps of the settings that were tried"
    all_series = (ann_line(ann, x.high), *series, best)
    return Plot("settings", spoken, x, y, "Average timesteps per image", "Accuracy, %", all_series)


def _series(name: str, kind: str, trials: Sequence[Trial]) -> Series:
    return Series(name, kind, tuple(sorted(map(_point, trials))), marker="circle")


def _point(trial: Trial) -> Point:
    return Point(trial.average_timesteps, 100 * trial.accuracy)
