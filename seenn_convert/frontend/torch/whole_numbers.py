"""Models whose images are whole numbers, such as pixels from 0 to 255, and which cast them first."""

import torch
from torch import Tensor, fx

from seenn_convert.frontend.torch.aliasing import VIEWS
from seenn_convert.frontend.torch.call import dtype_of, operator_name

MOVING = (*VIEWS, "clone", "detach", "alias", "to", "flip", "roll")
WHOLE = (torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64)


def pixel_range_of(kind: torch.dtype) -> tuple[float, float] | None:
    """Return the numbers that stand for black and white in images of that type, None for 0 and 1."""
    if kind not in WHOLE:
        return None
    return (-128.0, 127.0) if kind == torch.int8 else (0.0, 255.0)


def whole_number_notes(kind: torch.dtype) -> tuple[str, ...]:
    """Return a sentence for the user on a model whose images are of that type, nothing for floats."""
    pixels = pixel_range_of(kind)
    if pixels is None:
        return ()
    name, (low, high) = str(kind).removeprefix("torch."), pixels
    return (f"the file takes whole numbers ({name}): its images are floats from {low:g} to {high:g}, not from 0 to 1",)


def as_whole(images: Tensor, kind: torch.dtype) -> Tensor:
    """Return the nearest numbers that ``kind``, a type of whole numbers, has."""
    if not images.is_floating_point():
        return images.to(kind)
    limits = torch.iinfo(kind)
    return images.double().round().clamp(limits.min, limits.max).to(kind)


def take_as_floats(graph: fx.Graph, image: fx.Node) -> None:
    """Let the graph of a model for whole numbers take them in the type of its results, or that it casts them to.

    Calls that only move numbers are left to do so, and casts become nothing. Any other call on whole numbers gets them
    as such, rounded and cast in front of it.
    """
    kind = dtype_of(image)
    casts = [dtype for node in graph.nodes if (dtype := _float_of(node)) is not None]
    ends = [dtype for node in graph.output_node().all_input_nodes if (dtype := _float_of(node)) is not None]
    target = next((dtype for dtype in casts if not ends or dtype in ends), None)
    if kind not in WHOLE or target is None:
        return
    floats, rounded = {image}, set[fx.Node]()
    for node in list(graph.nodes):
        taken = floats.intersection(node.all_input_nodes)
        if not taken or not isinstance(node.meta.get("val"), (Tensor, list, tuple)):
            continue
        if dtype_of(node) == kind and operator_name(node) in MOVING:
            floats.add(node)
        elif not dtype_of(node).is_floating_point:
            rounded.update(_cast_before(node, source, kind) for source in taken)
    for node in floats | rounded:
        value = node.meta["val"]
        node.meta["val"] = value.to(target) if isinstance(value, Tensor) else [part.to(target) for part in value]


def _float_of(node: fx.Node) -> torch.dtype | None:
    """Return the floating-point type of a call's result, None if it has another."""
    if node.op != "call_function" or not isinstance(node.meta.get("val"), Tensor):
        return None
    dtype = dtype_of(node)
    return dtype if dtype.is_floating_point else None


def _cast_before(node: fx.Node, source: fx.Node, kind: torch.dtype) -> fx.Node:
    """Let ``node`` take ``source`` as whole numbers; return the call that rounds it, since a cast alone cuts off."""
    with node.graph.inserting_before(node):
        whole = node.graph.call_function(torch.ops.aten.round.default, (source,))
        cast = node.graph.call_function(torch.ops.aten.to.dtype, (whole, kind))
    for call in (whole, cast):
        call.meta = {**node.meta, "val": source.meta["val"]}
    node.replace_input_with(source, cast)
    return whole
