"""Write fake quantisation, which ``torch.export`` cannot trace, in arithmetic that it can."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode


class FakeQuantisationInArithmetic(TorchFunctionMode):
    """Inside, the ``torch.fake_quantize_...`` functions are rounding, clamping and scaling."""

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Run a function of PyTorch, or what stands for it."""
        stands = _ARITHMETIC.get(func, func)
        return stands(*args, **(kwargs or {}))


def is_fake_quantisation(module: nn.Module) -> bool:
    """Return whether a module is a ``FakeQuantize`` of ``torch.ao.quantization``, by its buffers."""
    return all(isinstance(getattr(module, name, None), Tensor) for name in _BUFFERS)


def observes(module: nn.Module) -> bool:
    """Return whether a module is fake quantisation whose scale still follows the images."""
    return is_fake_quantisation(module) and bool(module.get_buffer("observer_enabled")[0])


@contextmanager
def fake_quantisation_traced(module: nn.Module) -> Iterator[None]:
    """Inside, ``FakeQuantize`` modules that no longer observe are traced: their own code branches on their buffers."""
    found = [child for child in module.modules() if is_fake_quantisation(child)]
    for child in found:
        child.forward = partial(_fixed, child, bool(child.get_buffer("fake_quant_enabled")[0]))
    try:
        with FakeQuantisationInArithmetic():
            yield
    finally:
        for child in found:
            del child.forward


def _fixed(module: Any, is_on: bool, x: Tensor) -> Tensor:
    """Do what a ``FakeQuantize`` does whose scale is fixed."""
    if not is_on:
        return x
    limits = (module.activation_post_process.quant_min, module.activation_post_process.quant_max)
    if module.is_per_channel:
        return _per_channel(x, module.scale, module.zero_point, module.ch_axis, *limits)
    return _per_tensor(x, module.scale, module.zero_point, *limits)


def _per_tensor(input: Tensor, scale: Any, zero_point: Any, quant_min: int, quant_max: int) -> Tensor:
    steps = torch.round(input / scale) + zero_point
    result: Tensor = (torch.clamp(steps, quant_min, quant_max) - zero_point) * scale
    return result


def _per_channel(input: Tensor, scale: Tensor, zero_point: Tensor, axis: int, quant_min: int, quant_max: int) -> Tensor:
    row = [-1 if place == axis % input.dim() else 1 for place in range(input.dim())]
    return _per_tensor(input, scale.reshape(row), zero_point.to(input.dtype).reshape(row), quant_min, quant_max)


_ARITHMETIC: Mapping[Callable[..., Any], Callable[..., Any]] = {
    torch.fake_quantize_per_tensor_affine: _per_tensor,
    torch.fake_quantize_per_channel_affine: _per_channel,
}

_BUFFERS = ("fake_quant_enabled", "observer_enabled", "scale", "zero_point")
