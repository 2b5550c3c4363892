"""Layers with weights: convolutions, linear layers, normalisations."""

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor, nn

from seenn_convert.frontend.torch.aten.functional import as_it_stands
from seenn_convert.frontend.torch.aten.registry import TRAINING, Result, handles
from seenn_convert.frontend.torch.call import Call, Lifted, Refusal, per_part, rank_of
from seenn_convert.frontend.torch.layout import Layout
from seenn_convert.ir.operators import Affine, Reshape, RowConvolution

OVER_THE_BATCH = "it normalises over the batch axis, so rows would depend on each other"

_CONVOLUTIONS: dict[tuple[int, bool], Callable[..., nn.Module]] = {
    (1, False): nn.Conv1d,
    (2, False): nn.Conv2d,
    (3, False): nn.Conv3d,
    (1, True): nn.ConvTranspose1d,
    (2, True): nn.ConvTranspose2d,
}


@handles("conv1d", "conv2d", "conv3d", "convolution", "conv_transpose1d", "conv_transpose2d", any_layout=True)
def convolution(call: Call) -> Result:
    """Convolution with any stride, dilation, groups and padding; ``"same"``, ``"valid"`` and transposed included."""
    source = call.tensor("input")
    if call.is_activation("weight"):
        return _row_convolution(call)
    if call.layout(source).has_parts:
        return per_part(convolution(replace(call, per_part=True)))
    if not call.layout(source).is_plain:
        raise Refusal("an earlier call moved the batch axis behind another one; put the batch first")
    weight, bias = call.weight("weight"), call.constant("bias")
    name = str(call.node.target)
    transposed = call.flag("transposed") or "transpose" in name
    dimensions = weight.dim() - 2
    if (dimensions, transposed) not in _CONVOLUTIONS:
        raise Refusal(f"{'transposed ' if transposed else ''}convolution over {dimensions} axes cannot be converted")
    if rank_of(call.tensor("input")) != weight.dim():
        raise Refusal("it takes the batch axis for channels; give it an input with a batch axis")
    padding, groups = call.value("padding"), call.integer("groups")
    options: dict[str, object] = {
        "stride": _spread(call.integers("stride"), dimensions),
        "padding": padding if isinstance(padding, str) else _spread(call.integers("padding"), dimensions),
        "dilation": _spread(call.integers("dilation"), dimensions),
        "groups": groups,
    }
    channels = (weight.shape[1] * groups, weight.shape[0])
    if transposed:
        channels = (weight.shape[0], weight.shape[1] * groups)
        options["output_padding"] = _spread(call.integers("output_padding"), dimensions)
    kind = _CONVOLUTIONS[dimensions, transposed]
    layer = kind(*channels, tuple(weight.shape[2:]), **options, bias=bias is not None, device="meta")
    return Lifted(_with_weights(layer, weight, bias), (call.tensor("input"),))


def _row_convolution(call: Call) -> Lifted:
    """Convolution by weights that were computed from the image, the rows folded into the channels."""
    source, weight = call.tensor("input"), call.tensor("weight")
    image, kernel = call.layout(source), call.layout(weight)
    channels, outputs = image.inner, kernel.inner
    name = str(call.node.target)
    folded = (image.axis, image.outer, kernel.axis, kernel.outer) == (1, 1, 0, 1) and call.sizes(source)[0] == 1
    dimensions = rank_of(weight) - 2
    if not folded or "transpose" in name or dimensions not in (1, 2) or call.value("bias") is not None:
        raise Refusal("its weights are computed from the image in a way that cannot be converted")
    groups = channels // call.sizes(weight)[1]
    stride, padding, dilation = (
        _spread(call.integers(option), dimensions) for option in ("stride", "padding", "dilation")
    )
    row = Lifted(Reshape((channels, *call.sizes(source)[2:])), (source,))
    convolved = Lifted(RowConvolution(stride, padding, dilation, groups), (row, weight), kernel)
    return Lifted(Reshape((1, outputs, *call.sizes(call.node)[2:])), (convolved,), Layout(1, 1, outputs))


@handles("linear", any_layout=True)
def linear(call: Call) -> Result:
    """Fully connected layer."""
    weight, bias, source = call.weight("weight"), call.constant("bias"), call.tensor("input")
    if weight.dim() == 1:
        raise Refusal("its weight is a vector; use a matrix of one row")
    if rank_of(source) < 2 or call.layout(source).axis == rank_of(source) - 1:
        raise Refusal("it takes the batch axis for features; give it an input with a batch axis")
    return Lifted(_linear(weight, bias), (source,))


@handles("addmm", "mm")
def decomposed_linear(call: Call) -> Result:
    """Fully connected layer in its decomposed form, where the weight is transposed."""
    name = "mat1" if "mat1" in call.arguments else "self"
    bias = call.constant("self") if name == "mat1" else None
    if {call.number("alpha"), call.number("beta")} - {None, 1}:
        raise Refusal("a scaled matrix product cannot be converted; scale the weight instead")
    if bias is not None and bias.dim() != 1:
        raise Refusal("its bias differs between the rows of the batch")
    return linear_of(call, name, call.weight("mat2"), bias)


