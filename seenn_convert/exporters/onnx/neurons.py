"""The neurons' law in ONNX, operation by operation as ``neurons/law.py`` has it.

The power of two within a whole number is a sum of clipped differences, since no operator reads the bits of a number.
"""

import math
from collections.abc import Sequence

import torch

from seenn_convert.exporters.onnx.graph import Graph, Operand, Sent, Value
from seenn_convert.neurons.layers import (
    BinaryNeuron,
    EncodingNeuron,
    GroupEncoder,
    GroupNeuron,
    MultiLevelEncoder,
    MultiLevelNeuron,
    Neuron,
    SignedNeuron,
    TrackingEncoder,
    TrackingNeuron,
    UnsignedMultiLevelNeuron,
)
from seenn_convert.neurons.leaky import LeakyNeuron
from seenn_convert.neurons.traced import TracedNeuron


def binary(g: Graph, m: BinaryNeuron, current: Value, v: Value) -> tuple[str, str]:
    """Fire 0 or +1."""
    return _fire(g, m, *_integrated(g, m, current, v), low=0.0, high=1.0)


def encoding(g: Graph, m: EncodingNeuron | GroupEncoder | TrackingEncoder, current: Value, v: Value) -> tuple[str, str]:
    """Fire whole numbers of either sign."""
    most = {EncodingNeuron: 1, TrackingEncoder: None}.get(type(m), getattr(m, "members", None))
    membrane, due = _integrated(g, m, current, v)
    return _fire(g, m, membrane, due) if most is None else _fire(g, m, membrane, due, -most, most)


def signed(g: Graph, m: SignedNeuron | GroupNeuron, current: Value, v: Value, emitted: Value) -> tuple[str, str, str]:
    """Fire whole numbers, and take back what was sent."""
    members, negated = getattr(m, "members", 1), g.constant(-m.v_threshold)
    membrane = g.op("Add", current, v)
    owed = g.op("Min", g.op("Ceil", g.op("Div", membrane, negated)), emitted)
    taken = _clip(g, owed, -members, members)
    output = g.op("Mul", taken, negated)
    g.sent[output] = Sent(taken, -m.v_threshold, members, signed=True)
    return output, g.op("Sub", membrane, output), g.op("Sub", emitted, taken)


def tracking(
    g: Graph, m: TrackingNeuron, current: Value, clock: Value, v: Value, emitted: Value
) -> tuple[str, str, str]:
    """Fire all that is due."""
    membrane, due = _integrated(g, m, current, v)
    total = g.op("Max", g.op("Add", due, emitted), g.number(0.0))
    if m.maximum < math.inf:
        steps = g.per_row(g.op("Add", clock, g.number(1.0)), current)
        most = g.op("Div", g.op("Mul", steps, g.number(m.maximum)), g.constant(m.v_threshold))
        total = g.op("Min", total, g.op("Floor", g.op("Add", most, g.number(0.5))))
    output = g.op("Mul", g.op("Sub", total, emitted), g.constant(m.v_threshold))
    return output, g.op("Sub", membrane, output), total


def multilevel(g: Graph, m: MultiLevelNeuron, current: Value, v: Value, emitted: Value) -> tuple[str, str, str]:
    """Fire powers of two of either sign, and take back no more than was sent."""
    membrane, due = _integrated(g, m, current, v)
    due = _clip(g, due, *_range(m.levels))
    spike = g.op("Max", _nearest_power(g, due, m.levels), g.op("Neg", _power_within(g, emitted, m.levels)))
    output, following = _sent(g, m, membrane, spike)
    return output, following, g.op("Add", emitted, spike)


def unsigned_multilevel(g: Graph, m: UnsignedMultiLevelNeuron, current: Value, v: Value) -> tuple[str, str]:
    """Fire the largest power of two that is due."""
    membrane, due = _integrated(g, m, current, v)
    return _sent(g, m, membrane, _power_within(g, due, m.levels))


def multilevel_encoding(g: Graph, m: MultiLevelEncoder, current: Value, v: Value) -> tuple[str, str]:
    """Fire the power of two nearest to what is due."""
    membrane, due = _integrated(g, m, current, v)
    return _sent(g, m, membrane, _nearest_power(g, _clip(g, due, *_range(m.levels)), m.levels))


