"""The evaluation part of ``report.json``: how good a network is on data that it has not seen.

"Per image" means on average over the images.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from seenn_convert.artifact.schema.coding import PlainParts
from seenn_convert.artifact.schema.layers import Diagnosis, LayerRow
from seenn_convert.artifact.schema.shared import Caution, DataFacts, Interval, PolicyFacts, Share
from seenn_convert.choices import Reference, Risk


@dataclass(frozen=True, kw_only=True)
class TwoRuns:
    """A quantity per image, of a run of all timesteps and of early exit."""

    all_timesteps: float
    early_exit: float


@dataclass(frozen=True, kw_only=True)
class ThreeRuns:
    """A quantity per image, of the ANN (None if there is none), of a run of all timesteps and of early exit."""

    ann: float | None
    all_timesteps: float
    early_exit: float

    @property
    def reference(self) -> float:
        """The quantity that early exit is compared with: of the ANN, or else of all timesteps."""
        return self.all_timesteps if self.ann is None else self.ann


@dataclass(frozen=True, kw_only=True)
class EarlyExit:
    """The network with early exit.

    Attributes:
        accuracy: Share right.
        interval95: Its 95 % interval (Wilson).
        average_timesteps: Mean exit step.
        exit_counts: Timestep -> images that left there.
    """

    accuracy: Share
    interval95: Interval
    average_timesteps: float
    exit_counts: Mapping[int, int]


Reason = Literal["memorised", "mixed_up", "other_kind", "chance"]
"""Why a promise fails: the ANN has seen the images to which the exits were fitted, classes or pixels are mixed up, the
images are of another kind, or nothing shows but chance."""


@dataclass(frozen=True, kw_only=True)
class TargetCheck:
    """Whether early exit loses no more than was asked for and expected, on images that had no part in it.

    Attributes:
        asked: Points of accuracy that it may lose against the ANN; None if the target was timesteps or a time.
        expected: What the held-out images let expect.
        observed: Points that it loses here.
        interval95: Of them.
        holds: False only if the lower end of the interval is above what was asked for, and chance does not explain the
            difference to what was expected.
        reason: The likely reason if it does not hold.
    """

    asked: float | None = None
    expected: float
    observed: float
    interval95: Interval
    holds: bool
    reason: Reason | None = None

    @property
    def promised(self) -> float:
        """Points that early exit should lose at most."""
        return self.expected if self.asked is None else max(self.asked, self.expected)


@dataclass(frozen=True, kw_only=True)
class CertificateCheck:
    """Whether a certificate holds on images that had no part in it.

    Attributes:
        risk: As certified: ``"disagreement"`` with the full run, or lost ``"accuracy"``.
        epsilon: As certified.
        images: Number of images.
        failures: Of these, how many lost by leaving early.
        gains: How many gained.
        observed: Mean loss.
        interval95: Its 95 % interval: Clopper-Pearson for disagreement, by betting for accuracy.
        holds: False only if the lower end of the interval is above ``epsilon``.
        reason: The likely reason if it does not hold; None if an older version checked.
    """

    risk: Risk
    epsilon: float
    images: int
    failures: int
    gains: int
    observed: float
    interval95: Interval
    holds: bool
    reason: Reason | None = None


@dataclass(frozen=True, kw_only=True)
class ExitDrift:
    """Whether images leave at other timesteps than the held-out calibration images did.

    Attributes:
        p_value: How likely such a difference is between two draws of the same kind of images.
        distance: Total variation distance: share of images that leave at other timesteps.
        bins: Timesteps compared, after neighbouring ones with few images were counted together.
        calibration_average_timesteps: Mean exit step of the held-out calibration images.
        average_timesteps: Mean exit step of these images.
        drifted: Whether the difference is neither chance nor too small to matter.
    """

    p_value: float
    distance: float
    bins: int
    calibration_average_timesteps: float
    average_timesteps: float
    drifted: bool


@dataclass(frozen=True, kw_only=True)
class Timing:
    """How the times were measured.

    Attributes:
        images: Images on which the run of all timesteps was timed.
        batch_size: Images per batch.
        threads: Threads.
        other_images: Images on which the ANN and early exit were timed, in turn with it; None if on the same images,
            several times, and the times are medians.
    """

    images: int
    batch_size: int
    threads: int
    other_images: int | None = None


@dataclass(frozen=True, kw_only=True)
class OperationCounts:
    """Operations per image.

    Attributes:
        ann_macs: Multiply-accumulates of the ANN, or of one pass through the layers of a network that was trained as a
            spiking one. Those with the zeros of padding count, here and everywhere.
        stem_macs: Multiply-accumulates of the stem, paid once.
        policy_macs: Those of the policy head, paid once by early exit; 0 if the exit policy follows no plan.
        synaptic_operations: Accumulates behind the stem: each nonzero input of a convolution or linear layer counts the
            layer's mean fan-out.
        graded_operations: Those of them that graded values cause, which cost multiply-accumulates.
        spikes: Of either sign; each member of a group that fires counts.
    """

    ann_macs: int
    stem_macs: int
    policy_macs: int = 0
    synaptic_operations: TwoRuns
    graded_operations: TwoRuns = field(default_factory=lambda: TwoRuns(all_timesteps=0.0, early_exit=0.0))
    spikes: TwoRuns


@dataclass(frozen=True, kw_only=True)
class Energy:
    """An estimate from operation counts, without memory access and control.

    Attributes:
        assumptions: What the estimate rests on, in words.
        nanojoule_per_image: The estimate.
    """

    assumptions: tuple[str, ...]
    nanojoule_per_image: ThreeRuns


@dataclass(frozen=True, kw_only=True)
class TradeOffPoint:
    """What one threshold for all timesteps would do on this data; nothing is chosen from it."""

    threshold: float
    accuracy: Share
    average_timesteps: float


@dataclass(frozen=True, kw_only=True)
class Example:
    """One image.

    Attributes:
        image: PNG as a data URL.
        label: True class; None if unknown.
        prediction: Class at the exit.
        exit_step: When it left.
        confidence: Exit score there.
    """

    image: str
    label: int | None = None
    prediction: int
    exit_step: int
    confidence: float


@dataclass(frozen=True, kw_only=True)
class Examples:
    """Images that left first (``easy``) and last (``hard``)."""

    easy: tuple[Example, ...] = ()
    hard: tuple[Example, ...] = ()


@dataclass(frozen=True, kw_only=True)
class ConfidenceFacts:
    """How honest the confidence at the exits is: the largest softmax probability, with the temperature of the timestep.

    Attributes:
        average: Its mean, to be compared with the accuracy of early exit.
        calibration_error: Mean distance of confidence and accuracy over fifteen bins of equal width, weighted by their
            images (expected calibration error).
    """

    average: float
    calibration_error: float


@dataclass(frozen=True, kw_only=True)
class Evaluation(PlainParts):
    """How good a network is on some labelled images.

    Attributes:
        data: The images.
        policy: The exit policy.
        ann_accuracy: Share right of the ANN: the artifact's own, or the model given to compare with; None if there is
            none, since the network was trained as a spiking one.
        accuracy_at: Timestep -> share right if every image stopped there.
        early_exit: With early exit.
        confidence: How honest the network is about its answers; None if an older version measured.
        target: Whether early exit loses no more than it should; None if it is not known what was expected.
        certificate: Whether the certificate holds here; None without one.
        exit_drift: Whether images leave as the calibration images did; None if it is not known how these left.
        differs_from_hindsight: Images that left at another step, or with another answer, than running all timesteps
            says; always 0 on a CPU in single precision.
        milliseconds_per_image: Wall time of runs in turn; of this machine, these threads and this batch size.
        timing: How it was measured.
        operations: Operations per image.
        energy: Estimated energy per image.
        trade_off: A curve to look at.
        layers: Each layer of neurons; rates, errors and spikes come from up to 64 of the images.
        diagnosis: What is wrong with these layers.
        examples: Easy and hard images.
        warnings: For the reader.
    """

    data: DataFacts
    policy: PolicyFacts | None = None
    ann_accuracy: Share | None
    accuracy_at: Mapping[int, Share]
    early_exit: EarlyExit
    confidence: ConfidenceFacts | None = None
    target: TargetCheck | None = None
    certificate: CertificateCheck | None = None
    exit_drift: ExitDrift | None = None
    differs_from_hindsight: int = 0
    milliseconds_per_image: ThreeRuns
    timing: Timing | None = None
    operations: OperationCounts
    energy: Energy
    trade_off: tuple[TradeOffPoint, ...] = ()
    layers: tuple[LayerRow, ...] = ()
    diagnosis: Diagnosis = field(default_factory=Diagnosis)
    examples: Examples = field(default_factory=Examples)
    warnings: tuple[Caution, ...] = ()

    def __repr__(self) -> str:
        """Return what matters most; the attributes hold the rest."""
        early = self.early_exit
        ann = "" if self.ann_accuracy is None else f"ANN {self.ann_accuracy:.2%}, "
        return (
            f"Evaluation({self.data.images} images of {self.data.name}: {ann}all timesteps "
            f"{self.full_accuracy:.2%}, early exit {early.accuracy:.2%} after {early.average_timesteps:.2f} timesteps "
            f"on average, {len(self.warnings)} warnings)"
        )

    @property
    def full_accuracy(self) -> float:
        """Share right after all timesteps."""
        return self.accuracy_at[max(self.accuracy_at)]

    @property
    def exit_shares(self) -> list[float]:
        """Share of the images that left at each timestep, from the first."""
        counts = self.early_exit.exit_counts
        return [counts.get(t, 0) / max(sum(counts.values()), 1) for t in range(1, max(self.accuracy_at) + 1)]

    @property
    def reference(self) -> Reference:
        """What early exit is compared with: ``"ann"``, or ``"full_run"``, the run of all timesteps."""
        return "full_run" if self.ann_accuracy is None else "ann"

    @property
    def reference_accuracy(self) -> float:
        """Share that it gets right."""
        return self.full_accuracy if self.ann_accuracy is None else self.ann_accuracy

    @property
    def points_lost(self) -> float:
        """Points of accuracy that early exit loses against the ANN, or against all timesteps where there is none."""
        return 100 * (self.reference_accuracy - self.early_exit.accuracy)
