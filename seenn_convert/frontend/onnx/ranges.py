"""Between which numbers values lie that were limited before, so that a second limit of the same range is none."""

import math

import numpy as np
from onnx import GraphProto, NodeProto

from seenn_convert.frontend.onnx.operators.base import Array

MOVES = {
    "Concat", "DepthToSpace", "Expand", "Flatten", "Gather", "Identity", "Reshape", "Slice", "SpaceToDepth", "Split",
    "Squeeze", "Tile", "Transpose", "Unsqueeze",
}  # fmt: skip
"""Operators that hand numbers on as they are."""
_WITHIN = MOVES | {"DequantizeLinear", "GlobalAveragePool", "GlobalMaxPool", "MaxPool", "ReduceMax", "ReduceMin"}
_WITHIN_OR_ZERO = {"AveragePool", "Pad", "Relu"}
_TOLERANCE = 1e-6


class Ranges:
    """What is known of the values of a graph so far: their ranges, and which are the image or the logits themselves.

    Neither image nor logits need a limit: they are not what a neuron stands for, and saturation, which a file has there
    only because its numbers have 8 bits, would make neurons of them.
    """

    def __init__(self, graph: GraphProto, image: str) -> None:
        self.known: dict[str, tuple[float, float]] = {}
        self.raw = {image}
        self.ends = {value.name for value in graph.output}
        readers = [name for proto in graph.node for name in proto.input]
        for proto in reversed(graph.node):
            if proto.op_type in ("DequantizeLinear", "Identity") and self.ends.intersection(proto.output):
                self.ends.update(name for name in proto.input[:1] if readers.count(name) == 1)

    def add(self, proto: NodeProto) -> None:
        """Note the range of what a node gives, if it follows from the ranges of what it reads."""
        if proto.op_type in MOVES and self.raw.issuperset(proto.input[:1]):
            self.raw.update(proto.output[:1])
        inputs = proto.input if proto.op_type == "Concat" else proto.input[:1]
        ranges = [self.known[name] for name in inputs if name in self.known]
        if len(ranges) < len(inputs):
            return
        if proto.op_type in _WITHIN_OR_ZERO:
            ranges.append((0.0, 0.0))
        elif proto.op_type not in _WITHIN:
            return
        found = min(low for low, _ in ranges), max(high for _, high in ranges)
        self.known.update(dict.fromkeys(proto.output, found))

    def is_idle(self, source: str, result: str, low: Array, high: Array) -> bool:
        """Tell whether limiting ``source`` to a range changes nothing or nothing that matters; else note the range."""
        if source in self.raw or result in self.ends:
            return True
        if low.size > 1 or high.size > 1:
            return False
        first, last = float(np.reshape(low, ())), float(np.reshape(high, ()))
        margin = _TOLERANCE * (last - first)
        before = self.known.get(source, (-math.inf, math.inf))
        is_within = first - margin <= before[0] and before[1] <= last + margin
        self.known[result] = before if is_within else (max(first, before[0]), min(last, before[1]))
        return is_within
