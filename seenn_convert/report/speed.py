"""What ``bench`` measured, as tables."""

from seenn_convert.measure.speed import Speed, Timed
from seenn_convert.report.numbers import MISSING, number, percent, significant
from seenn_convert.report.parts import Cell, Column, Row, Table, table

TIMES = (
    Column("Way", numeric=False),
    Column("Batch", "Images that are given together."),
    Column("ms per image", "Wall time, the median of the rounds; of single images the mean."),
    Column("CPU ms", "Processor time per image, of all threads."),
    Column("Images per second", "Throughput."),
    Column("Timesteps", "Per image, on average."),
    Column("Timestep", "Milliseconds per image of one timestep."),
    Column("Timestep over ANN", "One timestep over a forward pass of the ANN in the same runtime."),
    Column(
        "Efficiency", "Wall time over that of all timesteps, divided by the share of timesteps that ran: 1 is ideal."
    ),
    Column("Memory, MB", "The most that was held beyond what was held before."),
)
LATENCIES = (
    Column("Way", numeric=False),
    Column("p50, ms", "Half of the images take at most this long."),
    Column("p95, ms"),
    Column("p99, ms"),
    Column(
        "p50 under load, ms",
        "Images arrive at random and wait for one worker; simulated from the times of single images.",
    ),
    Column("p95 under load, ms"),
    Column("p99 under load, ms"),
)  # fmt: skip
ANSWERS = (
    Column("Way", numeric=False),
    Column("Accuracy", "Share of the images that are right."),
    Column("As the ANN", "Share of the answers that are those of the ANN in PyTorch."),
    Column("Same exits", "Share of the images that leave at the timestep at which they leave in PyTorch."),
)


def times_table(speed: Speed) -> Table:
    """Return one row for each way and batch size."""
    return table("Times", TIMES, [_times(one) for one in speed.timed])


def latency_table(speed: Speed) -> Table:
    """Return one row for each way of running single images."""
    rows: list[Row] = []
    for one in speed.timed:
        if one.latency is not None:
            load = one.under_load
            queued = (
                ("cannot keep up", MISSING, MISSING) if load is None else _percentiles(load.p50, load.p95, load.p99)
            )
            rows.append([one.name, *_percentiles(one.latency.p50, one.latency.p95, one.latency.p99), *queued])
    return table("Latency of single images", LATENCIES, rows)


def answers_table(speed: Speed) -> Table:
    """Return one row for each way."""
    rows: list[Row] = [
        [one.name, percent(one.accuracy, 2), percent(one.as_ann, 2), percent(one.same_exits, 2)]
        for one in speed.answers
    ]
    return table("Answers", ANSWERS, rows)


def _times(one: Timed) -> Row:
    return [
        Cell(one.name, strong=one.average_timesteps is not None),
        number(one.batch),
        significant(one.milliseconds),
        significant(one.processor),
        significant(one.images_per_second),
        number(one.average_timesteps, 2),
        significant(one.step),
        number(one.over_ann, 2),
        number(one.efficiency, 2),
        number(one.peak_megabytes),
    ]


def _percentiles(*milliseconds: float) -> tuple[str, ...]:
    return tuple(map(significant, milliseconds))
