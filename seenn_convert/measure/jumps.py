"""Warn of operators that never settle behind neurons that take no spike back."""

from collections.abc import Iterator

from seenn_convert.analysis.jumps import jumps_at_zero
from seenn_convert.artifact.schema.shared import Caution
from seenn_convert.ir.program import Program
from seenn_convert.neurons.layers import Neuron


def jump_cautions(ann: Program, snn: Program, neuron: str) -> Iterator[Caution]:
    """Yield a warning if operators of the ANN jump at zero and the spiking network's neurons only ever add spikes."""
    adds_only = any(
        isinstance(module, Neuron) and module.alphabet is not None and min(module.alphabet) >= 0
        for _, module in snn.calls()
    )
    found = jumps_at_zero(ann) if adds_only else []
    if found:
        yield Caution(
            "jumps_at_zero",
            f"{', '.join(found)}: the result jumps where the input is zero. A spike that came too early points in a "
            f"direction that {neuron} neurons never take back, so the error may stay however long the run is; take "
            "neurons that can (--neuron signed, multilevel or tracking)",
        )
