"""Pooling, padding and resizing."""

import torch
from torch import nn

from seenn_convert.frontend.torch.aten.functional import as_it_stands
from seenn_convert.frontend.torch.aten.registry import Result, handles, operator_of
from seenn_convert.frontend.torch.call import Call, Lifted, Refusal, rank_of
from seenn_convert.ir.operators import Pad, Permute, Reshape


@handles("max_pool1d", "max_pool2d", "max_pool2d_with_indices")
def max_pool(call: Call) -> Result:
    """Max pooling with all its options."""
    kind = nn.MaxPool1d if "1d" in operator_of(call.node.target) else nn.MaxPool2d
    size = call.integers("kernel_size")
    layer = kind(
        _single(size),
        stride=_single(call.integers("stride") or size),
        padding=_single(call.integers("padding")),
        dilation=_single(call.integers("dilation")),
        ceil_mode=call.flag("ceil_mode"),
    )
    return Lifted(layer, (call.tensor("self"),))


@handles("avg_pool1d", "avg_pool2d")
def average_pool(call: Call) -> Result:
    """Average pooling with all its options."""
    size = call.integers("kernel_size")
    options = {
        "kernel_size": _single(size),
        "stride": _single(call.integers("stride") or size),
        "padding": _single(call.integers("padding")),
        "ceil_mode": call.flag("ceil_mode"),
        "count_include_pad": call.flag("count_include_pad"),
    }
    if "divisor_override" not in call.arguments:
        return Lifted(nn.AvgPool1d(**options), (call.tensor("self"),))  # type: ignore[arg-type]
    divisor = call.number("divisor_override")
    pool = nn.AvgPool2d(**options, divisor_override=None if divisor is None else int(divisor))  # type: ignore[arg-type]
    return Lifted(pool, (call.tensor("self"),))


@handles("adaptive_avg_pool1d", "adaptive_avg_pool2d", "_adaptive_avg_pool2d")
@handles("adaptive_max_pool1d", "adaptive_max_pool2d")
def adaptive_pool(call: Call) -> Result:
    """Adaptive pooling to a fixed size."""
    name = operator_of(call.node.target).lstrip("_")
    kinds: dict[str, type[nn.Module]] = {
        "adaptive_avg_pool1d": nn.AdaptiveAvgPool1d,
        "adaptive_avg_pool2d": nn.AdaptiveAvgPool2d,
        "adaptive_max_pool1d": nn.AdaptiveMaxPool1d,
        "adaptive_max_pool2d": nn.AdaptiveMaxPool2d,
    }
    return Lifted(kinds[name](_single(call.integers("output_size"))), (call.tensor("self"),))


@handles("pad", "constant_pad_nd", "reflection_pad1d", "reflection_pad2d", "replication_pad1d", "replication_pad2d")
def pad(call: Call) -> Result:
    """Padding on any axis but the batch: with a constant, or with the tensor's own values."""
    mode = str(call.value("mode") or _mode_of(operator_of(call.node.target)))
    amounts = call.integers("pad" if "pad" in call.arguments else "padding")
    source = call.tensor("self")
    if len(amounts) // 2 >= rank_of(source) and any(amounts[2 * rank_of(source) - 2 :]):
        raise Refusal("it pads the batch axis")
    if mode != "constant":
        return Lifted(Pad(amounts, mode=mode), (source,))
    return Lifted(Pad(amounts, float(call.number("value") or 0.0)), (source,))


@handles("max_pool3d", "avg_pool3d", "adaptive_avg_pool3d", "im2col", "col2im", "pixel_shuffle", "pixel_unshuffle")
@handles("channel_shuffle", "upsample_nearest1d", "upsample_nearest2d", "upsample_linear1d", "upsample_bilinear2d")
@handles("upsample_bicubic2d", "_upsample_nearest_exact2d", "_upsample_bilinear2d_aa", "_upsample_bicubic2d_aa")
def as_given(call: Call) -> Result:
    """What works on channels and places in front of which the batch stands anyway."""
    source = call.tensor("self" if "self" in call.arguments else "input")
    if rank_of(source) < 3:
        raise Refusal("it takes the batch axis for channels; give it an input with a batch axis")
    return as_it_stands(call)


@handles("grid_sampler")
def grid_sampler(call: Call) -> Result:
    """Read pictures at places that are computed, as a spatial transformer does."""
    if not call.is_activation("input"):
        raise Refusal("it samples a constant, which cannot be converted yet; sample an activation")
    if not call.is_activation("grid"):
        raise Refusal("its sampling positions are constant, which cannot be converted yet; slice instead")
    return as_it_stands(call)


@handles("affine_grid_generator")
def affine_grid(call: Call) -> Result:
    """The places to read at for an affine map ``(B, 2, 3)`` of pictures: linear in the map, one for each row."""
    theta, sizes = call.tensor("theta"), call.sizes(call.node)
    if len(sizes) != 4:
        raise Refusal("its input is not two-dimensional; only 2-D feature maps can be converted")
    _, height, width, _ = sizes
    dtype = theta.meta["val"].dtype
    unit = torch.eye(2, 3, dtype=dtype).unsqueeze(0)
    across = nn.functional.affine_grid(unit, [1, 1, height, width], call.flag("align_corners")).reshape(-1, 2)
    places = nn.Linear(3, height * width, bias=False, device="meta")
    places.weight = nn.Parameter(torch.cat([across, torch.ones_like(across[:, :1])], dim=1), requires_grad=False)
    by_place = Lifted(Permute((0, 2, 1)), (Lifted(places, (theta,)),))
    return Lifted(Reshape((height, width, 2)), (by_place,))


def _mode_of(operator: str) -> str:
    return {"reflection": "reflect", "replication": "replicate"}.get(operator.split("_")[0], "constant")


def _single(values: tuple[int, ...]) -> int | tuple[int, ...]:
    return values[0] if len(set(values)) == 1 else values
