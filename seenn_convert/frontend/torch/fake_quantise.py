"""Write fake quantisation, which ``torch.export`` cannot trace, in arithmetic that it can."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
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
