"""Builders of the ONNX operators that rearrange: reshape, transpose, join and repeat."""

from collections.abc import Sequence
from functools import partial
from math import prod

import numpy as np
import torch
from torch import Tensor, nn

from seenn_convert.frontend.onnx.operators.base import (
    BATCHES,
    Activation,
    Array,
    Compute,
    Layer,
    OnnxNode,
    repeats,
    to_tensor,
)
from seenn_convert.ir.operators import Reshape

_MIXES = "it spreads the batch over other dimensions"
_KEEP_BATCH = "keep the batch as the first dimension"


def reshape(node: OnnxNode) -> Layer:
    """Reshape: 0 copies a length, -1 is what remains, and the length that holds the batch is left open."""
    image, targets, keep_zeros = node.activation(0), node.shapes_given(1), bool(node.integer("allowzero", 0))
    is_fixed = targets[0] == targets[1]
    if is_fixed and node.file_batch is not None:
        return _reshape_fixed(node, _resolve(targets[0], image.shape_at(node.file_batch), keep_zeros), node.file_batch)
    resolved = [_resolve(target, shape, keep_zeros) for target, shape in zip(targets, image.shapes, strict=True)]
    if is_fixed and None in resolved:
        # A file may leave its batch open and still write a fixed 1 here: then 1 is the batch it was traced with.
        return _reshape_fixed(node, _resolve(targets[0], image.shape_at(1), keep_zeros), 1)
    return _reshape_to(node, resolved)


def flatten(node: OnnxNode) -> Layer:
    """Flatten: a reshape to two dimensions."""
    image, axis = node.activation(0), node.integer("axis", 1)
    axis = axis + image.rank if axis < 0 else axis
    if node.file_batch is not None:
        shape = image.shape_at(node.file_batch)
        return _reshape_fixed(node, (prod(shape[:axis]), prod(shape[axis:])), node.file_batch)
    return _reshape_to(node, [(prod(shape[:axis]), prod(shape[axis:])) for shape in image.shapes])


def _resolve(target: Sequence[int], shape: Sequence[int], keep_zeros: bool) -> tuple[int, ...] | None:
    """Return the target with 0 and -1 replaced, or None if it does not hold as many elements as ``shape``."""
    if not keep_zeros and any(n == 0 and i >= len(shape) for i, n in enumerate(target)):
        return None
    sizes = [shape[i] if n == 0 and not keep_zeros else n for i, n in enumerate(target)]
    known = prod(n for n in sizes if n != -1)
    if -1 in sizes and known > 0:
        sizes[sizes.index(-1)] = prod(shape) // known
    return tuple(sizes) if prod(sizes) == prod(shape) else None


