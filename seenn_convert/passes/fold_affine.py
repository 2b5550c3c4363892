"""Fold what scales and shifts spikes into the layer with weights that reads them."""

from dataclasses import dataclass, replace

from torch import Tensor, fx, nn

from seenn_convert.analysis.spike_sources import is_weighted, sources
from seenn_convert.ir.editor import Draft
from seenn_convert.ir.operators import CONVOLUTIONS, SPIKING_OPERATORS, Affine, Mean, Pad, PerPart, Reshape
from seenn_convert.passes.base import Pass, with_parameters

UNIFORM = 1e-12
"""Relative difference between places up to which a shift counts as the same at all of them, in double precision."""

_AVERAGES = (nn.AvgPool1d, nn.AvgPool2d, nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d)


@dataclass(frozen=True)
class _Reader:
    """A layer with weights behind an affine, and the affine's constants as they are there: ``(*row of its input)``."""

    node: fx.Node
    scale: Tensor
    shift: Tensor


class FoldAffine(Pass):
    """Replace ``conv(scale * s + shift)`` of spikes s by one convolution: a shift would make every value nonzero.

    Before: ``x -> relu -> affine -> conv -> y``     After: ``x -> relu -> conv -> y``
    Averages, reshapes and padding may stand between. Where zeros are padded the shift differs at the edge: it
    becomes an affine behind the convolution, where nothing multiplies it. Declines where something else reads the
    affine, or its constants differ within what a convolution sums.
    """

    def rewrite(self, draft: Draft) -> None:
        """Fold each affine behind activations whose readers are all layers with weights."""
        behind = [(node, module) for node, module in draft.modules_of(Affine) if _reads_spikes(draft, node)]
        shapes = draft.shapes() if behind else {}  # which takes a run of the network
        for node, module in behind:
            row = shapes[node.name]
            if shapes[draft.source_of(node).name] != row:
                continue
            assert isinstance(module, Affine)
            wide = _Reader(node, module.scale.double().expand(row), module.shift.double().expand(row))
            readers = _readers(draft, wide, shapes)
            if readers and all(_separable(draft.module_at(one.node), one.scale) for one in readers):
                for one in readers:
                    _fold(draft, one)
                draft.bypass(node)
            elif any(is_weighted(draft.module_at(user)) for user in node.users):
                draft.decline(node, "it is read by more than layers with weights, or differs within what one sums")


def _reads_spikes(draft: Draft, node: fx.Node) -> bool:
    origins = sources(node, draft.module_at)
    return all(isinstance(draft.module_at(origin), SPIKING_OPERATORS) for origin in origins)


def _readers(draft: Draft, at: _Reader, shapes: dict[str, tuple[int, ...]]) -> list[_Reader]:
    """Return the layers with weights that read ``at`` through averages and reshapes; none if anything else reads it."""
    found = list[_Reader]()
    for user in at.node.users:
        module = draft.module_at(user)
        if is_weighted(module) and not isinstance(module, PerPart):
            found.append(replace(at, node=user))
            continue
        behind = _carried(module, at, user, shapes)
        further = [] if behind is None or len(user.users) == 0 else _readers(draft, behind, shapes)
        if not further:
            return []
        found += further
    return found


def _carried(
    module: nn.Module | None, at: _Reader, user: fx.Node, shapes: dict[str, tuple[int, ...]]
) -> _Reader | None:
    """Return the constants behind ``user``, None if scaling and shifting do not commute with it."""
    row = shapes.get(user.name, ())
    if isinstance(module, Reshape):
        return _Reader(user, at.scale.reshape(row), at.shift.reshape(row))
    if isinstance(module, Pad) and module.value == 0:
        scale = _padded(at.scale, module.amounts, row)
        return None if scale is None else _Reader(user, scale, module(at.shift.unsqueeze(0))[0])
    if isinstance(module, Mean):
        axes = tuple(dim % (at.scale.dim() + 1) - 1 for dim in module.dims)
    elif isinstance(module, _AVERAGES) and not _pads(module):
        axes = tuple(range(-1 if isinstance(module, (nn.AvgPool1d, nn.AdaptiveAvgPool1d)) else -2, 0))
    else:
        return None
    if not (_same_along(at.scale, axes) and _same_along(at.shift, axes)):
        return None
    means = (one.mean(axes, keepdim=not isinstance(module, Mean) or module.keepdim) for one in (at.scale, at.shift))
    scale, shift = (one.expand(row) for one in means)
    return _Reader(user, scale, shift)


