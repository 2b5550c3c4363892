"""The closed list of modules a program may hold, and their description as plain data."""

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from seenn_convert.ir import operators
from seenn_convert.ir.operators.step import (
    ExitProbe,
    MeanDifference,
    RectifiedDifference,
    TemporalDifference,
    Tick,
    TimestepBias,
)
from seenn_convert.ir.scores import ExitScore, score_named
from seenn_convert.neurons.layers import (
    BinaryNeuron,
    EncodingNeuron,
    GroupEncoder,
    GroupNeuron,
    MultiLevelEncoder,
    MultiLevelNeuron,
    SignedNeuron,
    TrackingEncoder,
    TrackingNeuron,
    UnsignedMultiLevelNeuron,
)

_CONVOLUTION = ("in_channels", "out_channels", "kernel_size", "stride", "padding", "dilation", "groups")
_POOL = ("kernel_size", "stride", "padding", "ceil_mode")
_NEURONS: dict[type[nn.Module], tuple[str, ...]] = {
    BinaryNeuron: (),
    SignedNeuron: (),
    TrackingNeuron: ("maximum",),
    MultiLevelNeuron: ("levels",),
    UnsignedMultiLevelNeuron: ("levels",),
    GroupNeuron: ("members",),
    EncodingNeuron: (),
    TrackingEncoder: (),
    MultiLevelEncoder: ("levels",),
    GroupEncoder: ("members",),
}

OPTIONS: dict[type[nn.Module], tuple[str, ...]] = {
    nn.Conv1d: _CONVOLUTION,
    nn.Conv2d: _CONVOLUTION,
    nn.Conv3d: _CONVOLUTION,
    nn.ConvTranspose1d: (*_CONVOLUTION, "output_padding"),
    nn.ConvTranspose2d: (*_CONVOLUTION, "output_padding"),
    nn.Linear: ("in_features", "out_features"),
    nn.BatchNorm1d: ("num_features", "eps"),
    nn.BatchNorm2d: ("num_features", "eps"),
    nn.LayerNorm: ("normalized_shape", "eps", "elementwise_affine"),
    nn.GroupNorm: ("num_groups", "num_channels", "eps", "affine"),
    nn.ReLU: (),
    nn.LeakyReLU: ("negative_slope",),
    nn.PReLU: ("num_parameters",),
    nn.MaxPool1d: (*_POOL, "dilation"),
    nn.MaxPool2d: (*_POOL, "dilation"),
    nn.AvgPool1d: (*_POOL, "count_include_pad"),
    nn.AvgPool2d: (*_POOL, "count_include_pad", "divisor_override"),
    nn.AdaptiveAvgPool1d: ("output_size",),
    nn.AdaptiveAvgPool2d: ("output_size",),
    nn.AdaptiveMaxPool1d: ("output_size",),
    nn.AdaptiveMaxPool2d: ("output_size",),
    nn.Dropout: ("p",),
    nn.Identity: (),
    operators.Add: (),
    operators.Subtract: (),
    operators.Concatenate: ("dim",),
    operators.Mean: ("dims", "keepdim"),
    operators.Reshape: ("shape",),
    operators.Permute: ("dims",),
    operators.Slice: ("dim", "start", "end", "step"),
    operators.Expand: ("shape",),
    operators.PaddedLinear: ("in_features", "out_features"),
    operators.Pad: ("amounts", "value", "mode"),
    operators.PaddedMaxPool: ("amounts",),
    operators.RowConvolution: ("stride", "padding", "dilation", "groups"),
    operators.ConstantRow: (),
    operators.PerPart: (),
    operators.AtenOperator: ("operator", "arguments", "keywords"),
    operators.Encode: (),
    operators.GradedReLU: ("maximum",),
    operators.Affine: (),
    operators.ClippedReLU: ("maximum",),
    **_NEURONS,
    TemporalDifference: (),
    RectifiedDifference: (),
    MeanDifference: ("varying",),
    TimestepBias: (),
    Tick: (),
    ExitProbe: ("score_name",),
}
"""Class -> constructor options, each also an attribute of the instance."""

