"""``report.json``: what a conversion did, and how good the result is."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from seenn_convert.artifact.schema.coding import PlainParts
from seenn_convert.artifact.schema.conversion import Conversion, ModelFacts
from seenn_convert.artifact.schema.evaluation import Evaluation
from seenn_convert.artifact.schema.shared import Environment, WarningCode

SCHEMA_VERSION = 2

OLD_WARNINGS: Mapping[str, WarningCode] = {
    "the ANN is right on only": "ann_near_chance",
    "the exit target was not reached": "target_not_reached",
    "how careful the exits are": "few_held_out",
    "the calibration data has no labels": "no_labels",
    "activations never fire": "silent_layers",
    "channels that no calibration image": "dead_channels",
    "the certificate was about": "certificate_gone",
    "the policy head belonged": "policy_head_gone",
    "the policy head is not used": "policy_head_unused",
    "the plan is no better": "plan_no_better",
    "the policy head was chosen on": "few_policy_images",
    "left at another step than hindsight": "differs_from_hindsight",
    "the calibration images: the figures": "calibration_images",
    "the images of the policy head: the figures": "policy_images",
    "these images leave after": "exit_drift",
    "The certificate does not hold": "certificate_fails",
}
"""Words of the warnings that version 1 wrote as sentences without a code."""


@dataclass(frozen=True, kw_only=True)
class Report(PlainParts):
    """What a conversion did, and how good the result is; None stands for what is not known.

    Attributes:
        schema_version: Of this document. 2: warnings have codes.
        model: What was converted.
        conversion: How, and how the exits were chosen.
        evaluation: How good it is on other data.
        environment: Where the report was written.
    """

    schema_version: int = SCHEMA_VERSION
    model: ModelFacts | None = None
    conversion: Conversion | None = None
    evaluation: Evaluation | None = None
    environment: Environment | None = None

    def __repr__(self) -> str:
        """Return which parts there are; ``report.json`` and the attributes hold them."""
        known = [one.name for one in fields(self)[1:] if getattr(self, one.name) is not None]
        return f"Report({', '.join(known) or 'empty'})"


def migrated(report: dict[str, Any]) -> dict[str, Any]:
    """Return the JSON of a report in the current version, whichever version wrote it."""
    if report.get("schema_version") != 1:
        return report
    parts = {name: dict(report[name]) for name in ("conversion", "evaluation") if isinstance(report.get(name), dict)}
    for part in parts.values():
        warnings = part.get("warnings", [])
        part["warnings"] = [_with_code(text) for text in warnings] if isinstance(warnings, list) else warnings
    if "conversion" in parts:
        parts["conversion"]["weights"] = parts["conversion"].get("weights") or None
    return {**report, **parts, "schema_version": SCHEMA_VERSION}


def _with_code(text: object) -> dict[str, object]:
    code = next((code for words, code in OLD_WARNINGS.items() if words in str(text)), "other")
    return {"code": code, "text": text}
