"""How an image lies in a model's input: with its channels first or last, or without an axis of channels."""

from collections.abc import Sequence

from torch import fx, nn

from seenn_convert.data.preprocessing import ImageLayout
from seenn_convert.ir.operators import RELU_FAMILY, Affine, AtenOperator, Encode, Pad, Permute, Slice
from seenn_convert.ir.operators.aten import is_elementwise, resolve
from seenn_convert.ir.program import IMAGE, Program

_CHANNEL_COUNTS = (1, 3, 4)
_CHANNELS_FIRST = (nn.Conv2d, nn.ConvTranspose2d, nn.BatchNorm2d, nn.MaxPool2d, nn.AvgPool2d)
"""What acts on images and takes the axis behind the batch for the channels."""

_KEEPING = (Affine, Pad, Slice, Encode, nn.Identity, nn.Dropout, *RELU_FAMILY)
"""What leaves every axis where it is."""


def layout_of(program: Program) -> ImageLayout:
    """Return how an image lies in the input of an ANN.

    Among three axes, the channels are the one that the first convolution or batch norm takes for them. If none comes
    before the axes are mixed, the last axis is, if it is 1, 3 or 4 long and no other is; else the first. With two axes
    there are no channels, with one the pixels lie in a row.
    """
    shape = program.input_shape
    if len(shape) != 3:
        return {1: "flat", 2: "no_channels"}.get(len(shape), "channels_first")  # type: ignore[return-value]
    axis = _axis_of_channels(program)
    if axis is None:
        only_last = shape[2] in _CHANNEL_COUNTS and not any(size in _CHANNEL_COUNTS for size in shape[:2])
        axis = 3 if only_last else 1
    return "channels_last" if axis == 3 else "channels_first"


def layout_notes(program: Program) -> tuple[str, ...]:
    """Return what a user should know about the layout of the input: nothing if it is the usual one."""
    if layout_of(program) != "channels_last":
        return ()
    height, width, channels = program.input_shape
    return (
        f"the input is read as images of {height} x {width} pixels with {channels} "
        f"channel{'s' if channels > 1 else ''} last, (N, H, W, C)",
    )


def _axis_of_channels(program: Program) -> int | None:
    """Return the axis of the input that becomes the channels of the first layer that knows them, None if none does."""
    orders: dict[fx.Node, tuple[int, ...]] = {}
    for node in program.graph_module.graph.nodes:
        if node.op == "placeholder" and node.name == IMAGE:
            orders[node] = (0, 1, 2, 3)
        if node.op != "call_module" or len(node.all_input_nodes) != 1 or node.all_input_nodes[0] not in orders:
            continue
        module, order = program.graph_module.get_submodule(str(node.target)), orders[node.all_input_nodes[0]]
        if isinstance(module, _CHANNELS_FIRST):
            return order[1]
        after = _after(module, order)
        if after is not None:
            orders[node] = after
    return None


def _after(module: nn.Module, order: Sequence[int]) -> tuple[int, ...] | None:
    """Return which axis of the input each axis of a result is, None if the call mixes them."""
    if isinstance(module, Permute):
        return tuple(order[dim] for dim in module.dims) if len(module.dims) == len(order) else None
    keeps = isinstance(module, _KEEPING) or (
        isinstance(module, AtenOperator) and is_elementwise(resolve(module.operator))
    )
    return tuple(order) if keeps else None
