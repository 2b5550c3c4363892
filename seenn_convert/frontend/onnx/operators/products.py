"""Builders of the ONNX matrix products: Gemm, MatMul, Einsum, Attention."""

from collections.abc import Sequence
from functools import partial
from string import ascii_letters

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from seenn_convert.frontend.onnx.operators.base import (
    Activation,
    Array,
    Compute,
    Layer,
    OnnxNode,
    repeats,
    to_tensor,
    with_parameters,
)


def gemm(node: OnnxNode) -> Layer:
    """Gemm: a ``Linear`` with alpha, beta and the transpositions folded into its weights."""
    offset = node.inputs[2] if node.has(2) else None
    if not isinstance(node.inputs[1], np.ndarray) or isinstance(offset, Activation):
        return _general_gemm(node)
    weight = node.constant(1) if node.integer("transB", 0) else node.constant(1).T
    weight = weight * np.asarray(node.number("alpha", 1.0), dtype=weight.dtype)
    layer = linear(weight, _bias_of(node, weight.shape[0]))
    if not node.integer("transA", 0):
        return Layer(layer)
    return Layer(nn.Sequential(Compute(partial(torch.permute, dims=[1, 0])), layer))


def _bias_of(node: OnnxNode, features: int) -> Array | None:
    offset = node.optional_constant(2)
    if offset is None:
        return None
    offset = offset * np.asarray(node.number("beta", 1.0), dtype=offset.dtype)
    if offset.ndim == 2 and offset.shape[0] != 1:
        if offset.shape[0] != node.file_batch or not repeats(offset, offset[:1]):
            raise node.refuse("its third input differs between the images of a batch", "export it as one row")
        offset = offset[0]
    row: Array = np.broadcast_to(offset.reshape(-1), (features,))
    return row


def _general_gemm(node: OnnxNode) -> Layer:
    """Return the formula itself, where more than the first input is computed from the image."""
    sides, given = _operands(node)
    function = partial(
        _gemm,
        alpha=node.number("alpha", 1.0),
        beta=node.number("beta", 1.0),
        transposed=(bool(node.integer("transA", 0)), bool(node.integer("transB", 0))),
    )
    return Layer(Compute(function, sides), given)


def _gemm(
    left: Tensor, right: Tensor, offset: Tensor | None = None, *, alpha: float, beta: float,
    transposed: tuple[bool, bool],
) -> Tensor:  # fmt: skip
    left = left.permute(1, 0) if transposed[0] else left
    product = left @ (right.permute(1, 0) if transposed[1] else right)
    product = product if alpha == 1.0 else product * alpha
    if offset is None:
        return product
    return product + (offset if beta == 1.0 else offset * beta)


def matrix_product(node: OnnxNode) -> Layer:
    """MatMul: a ``Linear`` where one side is a constant matrix, else the plain product."""
    left, right = node.inputs[0], node.inputs[1]
    if isinstance(right, np.ndarray) and right.ndim == 2:
        return Layer(linear(right.T, None))
    if isinstance(right, np.ndarray) and right.ndim == 1:
        return Layer(nn.Sequential(linear(right[None], None), Compute(partial(torch.squeeze, dim=-1))))
    if isinstance(left, np.ndarray) and left.ndim == 2 and node.activation(1).rank > 1:
        turn = partial(torch.transpose, dim0=-1, dim1=-2)  # W @ x is (x^T @ W^T)^T
        return Layer(nn.Sequential(Compute(turn), linear(left, None), Compute(turn)), (1,))
    operands, given = _operands(node)
    return Layer(Compute(torch.matmul, operands), given)


def einsum(node: OnnxNode) -> Layer:
    """Einsum: with its ellipsis and its result spelled out; a ``Linear`` where it is one."""
    terms, result = _spelled_out(node)
    constant = node.inputs[1] if len(terms) == 2 else None
    if isinstance(constant, np.ndarray) and isinstance(node.inputs[0], Activation):
        weight = _linear_weight(terms, result, constant)
        if weight is not None:
            return Layer(linear(weight, None))
    operands, given = _operands(node)
    return Layer(Compute(torch.einsum, [f"{','.join(terms)}->{result}", *operands]), given)


