"""Warnings about a network of which little spikes, or that would take more energy than its ANN, and what helps."""

from collections.abc import Iterator, Mapping, Sequence

from seenn_convert.analysis.coverage import GRADED, IMAGE, CallSite, call_sites, operator_name, spiking_share
from seenn_convert.analysis.front import front_names
from seenn_convert.analysis.spike_sources import is_weighted, sources
from seenn_convert.artifact.schema.evaluation import ThreeRuns
from seenn_convert.artifact.schema.shared import Caution
from seenn_convert.ir.operators import SPIKING_OPERATORS, Graded
from seenn_convert.ir.program import Program
from seenn_convert.neurons.layers import Neuron
from seenn_convert.passes.base import run_passes
from seenn_convert.passes.carry_depthwise import CarryDepthwise
from seenn_convert.passes.insert_encoders import InsertEncoders

HALF = 0.5
"""Share of the multiply-accumulates below which spikes drive too little of a network to pass over it."""

NAMED = 3
"""Layers that a warning names at most."""


def encoding_helps(ann: Program) -> bool:
    """Return whether encoders would let spikes drive more of a program of stage ANN."""
    again = CarryDepthwise(depthwise_is_graded(ann))
    encoded = run_passes(ann, (CarryDepthwise(graded=False), InsertEncoders(), again))
    return spiking_share(call_sites(encoded)) > spiking_share(call_sites(ann))


def depthwise_is_graded(ann: Program) -> bool:
    """Return whether depthwise convolutions of a program of stage ANN read graded activations by choice."""
    return any(isinstance(module, Graded) for _, module in ann.calls())


def few_spikes(ann: Program, snn: Program, sites: Sequence[CallSite]) -> Iterator[Caution]:
    """Yield a warning if spikes drive less than half of the multiply-accumulates: where, why, and what helps.

    ``sites`` are the calls of ``ann``, in which the neurons of ``snn`` were inserted.
    """
    share = spiking_share(list(sites))
    if share >= HALF:
        return
    graded = sorted((site for site in sites if site.driven_by == GRADED), key=lambda site: -site.share)
    still = sum(site.share for site in sites if site.driven_by == IMAGE)
    said = [f"spikes drive only {share:.1%} of the multiply-accumulates"]
    if graded:
        behind = _behind(ann)
        named = [f"{site.name} ({site.share:.0%}{behind.get(site.name, '')})" for site in graded[:NAMED]]
        more = f" and {len(graded) - NAMED} more" if len(graded) > NAMED else ""
        said.append(f"graded values drive {', '.join(named)}{more}")
    if still > 0:
        said.append(f"{still:.0%} come before the first neurons and run once per image")
    if kept := len(front_names(ann)):
        held = "1 activation is" if kept == 1 else f"{kept} activations are"
        said.append(f"{held} in the analog front (--front none, or a smaller number, makes more of them neurons)")
    yield Caution("few_spikes", "; ".join([*said, *_advice(ann, snn, bool(graded))]))


def more_energy(ann: Program, energy: ThreeRuns, counted: str) -> Iterator[Caution]:
    """Yield a warning if early exit is estimated to take more energy than the ANN; ``counted`` says by what images."""
    if energy.ann is not None and energy.early_exit > energy.ann:
        spikes = "let spikes drive more (--encode always), or " if encoding_helps(ann) else ""
        once = sum(site.share for site in call_sites(ann) if site.driven_by == IMAGE) * energy.ann
        enough = energy.early_exit - once <= energy.ann  # all that giving it up could save
        front = "give up the analog front (--front none), or " if front_names(ann) and enough else ""
        yield Caution(
            "more_energy",
            f"the estimate from operation counts on {counted} says {energy.early_exit / energy.ann:.1f} times the "
            f"energy of the ANN; {spikes}{front}leave earlier (a smaller -T, a larger --target-drop)",
        )


def _behind(ann: Program) -> Mapping[str, str]:
    """Return layer with weights -> the first operator whose graded values reach it, in words."""
    modules = dict(ann.calls())
    found: dict[str, str] = {}
    for node, module in modules.items():
        if is_weighted(module):
            origins = (modules.get(origin) for origin in sources(node.all_input_nodes[0], modules.get))
            graded = [one for one in origins if one is not None and not isinstance(one, SPIKING_OPERATORS)]
            if graded:
                found[node.name] = f", behind {operator_name(graded[0])}"
    return found


def _advice(ann: Program, snn: Program, graded: bool) -> Iterator[str]:
    """Yield what lets spikes drive more, if anything does; without ``graded`` values only the front can give way."""
    ways = []
    if graded and encoding_helps(ann):
        neurons = [module for _, module in snn.calls() if isinstance(module, Neuron)]
        unsigned = any(one.alphabet is not None and min(one.alphabet) >= 0 for one in neurons)
        signed = "--neuron signed and " if unsigned else ""
        why = ", for these neurons cannot send values below 0" if unsigned else ""
        few = all(one.alphabet is not None and max(one.alphabet) == 1 for one in neurons) and not unsigned
        why += ", best with --neuron multilevel, since spikes of one size take many timesteps" if few else ""
        ways.append(f"{signed}--encode always{why}")
    if depthwise_is_graded(ann):
        ways.append("--depthwise spiking, at a loss of accuracy")
    if ways:
        yield f"let graded values become spikes with {'; or with '.join(ways)}"
    elif not front_names(ann):
        yield "no option changes that"
    yield "--require-spiking SHARE refuses such a network"
