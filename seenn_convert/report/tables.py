"""The tables of a report, except those of the neuron layers: costs, exits, operators, passes."""

from collections.abc import Callable
from itertools import accumulate

from seenn_convert.artifact.schema.conversion import Conversion
from seenn_convert.artifact.schema.evaluation import Evaluation
from seenn_convert.artifact.schema.report import Report
from seenn_convert.report.numbers import MISSING, count, energy, number, percent, ratio, significant
from seenn_convert.report.parts import Cell, Column, Row, Table, table


def cost_table(evaluation: Evaluation) -> Table:
    """Return time, operations and energy per image of the ANN, if there is one, all timesteps, and early exit."""
    time, joule, done = evaluation.milliseconds_per_image, evaluation.energy.nanojoule_per_image, evaluation.operations
    synaptic, graded, spikes = done.synaptic_operations, done.graded_operations, done.spikes
    once = done.stem_macs + done.policy_macs
    has_ann = evaluation.reference == "ann"
    together = (done.ann_macs if has_ann else None, done.stem_macs + synaptic.all_timesteps, once + synaptic.early_exit)
    multiplied = (done.ann_macs, done.stem_macs + graded.all_timesteps, once + graded.early_exit)
    added = (synaptic.all_timesteps - graded.all_timesteps, synaptic.early_exit - graded.early_exit)
    columns = [Column("Per image"), Column("ANN"), Column("All timesteps"), Column("Early exit")]
    rows: list[Row] = [
        ["Time", *_compared((time.ann, time.all_timesteps, time.early_exit), lambda v: number(v, 2, "\u00a0ms"))],
        ["Multiply-accumulates", *map(count, multiplied)],
        ["Accumulates caused by spikes", MISSING, *map(count, added)],
        ["Operations together", *_compared(together, count)],
        ["Spikes", MISSING, count(spikes.all_timesteps), count(spikes.early_exit)],
        ["Energy, estimated", *_compared((joule.ann, joule.all_timesteps, joule.early_exit), energy)],
    ]
    if not has_ann:
        columns, rows = [columns[0], *columns[2:]], [[row[0], *row[2:]] for row in rows]
    return table("Costs", columns, rows)


def exit_table(report: Report) -> Table:
    """Return who exits when, what stopping there would give, and the temperature."""
    columns = ("Timestep", "Images that leave", "Have left", "Accuracy if all stop here", "Temperature")
    evaluation, conversion = report.evaluation, report.conversion
    shares = [] if evaluation is None else evaluation.exit_shares
    accuracies = {} if evaluation is None else evaluation.accuracy_at
    temperatures = dict(enumerate(() if conversion is None else conversion.exit.temperatures, 1))
    rows = [
        [str(t), percent(share), percent(left), percent(accuracies.get(t)), significant(temperatures.get(t))]
        for t, (share, left) in enumerate(zip(shares, accumulate(shares), strict=True), 1)
    ]
    return table("Timestep by timestep", [Column(name) for name in columns], rows, long=True)


def front_table(conversion: Conversion) -> Table:
    """Return the analog fronts that were tried."""
    columns = [
        Column("Activations", "In the front; 0 is no front."),
        Column("MACs once", "Share of the multiply-accumulates that run once per image."),
        Column("Points lost", "Expected against the ANN, after all timesteps."),
        Column("Timesteps", "On average at the target, or at the loss without a front if that is larger."),
        Column("Points lost then", "Expected with early exit so."),
        Column("Energy", "Estimated with early exit so; all that runs once is counted in full."),
    ]
    front = conversion.front
    rows: list[Row] = [
        [
            f"{one.activations}{' (chosen)' if one.activations == len(front.names) else ''}",
            percent(one.share),
            number(one.drop_at[-1], 1),
            number(one.average_timesteps, 2),
            number(one.expected_drop, 1),
            energy(one.nanojoule_per_image),
        ]
        for one in front.tried
    ]
    return table("Fronts that were tried", columns, rows)


def operator_table(conversion: Conversion) -> Table:
    """Return every operator and what became of it."""
    columns = [
        Column("Node", numeric=False),
        Column("Operator", numeric=False),
        Column("Treatment", numeric=False),
        Column("MACs", "Multiply-accumulates per image and pass. Those with the zeros of padding count."),
        Column("Share", "Of all multiply-accumulates."),
        Column("Driven by", "What sets off its multiply-accumulates.", numeric=False),
        Column("From", "Its place in the model that was read.", numeric=False),
    ]
    rows = [
        [s.name, s.operator, s.treatment, number(s.macs), percent(s.share), s.driven_by or MISSING, s.source or MISSING]
        for s in conversion.operators
    ]
    return table("Operators", columns, rows, long=True)


def pass_table(conversion: Conversion) -> Table:
    """Return what each pass changed and what it declined."""
    columns = [Column("Pass", numeric=False), Column("Changed"), Column("Declined", numeric=False)]
    rows: list[Row] = [
        [one.name, number(one.changed), Cell("" if one.declined else MISSING, items=one.declined)]
        for one in conversion.passes
    ]
    return table("Passes", columns, rows)


def _compared(values: tuple[float | None, float, float], show: Callable[[float | None], str]) -> list[Cell]:
    """Return the cells of a row, those after the first with their ratio to it, or to all timesteps without an ANN."""
    reference, name = (values[1], "all timesteps") if values[0] is None else (values[0], "ANN")
    relations = [ratio(value, reference) if value is not reference else None for value in values]
    notes = ["" if relation is None else f"{significant(relation, 2)} × {name}" for relation in relations]
    return [Cell(show(value), note) for value, note in zip(values, notes, strict=True)]
