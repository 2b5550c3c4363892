"""The tables of neuron layers: where the errors come from, and what each layer does."""

from collections.abc import Sequence

from seenn_convert.artifact.schema.layers import LayerRow
from seenn_convert.measure.rate_error import PARTS
from seenn_convert.report.numbers import MISSING, number, percent, significant
from seenn_convert.report.parts import Cell, Column, Row, Table, table

MEANINGS = {
    "startup": "Input that arrived late.",
    "upstream": "What the layers before got wrong even after their start.",
    "clipping": "Activations above what the neurons can send in every timestep.",
    "quantisation": "Rounding to whole spikes.",
    "unevenness": "The order in which input arrived: spikes too many, or not sent in time.",
}


def error_table(layers: Sequence[LayerRow]) -> Table:
    """Return the rate error of each layer and its parts, the largest part of each in bold."""
    columns = [
        Column("Layer", numeric=False),
        Column(
            "Rate error",
            "Norm of the difference between the layer's mean output after all timesteps and the ANN's activation, as a "
            "share of the norm of that activation. The bar is scaled to the largest of the column.",
        ),
        *(Column(part.capitalize(), MEANINGS[part]) for part in PARTS),
        Column(
            "Startup + upstream",
            "Norm of these two together: what arrives at the layer wrong. Timestep biases make them cancel in part. "
            "The diagnosis counts each of them up to this value only.",
        ),
    ]
    most = max((layer.rate_error or 0.0 for layer in layers), default=0.0)
    rows: list[Row] = []
    for layer in layers:
        largest = max(layer.error_parts.values(), default=0.0)
        parts = [layer.error_parts.get(part) for part in PARTS]
        rows.append([
            layer.name,
            _bar(layer.rate_error, most),
            *(Cell(percent(part), strong=part is not None and part == largest > 0) for part in parts),
            percent(layer.input_error),
        ])  # fmt: skip
    return table("Errors of the neuron layers", columns, rows, long=True)


def activity_table(layers: Sequence[LayerRow]) -> Table:
    """Return size, thresholds, spikes and conspicuous channels of each layer."""
    columns = [
        Column("Layer", numeric=False),
        Column("Neurons"),
        Column("Firing rate", "Spikes of either sign per neuron and timestep."),
        Column("Spikes per image", "Over all timesteps."),
        Column("Share of operations", "Share of the synaptic operations that the spikes of this layer cause."),
        Column("Dead channels", "Channels that no calibration image activated."),
        Column(
            "Saturated channels",
            "Channels that too often send the most they can. Behind a clipped ReLU this may be as it should.",
        ),
        Column("Thresholds", "Smallest, median and largest firing threshold, in units of the activation."),
    ]
    most_spikes = max((layer.firing_rate or 0.0 for layer in layers), default=0.0)
    most_operations = max((layer.operation_share or 0.0 for layer in layers), default=0.0)
    rows: list[Row] = [
        [
            layer.name,
            number(layer.neurons),
            _bar(layer.firing_rate, most_spikes),
            number(layer.spikes_per_image),
            _bar(layer.operation_share, most_operations),
            _channels(layer.dead_channels, layer.channels),
            _channels(layer.saturated_channels, layer.channels),
            " – ".join(significant(value) for value in dict.fromkeys(layer.v_threshold or (None,))),
        ]
        for layer in layers
    ]
    return table("Activity of the neuron layers", columns, rows, long=True)


def _bar(value: float | None, most: float) -> Cell:
    return Cell(percent(value), share=min(max((value or 0.0) / most, 0.0), 1.0) if most > 0 else 0.0)


def _channels(amount: int | None, channels: int | None) -> Cell:
    """Return how many of the channels, bold if there are any."""
    if amount is None:
        return Cell(MISSING)
    return Cell(f"{amount:,}" if channels is None else f"{amount:,} of {channels:,}", strong=amount > 0)
