"""The warnings of a conversion."""

from collections.abc import Iterator

from seenn_convert.artifact.schema.conversion import CalibrationFacts
from seenn_convert.artifact.schema.shared import NETWORK_WORDS, REFERENCE_WORDS, Caution
from seenn_convert.calibration.calibration import Calibration, LayerCalibration
from seenn_convert.choices import Reference
from seenn_convert.exits.tune import ExitTuning
from seenn_convert.measure.ann_gap import conversion_gap, conversion_notes
from seenn_convert.measure.chance import below_chance, near_chance

LARGE_DROP = 2.0
"""Points above which a drop that was not asked for is worth a warning."""

NAMED = 4
"""Layers that a warning names at most."""


def cautions(
    calibration: Calibration,
    tuning: ExitTuning,
    data: CalibrationFacts,
    classes: int,
    ann_accuracy: float | None = None,
    *,
    unit_spikes: bool = False,
    reference: Reference = "ann",
) -> Iterator[Caution]:
    """Return an iterator over the warnings of a conversion.

    ``classes`` is the number of outputs, ``ann_accuracy`` what the user says of new images, None if nothing;
    ``unit_spikes`` whether every spike is 1, or 1 or -1; ``reference`` what early exit is compared with.
    """
    network, adopted = NETWORK_WORDS[reference], reference == "full_run"
    if tuning.labelled:
        yield from _near_chance(tuning.held_out["reference"], data, classes, network)
    if not tuning.choice.reached:
        remedy = "raise -T, accept a larger drop, or let convert --explore look for a setting"
        if adopted:
            remedy = "accept a larger drop"
        elif unit_spikes:
            remedy = f"take neurons of several levels, which need fewer timesteps (--neuron multilevel), {remedy}"
        if tuning.certificate is not None:
            remedy += ", or if the certificate does not allow it, give more calibration images or a larger epsilon"
        yield Caution(
            "target_not_reached", f"the exit target was not reached on the held-out {data.exits_from} images; {remedy}"
        )
    elif tuning.choice.expected_drop > LARGE_DROP:
        levels = ", or take neurons of several levels (--neuron multilevel)" if unit_spikes and not adopted else ""
        yield Caution(
            "large_drop",
            f"early exit is expected to lose {tuning.choice.expected_drop:.1f} points against "
            f"{REFERENCE_WORDS[reference]}; allow more timesteps{levels}",
        )
    if data.exits.held_out_images < 100:
        yield Caution(
            "few_held_out",
            f"the exit thresholds were chosen on only {data.exits.held_out_images} held-out images; give some hundreds",
        )
    if not tuning.labelled:
        name = "calibration data has" if data.validation is None else "exit images have"
        yield Caution(
            "no_labels",
            f"the {name} no labels: the answers of {REFERENCE_WORDS[reference]} stood in for them, so the confidence "
            "is no more honest than its own",
        )
    yield from conversion_gap(data, ann_accuracy, classes, network)
    yield from channel_cautions(calibration)


def notes(
    tuning: ExitTuning,
    data: CalibrationFacts,
    classes: int,
    ann_accuracy: float | None = None,
    reference: Reference = "ann",
) -> tuple[Caution, ...]:
    """Return what a reader of a conversion should know and need not worry about."""
    certified = tuning.certificate is not None
    return tuple(conversion_notes(data, ann_accuracy, certified, classes, NETWORK_WORDS[reference]))


def _near_chance(share: float, data: CalibrationFacts, classes: int, network: str) -> Iterator[Caution]:
    """Return an iterator over a warning if the network is right on little more than guessing would be, or on less."""
    images, chance = data.exits.held_out_images, 1 / classes
    if not near_chance(share, chance):
        return
    said = f"{network} is right on only {share:.1%} of the held-out {data.exits_from} images, "
    if below_chance(round(share * images), images, chance):
        said += f"fewer than by chance ({chance:.1%}): its classes are probably in another order, or labels are "
        said += "wrong; check the order of the classes (--class-names) and the labels first, then the preprocessing"
    else:
        said += "little more than chance; check the preprocessing (mean, std, resize), the order of the classes, and "
        said += "that the weights are the trained ones"
    yield Caution("ann_near_chance", said)


def channel_cautions(calibration: Calibration) -> Iterator[Caution]:
    """Return an iterator over the warnings about layers and channels that never fire."""
    silent = [name for name, layer in calibration.layers.items() if layer.maximum <= 0]
    if 2 * len(silent) > len(calibration.layers):
        yield Caution(
            "silent_layers",
            f"{len(silent)} of {len(calibration.layers)} activations never fire on the calibration images; check the "
            "preprocessing (mean, std, resize) and that these images are the model's kind",
        )
    firing = {name: layer for name, layer in calibration.layers.items() if name not in silent}
    dead = [name for name, layer in firing.items() if layer.dead_channels]
    dead.sort(key=lambda name: -len(firing[name].dead_channels))
    if dead:
        listed = ", ".join(f"{name} ({_dead_channels(firing[name], calibration.per_channel)})" for name in dead[:NAMED])
        if len(dead) > NAMED:
            others = sum(len(firing[name].dead_channels) for name in dead[NAMED:])
            listed += f", and {others} channels of {len(dead) - NAMED} other layers"
        yield Caution(
            "dead_channels",
            f"channels that no calibration image activated carry their layer's largest threshold: {listed}",
        )


def _dead_channels(layer: LayerCalibration, per_channel: bool) -> str:
    """Return how many channels are dead, and of how many where there is a threshold for each."""
    count = len(layer.dead_channels)
    return f"{count} of {len(layer.v_threshold)} channels" if per_channel else f"{count}"