def _reshape_fixed(node: OnnxNode, target: tuple[int, ...] | None, batch: int) -> Layer:
    """Reshape to a target written for one batch size, by leaving open the length that holds the batch.

    Elements keep their order, so the batch is at the place in the target that has as many elements before it as the
    batch has in the input; some of them may be in the same length. Of several such places the likeliest is taken.
    """
    image = node.activation(0)
    if target is None:
        raise node.refuse(f"its target does not hold as many elements as its input {image.shape_at(batch)}")
    if image.batch_axis is None:
        return _reshape_to(node, [target] * len(BATCHES))
    places = [i for i, n in enumerate(target) if _holds_batch(image.ahead_of_batch, prod(target[:i]), n, batch)]
    if not places:
        raise node.refuse(_MIXES, _KEEP_BATCH)
    place = min(places, key=lambda i: _doubt(image.ahead_of_batch, target, i, batch))
    open_targets = [(*target[:place], target[place] // batch * n, *target[place + 1 :]) for n in BATCHES]
    return _reshape_to(node, open_targets)


def _holds_batch(ahead: int, before: int, length: int, batch: int) -> bool:
    """Tell whether a length with ``before`` elements in front can hold the batch, which has ``ahead`` in front."""
    return ahead % before == 0 and length % (batch * (ahead // before)) == 0


def _doubt(ahead: int, target: Sequence[int], place: int, batch: int) -> tuple[bool, bool, bool]:
    """Return how unlikely a place is: neither the batch alone, nor led by it, and least likely the last one."""
    is_led = prod(target[:place]) == ahead
    return not (is_led and target[place] == batch), place == len(target) - 1, not is_led


def _reshape_to(node: OnnxNode, targets: Sequence[tuple[int, ...] | None]) -> Layer:
    """Reshape to the target worked out for each of ``BATCHES``."""
    image = node.activation(0)
    first, second = targets
    if first is None or second is None or len(first) != len(second):
        raise node.refuse(f"its target does not hold as many elements as its input {image.shape_at(1)}")
    if tuple(targets) == image.shapes:
        return Layer(nn.Identity())
    varying = [i for i, (a, b) in enumerate(zip(first, second, strict=True)) if a != b]
    if len(varying) > 1:
        raise node.refuse(_MIXES, _KEEP_BATCH)
    outer = image.ahead_of_batch // prod(first[: varying[0]]) if varying and image.batch_axis is not None else 1
    if varying == [0] and image.leads_with_batch and (first[0], second[0]) == BATCHES:
        return Layer(nn.Flatten(1) if len(first) == 2 and image.rank > 1 else Reshape(first[1:]))
    shape = [-1 if i in varying else n for i, n in enumerate(first)]
    return Layer(Compute(partial(torch.reshape, shape=shape)), outer=max(outer, 1))


def squeeze(node: OnnxNode) -> Layer:
    """Squeeze: of the named axes, or of all that have length 1."""
    image, wanted = node.activation(0), node.integers("axes", 1)
    if wanted is None and node.file_batch == 1:
        raise node.refuse("without axes it also removes the batch of 1 that the file fixes", "name its axes")
    sizes = list(zip(*image.shapes, strict=True))
    axes = [i for i, size in enumerate(sizes) if set(size) == {1}]
    if wanted is not None:
        axes = sorted(node.axis_beside_batch(axis) for axis in wanted)
    if not axes:
        return Layer(nn.Identity())
    return Layer(Compute(partial(torch.squeeze, dim=axes[0] if len(axes) == 1 else tuple(axes))))


def unsqueeze(node: OnnxNode) -> Layer:
    """Unsqueeze: one new axis after the other."""
    wanted = node.integers("axes", 1) or []
    rank = node.activation(0).rank + len(wanted)
    added = [Compute(partial(torch.unsqueeze, dim=axis)) for axis in sorted(node.axis(axis, rank) for axis in wanted)]
    return Layer(added[0] if len(added) == 1 else nn.Sequential(*added))


def transpose(node: OnnxNode) -> Layer:
    """Transpose: a permutation, by default the reversal."""
    order = node.integers("perm") or list(reversed(range(node.activation(0).rank)))
    return Layer(Compute(partial(torch.permute, dims=order)))


class Join(nn.Module):
    """A concatenation in which constants, if there are any, are repeated for every image."""

    def __init__(self, constants: Sequence[Tensor | None], axis: int, batch_source: int) -> None:
        super().__init__()
        self.axis = axis
        self.batch_source = batch_source
        self.is_constant = tuple(constant is not None for constant in constants)
        for i, constant in enumerate(constants):
            if constant is not None:
                self.register_buffer(f"constant_{i}", constant)

    def forward(self, *images: Tensor) -> Tensor:
        """Join the images and the constants in the order of the node's inputs."""
        remaining, parts = iter(images), []
        for i, is_constant in enumerate(self.is_constant):
            if is_constant:
                constant: Tensor = getattr(self, f"constant_{i}")
                batch = images[self.batch_source].shape[0]
                parts.append(constant.expand(batch, *constant.shape[1:]))
            else:
                parts.append(next(remaining))
        return torch.cat(parts, dim=self.axis)


def concat(node: OnnxNode) -> Layer:
    """Concat: ``torch.cat``; a constant is one image's part, repeated for the batch."""
    given = tuple(i for i, value in enumerate(node.inputs) if isinstance(value, Activation))
    axis = node.axis(node.integer("axis", 1), node.activation(given[0]).rank)
    if any(axis == node.activation(i).batch_axis for i in given):
        raise node.refuse("it joins images of different batches", "let each image be computed by itself")
    constants = [_one_image(node, value) if isinstance(value, np.ndarray) else None for value in node.inputs]
    sources = [i for i, position in enumerate(given) if node.activation(position).leads_with_batch]
    if len(given) < len(node.inputs) and not sources:
        raise node.refuse("it joins a constant to a value whose first dimension is not the batch", _KEEP_BATCH)
    return Layer(Join(constants, axis, sources[0] if sources else 0), given)


def _one_image(node: OnnxNode, array: Array) -> Tensor:
    if not repeats(array, array[:1]):
        raise node.refuse("it joins a constant that differs between the images of a batch", "use one for all images")
    return to_tensor(array[:1])


def expand(node: OnnxNode) -> Layer:
    """Expand: repeat along axes of length 1; the batch keeps its length."""
    image, targets = node.activation(0), node.shapes_given(1)
    rank = max(len(targets[0]), image.rank)
    # Lengths for each of BATCHES, both sides filled up with 1 in front, by the rule of broadcasting.
    have, want = ([(1,) * (rank - len(shape)) + tuple(shape) for shape in shapes] for shapes in (image.shapes, targets))
    sizes = []
    for axis in range(rank):
        lengths, wanted = [shape[axis] for shape in have], [shape[axis] for shape in want]
        if set(lengths) != {1}:
            sizes.append(-1)
        elif len(set(wanted)) > 1:
            raise node.refuse("it repeats a value for every image", "let the operator that follows repeat it")
        else:
            sizes.append(wanted[0])
    is_unchanged = rank == image.rank and set(sizes) <= {-1, 1}
    return Layer(nn.Identity() if is_unchanged else Compute(Tensor.expand, [None, *sizes]))


def tile(node: OnnxNode) -> Layer:
    """Tile: repeat along any axis but the batch."""
    image, repeats = node.activation(0), [int(count) for count in node.constant(1).reshape(-1)]
    if image.batch_axis is not None and repeats[image.batch_axis] != 1:
        raise node.refuse("it repeats the images of a batch", "repeat along other dimensions")
    return Layer(nn.Identity() if set(repeats) == {1} else Compute(Tensor.repeat, [None, *repeats]))


def depth_to_space(node: OnnxNode) -> Layer:
    """DepthToSpace: channels become blocks of places; in column order it is ``pixel_shuffle``."""
    block, channels = node.integer("blocksize", 1), node.activation(0).shapes[0][1]
    if node.text("mode", "DCR") == "CRD":
        return Layer(nn.PixelShuffle(block))
    return Layer(Compute(partial(_spread_blocks, block=block, channels=channels // block**2)))


def _spread_blocks(image: Tensor, block: int, channels: int) -> Tensor:
    batch, _, height, width = image.shape
    blocks = image.reshape(batch, block, block, channels, height, width).permute(0, 3, 4, 1, 5, 2)
    return blocks.reshape(batch, channels, height * block, width * block)


def space_to_depth(node: OnnxNode) -> Layer:
    """SpaceToDepth: blocks of places become channels, the places of a block first."""
    return Layer(Compute(partial(_stack_blocks, block=node.integer("blocksize", 1))))


def _stack_blocks(image: Tensor, block: int) -> Tensor:
    batch, channels, height, width = image.shape
    blocks = image.reshape(batch, channels, height // block, block, width // block, block).permute(0, 3, 5, 1, 2, 4)
    return blocks.reshape(batch, channels * block**2, height // block, width // block)


def triangle(node: OnnxNode) -> Layer:
    """Trilu: a triangle of the last two axes."""
    for axis in (-2, -1):
        node.axis_beside_batch(axis)
    diagonal = int(node.constant(1).reshape(-1)[0]) if node.has(1) else 0
    return Layer(Compute(partial(torch.triu if node.integer("upper", 1) else torch.tril, diagonal=diagonal)))
