"""Choose the analog front: which of the first activations stay graded, by what that does for the target."""

from collections.abc import Sequence
from dataclasses import replace

from seenn_convert.analysis.coverage import call_sites
from seenn_convert.analysis.frames import frames_of
from seenn_convert.analysis.front import Cut, cuts, front_names
from seenn_convert.artifact.schema.front import FrontFacts
from seenn_convert.errors import InputError
from seenn_convert.ir.operators import Graded
from seenn_convert.ir.program import Program
from seenn_convert.passes.base import run_passes
from seenn_convert.passes.carry_depthwise import CarryDepthwise
from seenn_convert.passes.keep_front import KeepFront
from seenn_convert.workflows.convert.session import Session
from seenn_convert.workflows.convert.stages.front_trials import best_of, tried

HALF_A_POINT = 0.005
"""Shares are compared with the budget in whole percent: as they are shown."""


def asked_front(ann: Program, front: str | int) -> Program:
    """Return the program with the front that was asked for by number; with none where it is not asked for so.

    Raises:
        InputError: A front of so many activations does not end in a single value; says which do.
    """
    ann = _all_activations(ann)
    if not isinstance(front, int) or front == 0:
        return ann
    possible = [cut.activations for cut in cuts(ann)]
    if front not in possible:
        raise InputError(
            f"an analog front of {front} activations is not possible here: what follows must read a single value of "
            f"it, and something must be left to spike; possible are {', '.join(map(str, possible))} (--front)"
        )
    return run_passes(ann, [KeepFront(front)])


def settle_front(session: Session) -> tuple[Session, FrontFacts]:
    """Return the session with the analog front that the options ask for in its ANN, and what is known of it.

    ``"auto"`` tries the cuts within the budget on images of the fitting part, so that the held-out part has had no
    say in it when it chooses exits and certifies them. A front that was asked for by number is there already.
    """
    options, ann = session.options, session.ann
    offered = cuts(KeepFront(0)(ann) if front_names(ann) else ann)  # shares as they are, with all that stays graded
    off = _off(session, offered)
    trials, images = tried(session, _within(offered, options.front_budget)) if _searches(session, off) else ([], 0)
    if trials and (chosen := best_of(trials).cut.activations):
        ann = run_passes(ann, [KeepFront(chosen)])
    facts = FrontFacts(
        asked=options.front,
        budget=options.front_budget,
        names=front_names(ann),
        share=sum(site.share for site in call_sites(ann) if site.treatment == "stem"),
        possible=tuple(cut.activations for cut in cuts(_all_activations(ann))),
        tried=tuple(one.facts for one in trials),
        images=images,
        off=off,
    )
    return replace(session, ann=ann), facts


def _all_activations(ann: Program) -> Program:
    """Return the program in which all that was left graded, in a front or before depthwise convolutions, may spike."""
    if any(isinstance(module, Graded) for _, module in ann.calls()):
        ann = CarryDepthwise(graded=False)(ann)
    return KeepFront(0)(ann) if front_names(ann) else ann


def _searches(session: Session, off: str) -> bool:
    return session.options.front == "auto" and not off


def _off(session: Session, possible: Sequence[Cut]) -> str:
    """Return why nothing is tried although that was asked for; an empty string otherwise."""
    options = session.options
    if options.front != "auto":
        return ""
    if (frames := frames_of(session.ann)) is not None:
        return f"the {frames} frames of a recording differ, so no activation runs once for all of them"
    if options.require_spiking > 0:
        return "--require-spiking asks for spikes; --front N leaves N activations analog nevertheless"
    if len(possible) == 1:
        return "no single value with activations before and behind it is all that the rest of this network reads"
    if len(_within(possible, options.front_budget)) == 1:
        least = possible[1]
        return (
            f"the smallest (--front {least.activations}) would let {least.share:.0%} of the multiply-accumulates run "
            f"once per image, and --front-budget allows {100 * options.front_budget:g}%"
        )
    return ""


def _within(possible: Sequence[Cut], budget: float) -> list[Cut]:
    """Return no front at all, and those that the budget allows."""
    return [cut for cut in possible if not cut.activations or cut.share <= budget + HALF_A_POINT]
