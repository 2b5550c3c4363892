"""The plot of a training through time: accuracy after some timesteps over the updates."""

from seenn_convert.artifact.schema.finetuning import FinetuneFacts
from seenn_convert.report.plots.axes import accuracy_axis, horizontal_axis, nice_ticks
from seenn_convert.report.plots.plot import Plot, Point, Series, ann_line

SHOWN = (1, 2, 4, 8)


def finetuning_plot(facts: FinetuneFacts) -> Plot:
    """Return a line for some of the timesteps, the first one as what matters, and the ANN as a dashed line."""
    timesteps = len(facts.looks[0].accuracy_at)
    shown = sorted({t for t in SHOWN if t < timesteps} | {timesteps})
    timed = all(look.minutes is not None for look in facts.looks)
    places = [float(look.minutes or 0) if timed else look.update for look in facts.looks]
    label, unit = ("Minutes of training", "min") if timed else ("Updates", "updates")
    lines = [
        Series(f"t = {t}", "early" if t == 1 else "other", tuple(map(Point, places, accuracy)),
               f"{{x:.3g}} {unit}, {{y:.1f}} %", line=True, marker="circle", direct=f"t = {t}: {accuracy[-1]:.1f} %")
        for t in shown
        for accuracy in [[100 * look.accuracy_at[t - 1] for look in facts.looks]]
    ]  # fmt: skip
    ticks = nice_ticks(0, max(*places, 0.1 if timed else 1))
    y = accuracy_axis([100 * facts.ann_accuracy, *(point.y for line in lines for point in line.points)])
    spoken = "Accuracy in the course of the training: " + ", ".join(line.direct for line in lines)
    ann = ann_line(100 * facts.ann_accuracy, ticks[-1])
    return Plot("finetuning", spoken, horizontal_axis(0, ticks[-1], ticks), y, label, "Accuracy (%)", (ann, *lines))
