"""From a program, or an artifact, to the network as a chip sees it."""

import math
from collections.abc import Mapping

from torch import fx

from seenn_convert.analysis.coverage import CallSite, call_sites
from seenn_convert.analysis.frames import frames_of
from seenn_convert.analysis.front import front_names
from seenn_convert.artifact.artifact import Artifact
from seenn_convert.exporters.check import view
from seenn_convert.exporters.check.parts import Shape, own_facts, part_of
from seenn_convert.exporters.check.surroundings import (
    neurons_behind,
    read_parts,
    reading_parts,
    reads_first_layer,
    shape_read,
    weighted_readers,
)
from seenn_convert.exporters.check.view import Fact, Network, Site
from seenn_convert.ir.editor import shapes_of
from seenn_convert.ir.operators.step import TimestepBias
from seenn_convert.ir.program import Program
from seenn_convert.neurons.layers import LAYERS, Neuron
from seenn_convert.neurons.leaky import LeakyNeuron

_WORDS = {
    "BinaryNeuron": "if", "SignedNeuron": "signed", "TrackingNeuron": "tracking", "MultiLevelNeuron": "multilevel",
    "UnsignedMultiLevelNeuron": "multilevel-unsigned", "GroupNeuron": "group", "EncodingNeuron": "signed",
    "TrackingEncoder": "tracking", "MultiLevelEncoder": "multilevel", "GroupEncoder": "group",
}  # fmt: skip
"""Class of neurons -> the type that ``--neuron`` names."""


def network_of_artifact(artifact: Artifact, name: str = "artifact") -> Network:
    """Return a converted network as a chip sees it, with its neurons and its exits."""
    neurons = _neurons(artifact.snn)
    policy = artifact.policy.to_json()
    facts: dict[str, Fact] = {
        "timesteps": artifact.timesteps,
        "policy": str(policy["policy"]),
        "score": str(policy.get("score", "")),
        "policy_head": artifact.snn.policy_head is not None,
    }
    return _network(name, artifact.ann, neurons, facts)


def network_of_model(ann: Program, name: str = "model") -> Network:
    """Return a network as a chip sees it that is still to be converted, after the passes of stage ANN."""
    return _network(name, ann, {}, {})


def _network(name: str, ann: Program, neurons: Mapping[str, Mapping[str, Fact]], more: Mapping[str, Fact]) -> Network:
    modules, shapes = dict(ann.calls()), shapes_of(ann)
    calls = {site.name: site for site in call_sites(ann)}
    inputs = {node: _shapes(node, shapes) for node in modules}
    parts = {node.name: part_of(module, inputs[node], shapes.get(node.name, ())) for node, module in modules.items()}
    front = _front(ann, calls, parts)
    sites = []
    for node, module in modules.items():
        part = parts[node.name]
        facts = own_facts(module, part, inputs[node][0] if inputs[node] else (), shapes.get(node.name, ()))
        facts |= _facts_around(node, part, parts, shapes)
        facts |= neurons.get(node.name, {}) if part == view.NEURON else {}
        call = calls[node.name]
        sites.append(
            Site(
                name=node.name, operator=call.operator, part=part, source=call.source, macs=call.macs,
                share=call.share, driven_by=call.driven_by, in_front=node.name in front, facts=facts,
            )
        )  # fmt: skip
    return Network(name, bool(neurons), tuple(sites), {**_whole(ann, sites, shapes), **more})


def _shapes(node: fx.Node, shapes: Mapping[str, Shape]) -> tuple[Shape, ...]:
    return tuple(shapes.get(source.name, ()) for source in node.all_input_nodes)


