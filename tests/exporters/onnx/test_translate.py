"""Every module of the closed list says the same in onnxruntime as in PyTorch, or is refused in words."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from torch import Tensor, nn

from seenn_convert.exporters.onnx.aten.elementwise import ELEMENTWISE
from seenn_convert.exporters.onnx.aten.general import GENERAL
from seenn_convert.exporters.onnx.graph import Graph, UntranslatableError, Value, made_graph, made_model, value_info
from seenn_convert.exporters.onnx.translate import TRANSLATIONS, Translator
from seenn_convert.ir import operators
from seenn_convert.ir.operators import AtenOperator, aten
from seenn_convert.ir.operators import step as steps
from seenn_convert.ir.schema import OPTIONS
from seenn_convert.ir.scores import SCORES
from seenn_convert.neurons import layers as kinds
from seenn_convert.neurons.leaky import LeakyNeuron
from seenn_convert.neurons.traced import TracedNeuron

THETA, START = torch.tensor([0.5, 0.3, 1.0]).reshape(3, 1, 1), torch.tensor(0.25)
ROW, CURRENT = (3, 6, 5), (3, 4, 4)


def outcome(module: nn.Module, *inputs: Tensor, translate: Translator = Translator()) -> tuple[list[Tensor], list[Tensor]]:
    """Return what onnxruntime and PyTorch give, for all rows; a single row must give the same as among others."""
    module = module.eval().requires_grad_(False)
    values = [Value(f"in_{index}", tuple(x.shape[1:]), x.dtype) for index, x in enumerate(inputs)]
    graph = Graph("", translate)
    graph.begin("node")
    with torch.no_grad():
        wanted = module(*inputs)
    wanted = list(wanted) if isinstance(wanted, tuple) else [wanted]
    names = translate(graph, module, *values)
    names = (names,) if isinstance(names, str) else names
    outputs = [Value(f"out_{index}", tuple(x.shape[1:]), x.dtype) for index, x in enumerate(wanted)]
    for value, name in zip(outputs, names, strict=True):
        graph.named(value.name, name)
    model = made_model(made_graph(graph, "one", map(value_info, values), map(value_info, outputs)), {})
    onnx.checker.check_model(model, full_check=True)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])

    def run(rows: slice) -> list[Tensor]:
        given = {value.name: x[rows].numpy() for value, x in zip(values, inputs, strict=True)}
        found: Sequence[np.ndarray[Any, Any]] = session.run(None, {name: given[name] for name in used})
        return [torch.from_numpy(one) for one in found]

    used = {one.name for one in session.get_inputs()}
    found, alone = run(slice(None)), run(slice(1, 2))
    for one, among in zip(alone, found, strict=True):
        torch.testing.assert_close(one, among[1:2], atol=1e-5, rtol=1e-5, equal_nan=True)
    return found, wanted


def agree(module: nn.Module, *inputs: Tensor, tolerance: float = 2e-6) -> None:
    found, wanted = outcome(module, *inputs)
    for one, other in zip(found, wanted, strict=True):
        torch.testing.assert_close(one, other, atol=tolerance, rtol=tolerance, equal_nan=True)


def rows(*shape: int, seed: int = 0, spread: float = 1.0) -> Tensor:
    return spread * torch.randn(4, *shape, generator=torch.Generator().manual_seed(seed))


def call(name: str, *arguments: object, constants: Sequence[Tensor] = (), **keywords: object) -> AtenOperator:
    return AtenOperator(name, arguments, tuple(keywords.items()), constants)


def warmed(module: nn.Module) -> nn.Module:
    """Return a layer whose tensors are neither 0 nor 1."""
    generator = torch.Generator().manual_seed(3)
    for tensor in [*module.parameters(), *module.buffers()]:
        if tensor.is_floating_point():
            tensor.data.uniform_(0.2, 1.0, generator=generator)
    return module


MODULES: dict[str, tuple[nn.Module, list[Tensor]]] = {
    "Conv1d": (nn.Conv1d(3, 4, 3, padding="same", dilation=2), [rows(3, 7)]),
    "Conv2d": (nn.Conv2d(3, 6, (3, 2), stride=2, padding=(1, 0), groups=3), [rows(3, 6, 5)]),
    "Conv2d even": (nn.Conv2d(3, 4, 4, padding="same", bias=False), [rows(*ROW)]),
    "Conv2d valid": (nn.Conv2d(3, 4, 2, padding="valid"), [rows(*ROW)]),
    "Conv3d": (nn.Conv3d(2, 3, 2, padding=1), [rows(2, 3, 4, 3)]),
    "ConvTranspose1d": (nn.ConvTranspose1d(3, 2, 3, stride=2, padding=1, output_padding=1), [rows(3, 5)]),
    "ConvTranspose2d": (nn.ConvTranspose2d(4, 2, 3, stride=2, groups=2), [rows(4, 3, 3)]),
    "Linear": (nn.Linear(5, 3), [rows(5)]),
    "Linear tokens": (nn.Linear(5, 3), [rows(2, 5)]),
    "Linear no bias": (nn.Linear(5, 3, bias=False), [rows(5)]),
    "PaddedLinear": (operators.PaddedLinear(5, 3), [rows(5)]),
    "BatchNorm1d": (warmed(nn.BatchNorm1d(3)), [rows(3, 4)]),
    "BatchNorm1d features": (warmed(nn.BatchNorm1d(3)), [rows(3)]),
    "BatchNorm2d": (warmed(nn.BatchNorm2d(3)), [rows(*ROW)]),
    "LayerNorm": (warmed(nn.LayerNorm((6, 5))), [rows(*ROW)]),
    "LayerNorm plain": (nn.LayerNorm(5, elementwise_affine=False), [rows(*ROW)]),
    "GroupNorm": (warmed(nn.GroupNorm(2, 4)), [rows(4, 5)]),
    "GroupNorm plain": (nn.GroupNorm(2, 4, affine=False), [rows(4, 3, 2)]),
    "ReLU": (nn.ReLU(), [rows(3)]),
    "LeakyReLU": (nn.LeakyReLU(0.2), [rows(3)]),
    "PReLU": (warmed(nn.PReLU(3)), [rows(*ROW)]),
    "PReLU one": (nn.PReLU(), [rows(*ROW)]),
    "MaxPool1d": (nn.MaxPool1d(2, 2, ceil_mode=True), [rows(3, 7)]),
    "MaxPool2d": (nn.MaxPool2d(3, 2, 1), [rows(*ROW)]),
    "MaxPool2d ceil, a window in the padding": (nn.MaxPool2d(2, 3, 1, ceil_mode=True), [rows(3, 8, 8)]),
    "MaxPool2d ceil, a window behind the image": (nn.MaxPool2d(1, 4, ceil_mode=True), [rows(3, 8, 8)]),
    "MaxPool2d ceil, dilated": (nn.MaxPool2d(2, 3, 1, dilation=2, ceil_mode=True), [rows(3, 8, 8)]),
    "MaxPool2d ceil, far ends": (nn.MaxPool2d(3, 3, 1, dilation=2, ceil_mode=True), [rows(3, 9, 10)]),
    "MaxPool2d ceil": (nn.MaxPool2d(3, 2, 1, ceil_mode=True), [rows(3, 6, 6)]),
    "AvgPool1d": (nn.AvgPool1d(2), [rows(3, 7)]),
    "AvgPool2d": (nn.AvgPool2d(3, 2, 1), [rows(*ROW)]),
    "AvgPool2d pads": (nn.AvgPool2d(3, 2, 1, count_include_pad=False), [rows(*ROW)]),
    "AvgPool2d divisor": (nn.AvgPool2d(2, divisor_override=3), [rows(*ROW)]),
    "AvgPool2d ceil": (nn.AvgPool2d(2, 2, ceil_mode=True), [rows(3, 7, 5)]),
    "AdaptiveAvgPool1d": (nn.AdaptiveAvgPool1d(3), [rows(3, 7)]),
    "AdaptiveAvgPool2d": (nn.AdaptiveAvgPool2d((4, 3)), [rows(*ROW)]),
    "AdaptiveAvgPool2d one": (nn.AdaptiveAvgPool2d(1), [rows(*ROW)]),
    "AdaptiveMaxPool1d": (nn.AdaptiveMaxPool1d(3), [rows(3, 6)]),
    "AdaptiveMaxPool2d several sizes": (nn.AdaptiveMaxPool2d((4, 3)), [rows(*ROW)]),
    "AdaptiveMaxPool2d larger": (nn.AdaptiveMaxPool2d((7, None)), [rows(*ROW)]),
    "AvgPool1d ceil and pads": (nn.AvgPool1d(3, 2, 1, ceil_mode=True), [rows(3, 6)]),
    "AvgPool2d ceil and pads": (nn.AvgPool2d((3, 2), 2, 1, ceil_mode=True), [rows(3, 6, 7)]),
    "AvgPool2d ceil, pads not counted": (nn.AvgPool2d(3, 2, 1, True, count_include_pad=False), [rows(3, 6, 6)]),
    "AvgPool2d ceil and divisor": (nn.AvgPool2d(3, 2, 1, ceil_mode=True, divisor_override=5), [rows(3, 6, 6)]),
    "AvgPool2d ceil, steps beyond windows": (nn.AvgPool2d(2, 5, 1, ceil_mode=True), [rows(3, 8, 9)]),
    "AdaptiveMaxPool2d": (nn.AdaptiveMaxPool2d((2, 5)), [rows(*ROW)]),
    "Dropout": (nn.Dropout(0.5), [rows(3)]),
    "Identity": (nn.Identity(), [rows(3)]),
    "Add": (operators.Add(), [rows(*ROW), rows(3, 1, 1, seed=1)]),
    "Subtract": (operators.Subtract(), [rows(*ROW), rows(*ROW, seed=1)]),
    "Concatenate": (operators.Concatenate(1), [rows(3, 2), rows(1, 2)]),
    "Mean": (operators.Mean((2, 3)), [rows(*ROW)]),
    "Mean kept": (operators.Mean((-1,), True), [rows(*ROW)]),
    "MeanOverFrames": (operators.MeanOverFrames(), [rows(5, 3, 2)]),
    "Reshape": (operators.Reshape((5, -1)), [rows(*ROW)]),
    "Expand": (operators.Expand((3, 6, 5)), [rows(3, 1, 1)]),
    "Permute": (operators.Permute((0, 3, 1, 2)), [rows(*ROW)]),
    "Slice": (operators.Slice(2, 1, 6, 2), [rows(*ROW)]),
    "Slice from the end": (operators.Slice(2, -3, 2**63 - 1), [rows(*ROW)]),
    "Pad": (operators.Pad((1, 0, 2, 1), 0.5), [rows(*ROW)]),
    "Pad crop": (operators.Pad((-1, 2)), [rows(*ROW)]),
    "Pad reflect": (operators.Pad((1, 2, 3, 0), mode="reflect"), [rows(*ROW)]),
    "Pad replicate": (operators.Pad((1, 2, 0, 1), mode="replicate"), [rows(*ROW)]),
    "Pad circular": (operators.Pad((1, 2, 0, 1), mode="circular"), [rows(*ROW)]),
    "PaddedMaxPool": (operators.PaddedMaxPool((0, 1, 0, 1), nn.MaxPool2d(2)), [rows(*ROW)]),
    "RowConvolution groups": (operators.RowConvolution((2, 1), (1, 2), (1, 2), 2), [rows(4, 5, 6), rows(6, 2, 3, 2)]),
    "RowConvolution signal": (operators.RowConvolution((2,), (1,), (1,), 1), [rows(2, 7), rows(3, 2, 3)]),
    "RowConvolution": (operators.RowConvolution((1, 1), (0, 0), (1, 1), 1), [rows(2, 4, 4), rows(3, 2, 2, 2)]),
    "PerPart": (operators.PerPart(nn.Conv2d(3, 2, 2)), [rows(4, 3, 3, 3)]),
    "Encode": (operators.Encode(), [rows(3)]),
    "Analog": (operators.Analog(nn.ReLU()), [rows(3)]),
    "Graded": (operators.Graded(operators.QuantisedReLU(1.0, 4)), [rows(3)]),
    "GradedReLU": (operators.GradedReLU(), [rows(3)]),
    "GradedReLU clipped": (operators.GradedReLU(0.5), [rows(3)]),
    "ClippedReLU": (operators.ClippedReLU(0.5), [rows(3)]),
    "QuantisedReLU": (operators.QuantisedReLU(1.5, 3), [rows(3, spread=2.0)]),
    "QuantisedReLU even": (operators.QuantisedReLU(1.5, 3, True), [rows(3, spread=2.0)]),
    "Affine": (operators.Affine(rows(3, 1, 1)[0], rows(1)[0]), [rows(*ROW)]),
    "ConstantRow": (operators.ConstantRow(rows(2, 3)[0]), [rows(3)]),
    "ConstantRow number": (operators.ConstantRow(torch.tensor(0.5)), [rows(3)]),
    "Cast": (operators.Cast("int64"), [rows(3, spread=5.0)]),
    "TemporalDifference": (steps.TemporalDifference(nn.MaxPool2d(2)), [rows(3, 4, 4), rows(3, 4, 4, seed=1), rows(3, 2, 2)]),
    "RectifiedDifference": (steps.RectifiedDifference(), [rows(3), rows(3, seed=1)]),
    "ClippedDifference": (steps.ClippedDifference(0.5), [rows(3), torch.tensor([0.0, 1.0, 2.0, 7.0]), rows(3, seed=1)]),
    "MeanDifference": (
        steps.MeanDifference(call("mul.Tensor", "@0", "@1"), (True, False)),
        [torch.tensor([0.0, 1.0, 2.0, 7.0]), rows(3), rows(3, seed=1), rows(3, seed=2), rows(3, seed=3)],
    ),
    "MeanDifference not finite": (
        steps.MeanDifference(call("reciprocal.default", "@0")),
        [torch.tensor([0.0, 1.0, 2.0, 7.0]), rows(2), torch.tensor([[0.0, 1.0]] * 4), torch.zeros(4, 2)],
    ),
    "FirstSpikes": (operators.FirstSpikes(kinds.BinaryNeuron(torch.tensor(0.5), torch.tensor(0.25))), [rows(3)]),
    "FirstState": (operators.FirstState(rows(3)[0]), [rows(3)]),
    "HeldState": (operators.HeldState(rows(3)[0]), [rows(3)]),
    "KeepState": (operators.KeepState(), [rows(3), rows(2)]),
    "EachStep": (operators.EachStep(nn.MaxPool2d(2)), [rows(*ROW)]),
    "Latest": (operators.Latest(), [rows(3), torch.tensor([0.0, 1.0, 2.0, 7.0]), rows(3, seed=1)]),
    "TracedNeuron": (
        TracedNeuron(torch.tensor(1.0), torch.tensor(0.0), ("u", "w"), operators.Elementwise(3, ((0, 1), (3,), (3, 2), (4,)), (
            operators.Add(), call("ge.Scalar", "@0", 0.5), call("mul.Tensor", "@0", "@1"), operators.Cast("float32"),
        ), (6, 3, 5))),
        [rows(3), rows(3, seed=1), rows(3, seed=2)],
    ),
    **{
        f"LeakyNeuron {reset} {strict} {delayed} {owing}": (
            LeakyNeuron(THETA, START, *map(torch.tensor, (0.9, 0.5, 0.1)), reset, strict, delayed, owing),
            [rows(*CURRENT, spread=2.0), rows(*CURRENT, seed=1)],
        )
        for reset, strict, delayed, owing in (
            ("subtract", False, False, False), ("rest", True, False, False), ("none", False, False, False),
            ("subtract", False, True, False), ("rest", False, True, False), ("subtract", True, False, True),
            ("rest", False, False, True),
        )
    },
    "Tick": (steps.Tick(), [torch.tensor([0.0, 1.0, 2.0, 7.0])]),
    "TimestepBias": (steps.TimestepBias(rows(3, 1, 1)), [rows(*ROW), torch.tensor([0.0, 1.0, 2.0, 7.0])]),
    "TimestepBias features": (steps.TimestepBias(rows(3)), [rows(3), torch.tensor([0.0, 1.0, 2.0, 7.0])]),
    "TimestepBias channels": (steps.TimestepBias(rows(1, 4)), [rows(3, 4), torch.tensor([0.0, 1.0, 2.0, 7.0])]),
    "FrameAt": (steps.FrameAt(), [rows(3, 2, 5), torch.tensor([0.0, 1.0, 2.0, 7.0])]),
    **{
        f"ExitProbe {score.name}": (
            steps.ExitProbe(score, torch.tensor([2.0, 1.5, 0.7])),
            [rows(5), rows(5, seed=1), torch.tensor([0.0, 1.0, 2.0, 7.0])]
            + ([torch.tensor([0.0, 1.0, 1.0, 5.0])] if score.reads_run_length else []),
        )
        for score in SCORES
    },
    "Elementwise": (
        operators.Elementwise(2, ((0,), (0, 2), (3, 1)), (
            call("gt.Scalar", "@0", 0.3), call("mul.Tensor", "@0", "@1"), call("maximum.default", "@0", "@1"),
        )),
        [rows(3), rows(3, seed=1)],
    ),
    "Elementwise choice": (
        operators.Elementwise(1, ((0,), (0,), (1, 2, 0)), (
            call("le.Scalar", "@0", 0.3), call("add.Tensor", "@0", 2.0, alpha=3), call("where.self", "@0", "@1", "@2"),
        )),
        [rows(3)],
    ),
}  # fmt: skip

NEURONS: dict[type[kinds.Neuron], dict[str, Any]] = {
    kinds.BinaryNeuron: {}, kinds.SignedNeuron: {}, kinds.TrackingNeuron: {}, kinds.MultiLevelNeuron: {"levels": 4},
    kinds.UnsignedMultiLevelNeuron: {"levels": 4}, kinds.GroupNeuron: {"members": 3}, kinds.EncodingNeuron: {},
    kinds.TrackingEncoder: {}, kinds.MultiLevelEncoder: {"levels": 4}, kinds.GroupEncoder: {"members": 3},
}  # fmt: skip

ATEN: dict[str, tuple[AtenOperator, list[Tensor]]] = {
    **{name: (call(f"{name}.default", "@0"), [rows(3, 4)]) for name in (
        "sigmoid", "tanh", "exp", "reciprocal", "erf", "sin", "cos", "tan", "atan", "sinh", "cosh", "asinh", "mish",
        "hardswish", "abs", "neg", "sign", "sgn", "floor", "ceil", "relu", "silu", "gelu", "elu", "celu", "selu",
        "softplus", "hardsigmoid", "hardtanh", "leaky_relu", "hardshrink", "softshrink", "round", "trunc", "frac",
        "square", "erfc", "expm1", "exp2", "clone", "relu6", "log_sigmoid", "isnan", "isinf", "isfinite",
    )},
    **{name: (call(f"{name}.default", "@0"), [rows(3).sigmoid()]) for name in (
        "log", "sqrt", "asin", "acos", "atanh", "rsqrt", "log1p", "log2", "log10",
    )},
    "acosh": (call("acosh.default", "@0"), [rows(3).exp() + 1]),
    "gelu tanh": (call("gelu.default", "@0", approximate="tanh"), [rows(3)]),
    "softplus steep": (call("softplus.default", "@0", 30.0, 20.0), [rows(3)]),
    "elu scaled": (call("elu.default", "@0", 0.5, 2.0, 1.5), [rows(3)]),
    "celu alpha": (call("celu.default", "@0", 0.5), [rows(3)]),
    "threshold": (call("threshold.default", "@0", 0.2, -1.0), [rows(3)]),
    **{name: (call(f"{name}.Tensor", "@0", "@1"), [rows(3, 4), rows(1, 4, seed=1)]) for name in (
        "add", "sub", "mul", "div", "true_divide", "remainder", "fmod", "eq", "ne", "gt", "ge", "lt", "le",
    )},
    **{name: (call(f"{name}.default", "@0", "@1"), [rows(3, 4), rows(3, 4, seed=1)]) for name in (
        "maximum", "minimum", "fmax", "fmin", "hypot",
    )},
    "positive": (call("positive.default", "@0"), [rows(3)]),
    "max": (call("max.other", "@0", "@1"), [rows(3), rows(3, seed=1)]),
    "min": (call("min.other", "@0", "@1"), [rows(3), rows(3, seed=1)]),
    "clip": (call("clip.default", "@0", 0.1), [rows(3)]),
    "lerp": (call("lerp.Scalar", "@0", "@1", 0.3), [rows(3), rows(3, seed=1)]),
    "rsub": (call("rsub.Scalar", "@0", 2.0), [rows(3)]),
    "add alpha": (call("add.Tensor", "@0", "#0", alpha=2, constants=(torch.arange(4.0),)), [rows(3, 4)]),
    "rsub alpha": (call("rsub.Scalar", "@0", 2.0, 3.0), [rows(3, 4)]),
    "div floor": (call("div.Tensor_mode", "@0", 0.3, rounding_mode="floor"), [rows(3)]),
    "div trunc": (call("div.Tensor_mode", "@0", 0.3, rounding_mode="trunc"), [rows(3)]),
    "pow": (call("pow.Tensor_Scalar", "@0", 3), [rows(3)]),
    "pow two": (call("pow.Tensor_Scalar", "@0", 2), [rows(3)]),
    "pow of": (call("pow.Scalar", 2.0, "@0"), [rows(3)]),
    "clamp": (call("clamp.default", "@0", -0.5, 0.5), [rows(3)]),
    "clamp tensor": (call("clamp.Tensor", "@0", "#0", constants=(torch.linspace(-1, 1, 4),)), [rows(3, 4)]),
    "clamp_min": (call("clamp_min.default", "@0", 0.1), [rows(3)]),
    "clamp_max": (call("clamp_max.default", "@0", 0.1), [rows(3)]),
    "masked_fill": (
        call("masked_fill.Scalar", "@0", "#0", -math.inf, constants=(torch.tensor([True, False, True]),)), [rows(3)],
    ),
    "where": (call("where.ScalarOther", "#0", "@0", 2.0, constants=(torch.tensor([True, False, True]),)), [rows(3)]),
    **{name: (call(f"{name}.default", "@0", "@1"), [rows(3) > 0, rows(3, seed=1) > 0]) for name in (
        "logical_and", "logical_or", "logical_xor",
    )},
    **{name: (call(f"{name}.Tensor", "@0", "@1"), [rows(3) > 0, rows(3, seed=1) > 0]) for name in (
        "bitwise_and", "bitwise_or", "bitwise_xor",
    )},
    **{name: (call(f"{name}.default", "@0"), [rows(3) > 0]) for name in ("logical_not", "bitwise_not")},
    "addcmul": (call("addcmul.default", "@0", "@1", "#0", value=2, constants=(torch.arange(3.0),)), [rows(3), rows(3, seed=1)]),
    "addcdiv": (call("addcdiv.default", "@0", "@1", "#0", constants=(torch.arange(1.0, 4.0),)), [rows(3), rows(3, seed=1)]),
    "roll": (call("roll.default", "@0", (1, 2), (1, 3)), [rows(*ROW)]),
    "flip": (call("flip.default", "@0", (2,)), [rows(*ROW)]),
    "repeat": (call("repeat.default", "@0", (1, 2, 1)), [rows(3, 2)]),
    "expand": (call("expand.default", "@0", (-1, 3, 4)), [rows(3, 1)]),
    "index_select": (call("index_select.default", "@0", 1, "#0", constants=(torch.tensor([2, 0, 0]),)), [rows(3, 2)]),
    "select": (call("select.int", "@0", 1, 1), [rows(3, 2)]),
    "pixel_shuffle": (call("pixel_shuffle.default", "@0", 2), [rows(8, 3, 2)]),
    "pixel_unshuffle": (call("pixel_unshuffle.default", "@0", 2), [rows(2, 4, 2)]),
    "channel_shuffle": (call("channel_shuffle.default", "@0", 2), [rows(4, 3, 2)]),
    "upsample_nearest1d": (call("upsample_nearest1d.default", "@0", (7,)), [rows(2, 3)]),
    "upsample_nearest2d": (call("upsample_nearest2d.default", "@0", (7, 4)), [rows(2, 3, 2)]),
    "_upsample_nearest_exact2d": (call("_upsample_nearest_exact2d.default", "@0", (7, 4)), [rows(2, 3, 2)]),
    "upsample_linear1d": (call("upsample_linear1d.default", "@0", (7,), False), [rows(2, 3)]),
    "upsample_bilinear2d": (call("upsample_bilinear2d.default", "@0", (7, 4), True), [rows(2, 3, 2)]),
    "upsample_bicubic2d": (call("upsample_bicubic2d.default", "@0", (7, 4), False), [rows(2, 3, 2)]),
    "_upsample_bilinear2d_aa": (call("_upsample_bilinear2d_aa.default", "@0", (3, 2), False), [rows(2, 7, 5)]),
    "_upsample_bicubic2d_aa": (call("_upsample_bicubic2d_aa.default", "@0", (3, 2), False), [rows(2, 7, 5)]),
    "im2col": (call("im2col.default", "@0", (2, 2), (1, 1), (1, 1), (2, 2)), [rows(2, 4, 4)]),
    "unfold": (call("unfold.default", "@0", 2, 3, 1), [rows(2, 5)]),
    "tril": (call("tril.default", "@0"), [rows(2, 4, 3)]),
    "triu": (call("triu.default", "@0", 1), [rows(2, 4, 3)]),
    "diagonal": (call("diagonal.default", "@0", 0, 1, 2), [rows(4, 3)]),
    "avg_pool3d": (call("avg_pool3d.default", "@0", (2, 2, 2), (2, 1, 1), (1, 0, 0)), [rows(2, 4, 3, 3)]),
    "adaptive_avg_pool3d": (call("adaptive_avg_pool3d.default", "@0", (2, 2, 3)), [rows(2, 5, 4, 3)]),
    "max_pool3d": (call("max_pool3d.default", "@0", (2, 2, 2), (2, 1, 1), (1, 0, 0)), [rows(2, 4, 3, 3)]),
    "sum": (call("sum.dim_IntList", "@0", (1, 2)), [rows(*ROW)]),
    "cumsum": (call("cumsum.default", "@0", 1), [rows(4, 3)]),
    "amax": (call("amax.default", "@0", (2,), True), [rows(4, 3)]),
    "amin": (call("amin.default", "@0", (-1,)), [rows(4, 3)]),
    "prod": (call("prod.dim_int", "@0", 1), [rows(4, 3)]),
    "softmax": (call("softmax.int", "@0", -1), [rows(4, 3)]),
    "log_softmax": (call("log_softmax.int", "@0", 1), [rows(4, 3)]),
    "matmul": (call("matmul.default", "@0", "@1"), [rows(2, 3, 4), rows(2, 4, 3)]),
    "matmul constant": (call("matmul.default", "#0", "@0", constants=(torch.arange(6.0).reshape(2, 3),)), [rows(3, 4)]),
    "bmm": (call("bmm.default", "@0", "@1"), [rows(3, 4), rows(4, 3)]),
    "einsum": (call("einsum.default", "bij, bjk -> bik", ("@0", "@1")), [rows(3, 4), rows(4, 2)]),
    "attention": (call("scaled_dot_product_attention.default", "@0", "@1", "@2"), [rows(2, 3, 4), rows(2, 5, 4), rows(2, 5, 4)]),
    "attention causal": (
        call("scaled_dot_product_attention.default", "@0", "@1", "@2", None, 0.0, True, scale=0.3),
        [rows(2, 5, 4), rows(2, 5, 4, seed=1), rows(2, 5, 4)],
    ),
    "attention masked": (
        call("scaled_dot_product_attention.default", "@0", "@1", "@2", "#0", constants=(rows(3, 5)[0],)),
        [rows(2, 3, 4), rows(2, 5, 4), rows(2, 5, 4)],
    ),
    **{f"norm {order}": (call("linalg_vector_norm.default", "@0", order, (1,), True), [rows(4, 3)])
       for order in (1, 2, 3, math.inf, -math.inf)},
    "var": (call("var.correction", "@0", (1,), correction=1), [rows(4, 3)]),
    "var dim": (call("var.dim", "@0", (1, 2), False, True), [rows(4, 3)]),
    "std": (call("std.correction", "@0", (2,), correction=0, keepdim=True), [rows(4, 3)]),
    "logsumexp": (call("logsumexp.default", "@0", (1,)), [rows(4, 3, spread=100.0)]),
    "logsumexp kept": (call("logsumexp.default", "@0", (1, 2), True), [rows(4, 3)]),
    "glu": (call("glu.default", "@0", 1), [rows(4, 3)]),
    "rms_norm": (call("rms_norm.default", "@0", (3,), "#0", 1e-5, constants=(torch.arange(3.0),)), [rows(4, 3)]),
    "rms_norm plain": (call("rms_norm.default", "@0", (4, 3)), [rows(4, 3)]),
    "topk": (call("topk.default", "@0", 2, 1), [rows(4, 3)]),
    "sort": (call("sort.default", "@0", 1, True), [rows(4, 3)]),
    "kthvalue": (call("kthvalue.default", "@0", 2, 1), [rows(4, 3)]),
    "median": (call("median.dim", "@0", 1, True), [rows(4, 3)]),
    "cosine_similarity": (call("cosine_similarity.default", "@0", "@1", 1), [rows(4, 3), rows(4, 3, seed=1)]),
    "grid_sampler": (call("grid_sampler.default", "@0", "@1", 0, 0, False), [rows(2, 4, 3), rows(5, 2, 2).tanh()]),
    "attention whose heads share keys": (
        call("scaled_dot_product_attention.default", "@0", "@1", "@2", enable_gqa=True),
        [rows(4, 3, 5), rows(2, 6, 5, seed=1), rows(2, 6, 5, seed=2)],
    ),
    "round to decimals": (call("round.decimals", "@0", decimals=1), [rows(30)]),
    "round to tens": (call("round.decimals", "@0", decimals=-1), [rows(30, spread=30.0)]),
    "cummax": (call("cummax.default", "@0", 1), [rows(4, 3)]),
    "col2im pads": (call("col2im.default", "@0", (5, 4), (3, 2), (1, 1), (1, 0), (2, 1)), [rows(12, 9)]),
    "cummin": (call("cummin.default", "@0", 1), [rows(4, 3)]),
    "col2im": (call("col2im.default", "@0", (4, 4), (2, 2), (1, 1), (0, 0), (2, 2)), [rows(8, 4)]),
}  # fmt: skip

@pytest.mark.parametrize("name", MODULES)
def test_a_module_says_the_same(name: str) -> None:
    module, inputs = MODULES[name]
    agree(module, *inputs, tolerance=1e-5)


@pytest.mark.parametrize("kind", NEURONS, ids=lambda kind: kind.__name__)
def test_neurons_fire_bit_for_bit_alike(kind: type[kinds.Neuron]) -> None:
    """Over 12 timesteps of currents of either sign, thresholds apart, every spike and every state is the same."""
    for options in [NEURONS[kind], *({"maximum": 0.7} for _ in "1" if kind is kinds.TrackingNeuron)]:
        neuron = kind(THETA, START, **options)
        state, seen = [torch.full((4, *CURRENT), 0.25), *[torch.zeros(4, *CURRENT)] * (len(neuron.state_names) - 1)], []
        for t in range(12):
            clock = [torch.full((4,), float(t))] if neuron.reads_clock else []
            seen.append((rows(*CURRENT, seed=t, spread=1.5), *clock, *state))
            state = list(neuron(*seen[-1])[1:])
        found, wanted = outcome(neuron, *(torch.cat(parts) for parts in zip(*seen, strict=True)))
        assert all(torch.equal(one, other) for one, other in zip(found, wanted, strict=True))
        assert len(wanted[0].unique()) > 1


@pytest.mark.parametrize("name", ATEN)
def test_an_aten_operator_says_the_same(name: str) -> None:
    module, inputs = ATEN[name]
    agree(module, *inputs, tolerance=1e-5)


@pytest.mark.parametrize("module, inputs", [
    pytest.param(call("cummax.default", "@0", 1), [rows(600, 1)], id="the largest of very many"),
    pytest.param(call("lgamma.default", "@0"), [rows(3)], id="an elementwise function of ONNX's not"),
])  # fmt: skip
def test_what_onnx_cannot_say_is_refused_with_a_remedy(module: nn.Module, inputs: list[Tensor]) -> None:
    with pytest.raises(UntranslatableError) as error:
        outcome(module, *inputs)

    assert error.value.reason and error.value.remedy


def test_every_module_of_the_closed_list_is_covered() -> None:
    """A new class needs a translation, or a refusal, and a case here."""
    by_operator = {operators.AtenOperator, operators.Elementwise}
    shown = {type(module) for module, _ in MODULES.values()} | set(NEURONS)

    assert set(OPTIONS) - set(TRANSLATIONS) == by_operator
    assert set(OPTIONS) - shown == {operators.AtenOperator}


def test_every_listed_aten_operator_is_covered() -> None:
    shown = {module.name for module, _ in ATEN.values()}
    translated = {*ELEMENTWISE, *GENERAL}

    assert {*aten.LINEAR, *aten.GENERAL} - translated == set()
    assert translated == shown


class _Leaky(kinds.Neuron):
    """A neuron of a user's own that loses a tenth of its potential."""

    state_names, alphabet = ("v",), (0, 1)

    def forward(self, current: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        v = current + 0.9 * v
        output = (v >= self.v_threshold) * self.v_threshold
        return output, v - output


def _write_leaky(g: Graph, neuron: _Leaky, current: Value, v: Value) -> tuple[str, str]:
    threshold = g.constant(neuron.v_threshold)
    held = g.op("Add", current, g.op("Mul", v, g.number(0.9)))
    output = g.op("Mul", g.cast(g.op("GreaterOrEqual", held, threshold), torch.float32), threshold)
    return output, g.op("Sub", held, output)


def test_a_neuron_of_a_users_own_is_written_by_what_is_handed_over() -> None:
    neuron, inputs = _Leaky(THETA, START), (rows(*CURRENT), rows(*CURRENT, seed=1))
    with pytest.raises(UntranslatableError, match=r"_Leaky is a module of your own.*"):
        outcome(neuron, *inputs)
    found, wanted = outcome(neuron, *inputs, translate=Translator({_Leaky: _write_leaky}))
    assert all(torch.equal(one, other) for one, other in zip(found, wanted, strict=True))
