"""What a classifier ends in: a function that squashes its logits, or nothing of the kind."""

import math
from collections.abc import Mapping
from typing import Literal

import torch
from torch import fx, nn

from seenn_convert.ir.interpreter import device_of, result_shapes
from seenn_convert.ir.operators import Affine, AtenOperator, Concatenate, Expand, Permute, Reshape, Slice
from seenn_convert.ir.program import Program

Squashing = Literal["sigmoid", "softmax", "log_softmax", "sigmoid_pair", "other_sigmoid", "half_softmax"]

SIGMOIDS = {
    ("sigmoid", 1.0, 0.0): 1.0,
    ("sigmoid", -1.0, 1.0): -1.0,
    ("tanh", 0.5, 0.5): 2.0,
    ("tanh", -0.5, 0.5): -2.0,
}
"""A function, what it is multiplied by, and what is added: the sigmoid of how many times the function's argument."""

REARRANGING = (Reshape, Permute, Expand, Slice, nn.Identity, nn.Dropout)
"""They leave a row as it is if they keep the number of its elements and no two of its axes are longer than 1."""


def row_shapes(program: Program) -> dict[str, tuple[int, ...]]:
    """Return node name -> shape of its result without the batch, from one run of an ANN on zeros."""
    image = torch.zeros(2, *program.input_shape, dtype=program.input_dtype)
    return result_shapes(program.graph_module, image.to(device_of(program.graph_module)))


def squashed_logits(program: Program, shapes: Mapping[str, tuple[int, ...]]) -> tuple[fx.Node, Squashing] | None:
    """Return the node whose result the end of an ANN squashes, and the function that does it; None if none does.

    Calls behind the function that only rearrange a row do not count. A softmax is over all numbers of a row.
    ``shapes`` are those of ``row_shapes``.
    """
    output = program.graph_module.graph.output_node().all_input_nodes[0]
    node, module = _behind_rearranging(program, output, shapes)
    if not isinstance(module, AtenOperator):
        return None
    logits = node.all_input_nodes[0]
    if module.name == "sigmoid":
        return logits, "sigmoid"
    if module.name == "log":
        node, module = _behind_rearranging(program, logits, shapes)
        found = _softmax(node, module, shapes)
        return None if found is None or found[1] != "softmax" else (found[0], "log_softmax")
    return _softmax(node, module, shapes)


def paired_logit(program: Program, shapes: Mapping[str, tuple[int, ...]]) -> tuple[fx.Node, int] | None:
    """Return the logit z of an ANN that ends in 1 - sigmoid(z) and sigmoid(z), and which of the two is the latter.

    Both numbers together are the softmax of (0, z). None if the ANN ends otherwise.
    """
    output = program.graph_module.graph.output_node().all_input_nodes[0]
    joined, module = _behind_rearranging(program, output, shapes)
    if not isinstance(module, Concatenate) or len(joined.args) != 2 or math.prod(shapes[joined.name]) != 2:
        return None
    parts = [_behind_rearranging(program, part, shapes) for part in joined.args]  # type: ignore[arg-type]
    for place, (node, last) in enumerate(parts):
        other, rest = parts[1 - place]
        is_rest = isinstance(rest, Affine) and bool((rest.scale == -1).all() and (rest.shift == 1).all())
        is_sigmoid = isinstance(last, AtenOperator) and last.name == "sigmoid"
        if is_rest and is_sigmoid and _behind_rearranging(program, other.all_input_nodes[0], shapes)[0] is node:
            return node.all_input_nodes[0], place
    return None


def one_probability(program: Program, shapes: Mapping[str, tuple[int, ...]]) -> tuple[fx.Node, float] | None:
    """Return the node of which an ANN with one output gives a probability, and a factor; None if there is none.

    A node with one number z stands for sigmoid(factor * z). One with two numbers stands for their softmax, of which the
    ANN gives the second, with the factor 1, or the first, with -1.
    """
    node, module = _behind_rearranging(program, program.graph_module.graph.output_node().all_input_nodes[0], shapes)
    scale, shift = 1.0, 0.0
    while isinstance(module, Affine) and module.scale.numel() == module.shift.numel() == 1:
        scale, shift = scale * module.scale.item(), scale * module.shift.item() + shift
        node, module = _behind_rearranging(program, node.all_input_nodes[0], shapes)
    if isinstance(module, AtenOperator) and len(node.all_input_nodes) == 1:
        factor = SIGMOIDS.get((module.name, scale, shift))
        return None if factor is None else (node.all_input_nodes[0], factor)
    if not isinstance(module, Slice) or (scale, shift) not in ((1.0, 0.0), (-1.0, 1.0)):
        return None
    both, last = _behind_rearranging(program, node.all_input_nodes[0], shapes)
    found = _softmax(both, last, shapes)
    if found is None or found[1] != "softmax" or math.prod(shapes[both.name]) != 2:
        return None
    return found[0], scale if module.start % 2 else -scale


def _softmax(
    node: fx.Node, module: nn.Module | None, shapes: Mapping[str, tuple[int, ...]]
) -> tuple[fx.Node, Squashing] | None:
    if not isinstance(module, AtenOperator) or module.name not in ("softmax", "log_softmax"):
        return None
    logits, shape = node.all_input_nodes[0], shapes[node.name]
    over_all = (1, *shape)[module.arguments[1]] == math.prod(shape)
    return (logits, module.name) if over_all else None  # type: ignore[return-value]


def _behind_rearranging(
    program: Program, node: fx.Node, shapes: Mapping[str, tuple[int, ...]]
) -> tuple[fx.Node, nn.Module | None]:
    """Return the last node up to ``node`` that does more than rearrange a row, and its module if it calls one."""
    while node.op == "call_module":
        module, source = program.graph_module.get_submodule(str(node.target)), node.all_input_nodes[0]
        before, count = shapes.get(source.name, ()), math.prod(shapes[node.name])
        if not isinstance(module, REARRANGING) or not math.prod(before) == max((1, *before)) == count:
            return node, module
        node = source
    return node, None