def linear_of(call: Call, name: str, matrix: Tensor, bias: Tensor | None = None) -> Lifted:
    """Return the layer that multiplies the activation ``name`` by the constant ``matrix`` ``(in, out)``."""
    return Lifted(_linear(matrix.t().contiguous(), bias), (call.tensor(name),))


def _linear(weight: Tensor, bias: Tensor | None) -> nn.Module:
    layer = nn.Linear(weight.shape[1], weight.shape[0], bias=bias is not None, device="meta")
    return _with_weights(layer, weight, bias)


@handles("batch_norm", "_native_batch_norm_legit_no_training", "cudnn_batch_norm")
def batch_norm(call: Call) -> Result:
    """Batch norm with its running statistics."""
    if call.flag("training"):
        raise Refusal(TRAINING)
    source = call.tensor("input")
    mean, variance = call.constant("running_mean"), call.constant("running_var")
    if mean is None or variance is None:
        raise Refusal("it normalises by the statistics of the batch; only running statistics can be converted")
    weight, bias = call.constant("weight"), call.constant("bias")
    weight = torch.ones_like(mean) if weight is None else weight
    bias = torch.zeros_like(mean) if bias is None else bias
    if rank_of(source) not in (2, 3, 4):
        return Lifted(_as_affine(mean, variance, weight, bias, call.number("eps") or 0.0, rank_of(source)), (source,))
    kind = nn.BatchNorm2d if rank_of(source) == 4 else nn.BatchNorm1d
    layer = kind(mean.numel(), eps=call.number("eps") or 0.0, affine=True)
    layer.weight, layer.bias = _parameter(weight), _parameter(bias)
    layer.running_mean, layer.running_var = mean.detach().clone(), variance.detach().clone()
    layer.num_batches_tracked = None
    return Lifted(layer, (source,))


@handles("layer_norm", any_layout=True)
def layer_norm(call: Call) -> Result:
    """Layer norm over the last axes, which the batch is not among."""
    source, shape = call.tensor("input"), call.integers("normalized_shape")
    if call.layout(source).axis >= rank_of(source) - len(shape):
        raise Refusal(OVER_THE_BATCH)
    weight, bias = call.constant("weight"), call.constant("bias")
    affine = weight is not None or bias is not None
    layer = nn.LayerNorm(shape, eps=call.number("eps") or 0.0, elementwise_affine=affine, device="meta")
    return Lifted(_scaled(layer, weight, bias), (source,))


@handles("group_norm", "instance_norm")
def group_norm(call: Call) -> Result:
    """Group norm; instance norm is group norm with a group a channel."""
    source = call.tensor("input")
    channels = call.sizes(source)[1]
    if "num_groups" in call.arguments:
        groups = call.integer("num_groups")
    else:
        groups = channels
        if not call.flag("use_input_stats"):
            raise Refusal("instance norm with running statistics cannot be converted; use batch norm")
    weight, bias = call.constant("weight"), call.constant("bias")
    affine = weight is not None or bias is not None
    layer = nn.GroupNorm(groups, channels, eps=call.number("eps") or 0.0, affine=affine, device="meta")
    return Lifted(_scaled(layer, weight, bias), (source,))


@handles("rms_norm", any_layout=True)
def rms_norm(call: Call) -> Result:
    """Root mean square norm over the last axes, which the batch is not among."""
    source, shape = call.tensor("input"), call.integers("normalized_shape")
    if call.layout(source).axis >= rank_of(source) - len(shape):
        raise Refusal(OVER_THE_BATCH)
    return as_it_stands(call)


@handles("lstm", "gru", "rnn_tanh", "rnn_relu", any_layout=True)
@handles("lstm_cell", "gru_cell", "rnn_tanh_cell", "rnn_relu_cell", any_layout=True)
def recurrent(call: Call) -> Result:
    """Recurrent layers, which are refused."""
    raise Refusal("recurrent layers cannot be converted; use convolutions or attention over the sequence")


def _as_affine(mean: Tensor, variance: Tensor, weight: Tensor, bias: Tensor, eps: float, rank: int) -> Affine:
    """Return batch norm over an unusual number of axes as a scale and a shift per channel."""
    scale = weight.double() / torch.sqrt(variance.double() + eps)
    shift, row = bias.double() - mean.double() * scale, (-1, *[1] * (rank - 2))
    return Affine(scale.to(mean.dtype).reshape(row), shift.to(mean.dtype).reshape(row))


def _spread(values: tuple[int, ...], dimensions: int) -> tuple[int, ...]:
    return values * dimensions if len(values) == 1 else values


def _parameter(value: Tensor) -> nn.Parameter:
    return nn.Parameter(value.detach().clone(), requires_grad=False)


def _scaled(layer: nn.Module, weight: Tensor | None, bias: Tensor | None) -> nn.Module:
    """Give a normalisation its scale and shift, or the one of them that there is; it may have neither."""
    like = weight if weight is not None else bias
    if like is None:
        return layer
    weight = torch.ones_like(like) if weight is None else weight
    return _with_weights(layer, weight, torch.zeros_like(like) if bias is None else bias)


def _with_weights(layer: nn.Module, weight: Tensor, bias: Tensor | None) -> nn.Module:
    layer.weight = _parameter(weight)
    if bias is not None:
        layer.bias = _parameter(bias)
    return layer
