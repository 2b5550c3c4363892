"""The closed list of modules a program may hold, and their description as plain data."""

import inspect
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from seenn_convert.errors import InputError, reason_of
from seenn_convert.ir import operators
from seenn_convert.ir.operators.step import (
    ClippedDifference,
    ExitProbe,
    FrameAt,
    MeanDifference,
    RectifiedDifference,
    TemporalDifference,
    Tick,
    TimestepBias,
)
from seenn_convert.ir.scores import ExitScore, score_named
from seenn_convert.neurons.layers import LAYERS, Neuron
from seenn_convert.neurons.leaky import LeakyNeuron
from seenn_convert.neurons.traced import TracedNeuron

_CONVOLUTION = ("in_channels", "out_channels", "kernel_size", "stride", "padding", "dilation", "groups")
_POOL = ("kernel_size", "stride", "padding", "ceil_mode")
_OPERATORS: tuple[type[operators.Operator], ...] = (
    operators.Add, operators.Subtract, operators.Concatenate, operators.Mean, operators.Reshape, operators.Permute,
    operators.Slice, operators.Expand, operators.Pad, operators.PaddedMaxPool, operators.RowConvolution,
    operators.PerPart, operators.Encode, operators.Analog, operators.Graded, operators.GradedReLU,
    operators.ClippedReLU, operators.QuantisedReLU, TemporalDifference, RectifiedDifference, ClippedDifference,
    MeanDifference, Tick, TimestepBias, operators.Affine, operators.ConstantRow, operators.Cast,
    operators.FirstSpikes, operators.FirstState, operators.HeldState, operators.KeepState, operators.EachStep,
    operators.Latest, operators.MeanOverFrames, FrameAt,
)  # fmt: skip

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
    operators.PaddedLinear: ("in_features", "out_features"),
    operators.AtenOperator: ("operator", "arguments", "keywords"),
    operators.Elementwise: ("inputs", "wiring", "results"),
    **{operator: operator.options() for operator in _OPERATORS},
    **{neuron: neuron.options for neuron in LAYERS},
    LeakyNeuron: LeakyNeuron.options,
    TracedNeuron: TracedNeuron.options,
    ExitProbe: ("score_name",),
}
"""Class -> constructor options, each also an attribute of the instance."""

_WRAPPED: dict[type[nn.Module], str] = {
    operators.PaddedMaxPool: "pool",
    operators.PerPart: "operator",
    operators.Analog: "operator",
    operators.Graded: "operator",
    operators.FirstSpikes: "neuron",
    operators.EachStep: "operator",
    TracedNeuron: "law",
    TemporalDifference: "operator",
    MeanDifference: "operator",
}
"""Class -> the option that is a module of the closed list itself."""

_WITH_BIAS = (*operators.CONVOLUTIONS, nn.Linear)
_BY_NAME = {kind.__name__: kind for kind in OPTIONS}


@dataclass(frozen=True)
class Extras:
    """What a user adds to the closed list: files name it and hold no code, so it is passed in when they are read.

    Attributes:
        scores: Exit scores that a probe may compute beside those of this package.
        modules: ``Neuron`` and ``CustomOperator`` classes.
    """

    scores: Sequence[ExitScore] = ()
    modules: Sequence[type[nn.Module]] = ()


def describe_module(module: nn.Module) -> dict[str, object]:
    """Return the module as plain data, without its tensors: class name, options, wrapped operator.

    Raises:
        TypeError: The module is neither in the closed list nor a ``Neuron`` or ``CustomOperator`` of the user's own.
    """
    kind = type(module)
    is_own = issubclass(kind, (Neuron, operators.CustomOperator)) and kind.__name__ not in _BY_NAME
    if kind not in OPTIONS and not is_own:
        raise TypeError(f"{kind.__name__} is not an operator that an artifact may hold")
    missing = [name for name in _option_names(kind) if not hasattr(module, name)]
    if missing:
        listed = ", ".join(missing)
        raise InputError(f"{kind.__name__} lists {listed} in `options` and has no such attribute; keep it as one")
    description: dict[str, object] = {
        "operator": kind.__name__,
        "options": {name: _plain(getattr(module, name)) for name in _option_names(kind)},
    }
    if kind in _WRAPPED:
        description["wrapped"] = describe_module(getattr(module, _WRAPPED[kind]))
    if isinstance(module, operators.Elementwise):
        description["steps"] = [describe_module(step) for step in module.steps]
    if isinstance(module, _WITH_BIAS):
        description["options"]["bias"] = module.bias is not None  # type: ignore[index]
    if is_own:
        _check_own(module, description)
    return description


