"""What the calibration knows about each layer of neurons, before anything was measured in spikes."""

from collections.abc import Mapping
from statistics import median
from typing import Any

from seenn_convert.artifact.plain import dig, finite


def calibrated_layers(provenance: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return a row for each layer: thresholds, largest activation, share clipped, channels and dead channels.

    Args:
        provenance: Of an artifact; what it does not say is None.
    """
    layers = dig(provenance, "calibration", "thresholds", "layers")
    per_channel = dig(provenance, "calibration", "thresholds", "per_channel") is True
    known = layers.items() if isinstance(layers, Mapping) else ()
    return [_row(name, layer, per_channel) for name, layer in known]


def _row(name: str, layer: object, per_channel: bool) -> dict[str, Any]:
    thresholds = [value for value in map(finite, _list(dig(layer, "v_threshold"))) if value is not None]
    dead = dig(layer, "dead_channels")
    return {
        "name": name,
        "v_threshold": [min(thresholds), median(thresholds), max(thresholds)] if thresholds else None,
        "maximum": finite(dig(layer, "maximum")),
        "clipped_share": finite(dig(layer, "clipped_share")),
        "channels": len(thresholds) if per_channel else None,
        "dead_channels": len(dead) if isinstance(dead, (list, tuple)) else None,
    }


def _list(value: object) -> list[Any]:
    return list(value) if isinstance(value, (list, tuple)) else []
