"""Values that several documents share."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from msgspec import Meta

from seenn_convert.choices import Reference
from seenn_convert.data.draw import Draw

Share = Annotated[float, Meta(ge=0, le=1)]
"""A part of a whole, such as an accuracy."""

NETWORK_WORDS: dict[Reference, str] = {"ann": "the ANN", "full_run": "the network"}
"""What was trained: the ANN, or the spiking network itself, which answers after all timesteps."""

REFERENCE_WORDS: dict[Reference, str] = {"ann": "the ANN", "full_run": "the full run"}
"""What early exit is compared with: the ANN, or the run of all timesteps of a network that was trained so."""

Interval = tuple[float, float]
"""Lower and upper end of a 95 % confidence interval."""

WarningCode = Literal[
    "ann_near_chance",
    "one_answer",
    "class_order",
    "preprocessing",
    "preprocessing_unused",
    "sigmoid_per_class",
    "probabilities",
    "target_not_reached",
    "large_drop",
    "few_held_out",
    "no_labels",
    "silent_layers",
    "dead_channels",
    "jumps_at_zero",
    "few_spikes",
    "more_energy",
    "certificate_assumes_unseen",
    "exits_assume_unseen",
    "certificate_gone",
    "policy_head_gone",
    "validation_gone",
    "policy_head_unused",
    "plan_no_better",
    "few_policy_images",
    "differs_from_hindsight",
    "ann_nearly_always_right",
    "ann_below_expected",
    "ann_gap",
    "calibration_memorised",
    "calibration_images",
    "validation_images",
    "policy_images",
    "finetuning_images",
    "nothing_gained",
    "policy_images_choose",
    "exit_drift",
    "certificate_fails",
    "target_fails",
    "bytes_as_pixels",
    "partial_recording",
    "other",
]


@dataclass(frozen=True)
class Caution:
    """A warning for the reader.

    Attributes:
        code: What it is about; programs compare this.
        text: A sentence for people.
    """

    code: WarningCode
    text: str


@dataclass(frozen=True, kw_only=True)
class Environment:
    """Where something was computed.

    Attributes:
        versions: Version of Python and of each package.
        machine: Operating system, processor and number of threads.
        date: ISO 8601, UTC.
    """

    versions: Mapping[str, str]
    machine: str
    date: str


@dataclass(frozen=True, kw_only=True)
class DataFacts:
    """A data set.

    Attributes:
        name: File or folder name, without its place.
        images: Number of images.
        fingerprint: SHA-256 of the images before preprocessing, and of the labels.
        drawn: How they were drawn from more; None if they are all there are.
    """

    name: str
    images: int
    fingerprint: str
    drawn: Draw | None = None


@dataclass(frozen=True, kw_only=True)
class UsedData(DataFacts):
    """A data set that something was fitted to, and what its images are known again by.

    Attributes:
        hashes: The first 8 letters of the SHA-256 in base64 of each image before preprocessing, without repetitions, in
            ascending order and one behind the other; of more than 4,096 images the first 4,096. Empty if unknown.
    """

    hashes: str = ""

    @property
    def facts(self) -> DataFacts:
        """The data set without them."""
        return DataFacts(name=self.name, images=self.images, fingerprint=self.fingerprint, drawn=self.drawn)


@dataclass(frozen=True, kw_only=True)
class AnnRight:
    """How often the ANN is right.

    Attributes:
        of: Which images: ``"calibration"``, ``"validation"`` or ``"new"`` ones.
        images: How many there are.
        right: On how many it is right.
    """

    of: Literal["calibration", "validation", "new"]
    images: int
    right: int

    @property
    def share(self) -> float:
        """Share of the images."""
        return self.right / max(self.images, 1)


@dataclass(frozen=True, kw_only=True)
class AnnConfidence:
    """How sure the ANN is of its answers on some images.

    Attributes:
        images: How many there are.
        average: Mean of its largest softmax probability.
        deviation: Standard deviation of the same.
        overconfidence: How many standard errors the likelihood of the labels pulls towards less confidence; None
            without labels. Training leaves no such pull on its own images.
    """

    images: int
    average: Share
    deviation: float
    overconfidence: float | None = None


@dataclass(frozen=True, kw_only=True)
class PolicyFacts:
    """An exit policy.

    Attributes:
        policy: The exit score, such as ``"confidence"``, or ``"fixed"``; with a policy head also ``"planned"`` or
            ``"planned+confidence"``.
        thresholds: An image leaves at the first timestep whose score is above its entry; None without a score.
        timesteps: Of a fixed policy.
    """

    policy: str
    thresholds: tuple[float, ...] | None = None
    timesteps: int | None = None

    @classmethod
    def of(cls, policy: Mapping[str, Any]) -> "PolicyFacts":
        """Return the facts of what a policy's ``to_json`` gives."""
        thresholds = policy.get("thresholds")
        return cls(
            policy=policy["policy"],
            thresholds=None if thresholds is None else tuple(thresholds),
            timesteps=policy.get("timesteps"),
        )
