"""How images leave, in words: the exit rule, what was asked for, what the held-out images showed, the policy head."""

from collections.abc import Sequence
from itertools import accumulate

from seenn_convert.artifact.schema.conversion import (
    CalibrationFacts,
    Conversion,
    ExitFacts,
    HeadFacts,
    NeuronFacts,
    ValidationFacts,
)
from seenn_convert.artifact.schema.evaluation import ConfidenceFacts
from seenn_convert.artifact.schema.shared import REFERENCE_WORDS, PolicyFacts
from seenn_convert.choices import Reference
from seenn_convert.report.numbers import number, percent, plural, significant

SCORE_WORDS = {
    "confidence": "confidence",
    "entropy": "certainty (1 minus the normalized entropy)",
    "margin": "margin (largest probability minus the second largest)",
    "gap": "lead (x / (1 + x) for the largest summed output minus the second largest)",
    "energy": "energy score (from the log-sum-exp of its outputs)",
    "patience": "patience (k / (1 + k) after k timesteps with the same answer)",
}
"""Exit scores in words, to be read after "the network's"."""

LONGEST_ALPHABET = 9
"""Kinds of spikes that are listed one by one."""


def exit_rule(policy: PolicyFacts) -> str:
    """Return when an image leaves, to be read after "it leaves"."""
    kind, score = policy.policy, policy.policy.removeprefix("planned+")
    if kind == "fixed":
        return f"after {plural(policy.timesteps or 1, 'timestep', 'timesteps')}, whatever its answer"
    if kind == "planned":
        return "after the number of timesteps that the policy head chose for it before the run"
    if kind != score:
        return f"{_score_rule(score, policy)}, and at the latest when the policy head, before the run, said it would"
    return _score_rule(score, policy)


def exit_words(shares: Sequence[float]) -> str:
    """Return when most images have left, from the share that leaves at each timestep."""
    if len(shares) == 1:
        return "There is one timestep only, and every image leaves at it."
    left = [*accumulate(shares)]
    half, most = (next((t for t, share in enumerate(left, 1) if share >= part - 1e-9), None) for part in (0.5, 0.9))
    return (
        f"Half of the images have left by timestep {half}, nine in ten by timestep {most}. {percent(shares[-1])} leave "
        f"only at timestep {len(shares)}, the last one."
    )


def target_words(facts: ExitFacts, reference: Reference = "ann") -> str:
    """Return what was asked for; empty if the certificate alone decided."""
    target, price = facts.target, facts.step_time
    if target is None:
        return ""
    if target.drop is not None:
        return f"at most {target.drop:g} points below {REFERENCE_WORDS[reference]}"
    if target.milliseconds is None:
        return f"at most {target.timesteps:g} timesteps on average"
    asked = f"at most {target.milliseconds:g} ms per image on average"
    if price is None:
        return asked
    return (
        f"{asked}, which allows {number(price.timesteps, 2)} timesteps: the stem takes {significant(price.stem)} ms, a "
        f"timestep {significant(price.step)} ms, in batches of {price.batch_size} on {price.device}"
    )


def held_out_words(conversion: Conversion) -> str:
    """Return what the exits did on the images that chose them."""
    held_out = conversion.exit.held_out
    average = f"{number(held_out.average_timesteps, 2)} timesteps on average"
    if not conversion.calibration.labelled:
        return f"{percent(held_out.accuracy)} of the answers agree with {_whose(conversion)}, after {average}"
    ann = f"ANN {percent(held_out.reference)}, " if conversion.reference == "ann" else ""
    return f"{percent(held_out.accuracy)} right after {average}; {ann}all timesteps {percent(held_out.full_accuracy)}"


def _whose(conversion: Conversion) -> str:
    return "the ANN's" if conversion.reference == "ann" else "those after all timesteps"


def policy_head_words(head: HeadFacts) -> str:
    """Return what the policy head is, what it costs, and whether the exits follow it."""
    words = (
        f"reads the {head.reads}; {number(head.macs)} multiply-accumulates, {percent(head.share_of_timestep, 2)} of "
        f"those of one timestep; trained and chosen on {number(head.data.images)} images of {head.data.name}"
    )
    if head.used:
        return words
    return (
        f"{words}. It is not run: on the held-out part of these images, exit thresholds alone reach the target as well."
        " The thresholds were chosen anew there, so images may leave at other timesteps than before."
    )


def confidence_words(accuracy: float, sure: ConfidenceFacts) -> str:
    """Return how sure the network is of its answers at the exits, and how often it is right."""
    return (
        f"On average the confidence at the exits is {percent(sure.average)}, and {percent(accuracy)} of the answers "
        f"are right (expected calibration error {number(100 * sure.calibration_error, 1)} points)"
    )


def calibration_words(data: CalibrationFacts) -> str:
    """Return name and size of the calibration set, and of the exit images to which the exits were fitted instead."""
    split = f"{number(data.fitting_images)} to fit, {number(data.held_out_images)} held out"
    if data.validation is None:
        labels = "labelled" if data.labelled else "without labels"
        return f"{data.name}, {count_words(data)} images ({split}), {labels}"
    other = data.validation
    exits = f"{number(other.fitting_images)} to fit, {number(other.held_out_images)} held out"
    return (
        f"{data.name}, {count_words(data)} images ({split}); exits by the exit images {other.name}, "
        f"{count_words(other)} ({exits})"
    )


def count_words(data: CalibrationFacts | ValidationFacts) -> str:
    """Return how many images there are, and of how many they were drawn."""
    return number(data.images) + ("" if data.drawn_from is None else f" of {number(data.drawn_from)}")


def spike_words(neuron: NeuronFacts) -> str:
    """Return the values that a spike may have, and the bits that it takes to send one."""
    alphabet, bits = neuron.alphabet, neuron.bits_per_spike
    if alphabet is None:
        return "any whole number"
    if len(alphabet) > LONGEST_ALPHABET:
        values = f"{len(alphabet)} values from {alphabet[0]} to {alphabet[-1]}"
    else:
        values = "{" + ", ".join(map(str, alphabet)) + "}"
    return values if bits is None else f"{values}, {plural(bits, 'bit', 'bits')} each"


def _score_rule(score: str, policy: PolicyFacts) -> str:
    thresholds = policy.thresholds or ()
    early, name = thresholds[:-1], SCORE_WORDS.get(score, score)  # at the last timestep every image leaves
    if early and all(threshold >= 1 for threshold in early):
        return f"only at the end, because no {score} can exceed the thresholds before"
    if early and early[0] < 0:
        return "after the first timestep, because any answer exceeds its threshold"
    possible = [threshold for threshold in early or thresholds if 0 <= threshold <= 1]
    if not possible:
        return f"as soon as the network\u2019s {name} is high enough"
    low, high = f"{min(possible):.4g}", f"{max(possible):.4g}"
    values = low if low == high else f"{low} to {high}, depending on the timestep"
    return f"as soon as the network\u2019s {name} is above a threshold ({values})"
