"""What is wrong with a converted network: each layer's largest error, the first layer that breaks, one remedy."""

import math
from collections.abc import Iterable, Mapping, Sequence
from statistics import median

from seenn_convert.artifact.schema.layers import Diagnosis, LayerDiagnosis, LayerRow
from seenn_convert.measure.rate_error import PARTS
from seenn_convert.measure.remedies import Remedy, Settings, dead_remedy, remedy_for

OWN_PARTS = tuple(part for part in PARTS if part != "upstream")
"""The parts of the rate error that arise in the layer itself."""

BREAKS_ABOVE, BREAKS_AGAINST_BEFORE = 0.25, 2.0
"""A layer breaks where its own error is above this share of its activation, and at least this many times the median of
the own errors of the layers before it. A quarter, because default conversions that lose nothing reach a fifth."""

MOSTLY_DEAD = 0.5
"""Share of dead channels above which the calibration data is to blame before anything else."""


def diagnose(layers: Iterable[LayerRow], settings: Settings) -> Diagnosis:
    """Return what is wrong with the layers of a network, in graph order; what was not measured may be missing.

    The layers of a network that was trained further need not follow the ANN's, so their errors are no faults.
    """
    found = tuple(_layer(row) for row in layers)
    if settings.trained:
        return Diagnosis(layers=found, trained=True)
    broken = first_that_breaks(found)
    part, remedy = _blamed(found, broken, settings)
    return Diagnosis(
        layers=found,
        breaks=None if broken is None else broken.name,
        part=part,
        option=remedy.option,
        suggestion=remedy.sentence,
    )


def first_that_breaks(layers: Iterable[LayerDiagnosis]) -> LayerDiagnosis | None:
    """Return the first layer whose own error is large, absolutely and against the layers before; None if there is none.

    The first layer of all is held against the absolute limit only.
    """
    before: list[float] = []
    for layer in layers:
        own = layer.own_error
        if own is None:
            continue
        if own > BREAKS_ABOVE and (not before or own >= BREAKS_AGAINST_BEFORE * median(before)):
            return layer
        before.append(own)
    return None


def uncancelled(parts: Mapping[str, float], input_error: float) -> dict[str, float]:
    """Return the parts with start-up and upstream not larger than what they make together.

    A timestep bias makes them cancel, and so does an input that has not settled; what cancels is no error.
    """
    capped = {part: min(parts[part], input_error) for part in ("startup", "upstream") if part in parts}
    return {**parts, **capped}


def own_error(parts: Mapping[str, float], rate_error: float) -> float:
    """Return what of a layer's rate error arises in the layer: start-up, clipping, quantisation and unevenness.

    The root of the sum of their squares, as if they were independent, but never more than the whole rate error.
    """
    return float(min(math.hypot(*(parts.get(part, 0.0) for part in OWN_PARTS)), rate_error))


def largest(parts: Mapping[str, float]) -> str | None:
    """Return the name of the largest part; None where there is none above zero."""
    name = max(parts, key=lambda part: parts[part], default=None)
    return name if name is not None and parts[name] > 0 else None


def _blamed(
    layers: Sequence[LayerDiagnosis], broken: LayerDiagnosis | None, settings: Settings
) -> tuple[str | None, Remedy]:
    """Return the part that is to blame, None if nothing is known to be, and what helps against it."""
    for name, suspects in ((broken.name, [broken]) if broken else (None, []), (None, layers)):
        dead, channels = _dead(suspects)
        if dead > MOSTLY_DEAD * channels:
            return "dead", dead_remedy(name, dead, channels)
    part = None if broken is None else largest(broken.own_parts)
    if broken is None or part is None or broken.own_error is None:
        return part, Remedy()
    return part, remedy_for(part, min(broken.own_parts[part], broken.own_error), broken.name, settings)


def _layer(row: LayerRow) -> LayerDiagnosis:
    parts = {name: row.error_parts[name] for name in PARTS if name in row.error_parts}
    input_error = row.rate_error if row.input_error is None else row.input_error
    seen = parts if input_error is None else uncancelled(parts, input_error)
    return LayerDiagnosis(
        name=row.name,
        rate_error=row.rate_error,
        parts=parts,
        mostly=largest(seen),
        own_error=own_error(seen, row.rate_error) if parts and row.rate_error is not None else None,
        own_parts={name: value for name, value in seen.items() if name in OWN_PARTS},
        channels=row.channels,
        dead_channels=row.dead_channels,
        saturated_channels=row.saturated_channels,
    )


def _dead(layers: Sequence[LayerDiagnosis]) -> tuple[int, int]:
    """Return dead channels and channels of those layers of which both are known."""
    known = [(x.dead_channels, x.channels) for x in layers if x.dead_channels is not None and x.channels is not None]
    return sum(dead for dead, _ in known), sum(channels for _, channels in known)
