"""The plot of an exploration shows every setting that was tried on all images, the one kept on top."""

from trials import exploration

from seenn_convert.report.plots.exploration import exploration_plot


def test_every_setting_is_a_point_and_the_one_kept_is_on_top() -> None:
    plot = exploration_plot(exploration())
    assert [series.label for series in plot.series] == [
        "ANN", "beaten", "signed, T = 16, fast", "kept: multilevel, T = 4, fast",
    ]  # fmt: skip
    points = [point for series in plot.series[1:] for point in series.points]
    assert [(p.x, round(p.y, 1)) for p in points] == [(9.0, 87.0), (6.0, 89.3), (1.5, 89.6)]
    assert plot.series[-1].intervals == ((1.5, 85.0, 93.0),)
    assert all(plot.x.low <= p.x <= plot.x.high for p in points)
