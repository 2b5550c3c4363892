"""Fine-tuning in words: what was trained, and what that did."""

from seenn_convert.artifact.schema.finetuning import FinetuneFacts
from seenn_convert.report.numbers import number, percent

FOLLOWED = {
    "prefixes": "the ANN's answers at every prefix of the run",
    "labels": "the labels at every timestep",
    "temporal": "labels, the ANN and its own right timesteps",
    "mixed": "the ANN's answers at every prefix of the run, and labels",
}
"""Objective -> what the network followed; the ANN's answers stand in for labels where none are read."""


def finetuning_words(facts: FinetuneFacts) -> str:
    """Return what was trained on what, to be read after its name."""
    followed = FOLLOWED.get(facts.objective, facts.objective)
    quantised = f", the first {number(facts.quantised_updates)} as a quantised ANN" if facts.quantised_updates else ""
    return (
        f"{number(facts.updates)} updates of {facts.batch_size} images{quantised}; {number(facts.images)} images in "
        f"all, {_duration(facts.minutes)}; it followed {followed}"
    )


def _duration(minutes: float) -> str:
    return f"{number(minutes)} minutes" if minutes >= 2 else f"{number(60 * minutes)} s"


def gained_words(facts: FinetuneFacts) -> str:
    """Return the accuracies before and after on the images that trained nothing."""
    before, after = facts.looks[0].accuracy_at, facts.looks[facts.kept].accuracy_at
    shown = sorted({t for t in (1, 2, 4) if t < len(before)} | {len(before)})
    changes = ", ".join(f"{percent(before[t - 1])} to {percent(after[t - 1])} at t = {t}" for t in shown)
    right = "right" if facts.labelled else "as the ANN says"
    return f"{right} on {number(facts.judging_images)} images that trained nothing: from {changes}"
