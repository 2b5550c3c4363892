"""Move max pooling in front of the activation it follows: the same numbers, fewer neurons, and an exact maximum."""

import torch
from torch import Tensor, fx, nn

from seenn_convert.ir.editor import Draft
from seenn_convert.ir.operators import HOMOGENEOUS_OPERATORS, RELU_FAMILY, Affine, PaddedMaxPool
from seenn_convert.passes.base import Pass


class PoolBeforeReLU(Pass):
    """Replace ``maxpool(f(x))`` by ``f(maxpool(x))``, where f is a chain of ReLUs and scalings of channels.

    Before: ``x -> relu -> affine -> maxpool -> y``     After: ``x -> maxpool -> relu -> affine -> y``
    Both are monotone, so they commute. f is any chain of ReLUs, clipped and leaky ones, and affines with one scale a
    channel. Where f falls in a channel, its maximum is f of the minimum: ``x -> * -1 -> maxpool -> * -1 -> f -> y``.
    Declines where a call of the chain has other users: they would see the pooled values; where a slope is below 0.
    """

    def rewrite(self, draft: Draft) -> None:
        """Move each pooling in front of the longest chain that begins with an activation."""
        for pool, module in draft.modules_of(*HOMOGENEOUS_OPERATORS):
            chain, signs = _chain(draft, pool, _pooled_axes(module))
            if chain:
                _swap(draft, chain, pool)
                if bool((signs < 0).any()):
                    _flip(draft, pool, signs)


def _chain(draft: Draft, pool: fx.Node, axes: int) -> tuple[list[fx.Node], Tensor]:
    """Return the calls to move behind ``pool``, the last one first, and the sign of their slope, channel by channel."""
    found, signs, seen, sign = list[fx.Node](), torch.ones(()), list[fx.Node](), torch.ones(())
    node = draft.source_of(pool)
    while (direction := _direction(draft.module_at(node), axes)) is not None:
        if reason := _obstacle(node, draft.module_at(node)):
            draft.decline(pool, reason)
            break
        seen.append(node)
        sign = sign * direction
        if isinstance(draft.module_at(node), RELU_FAMILY):
            found, signs = list(seen), sign
        node = draft.source_of(node)
    return found, signs


def _direction(module: nn.Module | None, axes: int) -> Tensor | None:
    """Return 1 where ``module`` rises with its input and -1 where it falls; None if pooling mixes what it scales."""
    if isinstance(module, RELU_FAMILY):
        return torch.ones(())
    if not isinstance(module, Affine) or any(size != 1 for one in module.buffers() for size in one.shape[-axes:]):
        return None
    return torch.where(module.scale < 0, -1.0, 1.0)


def _obstacle(node: fx.Node, module: nn.Module | None) -> str | None:
    """Return why a pooling may not move in front of a call, None if it may."""
    slopes = module.negative_slope if isinstance(module, nn.LeakyReLU) else 0.0
    if isinstance(module, nn.PReLU):
        slopes = float(module.weight.min())
    if slopes < 0:
        return f"{node.name} has a slope below 0, so it neither rises nor falls throughout"
    return f"{node.name} has other users" if len(node.users) > 1 else None


def _pooled_axes(module: nn.Module) -> int:
    """Return over how many axes, the last ones, a pooling works."""
    kind = type(module.pool if isinstance(module, PaddedMaxPool) else module)
    return 1 if kind in (nn.MaxPool1d, nn.AdaptiveMaxPool1d) else 2


def _swap(draft: Draft, chain: list[fx.Node], pool: fx.Node) -> None:
    last, first = chain[0], chain[-1]
    source = draft.source_of(first)
    pool.replace_input_with(last, source)
    pool.replace_all_uses_with(last)
    first.args = (pool,)
    place = pool
    for node in reversed(chain):
        place.append(node)
        place = node
        draft.changed(node)
    draft.changed(pool)


def _flip(draft: Draft, pool: fx.Node, signs: Tensor) -> None:
    """Let ``pool`` take the minimum in the channels whose sign is below 0."""
    source, users = draft.source_of(pool), list(pool.users)
    signs = signs.to(draft.program.input_dtype)
    before = draft.insert_after(source, f"{pool.name}_flip", Affine(signs, torch.zeros_like(signs)), [source])
    pool.replace_input_with(source, before)
    behind = draft.insert_after(pool, f"{pool.name}_flip_back", Affine(signs, torch.zeros_like(signs)), [pool])
    for user in users:
        user.replace_input_with(pool, behind)
