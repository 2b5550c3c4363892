"""The outcome of calibration as a value: a threshold for every activation, and what it was computed from."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from seenn_convert.calibration.rules import ThresholdRule
from seenn_convert.calibration.statistics import ActivationStatistics
from seenn_convert.errors import CalibrationDataError, InputError


@dataclass(frozen=True)
class LayerCalibration:
    """Threshold and statistics of one activation.

    Attributes:
        v_threshold: One number a channel, or a single one for the layer, in units of the activation.
        maximum: The largest activation seen.
        firing_share: Share of activations that were positive.
        dead_channels: Channels with no positive activation; they carry the layer's largest threshold, or where the
            whole layer is dead the median of the other layers' largest.
        clipped_share: Share of activations above the threshold, but for those in its bin of the histogram.
    """

    v_threshold: tuple[float, ...]
    maximum: float
    firing_share: float
    dead_channels: tuple[int, ...]
    clipped_share: float = 0.0


@dataclass(frozen=True)
class Calibration:
    """Thresholds for a program; frozen and JSON-serialisable.

    Attributes:
        rule: The rule, with its options.
        per_channel: One threshold a channel, or one a layer.
        images: Number of images seen.
        layers: Node name of the activation -> its calibration.
        choice: Where the rule was chosen: each candidate -> the relative error it left at the outputs, corrected.
        weights: Where weights were tuned: divergences of the answers before and after, and what was kept.
    """

    rule: str
    per_channel: bool
    images: int
    layers: Mapping[str, LayerCalibration]
    choice: Mapping[str, float] = field(default_factory=dict)
    weights: Mapping[str, list[float] | float | bool] = field(default_factory=dict)

    def v_thresholds(self) -> dict[str, Tensor]:
        """Return node name -> threshold, ``(C,)`` or ``()``, for the pass that inserts neurons."""
        tensors = {name: torch.tensor(layer.v_threshold) for name, layer in self.layers.items()}
        return tensors if self.per_channel else {name: value.reshape(()) for name, value in tensors.items()}

    def with_thresholds(
        self, v_thresholds: Mapping[str, Tensor], statistics: Mapping[str, ActivationStatistics]
    ) -> "Calibration":
        """Return the same calibration with other thresholds, each of the shape that ``v_thresholds()`` has.

        What is said of the layers beside is taken from ``statistics``, of the activations as they now are.
        """
        return replace(
            self, layers={name: _with(v_thresholds[name].reshape(-1), statistics[name]) for name in self.layers}
        )


def from_statistics(
    statistics: Mapping[str, ActivationStatistics], images: int, rule: ThresholdRule, per_channel: bool = True
) -> Calibration:
    """Return the calibration that ``rule`` makes of what was observed on ``images`` images.

    Raises:
        CalibrationDataError: No activation ever fires; lists them.
    """
    dead = [name for name, found in statistics.items() if not bool((found.maxima > 0).any())]
    if dead and len(dead) == len(statistics):
        raise CalibrationDataError(
            f"no positive activation in {images} calibration images at {', '.join(dead)}: the threshold would be 0; "
            "check the preprocessing (mean, std, resize) and that these images are the model's kind; where these "
            "activations really never fire, --encode always lets graded values spike instead"
        )
    layers = {name: _layer(found, rule, per_channel) for name, found in statistics.items() if name not in dead}
    usual = float(torch.tensor([max(layer.v_threshold) for layer in layers.values()]).median()) if dead else 0.0
    for name in dead:  # any threshold is right for what was seen of these
        found = statistics[name]
        layers[name] = _with(torch.full((found.channels if per_channel else 1,), usual), found)
    return Calibration(rule.name, per_channel, images, {name: layers[name] for name in statistics})


def _layer(found: ActivationStatistics, rule: ThresholdRule, per_channel: bool) -> LayerCalibration:
    seen = found if per_channel else found.pooled()
    v_threshold = rule.v_threshold(seen)
    _check_thresholds(rule, v_threshold, seen.channels)
    alive = v_threshold > 0
    v_threshold = torch.where(alive, v_threshold, v_threshold.max())
    return _with(v_threshold, found)


def _check_thresholds(rule: ThresholdRule, v_threshold: object, channels: int) -> None:
    """Raise InputError unless a rule, which may be a user's own, gave a number from 0 on to each channel."""
    if not isinstance(v_threshold, Tensor) or v_threshold.shape != (channels,):
        got = tuple(v_threshold.shape) if isinstance(v_threshold, Tensor) else type(v_threshold).__name__
        raise InputError(f"the threshold rule {rule.name!r} must return a tensor of shape ({channels},), got {got}")
    if not bool((v_threshold.isfinite() & (v_threshold >= 0)).all()) or not bool((v_threshold > 0).any()):
        raise InputError(
            f"the threshold rule {rule.name!r} gave thresholds from {float(v_threshold.min()):g} to "
            f"{float(v_threshold.max()):g}; they must be finite, not below 0, and above 0 where a channel fires"
        )


def _with(v_threshold: Tensor, found: ActivationStatistics) -> LayerCalibration:
    return LayerCalibration(
        v_threshold=tuple(v_threshold.tolist()),
        maximum=float(found.maxima.max()),
        firing_share=float(found.counts.sum() / found.totals.sum()),
        dead_channels=tuple((found.maxima <= 0).nonzero().flatten().tolist()),
        clipped_share=found.share_above(v_threshold),
    )
