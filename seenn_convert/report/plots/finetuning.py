"""The plot of a training through time: accuracy after some timesteps over the updates."""

from seenn_convert.artifact.schema.finetuning import FinetuneFacts
from seenn_convert.report.plots.axes import accuracy_axis, horizontal_axis, nice_ticks
from seenn_convert.report.plots.plot import Plot, Point, Series, ann_line

SHOWN = (1, 2, 4, 8)


def finetuning_plot(facts: FinetuneFacts) -> Plot:
    """Return a line for some of the timesteps, the first one as what matters, and the ANN as a dashed line."""
    timesteps = len(facts.looks[0].accuracy_at)
    shown = sorted({t for t in SHOWN if t < timesteps} | {timesteps})
    lines = [
        Series(f"t = {t}", "early" if t == 1 else "other", points, "{x:g} updates, {y:.1f} %", line=True,
               marker="circle", direct=f"t = {t}: {points[-1].y:.1f} %")
        for t in shown
        for points in [tuple(Point(look.update, 100 * look.accuracy_at[t - 1]) for look in facts.looks)]
    ]  # fmt: skip
    ticks = nice_ticks(0, max(facts.updates, 1))
    y = accuracy_axis([100 * facts.ann_accuracy, *(point.y for line in lines for point in line.points)])
    spoken = "Accuracy over the updates of the training: " + ", ".join(line.direct for line in lines)
    ann = ann_line(100 * facts.ann_accuracy, ticks[-1])
    return Plot("finetuning", spoken, horizontal_axis(0, ticks[-1], ticks), y, "Updates", "Accuracy (%)", (ann, *lines))
