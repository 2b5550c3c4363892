"""The table of what an answer costs: time, operations and energy of the ANN, all timesteps, and early exit."""

from collections.abc import Callable, Sequence

from seenn_convert.artifact.schema.evaluation import Evaluation
from seenn_convert.report.numbers import MISSING, count, energy, number, ratio, significant
from seenn_convert.report.parts import Cell, Column, Row, Table, table


def cost_table(evaluation: Evaluation) -> Table:
    """Return the costs per image."""
    time, joule, done = evaluation.milliseconds_per_image, evaluation.energy.nanojoule_per_image, evaluation.operations
    synaptic, spikes, once = done.synaptic_operations, done.spikes, done.stem_macs + done.policy_macs
    rows: list[Row] = [
        ["Time", *_compared((time.ann, time.all_timesteps, time.early_exit), lambda v: number(v, 2, "\u00a0ms"))],
        ["Multiply-accumulates", count(done.ann_macs), count(done.stem_macs), count(once)],
        ["Synaptic operations", MISSING, count(synaptic.all_timesteps), count(synaptic.early_exit)],
        ["Operations together", *_compared(
            (done.ann_macs, done.stem_macs + synaptic.all_timesteps, once + synaptic.early_exit), count)],
        ["Spikes", MISSING, count(spikes.all_timesteps), count(spikes.early_exit)],
        ["Energy, estimated", *_compared((joule.ann, joule.all_timesteps, joule.early_exit), energy)],
    ]  # fmt: skip
    return table("Costs", [Column("Per image"), Column("ANN"), Column("All timesteps"), Column("Early exit")], rows)


def _compared(values: Sequence[float], show: Callable[[float], str]) -> list[Cell]:
    """Return the cells of a row, those after the first with their ratio to it."""
    relations = [ratio(value, values[0]) for value in values[1:]]
    notes = ["", *("" if relation is None else f"{significant(relation, 2)} × ANN" for relation in relations)]
    return [Cell(show(value), note) for value, note in zip(values, notes, strict=True)]
