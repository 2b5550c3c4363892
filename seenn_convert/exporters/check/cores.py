"""Cores: the memory that a layer takes on a DYNAP-CNN core, and which layer goes on which core."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from seenn_convert.exporters.check.findings import Competition, CoreLoad
from seenn_convert.exporters.check.target import Cores
from seenn_convert.exporters.check.view import Fact, Site


@dataclass(frozen=True)
class Memory:
    """Entries that a layer takes: of weights, of membrane potentials, of biases."""

    kernel: int
    neuron: int
    bias: int


def memory_of(facts: Mapping[str, Fact]) -> Memory | None:
    """Return what a layer with weights takes on a core; None if it is no two-dimensional convolution.

    For ``c`` input and ``f`` output channels, a kernel ``kx x ky`` and an output ``fx x fy``: kernels take
    ``c * 2**(ceil(log2(kx * ky)) + ceil(log2(f)))`` entries and neurons ``f * 2**(ceil(log2(fy)) + ceil(log2(fx)))``,
    because addresses are whole bits.

    Source: sinabs 3.1.3, ``DynapcnnLayer.memory_summary``.
    """
    kernel, size = facts.get("kernel"), facts.get("output_size")
    inputs, outputs = facts.get("input_channels"), facts.get("output_channels")
    if not (isinstance(kernel, tuple) and isinstance(size, tuple) and len(kernel) == len(size) == 2):
        return None
    if not (isinstance(inputs, int) and isinstance(outputs, int)):
        return None
    taps = math.prod(int(one) for one in kernel)
    height, width = (int(one) for one in size)
    return Memory(
        kernel=inputs * 2 ** (_bits(taps) + _bits(outputs)),
        neuron=outputs * 2 ** (_bits(height) + _bits(width)),
        bias=outputs if facts.get("bias") else 0,
    )


def assign(layers: Sequence[Site], cores: Cores) -> tuple[tuple[CoreLoad, ...], tuple[Competition, ...]]:
    """Return the core of each layer, and which layers compete for too few cores.

    A largest matching in the graph of layers and the cores that they fit, those with the fewest choices first. If a
    layer finds none, all layers that fit no other cores than those the search went through are more than these cores
    (Hall). A layer that no core holds competes for none.
    """
    memories = {site.name: memory for site in layers if (memory := memory_of(site.facts)) is not None}
    fitting = {name: _fitting(memory, cores) for name, memory in memories.items()}
    taken: dict[int, str] = {}
    short: dict[tuple[int, ...], None] = {}
    for name in sorted(fitting, key=lambda one: len(fitting[one])):
        seen: set[int] = set()
        if fitting[name] and not _place(name, fitting, taken, seen):
            short[tuple(sorted(seen))] = None
    core_of = {name: core for core, name in taken.items()}
    loads = [_load(name, memory, core_of.get(name), cores, fitting[name]) for name, memory in memories.items()]
    return tuple(loads), tuple(_competition(fitting, few) for few in short)


def _competition(fitting: Mapping[str, tuple[int, ...]], cores: tuple[int, ...]) -> Competition:
    layers = tuple(name for name, fits in fitting.items() if fits and {*fits} <= {*cores})
    return Competition(layers=layers, cores=cores)


def _place(name: str, fitting: Mapping[str, tuple[int, ...]], taken: dict[int, str], seen: set[int]) -> bool:
    """Give the layer a core, moving others along if needed; ``seen`` collects the cores that were asked for."""
    for core in fitting[name]:
        if core in seen:
            continue
        seen.add(core)
        if core not in taken or _place(taken[core], fitting, taken, seen):
            taken[core] = name
            return True
    return False


def _fitting(memory: Memory, cores: Cores) -> tuple[int, ...]:
    rooms = zip(cores.kernel, cores.neuron, cores.bias, strict=True)
    return tuple(
        core
        for core, (kernel, neuron, bias) in enumerate(rooms)
        if memory.kernel <= kernel and memory.neuron <= neuron and memory.bias <= bias
    )


def _load(name: str, memory: Memory, core: int | None, cores: Cores, fitting: tuple[int, ...]) -> CoreLoad:
    rooms = {} if core is None else {
        "kernel_room": cores.kernel[core], "neuron_room": cores.neuron[core], "bias_room": cores.bias[core],
    }  # fmt: skip
    return CoreLoad(
        layer=name, core=core, kernel=memory.kernel, neuron=memory.neuron, bias=memory.bias, cores=fitting, **rooms
    )


def _bits(count: int) -> int:
    """Return the whole bits of an address into ``count`` entries."""
    return max(count - 1, 0).bit_length()
