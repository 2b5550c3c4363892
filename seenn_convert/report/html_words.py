"""The sentences of the page: what happened, and whether it is good."""

from collections.abc import Mapping
from typing import Any

from seenn_convert.artifact.plain import dig, finite
from seenn_convert.report.html_certificate import certificate_verdict
from seenn_convert.report.html_readings import (
    ann_percent,
    fixed_points,
    interval_of,
    lost_words,
    points_lost,
    timesteps_of,
)
from seenn_convert.report.html_sections import (
    MISSING,
    energy,
    number,
    paragraph,
    percent,
    plural,
    ratio,
    significant,
    text,
)

SCORE_WORDS = {
    "confidence": "confidence",
    "entropy": "certainty (1 minus the normalized entropy)",
    "margin": "margin (its largest probability less the second)",
    "gap": "lead (x / (1 + x) of the largest summed output less the second)",
    "energy": "energy score (from the log-sum-exp of its outputs)",
    "patience": "patience (k / (1 + k) after k timesteps with the same answer)",
}
"""Exit scores in words, to be read after "the network's"."""

EVALUATE_COMMAND = "<code>seenn-convert evaluate ARTIFACT --data DATA</code>"


def what_happened(report: Mapping[str, Any]) -> str:
    """Return the paragraph under the headline."""
    evaluation = dig(report, "evaluation")
    shown = (
        "Each image is shown to the spiking network for up to "
        f"{plural(timesteps_of(report), 'timestep', 'timesteps')}; it leaves {exit_rule(report)}."
    )
    if not evaluation:
        return paragraph(
            f"The model was converted, but not evaluated on unseen data yet: run {EVALUATE_COMMAND}. " + shown
        )
    interval, lost = interval_of(report), points_lost(report)
    images, average = dig(evaluation, "data", "images"), dig(evaluation, "early_exit", "average_timesteps")
    certainty = f" (95\u00a0% interval {interval[0]:.1f} to {interval[1]:.1f}\u00a0%)" if interval else ""
    compared = "" if lost is None else f", {lost_words(lost)}"
    return paragraph(
        f"{shown} On the {number(images)} images of <b>{text(dig(evaluation, 'data', 'name'))}</b> this took "
        f"{number(average, 2)} timesteps on average, and "
        f"{percent(dig(evaluation, 'early_exit', 'accuracy'))} of the answers were right{certainty}{compared}."
    )


def verdicts(report: Mapping[str, Any]) -> list[str]:
    """Return what is good and bad about the result, one list item each, as plainly as it can be said."""
    verdicts = [*_target_verdict(report)]
    if dig(report, "evaluation"):
        verdicts += [*_accuracy_verdict(report), *certificate_verdict(report), *_time_verdict(report)]
        verdicts += _energy_verdict(report)
    items = "".join(
        f'<li class="{"good" if good else "bad"}"><span>{"✓" if good else "!"}</span>{words}</li>'
        for good, words in verdicts
    )
    return [f'<ul class="verdicts">{items}</ul>'] if items else []


def _target_verdict(report: Mapping[str, Any]) -> list[tuple[bool, str]]:
    reached, target = dig(report, "conversion", "exit", "held_out", "reached"), target_words(report)
    if reached is None or not target:
        return []
    verdict = f"The target, {target}, was {'' if reached else '<b>not</b> '}reached on the held-out calibration images."
    return [(bool(reached), verdict)]


def _accuracy_verdict(report: Mapping[str, Any]) -> list[tuple[bool, str]]:
    """Say where the loss is larger than asked for, and whether the conversion or the exit loses it."""
    drop, lost = finite(dig(report, "conversion", "exit", "target", "drop")), points_lost(report)
    curve, ann = fixed_points(report), ann_percent(report)
    verdicts = []
    if drop is not None and lost is not None:
        within = "within" if lost <= drop else "<b>more</b> than"
        words = f"On this data, early exit is {lost_words(lost)}: {within} the {drop:g} points asked for."
        verdicts.append((lost <= drop, words))
    if curve and ann is not None and ann - curve[-1].y >= 2:
        words = (
            f"Even after all {curve[-1].x:g} timesteps the spiking network is {ann - curve[-1].y:.1f} points below the "
            "ANN: the conversion loses this, not leaving early. More timesteps or another threshold rule may help."
        )
        verdicts.append((False, words))
    average = finite(dig(report, "evaluation", "early_exit", "average_timesteps"))
    if average is not None and timesteps_of(report) > 1 and average > 0.95 * timesteps_of(report):
        verdicts.append((False, "Hardly any image leaves early: early exit saves almost nothing here."))
    return verdicts


def _time_verdict(report: Mapping[str, Any]) -> list[tuple[bool, str]]:
    """Say how long an image took, where a time was asked for."""
    asked = finite(dig(report, "conversion", "exit", "target", "milliseconds"))
    took = finite(dig(report, "evaluation", "milliseconds_per_image", "early_exit"))
    if asked is None or took is None:
        return []
    words = f"Early exit took {took:.3g} ms an image here; {asked:g} ms were asked for where it was converted."
    return [(took <= asked, words)]


