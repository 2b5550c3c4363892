"""``comparison.json``: exit strategies compared on labelled data, each chosen on calibration data."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from seenn_convert.artifact.schema.coding import PlainParts
from seenn_convert.artifact.schema.shared import Caution, DataFacts, Environment, Interval, Share
from seenn_convert.choices import Reference

SCHEMA_VERSION = 2


@dataclass(frozen=True, kw_only=True)
class ChoosingData(DataFacts):
    """The data that every strategy was chosen on.

    Attributes:
        labelled: Whether labels were used.
        seed: Of its split.
        fitting_images: Images that temperatures and thresholds were fitted to.
        held_out_images: Images that chose among the thresholds.
    """

    labelled: bool
    seed: int
    fitting_images: int
    held_out_images: int


@dataclass(frozen=True, kw_only=True)
class PriceFacts:
    """Measured milliseconds per image when whole batches run, and how they were measured.

    Attributes:
        stem: Of the stem.
        step: Of one timestep.
        plan: Of the policy head; None without one.
        images: Images timed.
        batch_size: Images per batch.
        threads: Threads of the processor.
    """

    stem: float
    step: float
    plan: float | None = None
    images: int
    batch_size: int
    threads: int


@dataclass(frozen=True, kw_only=True)
class Point:
    """What a choice of exits comes to on the judging data, per image.

    Attributes:
        average_timesteps: Mean exit step.
        accuracy: Share right.
        interval95: Its 95 % interval (Wilson).
        points_lost: Points of accuracy lost against the ANN.
        points_lost_interval95: Its 95 % interval, of differences on the same images.
        points_lost_to_full_run: Points of accuracy lost against the run of all timesteps.
        points_lost_to_full_run_interval95: Its 95 % interval, of differences on the same images.
        synaptic_operations: Behind the stem, with the multiply-accumulates of the policy head if a plan is used.
        milliseconds: Computed from the measured prices.
        thresholds: Exit thresholds; None if the choice has none.
        plan_price: Price of a timestep in the plan; None if no plan is used.
    """

    average_timesteps: float
    accuracy: Share
    interval95: Interval
    points_lost: float
    points_lost_interval95: Interval
    points_lost_to_full_run: float
    points_lost_to_full_run_interval95: Interval
    synaptic_operations: float
    milliseconds: float
    thresholds: tuple[float, ...] | None = None
    plan_price: float | None = None


@dataclass(frozen=True, kw_only=True)
class Ideal(Point):
    """Each image leaves at its first right answer, or at the end: no strategy can do better.

    Attributes:
        exit_time_of_accuracies: Average exit time if what is right stayed right (AET).
    """

    exit_time_of_accuracies: float


@dataclass(frozen=True, kw_only=True)
class Strategy:
    """One exit strategy: its name, its name for people, and its points in rising order of average timesteps."""

    name: str
    label: str
    points: tuple[Point, ...]


@dataclass(frozen=True, kw_only=True)
class MeasuredPoint:
    """A setting that was really run with early exit.

    Attributes:
        way: Name of the strategy.
        average_timesteps: Mean exit step.
        milliseconds: Measured, per image.
        milliseconds_computed: From the prices.
    """

    way: str
    average_timesteps: float
    milliseconds: float
    milliseconds_computed: float


class Bin(NamedTuple):
    """Images whose confidence lies in one bin: how many, their mean confidence, and the share that is right."""

    images: int
    confidence: float
    accuracy: Share


@dataclass(frozen=True, kw_only=True)
class ReliabilityRow:
    """How far confidence is from accuracy at one timestep, before and after its temperature.

    Attributes:
        t: The timestep.
        temperature: Of its softmax.
        accuracy: Share right.
        confidence_before, confidence_after: Mean confidence.
        error_before, error_after: Expected calibration error.
        bins_before, bins_after: Bins that hold images, from unsure to sure.
    """

    t: int
    temperature: float
    accuracy: Share
    confidence_before: float
    confidence_after: float
    error_before: float
    error_after: float
    bins_before: tuple[Bin, ...]
    bins_after: tuple[Bin, ...]


@dataclass(frozen=True, kw_only=True)
class Comparison(PlainParts):
    """Exit strategies of one network compared.

    Attributes:
        schema_version: Of this document. 2: points are lost against the ANN, warnings have codes.
        model: Name of the model.
        timesteps: The longest run T.
        score: The exit score that the network computes itself.
        data: The data that judges.
        calibration_data: The data that chooses.
        ann_accuracy: Share right of the ANN, or of the run of all timesteps if that is the reference.
        reference: What accuracy is lost against: the ``"ann"``, or ``"full_run"`` of a network that was trained as a
            spiking one.
        accuracy_at: Share right at each timestep, from the first.
        stem_macs: Multiply-accumulates of the stem, paid once per image; those with the zeros of padding count.
        policy_macs: Those of the policy head, paid once per image that it plans for; None without a head.
        prices: Measured times.
        ways: The strategies.
        ideal: What none of them can beat.
        measured: Settings that were really run.
        auroc: Exit score -> for each timestep the chance that a right answer has a higher score than a wrong one;
            None if all are right or all wrong.
        reliability: Of each timestep.
        warnings: For the reader.
        environment: Where it was computed.
    """

    schema_version: int = SCHEMA_VERSION
    model: str | None = None
    timesteps: int
    score: str
    data: DataFacts
    calibration_data: ChoosingData
    ann_accuracy: Share
    reference: Reference = "ann"
    accuracy_at: tuple[Share, ...]
    stem_macs: int
    policy_macs: int | None = None
    prices: PriceFacts
    ways: tuple[Strategy, ...]
    ideal: Ideal
    measured: tuple[MeasuredPoint, ...]
    auroc: Mapping[str, tuple[float | None, ...]]
    reliability: tuple[ReliabilityRow, ...]
    warnings: tuple[Caution, ...] = ()
    environment: Environment

    def __repr__(self) -> str:
        """Return what was compared; the attributes hold the results."""
        ways = ", ".join(way.label for way in self.ways)
        return f"Comparison({self.model}, {self.data.images} images of {self.data.name}: {ways})"
