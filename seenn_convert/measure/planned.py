"""What the report says about a policy head: what it costs, what it was trained on, and what was chosen."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from seenn_convert.analysis.coverage import call_sites, policy_macs
from seenn_convert.artifact.artifact import Artifact
from seenn_convert.artifact.provenance import environment, used_data
from seenn_convert.artifact.schema.conversion import FrontierPoint, HeadData, HeadFacts, HeadSeconds
from seenn_convert.artifact.schema.provenance import PolicyOrigin
from seenn_convert.artifact.schema.report import Report
from seenn_convert.artifact.schema.shared import Caution, PolicyFacts, WarningCode
from seenn_convert.data.samples import Samples
from seenn_convert.exits.plan_choice import PlanDecision, drop_at, frontier
from seenn_convert.exits.thresholds import ExitTarget
from seenn_convert.exits.tune import Split
from seenn_convert.measure.conversion import held_out_facts, passes_of

FEW_HELD_OUT = 500

ABOUT_EXIT: tuple[WarningCode, ...] = (
    "target_not_reached", "few_held_out", "plan_no_better", "policy_head_unused", "few_policy_images",
    "policy_head_gone",
)  # fmt: skip
"""Warnings about an exit that is chosen again when a policy head is attached."""


def policy_provenance(data: Samples, options: Mapping[str, Any]) -> PolicyOrigin:
    """Return the ``policy`` part of an artifact's provenance."""
    return PolicyOrigin(**vars(used_data(data)), options=options, environment=environment())


def with_plan(
    before: Artifact, after: Artifact, decision: PlanDecision, target: ExitTarget, measured: Mapping[str, float],
    head: HeadFacts,
) -> Report:  # fmt: skip
    """Return the report of ``before`` with the exit of ``after``, and without its evaluation, which is of another exit.

    Args:
        before: The artifact as it was.
        after: The artifact with its policy head.
        decision: What was chosen on the held-out images.
        target: What it had to reach.
        measured: Shares right on the held-out images.
        head: The policy head and how it came about.
    """
    old = before.report.conversion
    report = replace(before.report, evaluation=None, environment=environment())
    if old is None:
        return report
    attached = passes_of(after.snn)[-1]
    conversion = replace(
        old,
        passes=(*(one for one in old.passes if one.name != attached.name), attached),
        exit=replace(
            old.exit,
            policy=PolicyFacts.of(after.policy.to_json()),
            target=target,
            held_out=held_out_facts(decision.choice, measured),
            head=head,
        ),
        certificate=after.certificate,
        warnings=(
            *(one for one in old.warnings if one.code not in ABOUT_EXIT),
            *_certificate_gone(before, after),
            *_warnings(decision, head.held_out_images),
        ),
    )
    return replace(report, conversion=conversion)


def head_facts(
    artifact: Artifact, decision: PlanDecision, split: Split, options: Mapping[str, Any], *,
    setting: float, data: HeadData, seconds_seen: float, seconds_training: float,
) -> HeadFacts:  # fmt: skip
    """Return the costs of a policy head, what it was trained on, and what was chosen.

    ``setting`` is its price or beta; ``seconds_seen`` were spent on running the network once for all images,
    ``seconds_training`` on training from what was kept of it.
    """
    sites, macs = call_sites(artifact.ann), policy_macs(artifact.snn)
    step = sum(site.macs for site in sites if site.treatment != "stem")
    return HeadFacts(
        **{**options, "settings": tuple(options["settings"])},
        used=decision.choice.head is not None,
        setting=setting,
        macs=macs,
        share_of_timestep=macs / max(step, 1),
        data=data,
        fitting_images=len(split.fitting),
        held_out_images=len(split.held_out),
        seconds=HeadSeconds(
            readouts=seconds_seen,
            training=seconds_training,
            training_without_cache=options["epochs"] * seconds_seen + seconds_training,
        ),
        frontier={
            way: tuple(
                FrontierPoint(average_timesteps=one.average_timesteps, expected_drop=one.expected_drop)
                for one in frontier(choices)
            )
            for way, choices in decision.ways.items()
            if choices
        },
    )


def _is_better_than_fixed(decision: PlanDecision) -> bool:
    """Return whether the choice loses less than a fixed number of timesteps would with the same average."""
    choice, fixed = decision.choice, decision.ways["fixed"]
    expected = drop_at(fixed, choice.average_timesteps)
    return expected is None or choice.expected_drop < expected


def _certificate_gone(before: Artifact, after: Artifact) -> list[Caution]:
    if before.certificate is None or after.certificate is not None:
        return []
    words = (
        "the certificate was about the exits as they were and is gone; certified exits have no policy head, calibrate "
        "makes them again (seenn-convert calibrate ARTIFACT --data DATA)"
    )
    return [Caution("certificate_gone", words)]


def _warnings(decision: PlanDecision, held_out: int) -> Iterator[Caution]:
    choice = decision.choice
    if not choice.reached:
        yield Caution(
            "target_not_reached",
            "the exit target was not reached on the held-out images of the policy; accept a larger drop, or convert "
            "with a longer run (-T)",
        )
    if choice.head is None:
        yield Caution(
            "policy_head_unused",
            "the policy head is not used: on the held-out images the exit thresholds alone reach the target as well",
        )
    elif not _is_better_than_fixed(decision):
        yield Caution(
            "plan_no_better",
            "the plan is no better than the same number of timesteps for all images, on held-out images: what the head "
            "reads does not tell easy images from hard ones",
        )
    if held_out < FEW_HELD_OUT:
        yield Caution(
            "few_policy_images",
            f"the policy head was chosen on only {held_out} held-out images; give some thousands",
        )
