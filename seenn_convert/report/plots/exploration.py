"""The plot of the settings that were tried."""

from dataclasses import replace

from seenn_convert.artifact.schema.exploration import Exploration, Trial
from seenn_convert.report.plots.axes import accuracy_axis, horizontal_axis, nice_ticks
from seenn_convert.report.plots.plot import Plot, Point, Series, ann_line


def exploration_plot(exploration: Exploration) -> Plot:
    """Return accuracy against average timesteps of every setting that was tried on all images."""
    (kept,) = [trial for trial in exploration.trials if trial.options == exploration.kept]
    ticks = nice_ticks(0.0, max(trial.average_timesteps for trial in exploration.trials), 8)
    x, ann = horizontal_axis(0.0, ticks[-1], ticks), 100 * exploration.ann_accuracy
    beaten = tuple(sorted(map(_point, exploration.dominated)))
    low, high = kept.interval95
    series = [
        ann_line(ann, x.high),
        *([Series("beaten", "other", beaten, marker="circle")] if beaten else []),
        *(_labelled(trial) for trial in exploration.frontier if trial is not kept),
        replace(_labelled(kept), label=f"kept: {_name(kept)}", kind="early", marker="diamond",
                intervals=((kept.average_timesteps, 100 * low, 100 * high),)),
    ]  # fmt: skip
    y = accuracy_axis([ann, *(100 * trial.accuracy for trial in exploration.trials)])
    spoken = "Accuracy against average timesteps of the settings that were tried; kept: " + _name(kept)
    return Plot("settings", spoken, x, y, "Average timesteps per image", "Accuracy, %", tuple(series))


def _labelled(trial: Trial) -> Series:
    direct = f"{trial.neuron}, T = {trial.timesteps}"
    return Series(_name(trial), "fixed", (_point(trial),), marker="circle", direct=direct)


def _name(trial: Trial) -> str:
    return f"{trial.neuron}, T = {trial.timesteps}, {trial.calibration}"


def _point(trial: Trial) -> Point:
    return Point(trial.average_timesteps, 100 * trial.accuracy)