def _check_own(module: nn.Module, description: Mapping[str, object]) -> None:
    """Raise InputError where a user's module could not be built again from what an artifact keeps of it."""
    try:
        build_module(description, module.state_dict(), Extras(modules=(type(module),)))
    except Exception as error:  # the user's code may raise anything
        raise InputError(
            f"{type(module).__name__} cannot be built again from its options and tensors ({reason_of(error)}); name "
            "each argument of its constructor in `options`, and keep it as an attribute"
        ) from error


def build_module(
    description: Mapping[str, object], tensors: Mapping[str, Tensor], extras: Extras = Extras()
) -> nn.Module:
    """Return the module that ``describe_module`` described, holding ``tensors`` (name in the module -> value).

    Args:
        description: Plain data.
        tensors: Its parameters and buffers.
        extras: The user's own.

    Raises:
        ArtifactError: A probe computes an exit score that is neither of this package nor among the extras.
        KeyError, TypeError, ValueError, RuntimeError: The description or the tensors do not fit, or the module is
            neither in the closed list nor among the extras.
    """
    kind = _class_named(str(description["operator"]), extras.modules)
    options = description["options"]
    if not isinstance(options, Mapping):
        raise TypeError("options are not a mapping")
    allowed = (*_option_names(kind), "bias")
    known = {name: _as_tuple(_restored(value)) for name, value in options.items() if name in allowed}
    known |= {name: tensors[name] for name in _tensor_options(kind)}
    if kind is ExitProbe:
        known["score"] = score_named(str(known.pop("score_name")), extras.scores)
    if kind is operators.AtenOperator:
        known["constants"] = [tensors[f"constant_{index}"] for index in range(len(tensors))]
    if kind in _WRAPPED:
        wrapped, option = description["wrapped"], _WRAPPED[kind]
        if not isinstance(wrapped, Mapping):
            raise TypeError("the wrapped operator is not described")
        known[option] = build_module(wrapped, _inside(option, tensors), extras)
    if kind is operators.Elementwise:
        known["steps"] = _built_steps(description["steps"], tensors, extras)
    with torch.device("meta"):
        module = kind(**known)
    _restore(module, tensors)
    return module.eval().requires_grad_(False)


def _built_steps(steps: object, tensors: Mapping[str, Tensor], extras: Extras) -> list[nn.Module]:
    if not isinstance(steps, list) or not all(isinstance(step, Mapping) for step in steps):
        raise TypeError("the steps of an elementwise function are not described")
    return [build_module(step, _inside(f"steps.{index}", tensors), extras) for index, step in enumerate(steps)]


def _inside(part: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors of the submodule ``part``, by their names in it."""
    return {name.removeprefix(f"{part}."): value for name, value in tensors.items() if name.startswith(f"{part}.")}


def _class_named(name: str, extra_modules: Sequence[type[nn.Module]]) -> type[nn.Module]:
    known = {**{kind.__name__: kind for kind in extra_modules}, **_BY_NAME}
    if name not in known:
        raise ValueError(f"{name!r} is not a module that a program may hold; if it is yours, give extra_modules=")
    return known[name]


def _option_names(kind: type[nn.Module]) -> tuple[str, ...]:
    return kind.options if issubclass(kind, (Neuron, operators.CustomOperator)) else OPTIONS[kind]


def _tensor_options(kind: type[nn.Module]) -> tuple[str, ...]:
    if issubclass(kind, operators.Operator):
        return kind.tensors()
    if issubclass(kind, Neuron):
        return kind.tensors
    return ("temperatures",) if kind is ExitProbe else ()


def options_text(module: nn.Module) -> str:
    """Return the options of a module that are not defaults, in the same words for every version of PyTorch.

    A module with an ``extra_repr`` of its own shows that.
    """
    kind = type(module)
    if kind not in OPTIONS or not kind.extra_repr.__module__.startswith("torch."):
        return module.extra_repr()
    defaults = inspect.signature(kind).parameters
    values = {name: getattr(module, name) for name in OPTIONS[kind]}
    shown = [f"{name}={value}" for name, value in values.items() if not _is_default(value, defaults[name].default)]
    return ", ".join([*shown, "bias=False"] if isinstance(module, _WITH_BIAS) and module.bias is None else shown)


def _is_default(value: object, default: object) -> bool:
    return value == default or (isinstance(value, tuple) and set(value) == {default})


def _plain(value: object) -> object:
    """Return ``value`` with every number that JSON cannot hold, such as infinity, as ``{"float": "inf"}``."""
    if isinstance(value, (tuple, list)):
        return type(value)(_plain(part) for part in value)
    return {"float": str(value)} if isinstance(value, float) and not math.isfinite(value) else value


def _restored(value: object) -> object:
    """Undo ``_plain``, except that tuples stay lists."""
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
