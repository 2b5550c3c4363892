"""Builders of the ONNX normalisations."""

from functools import partial

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from seenn_convert.frontend.onnx.operators.base import Array, Compute, Layer, OnnxNode, to_tensor, with_parameters
from seenn_convert.frontend.onnx.operators.window import spatial_size

_INSTANCE_NORMS = {3: nn.InstanceNorm1d, 4: nn.InstanceNorm2d, 5: nn.InstanceNorm3d}
_BATCH_NORMS = {2: nn.BatchNorm1d, 3: nn.BatchNorm1d, 4: nn.BatchNorm2d, 5: nn.BatchNorm3d}


def batch_normalization(node: OnnxNode) -> Layer:
    """BatchNormalization: ``BatchNorm`` with the stored statistics.

    Naming more than one output is how files before opset 14 ask for training mode, whether or not anything reads them.
    """
    node.only_first_output()
    rank = node.activation(0).rank
    if node.integer("training_mode", 0) or (node.opset < 14 and node.output_count > 1):
        raise node.refuse("it is in training mode", "call model.eval() before the export")
    scale, offset, mean, variance = (node.constant(position) for position in range(1, 5))
    if node.integer("spatial", 1) == 0 and rank > 2:
        return _normalise_each_place(node, scale, offset, mean, variance)
    if rank not in _BATCH_NORMS:
        raise node.refuse(f"its input has {rank} dimensions, supported are 2 to 5")
    module = _BATCH_NORMS[rank](scale.size, eps=node.number("epsilon", 1e-5), device="meta")
    count = np.zeros((), dtype=np.int64)
    with_parameters(
        module, weight=scale, bias=offset, running_mean=mean, running_var=variance, num_batches_tracked=count
    )
    return Layer(module)


def _normalise_each_place(node: OnnxNode, scale: Array, offset: Array, mean: Array, variance: Array) -> Layer:
    """Return the old form with statistics of each place: a scale and a shift."""
    factor = scale.astype(np.float64) / np.sqrt(variance.astype(np.float64) + node.number("epsilon", 1e-5))
    shift = offset - mean * factor
    scaled = Compute(torch.mul, [None, to_tensor(factor.astype(scale.dtype))])
    return Layer(nn.Sequential(scaled, Compute(torch.add, [None, to_tensor(shift.astype(scale.dtype))])))


def instance_normalization(node: OnnxNode) -> Layer:
    """InstanceNormalization: ``InstanceNorm`` with statistics of each image."""
    spatial_size(node)
    scale, offset = node.constant(1), node.constant(2)
    kind = _INSTANCE_NORMS[node.activation(0).rank]
    module = kind(scale.size, eps=node.number("epsilon", 1e-5), affine=True, device="meta")
    return Layer(with_parameters(module, weight=scale, bias=offset))


def group_normalization(node: OnnxNode) -> Layer:
    """GroupNormalization: ``GroupNorm``; before opset 21 the scale is one number per group, not per channel."""
    groups, channels = node.integer("num_groups", 1), node.activation(0).shapes[0][1]
    scale, offset = node.constant(1), node.constant(2)
    if node.opset < 21:
        scale, offset = np.repeat(scale, channels // groups), np.repeat(offset, channels // groups)
    module = nn.GroupNorm(groups, channels, eps=node.number("epsilon", 1e-5), device="meta")
    return Layer(with_parameters(module, weight=scale, bias=offset))


def layer_normalization(node: OnnxNode) -> Layer:
    """LayerNormalization: ``LayerNorm`` over the last dimensions."""
    node.only_first_output()
    axis = node.axis_beside_batch(node.integer("axis", -1))
    shape = node.activation(0).shapes[0][axis:]
    scale, offset = node.constant(1), node.optional_constant(2)
    module = nn.LayerNorm(shape, eps=node.number("epsilon", 1e-5), bias=offset is not None, device="meta")
    return Layer(
        with_parameters(
            module,
            weight=np.broadcast_to(scale, shape),
            bias=None if offset is None else np.broadcast_to(offset, shape),
        )
    )


def local_response_normalization(node: OnnxNode) -> Layer:
    """LRN: ``LocalResponseNorm``; for an even size PyTorch's window leans the other way."""
    size = node.integer("size", 1)
    if size % 2 == 0:
        raise node.refuse(f"its size {size} is even", "use an odd size")
    alpha, beta, bias = node.number("alpha", 1e-4), node.number("beta", 0.75), node.number("bias", 1.0)
    return Layer(nn.LocalResponseNorm(size, alpha=alpha, beta=beta, k=bias))


def root_mean_square_normalization(node: OnnxNode) -> Layer:
    """RMSNormalization: ``rms_norm`` over the last dimensions."""
    axis = node.axis_beside_batch(node.integer("axis", -1))
    shape = list(node.activation(0).shapes[0][axis:])
    scale = to_tensor(np.broadcast_to(node.constant(1), shape))
    return Layer(Compute(F.rms_norm, [None, shape, scale, node.number("epsilon", 1e-5)]))


def mean_variance_normalization(node: OnnxNode) -> Layer:
    """MeanVarianceNormalization: minus the mean, by the deviation, both of each image."""
    dims = [node.axis_beside_batch(axis) for axis in node.integers("axes") or [0, 2, 3]]
    return Layer(Compute(partial(_standardise, dims=dims)))


def _standardise(image: Tensor, dims: list[int]) -> Tensor:
    centred = image - image.mean(dims, keepdim=True)
    return centred / (torch.sqrt((centred * centred).mean(dims, keepdim=True)) + 1e-9)


def lp_normalization(node: OnnxNode) -> Layer:
    """LpNormalization: by the norm along one axis; zeros stay zeros."""
    axis = node.axis_beside_batch(node.integer("axis", -1))
    return Layer(Compute(partial(_by_norm, order=node.integer("p", 2), axis=axis)))


def _by_norm(image: Tensor, order: int, axis: int) -> Tensor:
    norm: Tensor = torch.linalg.vector_norm(image, order, dim=[axis], keepdim=True)
    return image / norm.clamp(min=torch.finfo(torch.float32).tiny)