def _spelled_out(node: OnnxNode) -> tuple[list[str], str]:
    """Return the terms and the result of an equation, a letter for each axis."""
    left, arrow, result = node.text("equation", "").replace(" ", "").partition("->")
    terms = left.split(",")
    free = [letter for letter in ascii_letters if letter not in left]
    counts = [_rank(node, i) - len(term.replace("...", "")) if "..." in term else 0 for i, term in enumerate(terms)]
    hidden = "".join(free[: max(counts)])
    if not arrow:
        once = sorted(letter for letter in set(left) if letter.isalpha() and left.count(letter) == 1)
        result = "..." + "".join(once)
    terms = [term.replace("...", hidden[len(hidden) - n :]) for term, n in zip(terms, counts, strict=True)]
    return terms, result.replace("...", hidden)


def _rank(node: OnnxNode, position: int) -> int:
    value = node.inputs[position]
    return value.ndim if isinstance(value, np.ndarray) else node.activation(position).rank


def _linear_weight(terms: Sequence[str], result: str, constant: Array) -> Array | None:
    """Return the weight ``(out, in)`` where an equation contracts the last axis with a constant matrix, else None."""
    first, second = terms
    if len(second) != 2 or len(set(second)) != 2 or len(set(first)) != len(first) or first[-1] not in second:
        return None
    new = second.replace(first[-1], "")
    if new in first or result != first[:-1] + new:
        return None
    return constant if second == new + first[-1] else constant.T


def attention(node: OnnxNode) -> Layer:
    """Attention: ``scaled_dot_product_attention``, behind a split into heads where the inputs have three dimensions."""
    node.only_first_output()
    extra = [i for i in range(4, len(node.inputs)) if node.has(i)]
    if extra or node.number("softcap", 0.0):
        raise node.refuse("a cache or a soft cap has no counterpart", "export it for opset 22 or older")
    heads = [node.integer("q_num_heads", 0), *[node.integer("kv_num_heads", 0)] * 2]
    function = partial(
        _attend,
        heads=heads if node.activation(0).rank == 3 else None,
        is_causal=bool(node.integer("is_causal", 0)),
        scale=node.attributes.get("scale"),
    )
    operands, given = _operands(node)
    return Layer(Compute(function, operands[:4]), given)


def _attend(
    query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None, *, heads: Sequence[int] | None,
    is_causal: bool, scale: float | None,
) -> Tensor:  # fmt: skip
    if heads is not None:
        query, key, value = (
            torch.unflatten(side, -1, (count, side.shape[-1] // count)).transpose(1, 2)
            for side, count in zip((query, key, value), heads, strict=True)
        )
    grouped = query.shape[1] != key.shape[1]
    found = F.scaled_dot_product_attention(
        query, key, value, attn_mask=mask, is_causal=is_causal, scale=scale, enable_gqa=grouped
    )
    return found if heads is None else found.transpose(1, 2).flatten(2)


def _operands(node: OnnxNode) -> tuple[list[Tensor | float | None], tuple[int, ...]]:
    """Return the inputs that are given, constants as tensors and None for activations, and where those are."""
    present = [i for i in range(len(node.inputs)) if node.has(i)]
    given = tuple(i for i in present if isinstance(node.inputs[i], Activation))
    return [None if i in given else to_tensor(node.constant(i)) for i in present], given


def linear(weight: Array, bias: Array | None) -> nn.Module:
    """Return a ``Linear`` with the given weight ``(out, in)``."""
    module = nn.Linear(weight.shape[1], weight.shape[0], bias=bias is not None, device="meta")
    return with_parameters(module, weight=weight, bias=bias)
