"""What happened, and whether it is good: the sentences under the headline of a report."""

from collections.abc import Iterator
from typing import NamedTuple

from seenn_convert.artifact.schema.conversion import Conversion
from seenn_convert.artifact.schema.evaluation import Evaluation
from seenn_convert.artifact.schema.shared import REFERENCE_WORDS
from seenn_convert.choices import Reference
from seenn_convert.exits.thresholds import ExitTarget
from seenn_convert.measure.promises import target_words as promised_words
from seenn_convert.report.narrative.certificate import outcome
from seenn_convert.report.narrative.exits import confidence_words, exit_rule, target_words
from seenn_convert.report.numbers import energy, number, percent, plural, ratio, significant

CONVERSION_LOSES = 2.0
"""Points below the ANN after all timesteps from which the conversion is to blame."""

HONEST = 0.1
"""Expected calibration error up to which a confidence is worth its name."""


class Verdict(NamedTuple):
    """A sentence, and whether it is good news."""

    good: bool
    words: str


def shown_words(conversion: Conversion) -> str:
    """Return how the network sees an image and when it answers."""
    steps = plural(conversion.timesteps, "timestep", "timesteps")
    return (
        f"Each image is shown to the spiking network for up to {steps}; it leaves {exit_rule(conversion.exit.policy)}."
    )


def measured_words(evaluation: Evaluation) -> str:
    """Return what early exit came to."""
    early = evaluation.early_exit
    low, high = early.interval95
    lost = lost_words(evaluation.points_lost, evaluation.reference)
    return (
        f"On the {number(evaluation.data.images)} images of {evaluation.data.name} this took "
        f"{number(early.average_timesteps, 2)} timesteps on average, and {percent(early.accuracy)} of the answers were "
        f"right (95\u00a0% interval {100 * low:.1f} to {100 * high:.1f}\u00a0%), {lost}."
    )


def lost_words(lost: float, reference: Reference = "ann") -> str:
    """Return a loss of points against the reference, or a gain."""
    against = REFERENCE_WORDS[reference]
    if round(abs(lost), 1) == 0:
        return f"level with {against}"
    return f"{number(abs(lost), 1)} points {'below' if lost > 0 else 'above'} {against}"


def verdicts(conversion: Conversion | None, evaluation: Evaluation | None) -> tuple[Verdict, ...]:
    """Return what is good and bad about the result, as plainly as it can be said."""
    found = [] if conversion is None else [*_target(conversion)]
    if evaluation is not None:
        target = None if conversion is None else conversion.exit.target
        found += [*_accuracy(target, evaluation), *_time_asked_for(target, evaluation)]
        if evaluation.certificate is not None:
            found.append(Verdict(evaluation.certificate.holds, outcome(evaluation.certificate, evaluation.reference)))
        if evaluation.confidence is not None:
            sure = confidence_words(evaluation.early_exit.accuracy, evaluation.confidence)
            found.append(Verdict(evaluation.confidence.calibration_error <= HONEST, f"{sure}."))
        found += [*_energy(evaluation), *_time(evaluation)]
    return tuple(found)


def _target(conversion: Conversion) -> Iterator[Verdict]:
    target, reached = target_words(conversion.exit, conversion.reference), conversion.exit.held_out.reached
    if target:
        reaches, images = f"was {'' if reached else 'not '}reached", conversion.calibration.exits_from
        yield Verdict(reached, f"The target, {target}, {reaches} on the held-out {images} images.")


def _accuracy(target: ExitTarget | None, evaluation: Evaluation) -> Iterator[Verdict]:
    """Say if the loss is larger than asked for, and whether the conversion or the exit loses it."""
    lost, timesteps = round(evaluation.points_lost, 6), max(evaluation.accuracy_at)
    if evaluation.target is not None:
        check = evaluation.target
        yield Verdict(check.observed <= check.promised, promised_words(check, evaluation.reference))
    elif target is not None and target.drop is not None:
        within = lost <= target.drop
        how = "within" if within else "more than"
        below = lost_words(lost, evaluation.reference)
        words = f"On this data, early exit is {below}: {how} the {target.drop:g} points asked for."
        yield Verdict(within, words)
    lost_by_conversion = 100 * (evaluation.reference_accuracy - evaluation.full_accuracy)
    if lost_by_conversion >= CONVERSION_LOSES:
        yield Verdict(
            False,
            f"Even after all {timesteps} timesteps the spiking network is {lost_words(lost_by_conversion)}: the "
            "conversion loses this, not early exit. More timesteps or another threshold rule may help.",
        )
    if timesteps > 1 and evaluation.early_exit.average_timesteps > 0.95 * timesteps:
        yield Verdict(False, "Hardly any image leaves early: early exit saves almost nothing here.")


def _time_asked_for(target: ExitTarget | None, evaluation: Evaluation) -> Iterator[Verdict]:
    if target is not None and target.milliseconds is not None:
        asked, took = target.milliseconds, evaluation.milliseconds_per_image.early_exit
        words = f"Early exit took {took:.3g} ms per image here; the target was {asked:g} ms on the converting machine."
        yield Verdict(took <= asked, words)


def _energy(evaluation: Evaluation) -> Iterator[Verdict]:
    joule = evaluation.energy.nanojoule_per_image
    relation = ratio(joule.early_exit, joule.reference)
    if relation is not None:
        less = relation < 1
        how = f"{percent(1 - relation, 0)} less than" if less else f"{significant(relation, 2)} times as much as"
        yield Verdict(
            less,
            f"Energy, estimated from operation counts without memory access: early exit takes {how} "
            f"{_compared_with(evaluation)}, {energy(joule.early_exit)} against {energy(joule.reference)} per image.",
        )


def _time(evaluation: Evaluation) -> Iterator[Verdict]:
    time = evaluation.milliseconds_per_image
    relation = ratio(time.early_exit, time.reference)
    if relation is not None:
        why = " This machine simulates the spikes; only hardware made for them gains from their sparsity."
        took = f"{significant(time.early_exit)} against {significant(time.reference)} ms per image"
        yield Verdict(
            relation <= 1,
            f"Time, measured on this machine: early exit takes {significant(relation, 2)} times as long as "
            f"{_compared_with(evaluation)}, {took}.{why if relation > 1 else ''}",
        )


def _compared_with(evaluation: Evaluation) -> str:
    """Return what took the time and the energy that those of early exit are compared with."""
    return "the ANN" if evaluation.reference == "ann" else "all timesteps"