def _energy_verdict(report: Mapping[str, Any]) -> list[tuple[bool, str]]:
    joule = dig(report, "evaluation", "energy", "nanojoule_per_image")
    ann, early = dig(joule, "ann"), dig(joule, "early_exit")
    relation = ratio(early, ann)
    if relation is None:
        return []
    if relation < 1:
        words = f"costs {percent(1 - relation, 0)} <b>less</b> energy than the ANN"
    else:
        words = f"costs <b>more</b> energy than the ANN, {significant(relation)} times as much"
    words = f"By the estimate below, early exit {words}: {energy(early)} against {energy(ann)} an image."
    return [(relation < 1, words)]


def exit_rule(report: Mapping[str, Any]) -> str:
    """Return when an image leaves, to be read after "it leaves"."""
    policy = dig(report, "conversion", "exit", "policy")
    kind, given = dig(policy, "policy"), dig(policy, "thresholds")
    if kind == "planned":
        return "after the number of timesteps that the policy head chose for it before the run"
    if isinstance(kind, str) and kind.startswith("planned+"):
        rule = {**report, "conversion": {"exit": {"policy": {**policy, "policy": kind.removeprefix("planned+")}}}}
        return f"{exit_rule(rule)}, and at the latest when the policy head, before the run, said it would"
    if kind == "fixed":
        return f"after {number(dig(policy, 'timesteps'))} timesteps, whatever its answer"
    thresholds = [t for t in map(finite, given if isinstance(given, (list, tuple)) else []) if t is not None]
    early = thresholds[:-1]  # at the last timestep every image leaves
    if early and all(threshold >= 1 for threshold in early):
        return f"only at the end, because no {text(kind)} can be above the thresholds before"
    if early and early[0] < 0:
        return "after the first timestep, because any answer is above the threshold"
    name = SCORE_WORDS.get(str(kind))
    possible = [threshold for threshold in early or thresholds if 0 <= threshold <= 1]
    if not possible:
        return f"as soon as the network\u2019s {name or text(kind)} is high enough"
    low, high = f"{min(possible):.4g}", f"{max(possible):.4g}"
    values = low if low == high else f"{low} to {high}, depending on the timestep"
    return f"as soon as the network\u2019s {name or text(kind)} is above a threshold ({values})"


def target_words(report: Mapping[str, Any]) -> str:
    """Return what was asked for, in words."""
    target = dig(report, "conversion", "exit", "target")
    drop, timesteps = finite(dig(target, "drop")), finite(dig(target, "timesteps"))
    milliseconds = finite(dig(target, "milliseconds"))
    if drop is not None:
        return f"at most {drop:g} points below the ANN"
    if milliseconds is not None:
        return f"at most {milliseconds:g} ms an image on average{_priced(report)}"
    return "" if timesteps is None else f"at most {timesteps:g} timesteps on average"


def _priced(report: Mapping[str, Any]) -> str:
    """Return what was measured to turn a time into timesteps."""
    price = dig(report, "conversion", "exit", "step_time")
    if not price:
        return ""
    return (
        f", which are {number(dig(price, 'timesteps'), 2)} timesteps: the stem takes {significant(dig(price, 'stem'))} "
        f"ms, a timestep {significant(dig(price, 'step'))} ms, {number(dig(price, 'batch_size'))} images together on "
        f"{text(dig(price, 'device'))}"
    )


def held_out_words(conversion: Any) -> str:
    """Return what the exits did on the held-out calibration images, in words."""
    held_out = dig(conversion, "exit", "held_out")
    if not held_out:
        return MISSING
    if dig(conversion, "calibration", "labelled") is False:
        return (
            f"{percent(dig(held_out, 'accuracy'))} of the answers agree with the ANN's, after "
            f"{number(dig(held_out, 'average_timesteps'), 2)} timesteps on average"
        )
    return (
        f"{percent(dig(held_out, 'accuracy'))} after {number(dig(held_out, 'average_timesteps'), 2)} timesteps on "
        f"average; ANN {percent(dig(held_out, 'reference'))}, all timesteps {percent(dig(held_out, 'full_accuracy'))}"
    )


def policy_head_facts(conversion: Any) -> list[tuple[str, str]]:
    """Return what the policy head is and costs as a term and its words, nothing where there is no head."""
    head = dig(conversion, "exit", "head")
    if not head:
        return []
    macs, share = number(dig(head, "macs")), percent(dig(head, "share_of_timestep"), 2)
    words = f"reads the {text(dig(head, 'reads'))}; {macs} multiply-accumulates, {share} of a timestep\u2019s; "
    words += f"trained and chosen on {number(dig(head, 'data', 'images'))} images of {text(dig(head, 'data', 'name'))}"
    return [("Policy head", words if dig(head, "used") is not False else f"{words}; not used")]