def _facts_around(node: fx.Node, part: str, parts: Mapping[str, str], shapes: Mapping[str, Shape]) -> dict[str, Fact]:
    """Return the facts of a call site that depend on what it reads and what reads it."""
    facts: dict[str, Fact] = {"reads": read_parts(node, parts), "read_by": reading_parts(node, parts)}
    facts["last"] = view.OUTPUT in reading_parts(node, parts)
    if part == view.NEURON:
        facts["fan_out"] = weighted_readers(node, parts)
    if part == view.MAX_POOL:
        facts["layer_behind"] = reading_parts(node, parts, (view.NEURON, view.GRADED))
        facts["behind_first"] = reads_first_layer(node, parts)
    if part in view.WEIGHTED:
        facts |= {"first": view.IMAGE in read_parts(node, parts), "neurons_behind": neurons_behind(node, parts)}
    if part == view.LINEAR:
        facts |= _as_convolution(node, parts, shapes)
    return facts


def _as_convolution(node: fx.Node, parts: Mapping[str, str], shapes: Mapping[str, Shape]) -> dict[str, Fact]:
    """Return kernel and channels of the convolution over all positions that a linear layer is."""
    flat, before = _shapes(node, shapes)[0], shape_read(node, parts, shapes)
    output = shapes.get(node.name, ())
    positions = math.prod(output[:-1])
    if len(flat) != 1 or math.prod(before) != flat[0]:
        before = flat[-1:]
    size = tuple(before[1:]) or (1, 1)
    return {
        "input_channels": before[0], "input_size": size, "kernel": size, "square": len(set(size)) == 1,
        "output_channels": output[-1], "output_size": (1, 1), "positions": positions, "inputs": flat[-1],
        "stride": (1, 1), "padding": (0, 0), "dilation": (1, 1),
    }  # fmt: skip


def _neurons(snn: Program) -> dict[str, Mapping[str, Fact]]:
    """Return layer of neurons -> its type, and whether thresholds differ by channel and biases by timestep."""
    corrected = {
        user.name
        for node, module in snn.calls()
        if isinstance(module, TimestepBias) and len(module.bias) > 1
        for user in node.users
    }
    return {
        node.name: {
            "neuron": _type_of(module),
            "own_type": not isinstance(module, LAYERS),
            "thresholds_per_channel": bool(module.v_threshold.min() < module.v_threshold.max()),
            "timestep_bias": node.name in corrected,
            "encodes": "Encod" in type(module).__name__,
        }
        for node, module in snn.calls()
        if isinstance(module, Neuron)
    }


def _type_of(module: Neuron) -> str:
    """Return the type that ``--neuron`` names, or the class of neurons that are of none."""
    if isinstance(module, LeakyNeuron):
        keeps = bool((module.leak == 1).all()) and bool((module.gain == 1).all())
        fires_like = module.reset == "subtract" and not (module.strict or module.delayed or module.owing)
        return "if" if keeps and fires_like else "leaky"
    return _WORDS.get(type(module).__name__, type(module).__name__)


def _front(ann: Program, calls: Mapping[str, CallSite], parts: Mapping[str, str]) -> set[str]:
    """Return the call sites of the analog front, with the neurons that read nothing else."""
    if not front_names(ann):
        return set()
    found = {name for name, site in calls.items() if site.treatment == "stem"}
    for node, _ in ann.calls():
        sources = [one for one in node.all_input_nodes if one.op == "call_module"]
        if parts[node.name] == view.NEURON and sources and all(one.name in found for one in sources):
            found.add(node.name)
    return found


def _whole(ann: Program, sites: list[Site], shapes: Mapping[str, Shape]) -> dict[str, Fact]:
    """Return the facts of the whole network."""
    frames = frames_of(ann)
    classes = math.prod(shapes.get("output", (0,)))
    neurons = sum(_number(site, "neurons") for site in sites)
    return {
        "input": "recordings" if frames else "images",
        "inputs": math.prod(ann.input_shape[1:] if frames else ann.input_shape),
        "outputs": classes,
        "neurons": neurons,
        "hidden": neurons,
        "weights": sum(_number(site, "weights") for site in sites),
        "synapses": sum(_number(site, "synapses") for site in sites),
        "layers": sum(site.part in view.WEIGHTED for site in sites),
        "front": len(front_names(ann)),
    }


def _number(site: Site, name: str) -> int:
    value = site.facts.get(name, 0)
    return value if isinstance(value, int) else 0