def leaky(g: Graph, m: LeakyNeuron, current: Value, v: Value) -> tuple[str, str]:
    """Leak, integrate, fire 0 or 1, and reset now or at the next timestep."""
    if not (m.delayed or m.owing):
        membrane = _charged(g, m, current, v)
        spikes = _fired(g, m, membrane)
        return spikes, _name(_reset(g, m, membrane, spikes))
    before = _fired(g, m, v)
    if m.reset == "subtract":
        membrane = g.op("Sub", _charged(g, m, current, v), g.op("Mul", before, g.constant(m.v_threshold)))
    else:
        membrane = _charged(g, m, current, _reset(g, m, v, before))
    spikes = _fired(g, m, membrane)
    return spikes, _name(_reset(g, m, membrane, g.op("Sub", spikes, before))) if m.owing else membrane


def traced(g: Graph, m: TracedNeuron, current: Value, *state: Value) -> tuple[str, ...]:
    """Do what was read from the user's own code."""
    return tuple(value.name for value in g.inner_results(m.law, current, *state))


def _name(value: Operand) -> str:
    return value.name if isinstance(value, Value) else value


def _charged(g: Graph, m: LeakyNeuron, current: Value, v: Operand) -> str:
    leak, gain, rest = (g.constant(one) for one in (m.leak, m.gain, (1 - m.leak) * m.v_rest))
    return g.op("Add", g.op("Add", g.op("Mul", current, gain), g.op("Mul", v, leak)), rest)


def _fired(g: Graph, m: LeakyNeuron, membrane: Operand) -> str:
    kind = "Greater" if m.strict else "GreaterOrEqual"
    return g.cast(g.op(kind, membrane, g.constant(m.v_threshold)), torch.float32)


def _reset(g: Graph, m: LeakyNeuron, membrane: Operand, spikes: str) -> Operand:
    if m.reset == "subtract":
        return g.op("Sub", membrane, g.op("Mul", spikes, g.constant(m.v_threshold)))
    if m.reset != "rest":
        return membrane
    kept = g.op("Sub", membrane, g.op("Mul", spikes, membrane))
    return g.op("Add", kept, g.op("Mul", spikes, g.constant(m.v_rest)))


def _integrated(g: Graph, m: Neuron, current: Value, v: Value) -> tuple[str, str]:
    """Return the membrane potential with the current, and the whole thresholds in it."""
    membrane = g.op("Add", current, v)
    return membrane, g.op("Floor", g.op("Div", membrane, g.constant(m.v_threshold)))


def _fire(
    g: Graph, m: Neuron, membrane: str, due: str, low: float = -math.inf, high: float = math.inf
) -> tuple[str, str]:
    return _sent(g, m, membrane, due if math.isinf(high) else _clip(g, due, low, high))


def _sent(g: Graph, m: Neuron, membrane: str, spike: str) -> tuple[str, str]:
    output = g.op("Mul", spike, g.constant(m.v_threshold))
    if m.alphabet is not None:
        g.sent[output] = Sent(spike, m.v_threshold, max(m.alphabet), signed=min(m.alphabet) < 0)
    return output, g.op("Sub", membrane, output)


def _clip(g: Graph, value: str, low: float, high: float) -> str:
    return g.op("Clip", value, g.number(float(low)), g.number(float(high)))


def _range(levels: int) -> tuple[float, float]:
    return -(2.0 ** (levels - 1)), 2.0 ** (levels - 1)


def _power_within(g: Graph, number: Operand, levels: int) -> str:
    """Return the largest power of two within each number, at most ``2**(levels - 1)``; 0 below 1."""
    return _stairs(g, number, [2.0**level for level in range(levels)])


def _nearest_power(g: Graph, due: str, levels: int) -> str:
    """Return the power of two nearest to each whole number, with its sign; halfway, the larger one."""
    starts = [1.0, *(math.ceil(1.5 * 2.0 ** (level - 1)) for level in range(1, levels))]
    return g.op("Mul", g.op("Sign", due), _stairs(g, g.op("Abs", due), starts))


def _stairs(g: Graph, number: Operand, starts: Sequence[float]) -> str:
    """Return, for whole numbers, ``2**k`` from the k-th of the whole ``starts`` on, up to the next; 0 below the first.

    ``clip(n - (start - 1), 0, 1)`` is 1 from ``start`` on; comparisons and choices take runtimes four times as long.
    """
    total = ""
    for level, start in enumerate(starts):
        beyond = number if start == 1 else g.op("Sub", number, g.number(start - 1.0))
        reached = g.op("Clip", beyond, g.number(0.0), g.number(1.0))
        height = 2.0 ** max(level - 1, 0)  # from one power to the next
        step = reached if height == 1 else g.op("Mul", reached, g.number(height))
        total = g.op("Add", total, step) if total else step
    return total
