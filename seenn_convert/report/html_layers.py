"""The section of the report page on the neuron layers: which breaks first and what helps, and the table of all."""

from collections.abc import Mapping
from typing import Any

from seenn_convert.artifact.plain import dig, finite, mappings
from seenn_convert.measure.diagnosis import LayerDiagnosis, diagnose
from seenn_convert.measure.rate_error import PARTS
from seenn_convert.report.html_sections import (
    MISSING,
    Column,
    not_measured,
    number,
    paragraph,
    percent,
    section,
    significant,
    table,
    text,
)

_BARS = ("rate_error", "firing_rate", "operation_share")
_MEANINGS = {
    "startup": "Input that came late",
    "upstream": "What the layers before got wrong for good",
    "clipping": "More than the neurons can send in every timestep",
    "quantisation": "Rounding to whole spikes",
    "unevenness": "The order of arrival",
}


def layers_section(report: Mapping[str, Any]) -> str:
    """Return the diagnosis and the table of neuron layers with inline bars."""
    layers = mappings(dig(report, "evaluation", "layers"))
    if not layers:
        return section("layers", "Neuron layers", not_measured())
    diagnosis = diagnose(layers, dig(report, "conversion"))
    words = (
        "Rate error is how far a layer's mean output after all timesteps is from the ANN's activation, relative to "
        "that activation. It is split into parts, whose largest is bold. Bars are scaled to the largest value of their "
        "column. Dead channels fired for no calibration image; saturated ones send the most they can too often."
    )
    most = {key: max((finite(x.get(key)) or 0.0 for x in layers), default=0.0) for key in _BARS}
    rows = [_cells(layer, found, most) for layer, found in zip(layers, diagnosis.layers, strict=True)]
    return section(
        "layers",
        "Neuron layers",
        paragraph(f"<b>{text(diagnosis.verdict())}</b>"),
        paragraph(words),
        table("Neuron layers", _columns(), rows, long=True),
    )


def _columns() -> list[Column]:
    return [
        Column("Layer", "Node name", numeric=False),
        Column("Neurons"),
        Column("Rate error", "Relative distance of the mean output from the ANN's activation"),
        *(Column(part.capitalize(), _MEANINGS[part]) for part in PARTS),
        Column("Dead channels", "Channels that no calibration image activated"),
        Column("Saturated channels", "Channels that send the most they can too often"),
        Column("Firing rate", "Spikes for each neuron and timestep"),
        Column("Share of operations", "Share of the synaptic operations that this layer's spikes cause"),
        Column("Spikes per image", "Over all timesteps"),
        Column("Threshold min – median – max", "Firing thresholds of the layer"),
    ]


def _cells(layer: Mapping[str, Any], found: LayerDiagnosis, most: Mapping[str, float]) -> list[str]:
    thresholds = layer.get("v_threshold")
    known = thresholds if isinstance(thresholds, (list, tuple)) else [None]
    return [
        text(layer.get("name")),
        number(layer.get("neurons")),
        _bar(layer.get(_BARS[0]), most[_BARS[0]]),
        *(_part(found, part) for part in PARTS),
        _channels(found.dead_channels, found.channels),
        _channels(found.saturated_channels, found.channels),
        *(_bar(layer.get(key), most[key]) for key in _BARS[1:]),
        number(layer.get("spikes_per_image")),
        " – ".join(significant(value) for value in dict.fromkeys(known)),
    ]


def _bar(value: Any, most: float) -> str:
    """Return a cell whose background shows ``value`` as a share of ``most``."""
    share = min(max((finite(value) or 0.0) / most, 0.0), 1.0) if most > 0 else 0.0
    return f'<td class="bar" style="--share:{share:.3f}">{percent(value)}</td>'


def _part(found: LayerDiagnosis, part: str) -> str:
    words = percent(found.parts.get(part))
    return f"<b>{words}</b>" if part == found.mostly else words


def _channels(amount: int | None, channels: int | None) -> str:
    """Return how many of the channels, bold where there are any."""
    if amount is None:
        return MISSING
    words = f"{amount:,}" if channels is None else f"{amount:,} of {channels:,}"
    return f"<b>{words}</b>" if amount else words
