"""What exploring found, in words: what was tried, why one setting was kept, and what the figures can tell."""

from seenn_convert.artifact.schema.exploration import Exploration, Trial
from seenn_convert.measure.frontier import drop_interval
from seenn_convert.report.numbers import number, percent, plural

PREFERRED = {
    "accuracy": "the highest expected accuracy",
    "steps": "the fewest timesteps",
    "time": "the least time",
    "energy": "the least energy",
}
DEVICES = {"chip": "chip", "gpu": "GPU", "cpu": "CPU"}


def tried_words(exploration: Exploration) -> str:
    """Return how many settings were tried, on how many images, and what their accuracies can tell."""
    trials, looked = exploration.trials, exploration.looked_at
    kept = kept_trial(exploration)
    (low, high), (least, most) = kept.interval95, drop_interval(kept)
    few = f"{plural(len(looked), 'setting', 'settings')} on {looked[0].images}" if looked else ""
    first = f", after a first look at {few}" if few else ""
    return (
        f"{plural(len(trials), 'setting was', 'settings were')} tried on {number(kept.images)} held-out images{first}. "
        f"Accuracies are known to ± {number(50 * (high - low), 1)} points, and the setting kept is expected to "
        f"lose {number(least, 2)} to {number(most, 2)} (95\u00a0%, if the ANN was not trained on the images). The "
        "settings were compared on the same images, so the figures of the best ones are slightly optimistic."
        + ("" if exploration.labelled else " Accuracy is agreement with the ANN here, because there are no labels.")
    )


def kept_words(exploration: Exploration) -> str:
    """Return which setting was kept and why, and what the default would have given."""
    kept = kept_trial(exploration)
    why = PREFERRED[exploration.prefer]
    if not kept.reached:
        why = "no setting reaches the target, and this one is expected to lose least"
    elif exploration.prefer != "accuracy":
        why += " of those that reach the target"
    return f"Kept {kept.options}: {why}.{_default_words(exploration)}"


def kept_trial(exploration: Exploration) -> Trial:
    """Return the trial of the setting that was kept."""
    return next(trial for trial in exploration.trials if trial.options == exploration.kept)


def trial_words(exploration: Exploration, trial: Trial) -> str:
    """Return what a setting is good for; empty if nothing singles it out."""
    return ", ".join(DEVICES[device] for device in exploration.good_for.get(trial.options, {}))


def _default_words(exploration: Exploration) -> str:
    if exploration.kept == exploration.default:
        return " It is the default."
    default = next((trial for trial in exploration.trials if trial.options == exploration.default), None)
    if default is None:
        return f" The default, {exploration.default}, was not tried on all images."
    misses = "" if default.reached else " and misses the target"
    return (
        f" The default, {exploration.default}, takes {number(default.average_timesteps, 2)} timesteps, is right on "
        f"{percent(default.accuracy)}, is expected to lose {number(default.expected_drop, 2)} points{misses}."
    )