_WRAPPED: dict[type[nn.Module], str] = {
    operators.PaddedMaxPool: "pool",
    operators.PerPart: "operator",
    TemporalDifference: "operator",
    MeanDifference: "operator",
}
"""Class -> the option that is a module of the closed list itself."""

_BY_NAME = {kind.__name__: kind for kind in OPTIONS}
_TENSOR_OPTIONS: dict[type[nn.Module], tuple[str, ...]] = {
    operators.Affine: ("scale", "shift"),
    operators.ConstantRow: ("value",),
    **dict.fromkeys(_NEURONS, ("v_threshold", "v_initial")),
    TimestepBias: ("bias",),
    ExitProbe: ("temperatures",),
}


def describe_module(module: nn.Module) -> dict[str, object]:
    """Return the module as plain data, without its tensors: class name, options, wrapped operator.

    Raises:
        TypeError: The module is not of the closed list.
    """
    kind = type(module)
    if kind not in OPTIONS:
        raise TypeError(f"{kind.__name__} is not an operator that an artifact may hold")
    description: dict[str, object] = {
        "operator": kind.__name__,
        "options": {name: _plain(getattr(module, name)) for name in OPTIONS[kind]},
    }
    if kind in _WRAPPED:
        description["wrapped"] = describe_module(getattr(module, _WRAPPED[kind]))
    if isinstance(module, (*operators.CONVOLUTIONS, nn.Linear)):
        description["options"]["bias"] = module.bias is not None  # type: ignore[index]
    return description


def build_module(
    description: Mapping[str, object], tensors: Mapping[str, Tensor], scores: Sequence[ExitScore] = ()
) -> nn.Module:
    """Return the module that ``describe_module`` described, holding ``tensors`` (name in the module -> value).

    Args:
        description: Plain data.
        tensors: Its parameters and buffers.
        scores: Exit scores that a probe may compute beside those of this package.

    Raises:
        ArtifactError: A probe computes an exit score that is not known.
        KeyError, TypeError, ValueError, RuntimeError: The description or the tensors do not fit.
    """
    kind = _BY_NAME[str(description["operator"])]
    options = description["options"]
    if not isinstance(options, Mapping):
        raise TypeError("options are not a mapping")
    known = {name: _as_tuple(_restored(value)) for name, value in options.items() if name in (*OPTIONS[kind], "bias")}
    known |= {name: tensors[name] for name in _TENSOR_OPTIONS.get(kind, ())}
    if kind is ExitProbe:
        known["score"] = score_named(str(known.pop("score_name")), scores)
    if kind is operators.AtenOperator:
        known["constants"] = [tensors[f"constant_{index}"] for index in range(len(tensors))]
    if kind in _WRAPPED:
        wrapped, option = description["wrapped"], _WRAPPED[kind]
        if not isinstance(wrapped, Mapping):
            raise TypeError("the wrapped operator is not described")
        inner = {name.removeprefix(f"{option}."): value for name, value in tensors.items()}
        known[option] = build_module(wrapped, inner)
    with torch.device("meta"):
        module = kind(**known)
    _restore(module, tensors)
    return module.eval().requires_grad_(False)


def _plain(value: object) -> object:
    """Return ``value`` with every number that JSON cannot hold, such as infinity, as ``{"float": "inf"}``."""
    if isinstance(value, (tuple, list)):
        return type(value)(_plain(part) for part in value)
    return {"float": str(value)} if isinstance(value, float) and not math.isfinite(value) else value


def _restored(value: object) -> object:
    """Return what ``_plain`` was given, but for tuples, which are lists in JSON."""
    if isinstance(value, (tuple, list)):
        return type(value)(_restored(part) for part in value)
    return float(str(value["float"])) if isinstance(value, Mapping) and set(value) == {"float"} else value


def _restore(module: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    if isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d)):  # PyTorch asks for a counter that nothing reads
        module.load_state_dict({"num_batches_tracked": torch.tensor(0), **tensors}, strict=True, assign=True)
        module.num_batches_tracked = None
    else:
        module.load_state_dict(dict(tensors), strict=True, assign=True)


def _as_tuple(value: object) -> object:
    return tuple(value) if isinstance(value, list) else value