def _padded(scale: Tensor, amounts: tuple[int, ...], row: tuple[int, ...]) -> Tensor | None:
    """Return a scale behind padding with zeros, which any scale keeps; None if it differs within a channel."""
    if not _same_along(scale, tuple(range(1, scale.dim()))):
        return None
    channels = scale.reshape(scale.shape[0], -1)[:, 0]
    added = amounts[2 * len(row) - 2 : 2 * len(row)]
    return nn.functional.pad(channels, added, value=1.0).reshape(-1, *[1] * (len(row) - 1)).expand(row)


def _pads(module: nn.Module) -> bool:
    padding = getattr(module, "padding", 0)
    return any(padding if isinstance(padding, tuple) else (padding,)) or bool(getattr(module, "divisor_override", None))


def _same_along(values: Tensor, axes: tuple[int, ...]) -> bool:
    return bool((values.amax(axes) == values.amin(axes)).all()) if axes else True


def _separable(layer: nn.Module | None, scale: Tensor) -> bool:
    """Return whether a scale ``(*row)`` can move into the weight: it is the same wherever a weight is used."""
    axes = range(scale.dim() - 1) if isinstance(layer, nn.Linear) else range(1, scale.dim())
    return _same_along(scale, tuple(axes))


def _fold(draft: Draft, at: _Reader) -> None:
    layer = draft.module_at(at.node)
    assert isinstance(layer, (*CONVOLUTIONS, nn.Linear))
    moved = _without_bias(layer)(at.shift.unsqueeze(0))[0] if bool((at.shift != 0).any()) else None
    weight = layer.weight.detach()
    scaled = weight.double() * _input_scale(layer, at.scale)
    folded = with_parameters(layer, weight=scaled.to(weight.dtype))
    channels = None if moved is None else _uniform(layer, moved)
    if channels is not None:
        bias = channels if layer.bias is None else layer.bias.detach().double() + channels
        folded = with_parameters(folded, bias=bias.to(weight.dtype))
    draft.replace_module(at.node, folded)
    if moved is not None and channels is None:
        users = list(at.node.users)
        shift = Affine(weight.new_ones(()), moved.to(weight.dtype))
        behind = draft.insert_after(at.node, f"{at.node.name}_shift", shift, [at.node])
        for user in users:
            user.replace_input_with(at.node, behind)


def _without_bias(layer: nn.Module) -> nn.Module:
    """Return a layer in double precision that has no bias."""
    return with_parameters(layer, weight=layer.get_parameter("weight").detach().double(), bias=None)


def _input_scale(layer: nn.Module, scale: Tensor) -> Tensor:
    """Return a scale of the input ``(*row)`` in a shape that multiplies the weight."""
    if isinstance(layer, nn.Linear):
        return scale.reshape(-1, layer.in_features)[0]
    weight = layer.get_parameter("weight")
    channels, ones = scale.flatten(1)[:, 0], [1] * (weight.dim() - 2)
    if isinstance(layer, (nn.ConvTranspose1d, nn.ConvTranspose2d)):
        return channels.reshape(-1, 1, *ones)
    groups = int(layer.groups)  # type: ignore[arg-type]
    return (
        channels.reshape(groups, -1)
        .repeat_interleave(weight.shape[0] // groups, dim=0)
        .reshape(*weight.shape[:2], *ones)
    )


def _uniform(layer: nn.Module, moved: Tensor) -> Tensor | None:
    """Return what is added to each output channel, None if it differs between places."""
    channels = moved.reshape(-1, moved.shape[-1]) if isinstance(layer, nn.Linear) else moved.flatten(1).T
    difference = (channels.amax(0) - channels.amin(0)).max()
    return channels[0] if difference <= UNIFORM * moved.abs().max() else None
