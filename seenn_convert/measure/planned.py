"""What the report says about a policy head: what it costs, what it was trained on, and what was chosen."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seenn_convert.analysis.coverage import call_sites, policy_macs
from seenn_convert.artifact.artifact import Artifact
from seenn_convert.artifact.provenance import environment
from seenn_convert.data.samples import Samples
from seenn_convert.exits.plan_choice import PlanDecision, drop_at, frontier
from seenn_convert.exits.thresholds import ExitTarget
from seenn_convert.exits.tune import Split
from seenn_convert.measure.conversion import SCHEMA_VERSION

FEW_HELD_OUT = 500


@dataclass(frozen=True)
class Planning:
    """How a policy head came about.

    Attributes:
        decision: What was chosen on the held-out images.
        target: What it had to reach.
        split: Which images served which purpose.
        measured: Shares right on the held-out images.
        setting: The price or beta of the head that was attached.
        options: As plain data.
        seconds_seen: Running the network once for all images.
        seconds_training: Training from what was kept of it.
        labelled: Whether the data has labels.
    """

    decision: PlanDecision
    target: ExitTarget
    split: Split
    measured: Mapping[str, float]
    setting: float
    options: Mapping[str, Any]
    seconds_seen: float
    seconds_training: float
    labelled: bool


def policy_provenance(data: Samples, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the ``policy`` part of an artifact's provenance."""
    return {
        "name": Path(data.name).name,
        "images": len(data),
        "fingerprint": data.fingerprint(),
        "options": dict(options),
        "environment": environment(),
    }


def with_plan(before: Artifact, after: Artifact, planning: Planning, data: Samples) -> dict[str, Any]:
    """Return the report of ``before`` with the exit of ``after``, and without its evaluation, which is of another exit.

    Args:
        before: The artifact as it was.
        after: The artifact with its policy head.
        planning: How the head came about.
        data: What it was trained and chosen on.
    """
    conversion = dict(before.report.get("conversion") or {})
    choice = planning.decision.choice
    kept = [one for one in conversion.get("passes", ()) if one.get("name") != "AttachPolicy"]
    record = after.snn.history[-1]
    conversion |= {
        "passes": [*kept, {"name": record.name, "changed": len(record.changed), "declined": []}],
        "exit": {
            **(conversion.get("exit") or {}),
            "policy": after.policy.to_json(),
            "target": planning.target.to_json(),
            "held_out": {
                **planning.measured,
                "expected_drop": choice.expected_drop,
                "average_timesteps": choice.average_timesteps,
                "reached": choice.reached,
            },
            "head": _head(after, planning, data),
        },
        "warnings": [*_kept_warnings(conversion), *_certificate_gone(before, after), *_warnings(planning)],
    }
    return {
        **{"schema_version": SCHEMA_VERSION, **before.report},
        "conversion": conversion,
        "evaluation": None,
        "environment": environment(),
    }


def _head(artifact: Artifact, planning: Planning, data: Samples) -> dict[str, Any]:
    sites, macs = call_sites(artifact.ann), policy_macs(artifact.snn)
    step = sum(site.macs for site in sites if site.treatment != "stem")
    decision, epochs = planning.decision, planning.options["epochs"]
    without_cache = epochs * planning.seconds_seen + planning.seconds_training
    return {
        **planning.options,
        "used": decision.choice.head is not None,
        "setting": planning.setting,
        "macs": macs,
        "share_of_timestep": macs / max(step, 1),
        "data": {"name": Path(data.name).name, "images": len(data), "labelled": planning.labelled},
        "fitting_images": len(planning.split.fitting),
        "held_out_images": len(planning.split.held_out),
        "seconds": {
            "readouts": planning.seconds_seen,
            "training": planning.seconds_training,
            "training_without_cache": without_cache,
        },
        "frontier": {
            way: [
                {"average_timesteps": one.average_timesteps, "expected_drop": one.expected_drop}
                for one in frontier(choices)
            ]
            for way, choices in decision.ways.items()
            if choices
        },
    }


def _is_better_than_fixed(decision: PlanDecision) -> bool:
    """Return whether the choice loses less than a fixed number of timesteps would with the same average."""
    choice, fixed = decision.choice, decision.ways["fixed"]
    expected = drop_at(fixed, choice.average_timesteps)
    return expected is None or choice.expected_drop < expected


def _kept_warnings(conversion: Mapping[str, Any]) -> list[str]:
    """Return the warnings of the conversion that are not about an exit that was chosen again."""
    about_exit = ("the exit target was not reached", "how careful the exits are", "the plan", "the policy head")
    return [warning for warning in conversion.get("warnings", ()) if not str(warning).startswith(about_exit)]


def _certificate_gone(before: Artifact, after: Artifact) -> list[str]:
    if before.certificate is None or after.certificate is not None:
        return []
    return [
        "the certificate was about the exits as they were and is gone; certified exits have no policy head, calibrate "
        "makes them again (seenn-convert calibrate ARTIFACT --data DATA)"
    ]


def _warnings(planning: Planning) -> list[str]:
    warnings, choice = [], planning.decision.choice
    if not choice.reached:
        warnings.append(
            "the exit target was not reached on the held-out images of the policy; accept a larger drop, or convert "
            "with a longer run (-T)"
        )
    if choice.head is None:
        warnings.append(
            "the policy head is not used: on the held-out images the exit thresholds alone reach the target as well"
        )
    elif not _is_better_than_fixed(planning.decision):
        warnings.append(
            "the plan is no better than the same number of timesteps for all images, on held-out images: what the head "
            "reads does not tell easy images from hard ones"
        )
    if len(planning.split.held_out) < FEW_HELD_OUT:
        warnings.append(
            f"the policy head was chosen on only {len(planning.split.held_out)} held-out images; give some thousands"
        )
    return warnings
