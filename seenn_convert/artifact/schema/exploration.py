"""The part of ``report.json`` on the settings that ``convert --explore`` tried: what each would give."""

from collections.abc import Mapping
from dataclasses import dataclass

from seenn_convert.artifact.schema.shared import Interval, Share
from seenn_convert.choices import Prefer


@dataclass(frozen=True, kw_only=True)
class Trial:
    """What one setting gives on held-out images: those that chose its exits, and that settings are compared on.

    Attributes:
        options: The setting as options of ``convert``.
        neuron, timesteps, calibration: The same, one by one.
        images: Held-out images.
        accuracy: Share right at the exits; without labels, as the ANN says.
        interval95: Its 95 % interval (Wilson). It does not know that settings were compared on the same images.
        expected_drop: Points expected to be lost against the ANN, as in ``exit.held_out``.
        drop_error: Its standard error.
        average_timesteps: Mean exit step.
        reached: Whether the target is met.
        bits_per_spike: Bits that distinguish the spikes; None if a spike may be any whole number.
        unit_spikes: Whether every spike is 1, or 1 or -1.
        front: Activations in the analog front.
        nanojoule: Estimated energy per image.
        milliseconds: Measured time per image on the device of the conversion; None if not measured.
        seconds: What the conversion took.
    """

    options: str
    neuron: str
    timesteps: int
    calibration: str
    images: int
    accuracy: Share
    interval95: Interval
    expected_drop: float
    drop_error: float
    average_timesteps: float
    reached: bool
    bits_per_spike: int | None
    unit_spikes: bool
    nanojoule: float
    milliseconds: float | None = None
    seconds: float = 0.0
    front: int = 0


@dataclass(frozen=True, kw_only=True)
class Exploration:
    """Which settings were tried, and which one was kept.

    Attributes:
        prefer: What decided among the settings that reach the target.
        minutes: Time that was allowed.
        seconds: Time that it took.
        ann_accuracy: Share of the held-out images that the ANN gets right.
        ann_milliseconds: Measured time of the ANN per image, to compare with; None if not measured.
        kept: ``options`` of the setting that was kept.
        default: ``options`` of the setting that would have been used without exploring.
        frontier: Settings that no other one beats: at least as good in accuracy, timesteps, time, energy, bits per
            spike and activations in the analog front, and better in one of them.
        dominated: The other settings that were tried on all images.
        looked_at: Settings that were tried on a few images only.
        left_out: ``options`` of settings that were not tried on all images -> the reason.
        good_for: ``options`` of a setting of the frontier -> what it is good for (``"chip"``, ``"gpu"``, ``"cpu"``),
            each with the reason.
        labelled: Whether accuracies are of labels; otherwise the ANN's answers stand in for them.
    """

    prefer: Prefer
    minutes: float
    seconds: float
    ann_accuracy: Share
    ann_milliseconds: float | None = None
    kept: str
    default: str
    frontier: tuple[Trial, ...]
    dominated: tuple[Trial, ...] = ()
    looked_at: tuple[Trial, ...] = ()
    left_out: Mapping[str, str]
    good_for: Mapping[str, Mapping[str, str]]
    labelled: bool = True

    @property
    def trials(self) -> tuple[Trial, ...]:
        """All settings that were tried on all images."""
        return (*self.frontier, *self.dominated)
