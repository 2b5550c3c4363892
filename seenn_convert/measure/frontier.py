"""Compare settings by what they give: which ones no other beats, which one is preferred, what each is good for."""

import math
from collections.abc import Mapping, Sequence

from seenn_convert.artifact.schema.conversion import Conversion
from seenn_convert.artifact.schema.exploration import Trial
from seenn_convert.choices import Prefer
from seenn_convert.exits.thresholds import ExitTarget
from seenn_convert.measure.intervals import NORMAL_95, mean_interval, wilson_interval

GRADED_SKIPS = "; add --skips spiking, because skip connections carry graded values now"
GRADED_DEPTHWISE = "; add --depthwise spiking, because depthwise convolutions read graded values now"
REASONS = {
    "chip": "every spike is {spikes}, which neuromorphic chips send",
    "gpu": "the fewest timesteps, and a wide spike costs dense kernels nothing",
    "cpu": "the shortest time measured on this processor",
}
"""What a setting is good for -> the reason."""


def trial_of(
    conversion: Conversion,
    options: str,
    calibration: str,
    milliseconds: float | None = None,
    seconds: float = 0.0,
) -> Trial:
    """Return what a conversion with ``options`` gives on its held-out images."""
    held_out, neuron = conversion.exit.held_out, conversion.neuron
    images = conversion.calibration.exits.held_out_images
    assert conversion.energy is not None
    return Trial(
        options=options,
        neuron=neuron.kind,
        timesteps=conversion.timesteps,
        calibration=calibration,
        images=images,
        accuracy=held_out.accuracy,
        interval95=wilson_interval(round(held_out.accuracy * images), images),
        expected_drop=held_out.expected_drop,
        drop_error=held_out.drop_error or 0.0,
        average_timesteps=held_out.average_timesteps,
        reached=held_out.reached,
        bits_per_spike=neuron.bits_per_spike,
        unit_spikes=neuron.unit_spikes,
        nanojoule=conversion.energy.early_exit,
        milliseconds=milliseconds,
        seconds=seconds,
        front=len(conversion.front.names),
    )


def drop_interval(trial: Trial) -> tuple[float, float]:
    """Return the 95 % interval of the points that a trial is expected to lose.

    Few images may lack those that lose most, so its upper end is Wilson's, which they never pull down to the mean.
    """
    _, high = mean_interval(trial.expected_drop / 100, trial.drop_error / 100, trial.images)
    return max(0.0, trial.expected_drop - NORMAL_95 * trial.drop_error), 100 * high


def frontier(trials: Sequence[Trial]) -> tuple[tuple[Trial, ...], tuple[Trial, ...]]:
    """Return the trials that no other one beats and those that one beats, each with the most accurate first."""
    ordered = sorted(trials, key=lambda trial: (trial.expected_drop, trial.average_timesteps))
    best = [trial for trial in ordered if not any(beats(other, trial) for other in ordered)]
    return tuple(best), tuple(trial for trial in ordered if trial not in best)


def beats(one: Trial, other: Trial) -> bool:
    """Return whether ``one`` is at least as good as ``other`` in every measure, and better in one."""
    pairs = list(zip(measures(one), measures(other), strict=True))
    return all(a <= b for a, b in pairs) and any(a < b for a, b in pairs)


def measures(trial: Trial) -> tuple[float, ...]:
    """Return points lost, timesteps, time, energy, width of a spike and length of the analog front: less is better."""
    time = 0.0 if trial.milliseconds is None else trial.milliseconds
    bits = math.inf if trial.bits_per_spike is None else trial.bits_per_spike
    return trial.expected_drop, trial.average_timesteps, time, trial.nanojoule, bits, trial.front


def rank(trial: Trial, prefer: Prefer, target: ExitTarget | None, slack: float = 0.0) -> tuple[float, ...]:
    """Return what is smallest for the trial to prefer: among those that reach the target the least in one measure.

    Where none reaches the target, the least drop decides. ``slack`` are points by which a drop may exceed the target,
    for trials on too few images to tell. The other measures decide where that one is the same, so no trial is preferred
    to one that beats it.
    """
    drop, steps, time, energy, *_ = measures(trial)
    first = {"accuracy": drop, "steps": steps, "time": time, "energy": energy}[prefer]
    reached = trial.reached or (target is not None and target.drop is not None and drop <= target.drop + slack)
    return (0.0, first, *measures(trial)) if reached else (1.0, *measures(trial))


def good_for(
    trials: Sequence[Trial], graded_skips: bool, device: str, graded_depthwise: bool = False
) -> dict[str, Mapping[str, str]]:
    """Return ``options`` of each trial of a frontier -> what it is good for, with the reason.

    Args:
        trials: The frontier.
        graded_skips: Whether skip connections carry graded values.
        device: Where times were measured.
        graded_depthwise: Whether depthwise convolutions read graded values.
    """
    graded = (GRADED_SKIPS if graded_skips else "") + (GRADED_DEPTHWISE if graded_depthwise else "")
    fastest = min(trials, key=lambda trial: measures(trial)[2])
    fewest = min(trials, key=lambda trial: (not trial.reached, trial.average_timesteps))
    measured = "gpu" if device.startswith("cuda") else "cpu"
    found: dict[str, Mapping[str, str]] = {}
    for trial in trials:
        reasons = {}
        if trial.unit_spikes and not trial.front:
            spikes = "1" if trial.bits_per_spike == 1 else "1 or -1"
            reasons["chip"] = REASONS["chip"].format(spikes=spikes) + graded
        if trial is fewest and not trial.unit_spikes:
            reasons["gpu"] = REASONS["gpu"]
        if trial is fastest:
            reasons[measured] = REASONS["cpu"].replace("processor", "device" if measured == "gpu" else "processor")
        found[trial.options] = reasons
    return found
