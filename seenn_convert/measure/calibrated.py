"""What the calibration knows about each layer of neurons, before anything was measured in spikes."""

from dataclasses import dataclass
from statistics import median

from seenn_convert.calibration.calibration import Calibration


@dataclass(frozen=True)
class CalibratedLayer:
    """One layer of neurons.

    Attributes:
        name: Node name.
        v_threshold: Smallest, median and largest threshold, in units of the activation.
        maximum: The largest activation seen.
        clipped_share: Share of activations above the threshold.
        channels: How many; None with one threshold for the whole layer.
        dead_channels: How many were positive for no calibration image.
    """

    name: str
    v_threshold: tuple[float, float, float]
    maximum: float
    clipped_share: float
    channels: int | None
    dead_channels: int


def calibrated_layers(calibration: Calibration) -> tuple[CalibratedLayer, ...]:
    """Return a row for each layer of neurons."""
    return tuple(
        CalibratedLayer(
            name=name,
            v_threshold=(min(layer.v_threshold), median(layer.v_threshold), max(layer.v_threshold)),
            maximum=layer.maximum,
            clipped_share=layer.clipped_share,
            channels=len(layer.v_threshold) if calibration.per_channel else None,
            dead_channels=len(layer.dead_channels),
        )
        for name, layer in calibration.layers.items()
    )
