"""The exit scores in ONNX, as ``ir/scores.py`` has them."""

import math
from collections.abc import Callable, Mapping

import torch

from seenn_convert.exporters.onnx.graph import Graph, Operand, Value

Score = Callable[[Graph, Value, str, str, str | None], str]
"""From logits ``(B, K)``, temperature ``(B, 1)``, timesteps done ``(B,)`` and run length ``(B,)`` to a number a row."""


def confidence(g: Graph, logits: Value, temperature: str, steps: str, run_length: str | None) -> str:
    """Return the largest softmax probability."""
    return _largest(g, g.op("Softmax", g.op("Div", logits, temperature), axis=-1))


def entropy(g: Graph, logits: Value, temperature: str, steps: str, run_length: str | None) -> str:
    """Return 1 less the entropy, as a share of that of equal probabilities."""
    log_p = g.op("LogSoftmax", g.op("Div", logits, temperature), axis=-1)
    summed = g.op("ReduceSum", g.op("Mul", g.op("Exp", log_p), log_p), g.integers(-1), keepdims=0)
    scaled = g.op("Div", summed, g.number(math.log(max(logits.shape[-1], 2))))
    return g.op("Add", scaled, g.number(1.0))


def margin(g: Graph, logits: Value, temperature: str, steps: str, run_length: str | None) -> str:
    """Return by how much the largest probability leads."""
    probabilities = g.op("Softmax", g.op("Div", logits, temperature), axis=-1)
    return _lead(g, g.result(probabilities, logits), alone=0.0)


def gap(g: Graph, logits: Value, temperature: str, steps: str, run_length: str | None) -> str:
    """Return by how much the largest sum of outputs leads, bounded."""
    return _bounded(g, g.op("Mul", _lead(g, logits, alone=-math.inf), steps))


def energy(g: Graph, logits: Value, temperature: str, steps: str, run_length: str | None) -> str:
    """Return the negative free energy, bounded."""
    scaled = g.op("Div", logits, temperature)
    free = g.op("Sub", _largest(g, scaled), _largest(g, g.op("LogSoftmax", scaled, axis=-1)))
    share = g.op("Div", free, g.op("Add", g.op("Abs", free), g.number(1.0)))
    return g.op("Div", g.op("Add", share, g.number(1.0)), g.number(2.0))


def patience(g: Graph, logits: Value, temperature: str, steps: str, run_length: str | None) -> str:
    """Return how long the answer has been the same, bounded."""
    assert run_length is not None
    return _bounded(g, run_length)


SCORES: Mapping[str, Score] = {
    "confidence": confidence, "entropy": entropy, "margin": margin, "gap": gap, "energy": energy, "patience": patience,
}  # fmt: skip


def _largest(g: Graph, values: Operand) -> str:
    return g.op("ReduceMax", values, g.integers(-1), keepdims=0)


def _lead(g: Graph, values: Value, alone: float) -> str:
    if values.shape[-1] == 1:
        return g.op("Sub", g.op("Squeeze", values, g.integers(-1)), g.number(alone))
    largest = g.op("TopK", values, g.integers(2), outputs=2, axis=-1)
    first, second = (g.op("Gather", largest, g.number(place, torch.int64), axis=-1) for place in (0, 1))
    return g.op("Sub", first, second)


def _bounded(g: Graph, values: str) -> str:
    one = g.number(1.0)
    return g.op("Sub", one, g.op("Div", one, g.op("Add", one, values)))
