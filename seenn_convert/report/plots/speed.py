"""The plots of ``bench``: how long single images take, and what an answer costs against how good it is."""

from itertools import cycle
from typing import Literal

from seenn_convert.measure.latency import QUANTILES
from seenn_convert.measure.speed import Speed, Timed
from seenn_convert.report.plots.axes import accuracy_axis, horizontal_axis, nice_ticks, vertical_axis
from seenn_convert.report.plots.plot import Plot, Point, Series

_POINTS: dict[bool, tuple[str, Literal["diamond", "circle"]]] = {True: ("early", "diamond"), False: ("ann", "circle")}
"""How the spiking network and the ANN are drawn where each is a point; the kinds of lines are below."""

SPIKING_KINDS, ANN_KINDS = ("early", "planned", "joint"), ("ann", "reference", "other", "fixed")


def speed_plots(speed: Speed) -> dict[str, Plot]:
    """Return the plots that can be drawn, by name."""
    alone = [one for one in speed.timed if one.latency is not None]
    largest = max((one.batch for one in speed.timed), default=1)
    plots = [_latency_plot(alone)] if alone else []
    together = [one for one in speed.timed if one.batch == largest]
    good = {one.name: one.as_ann if one.accuracy is None else one.accuracy for one in speed.answers}
    if all(good.get(one.name) is not None for one in together):
        plots.append(_cost_plot(speed, together, {name: value for name, value in good.items() if value is not None}))
    return {plot.name: plot for plot in plots}


def _latency_plot(alone: list[Timed]) -> Plot:
    """Return the share of single images that are answered within a time."""
    series = []
    for one, kind in zip(alone, _kinds(alone), strict=True):
        curve = () if one.latency is None else one.latency.curve
        points = tuple(Point(ms, float(share)) for ms, share in zip(curve, QUANTILES, strict=True))
        series.append(Series(one.name, kind, points, "{y:.0f} % within {x:.3g} ms", line=True))
    ticks = nice_ticks(0.0, max(one.latency.p99 for one in alone if one.latency is not None), 8)
    spoken = "Share of single images that are answered within a time: " + ", ".join(one.name for one in alone)
    x, y = horizontal_axis(0.0, ticks[-1], ticks), vertical_axis(0.0, 100.0)
    return Plot("latency", spoken, x, y, "Milliseconds", "Images answered, %", tuple(series))


def _cost_plot(speed: Speed, together: list[Timed], good: dict[str, float]) -> Plot:
    """Return accuracy, or agreement with the ANN without labels, against time per image."""
    labelled = any(one.accuracy is not None for one in speed.answers)
    ticks = nice_ticks(0.0, max(one.milliseconds for one in together), 8)
    series = []
    for one in together:
        spiking = one.average_timesteps is not None
        kind, marker = _POINTS[spiking]
        point = Point(one.milliseconds, 100 * good[one.name])
        series.append(Series(one.name, kind, (point,), "{x:.3g} ms, {y:.1f} %", marker=marker, direct=one.name))
    what = "Accuracy" if labelled else "Same answers as the ANN"
    y = accuracy_axis([100 * good[one.name] for one in together])
    spoken = f"{what} against time per image in batches of {together[0].batch}: " + ", ".join(
        one.name for one in together
    )
    x_label = f"Milliseconds per image, batches of {together[0].batch}"
    return Plot("cost", spoken, horizontal_axis(0.0, ticks[-1], ticks), y, x_label, f"{what}, %", tuple(series))


def _kinds(ways: list[Timed]) -> list[str]:
    spiking, ann = cycle(SPIKING_KINDS), cycle(ANN_KINDS)
    return [next(spiking if one.average_timesteps is not None else ann) for one in ways]
