"""``manifest.json``: what an artifact is, and the facts that later commands need."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from msgspec import Meta

from seenn_convert.artifact.schema.provenance import Provenance
from seenn_convert.artifact.schema.report import Report
from seenn_convert.artifact.schema.shared import AnnConfidence, AnnRight, PolicyFacts
from seenn_convert.choices import Reference
from seenn_convert.exits.certificates.certificate import Certificate

Format = Literal["seenn-artifact"]
FORMAT: Format = "seenn-artifact"
SCHEMA_VERSION = 2


@dataclass(frozen=True, kw_only=True)
class HeldOutExits:
    """How the held-out calibration images left.

    Attributes:
        policy: The exit policy they left by; of another policy this says nothing.
        counts: Timestep -> images that left there.
        expected_drop: Points expected to be lost against the ANN; None if an older version converted.
        drop_error: Standard error of that.
    """

    policy: PolicyFacts
    counts: Mapping[int, int]
    expected_drop: float | None = None
    drop_error: float | None = None


@dataclass(frozen=True, kw_only=True)
class ConversionFacts:
    """What a conversion measured and later commands need; None stands for what is not known.

    Attributes:
        parity: Largest difference between the program that was read and the original model, as a share of the largest
            logit.
        held_out_exits: How the held-out calibration images left.
        target_timesteps: Average timesteps that a target in milliseconds stood for.
        ann_right: How often the ANN is right on the images to which the exits were fitted; None without labels.
        ann_confidence: How sure it is of its answers on them.
        reference: What early exit is compared with: the ``"ann"``, or ``"full_run"`` if the network was adopted; the
            two facts above are then about all its timesteps.
    """

    parity: float | None = None
    held_out_exits: HeldOutExits | None = None
    target_timesteps: float | None = None
    ann_right: AnnRight | None = None
    ann_confidence: AnnConfidence | None = None
    reference: Reference = "ann"

    @classmethod
    def of_report(cls, report: Report) -> "ConversionFacts":
        """Return the facts that a report holds."""
        if report.conversion is None:
            return cls()
        exit_ = report.conversion.exit
        counts, time, data = exit_.held_out.exit_counts, exit_.step_time, report.conversion.calibration.exits
        held_out = exit_.held_out
        return cls(
            parity=report.conversion.parity,
            held_out_exits=None if counts is None else HeldOutExits(
                policy=exit_.policy, counts=counts, expected_drop=held_out.expected_drop, drop_error=held_out.drop_error
            ),
            target_timesteps=None if time is None else time.timesteps,
            ann_right=data.ann_right,
            ann_confidence=data.ann_confidence,
            reference=report.conversion.reference,
        )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """The manifest of an artifact.

    Attributes:
        format: Always ``"seenn-artifact"``.
        schema_version: Of this document. 2: ``conversion`` is there.
        timesteps: The longest run T.
        policy: The exit policy.
        preprocessing: From pixels to the model's input.
        class_names: Names by label; None if the data had none.
        certificate: What early exit costs at most; None if nothing was certified.
        provenance: Where the artifact comes from.
        conversion: What later commands need.
        files: Name -> SHA-256 of ``program.json`` and ``weights.safetensors``.
        checksum: SHA-256 of the manifest's JSON without this key, keys sorted, no spaces; empty until it is computed.
    """

    format: Format = FORMAT
    schema_version: int = SCHEMA_VERSION
    timesteps: Annotated[int, Meta(ge=1)]
    policy: Mapping[str, Any]
    preprocessing: Mapping[str, Any]
    class_names: tuple[str, ...] | None = None
    certificate: Certificate | None = None
    provenance: Provenance
    conversion: ConversionFacts = field(default_factory=ConversionFacts)
    files: Mapping[str, str]
    checksum: str = ""
