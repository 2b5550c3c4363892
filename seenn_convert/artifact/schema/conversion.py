"""The conversion part of ``report.json``: what was converted, how, and how the exits were chosen."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from seenn_convert.analysis.coverage import CallSite
from seenn_convert.artifact.schema.evaluation import ThreeRuns
from seenn_convert.artifact.schema.exploration import Exploration
from seenn_convert.artifact.schema.finetuning import FinetuneFacts
from seenn_convert.artifact.schema.front import FrontFacts
from seenn_convert.artifact.schema.provenance import ModelOrigin
from seenn_convert.artifact.schema.shared import AnnConfidence, AnnRight, Caution, PolicyFacts, Share
from seenn_convert.choices import Reference
from seenn_convert.exits.certificates.certificate import Certificate
from seenn_convert.exits.step_time import StepTime
from seenn_convert.exits.thresholds import ExitTarget


@dataclass(frozen=True, kw_only=True)
class ModelFacts(ModelOrigin):
    """The model that was converted.

    Attributes:
        input_shape: Of one image, without the batch axis.
        classes: Number of classes.
        class_names: Names by label; None if the data has none.
    """

    input_shape: tuple[int, ...]
    classes: int
    class_names: tuple[str, ...] | None = None


@dataclass(frozen=True, kw_only=True)
class NeuronFacts:
    """The neurons of the spiking network.

    Attributes:
        kind: Name of the neuron type, such as ``"signed"``.
        alphabet: Values of a spike in units of the threshold, ascending; None if it may be any whole number.
        bits_per_spike: Bits that distinguish the spikes of the alphabet; None without one.
    """

    kind: str
    alphabet: tuple[int, ...] | None = None
    bits_per_spike: int | None = None

    @property
    def unit_spikes(self) -> bool:
        """Whether every spike is 1, or 1 or -1."""
        return self.alphabet is not None and set(self.alphabet) <= {-1, 0, 1}


@dataclass(frozen=True, kw_only=True)
class WeightTuning:
    """What tuning the weights did (``--calibration deep``).

    Attributes:
        errors_before: Kullback-Leibler divergence of the answers from the ANN's, after a quarter, half and all of the
            run, as far as these differ.
        errors_after: The same with the best share of the change.
        share: How much of the change was best.
        kept: Whether it was kept: its geometric mean is smaller and its last entry is not larger.
    """

    errors_before: tuple[float, ...]
    errors_after: tuple[float, ...]
    share: float
    kept: bool


@dataclass(frozen=True, kw_only=True)
class ValidationFacts:
    """The exit images (validation data), to which the exits were fitted, and how they were split.

    Attributes:
        name: File or folder name.
        images: All of them.
        fitting_images: Images for temperatures and sets of exit thresholds.
        held_out_images: Images that choose among the exit thresholds.
        ann_right: How often the ANN is right on all of them; None without labels.
        ann_confidence: How sure it is of its answers; None if an older version converted.
        drawn_from: How many images these were drawn from; None if they are all that were given.
    """

    name: str
    images: int
    fitting_images: int
    held_out_images: int
    ann_right: AnnRight | None = None
    ann_confidence: AnnConfidence | None = None
    drawn_from: int | None = None


@dataclass(frozen=True, kw_only=True)
class CalibrationFacts:
    """The calibration data and how it was split.

    Attributes:
        name: File or folder name.
        images: All of them.
        labelled: Whether labels were used for the exits; otherwise the ANN's answers stand in for them.
        fitting_images: Images for firing thresholds, timestep biases, temperatures and sets of exit thresholds.
        held_out_images: Images that choose among the exit thresholds.
        ann_right: How often the ANN is right on all of them; None without labels.
        ann_confidence: How sure it is of its answers; None if an older version converted.
        validation: The data to which the exits were fitted instead; None if there was none.
        drawn_from: How many images these were drawn from; None if they are all that were given.
    """

    name: str
    images: int
    labelled: bool
    fitting_images: int
    held_out_images: int
    ann_right: AnnRight | None = None
    ann_confidence: AnnConfidence | None = None
    validation: ValidationFacts | None = None
    drawn_from: int | None = None

    @property
    def exits(self) -> "CalibrationFacts | ValidationFacts":
        """The data to which the exits were fitted."""
        return self.validation or self

    @property
    def exits_from(self) -> str:
        """What that data is called: calibration or exit images."""
        return "calibration" if self.validation is None else "exit"


@dataclass(frozen=True, kw_only=True)
class GradedSkips:
    """Skip connections that carry graded values.

    Attributes:
        connections: Activations that send graded values along a skip connection.
        values: Additions that this costs per image and timestep.
    """

    connections: int = 0
    values: int = 0


@dataclass(frozen=True, kw_only=True)
class GradedDepthwise:
    """Depthwise convolutions that read graded values at each timestep.

    Attributes:
        layers: How many there are.
        share: Share of the ANN's multiply-accumulates that they are.
    """

    layers: int
    share: float


@dataclass(frozen=True, kw_only=True)
class PassFacts:
    """What one pass did.

    Attributes:
        name: Class of the pass.
        changed: Number of nodes it changed.
        declined: Pairs of a node it left alone and the reason.
    """

    name: str
    changed: int
    declined: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, kw_only=True)
class HeldOut:
    """Early exit on the held-out calibration images; slightly optimistic, as these images chose the exits.

    Attributes:
        accuracy: Share right at the exit. Without labels "right" means "as the ANN says".
        reference: Share that the ANN gets right.
        full_accuracy: Share right after all timesteps.
        expected_drop: Points lost against the ANN: mean of the probability that the ANN gives to its own answer, less
            the one that it gives to the answer at the exit. The target is compared with this number.
        drop_error: Standard error of ``expected_drop``; None if unknown.
        average_timesteps: Mean exit step.
        reached: Whether the target is met.
        exit_counts: Timestep -> images that left there; None if a policy head was chosen since.
    """

    accuracy: Share
    reference: float
    full_accuracy: Share
    expected_drop: float
    average_timesteps: float
    reached: bool
    exit_counts: Mapping[int, int] | None = None
    drop_error: float | None = None


@dataclass(frozen=True, kw_only=True)
class HeadData:
    """What a policy head was trained and chosen on: name, number of images, and whether these have labels."""

    name: str
    images: int
    labelled: bool


@dataclass(frozen=True, kw_only=True)
class HeadSeconds:
    """Seconds that a policy head took.

    Attributes:
        readouts: Running the network once for all images.
        training: Training all settings from that.
        training_without_cache: What training would take if the network ran in every epoch.
    """

    readouts: float
    training: float
    training_without_cache: float


@dataclass(frozen=True, kw_only=True)
class FrontierPoint:
    """A choice that no other one beats in both: mean exit step, and points expected to be lost against the ANN."""

    average_timesteps: float
    expected_drop: float


@dataclass(frozen=True, kw_only=True)
class HeadFacts:
    """The policy head: its options, its costs, and what was chosen.

    Attributes:
        policy, reads, reward, settings, entropy, right, epochs, gradient, seed: The options; ``settings`` are the
            prices or betas that were swept.
        used: Whether the exit policy follows the plan; if not, the head is not run.
        setting: Price or beta of the head that was attached; between two of the settings for a mixture.
        macs: Multiply-accumulates of the head, once per image.
        share_of_timestep: The same as a share of the multiply-accumulates of one timestep if every input spiked.
        data: What it was trained and chosen on.
        fitting_images, held_out_images: Images that trained it, and that chose.
        seconds: How long that took.
        frontier: ``fixed`` (the same timesteps for all), ``planned``, ``score`` (thresholds alone) and ``both`` -> the
            best points on the held-out images.
    """

    policy: str
    reads: str
    reward: str
    settings: tuple[float, ...]
    entropy: float
    right: str
    epochs: int
    gradient: str
    seed: int
    used: bool
    setting: float
    macs: int
    share_of_timestep: float
    data: HeadData
    fitting_images: int
    held_out_images: int
    seconds: HeadSeconds
    frontier: Mapping[str, tuple[FrontierPoint, ...]]


@dataclass(frozen=True, kw_only=True)
class ExitFacts:
    """How the exits were chosen.

    Attributes:
        policy: The exit policy.
        target: What was asked for; None if the certificate alone decided.
        temperatures: Softmax temperature at each timestep.
        held_out: The result on the held-out images.
        step_time: What stem and step cost at conversion, if the target is a time.
        head: The policy head, if there is one.
    """

    policy: PolicyFacts
    target: ExitTarget | None
    temperatures: tuple[float, ...]
    held_out: HeldOut
    step_time: StepTime | None = None
    head: HeadFacts | None = None


@dataclass(frozen=True, kw_only=True)
class Conversion:
    """How the network was converted.

    Attributes:
        reference: What early exit is compared with: the ``"ann"``, or ``"full_run"``, all timesteps of a network that
            was trained as a spiking one and adopted as it was. Wherever the ANN is named, that run stands for it.
        timesteps: The longest run T.
        neuron: Its neurons.
        threshold_rule: Display name of the rule; ``auto: `` in front of one that was chosen, ``tuned from `` in front
            of the one that kept weights and thresholds were tuned from.
        threshold_choice: If the rule was chosen: each candidate -> relative error that it left at the outputs.
        weights: What tuning the weights did, if they were tuned.
        per_channel: One firing threshold per channel, else one per layer.
        calibration: The data.
        operators: Every call site of the ANN.
        spiking_share: Share of the ANN's multiply-accumulates driven by spikes, or by sums and averages of spikes.
        front: The analog front.
        graded_skips: Skip connections with graded values.
        graded_depthwise: Depthwise convolutions that read graded values; None if there are none.
        passes: What each pass did, in order.
        parity: Largest difference between the program that was read and the original model, as a share of the largest
            logit; None if unknown.
        exit: How the exits were chosen.
        certificate: What early exit costs at most; None if nothing was certified.
        energy: Estimated nanojoules per image on held-out images; None if unknown.
        exploration: What other settings would give, if several were tried.
        finetuning: How the network was trained through time, if it was.
        dead_channels: Activation -> channels that no calibration image activated.
        warnings: For the reader.
        notes: What a reader should know and need not worry about.
    """

    reference: Reference = "ann"
    timesteps: int
    neuron: NeuronFacts
    threshold_rule: str
    threshold_choice: Mapping[str, float] = field(default_factory=dict)
    weights: WeightTuning | None = None
    per_channel: bool
    calibration: CalibrationFacts
    operators: tuple[CallSite, ...]
    spiking_share: float
    front: FrontFacts = field(default_factory=FrontFacts)
    graded_skips: GradedSkips = field(default_factory=GradedSkips)
    graded_depthwise: GradedDepthwise | None = None
    passes: tuple[PassFacts, ...] = ()
    parity: float | None = None
    exit: ExitFacts
    certificate: Certificate | None = None
    energy: ThreeRuns | None = None
    exploration: Exploration | None = None
    finetuning: FinetuneFacts | None = None
    dead_channels: Mapping[str, int] = field(default_factory=dict)
    warnings: tuple[Caution, ...] = ()
    notes: tuple[Caution, ...] = ()
