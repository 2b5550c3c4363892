"""A diagnosis as text: the table of neuron layers, and below it what breaks first and what helps."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from seenn_convert.cli.console import columns_text

if TYPE_CHECKING:
    from seenn_convert.artifact.schema.layers import Diagnosis
    from seenn_convert.measure.calibrated import CalibratedLayer


def measured_text(diagnosis: "Diagnosis") -> str:
    """Return the errors of the layers, as an evaluation measured them; the largest part of each is starred."""
    from seenn_convert.measure.rate_error import PARTS
    from seenn_convert.report.narrative.diagnosis import diagnosis_words

    rows: list[tuple[str, ...]] = [("neuron layer", "rate error", *PARTS, "dead", "saturated")]
    for layer in diagnosis.layers:
        parts = [_percent(layer.parts.get(part)) + "*" * (part == layer.mostly) for part in PARTS]
        channels = [_channels(amount, layer.channels) for amount in (layer.dead_channels, layer.saturated_channels)]
        rows.append((layer.name, _percent(layer.rate_error), *parts, *channels))
    return f"{columns_text(rows)}\n\n{diagnosis_words(diagnosis)}\n* is the largest part of a layer's error"


def calibrated_text(layers: Sequence["CalibratedLayer"], diagnosis: "Diagnosis", path: str) -> str:
    """Return what the calibration knows about the layers, and how the errors are measured."""
    rows = [("neuron layer", "thresholds", "largest activation", "clipped", "dead")]
    for layer in layers:
        low, _, high = layer.v_threshold
        thresholds = f"{low:.4g}" if low == high else f"{low:.4g} to {high:.4g}"
        dead = _channels(layer.dead_channels, layer.channels)
        rows.append((layer.name, thresholds, f"{layer.maximum:.4g}", _percent(layer.clipped_share, 2), dead))
    how = f"Not evaluated yet: seenn-convert evaluate {path} --data DATA measures the errors of each layer."
    return f"{columns_text(rows)}\n\n{how if diagnosis.suggestion is None else f'{how} {diagnosis.suggestion}'}"


def _percent(share: float | None, digits: int = 1) -> str:
    return "-" if share is None else f"{share:.{digits}%}"


def _channels(amount: int | None, channels: int | None) -> str:
    if amount is None:
        return "-"
    return str(amount) if channels is None else f"{amount} of {channels}"
