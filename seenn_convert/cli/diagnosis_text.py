"""A diagnosis as text: the table of neuron layers, and below it what breaks first and what helps."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from seenn_convert.cli.console import columns_text

if TYPE_CHECKING:
    from seenn_convert.measure.diagnosis import Diagnosis


def measured_text(diagnosis: "Diagnosis") -> str:
    """Return the errors of the layers, as an evaluation measured them; the largest part of each is starred."""
    from seenn_convert.measure.rate_error import PARTS

    rows: list[tuple[str, ...]] = [("neuron layer", "rate error", *PARTS, "dead", "saturated")]
    for layer in diagnosis.layers:
        parts = [_percent(layer.parts.get(part)) + "*" * (part == layer.mostly) for part in PARTS]
        channels = [_channels(amount, layer.channels) for amount in (layer.dead_channels, layer.saturated_channels)]
        rows.append((layer.name, _percent(layer.rate_error), *parts, *channels))
    return f"{columns_text(rows)}\n\n{diagnosis.verdict()}"


def calibrated_text(layers: Sequence[Mapping[str, Any]], diagnosis: "Diagnosis", path: str) -> str:
    """Return what the calibration knows about the layers, and how the errors are measured."""
    rows = [("neuron layer", "thresholds", "largest activation", "clipped", "dead")]
    for layer in layers:
        low, _, high = layer["v_threshold"] or (None, None, None)
        thresholds = _number(low) if low == high else f"{_number(low)} to {_number(high)}"
        dead = _channels(layer["dead_channels"], layer["channels"])
        rows.append((layer["name"], thresholds, _number(layer["maximum"]), _percent(layer["clipped_share"], 2), dead))
    how = f"Not evaluated yet: seenn-convert evaluate {path} --data DATA measures the errors of each layer."
    return f"{columns_text(rows)}\n\n{how if diagnosis.suggestion is None else f'{how} {diagnosis.suggestion}'}"


def _percent(share: float | None, digits: int = 1) -> str:
    return "-" if share is None else f"{share:.{digits}%}"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g}"


def _channels(amount: int | None, channels: int | None) -> str:
    if amount is None:
        return "-"
    return str(amount) if channels is None else f"{amount} of {channels}"
