"""Recognise activations that are written as several operators: those of quantised and of clipped networks."""

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, fx, nn

from seenn_convert.analysis.response import Response, response
from seenn_convert.analysis.spike_sources import is_weighted
from seenn_convert.ir.editor import Draft
from seenn_convert.ir.operators import (
    Add,
    Affine,
    AtenOperator,
    Cast,
    ClippedReLU,
    Elementwise,
    QuantisedReLU,
    Subtract,
)
from seenn_convert.ir.program import ancestors
from seenn_convert.passes.base import Pass, module_in_double

ROUNDING = (
    "round", "fake_quantize_per_tensor_affine", "fake_quantize_per_channel_affine",
)  # fmt: skip
"""Operators that round halves to the even number."""

PIECEWISE = (
    *ROUNDING, "floor", "ceil", "trunc", "clamp", "clamp_min", "clamp_max", "minimum", "maximum", "min", "max", "abs",
    "sign", "where", "masked_fill", "gt", "ge", "lt", "le", "threshold", "hardtanh", "mul", "div", "neg", "sub", "add",
    "fmin", "fmax",
)  # fmt: skip
"""Elementwise operators of which an activation may be made; what they make is found by asking."""

MOST_CALLS = 24
"""Calls of which one activation is made at most."""

Shapes = dict[str, tuple[int, ...]]


@dataclass(frozen=True)
class _Region:
    """Calls that together make a function of one value, element by element: ``start`` is read, ``nodes`` are run."""

    start: fx.Node
    nodes: tuple[fx.Node, ...]

    @property
    def end(self) -> fx.Node:
        return self.nodes[-1]


class RecognizeActivations(Pass):
    """Replace operators that together make a ReLU, a clipped one or a quantised one by that activation.

    Before: ``x -> / s -> clamp(0, 1) -> * L + 1/2 -> floor -> * s / L -> y``
    After:  ``x -> quantised relu(s, L) -> y``
    Which activation it is, with its threshold and levels, is found by asking the operators for their values, and
    checked at both sides of every step, so the spelling does not matter: straight-through rounding, fake quantisation,
    a minimum with a parameter. Thresholds of the channels become scales in front and behind. Only operators that no
    neuron could stand for start a search, and only behind a layer with weights: an image that is rounded stays so.
    """

    def rewrite(self, draft: Draft) -> None:
        """Look at each operator that is no neuron and not linear, with what is around it."""
        candidates = [node for node, one in draft.modules_of(AtenOperator, Elementwise) if _is_piecewise(one)]
        shapes = draft.shapes() if candidates else {}  # which takes a run of the network
        for node in candidates:
            if not _is_there(draft, node) or not _is_elementwise(draft, node, shapes):
                continue
            found = _best(draft, node, shapes)
            if found is not None:
                region, is_now = found
                parts = (part for one in region.nodes for part in draft.module_at(one).modules())  # type: ignore[union-attr]
                rounds = any(isinstance(part, AtenOperator) and part.name in ROUNDING for part in parts)
                added = _replace(draft, region, is_now, rounds, len(shapes[region.end.name]))
                shapes |= dict.fromkeys(added, shapes[region.end.name])
                draft.graph.eliminate_dead_code()


def _is_there(draft: Draft, node: fx.Node) -> bool:
    return any(one is node for one in draft.graph.nodes)


def _best(draft: Draft, node: fx.Node, shapes: Shapes) -> tuple[_Region, Response] | None:
    """Return the activation that ``node`` is part of: the longest that needs no scales around it, or the longest."""
    first: tuple[_Region, Response] | None = None
    for region in _regions(draft, node, shapes):
        if not any(is_weighted(draft.module_at(one)) for one in ancestors([region.start])):
            continue
        found = _response(draft, region, shapes)
        if found is not None and found.is_plain:
            return region, found
        first = first or (None if found is None else (region, found))
    return first


def _regions(draft: Draft, node: fx.Node, shapes: Shapes) -> list[_Region]:
    """Return the functions of one value with ``node`` in them, the longest first."""
    found = [region for end in _ends(draft, node, shapes) for region in _from_behind(draft, end, shapes)]
    return sorted((one for one in found if node in one.nodes), key=lambda one: -len(one.nodes))


def _ends(draft: Draft, node: fx.Node, shapes: Shapes) -> list[fx.Node]:
    """Return ``node`` and what follows it, as long as only one call reads it."""
    found = [node]
    while len(found) < MOST_CALLS and len(users := list(found[-1].users)) == 1:
        if not _is_elementwise(draft, users[0], shapes):
            break
        found.append(users[0])
    return found


def _from_behind(draft: Draft, end: fx.Node, shapes: Shapes) -> Iterator[_Region]:
    """Yield the functions that end with ``end``: each place that all paths to it go through starts one."""
    order = {one: index for index, one in enumerate(draft.graph.nodes)}
    nodes, open_nodes = [end], set(end.all_input_nodes)
    while open_nodes and len(nodes) <= MOST_CALLS:
        if len(open_nodes) == 1:
            (start,) = open_nodes
            if shapes[start.name] == shapes[end.name]:
                yield _Region(start, tuple(reversed(nodes)))
        latest = max(open_nodes, key=order.__getitem__)
        if not _is_elementwise(draft, latest, shapes):
            return
        open_nodes = (open_nodes - {latest}) | set(latest.all_input_nodes)
        nodes.append(latest)


def _is_elementwise(draft: Draft, node: fx.Node, shapes: Shapes) -> bool:
    """Return whether a call works element by element, with constants that differ between channels at most."""
    module = draft.module_at(node)
    if module is None or not _is_piecewise(module):
        return False
    row = shapes[node.name]
    return all(shapes[one.name] == row for one in node.all_input_nodes) and all(
        _of_channels(constant, len(row)) for constant in module.buffers()
    )


def _is_piecewise(module: nn.Module) -> bool:
    """Return whether a module is an elementwise function that is linear or constant between some numbers."""
    if isinstance(module, Elementwise):
        return all(_is_piecewise(step) for step in module.steps)
    if isinstance(module, AtenOperator):
        return module.name in PIECEWISE
    return isinstance(module, (Affine, Add, Subtract, Cast, nn.ReLU, ClippedReLU, nn.LeakyReLU))


def _of_channels(constant: Tensor, axes: int) -> bool:
    """Return whether a constant is one number, or one for each channel of a row of ``axes`` axes."""
    channel = constant.dim() - axes
    return all(size == 1 for axis, size in enumerate(constant.shape) if axis != channel)


def _response(draft: Draft, region: _Region, shapes: Shapes) -> Response | None:
    """Return which activation a region is, None if it is none."""
    axes = len(shapes[region.end.name])
    own = draft.program.input_dtype
    modules = {node: module_in_double(_on_cpu(draft.module_at(node)), own) for node in region.nodes}
    constants = [one for module in modules.values() for one in module.buffers()]
    columns = max((one.numel() for one in constants), default=1)

    def function(points: Tensor) -> Tensor:
        values = {region.start: points.reshape(*points.shape, *[1] * (axes - 1))}
        for node in region.nodes:
            values[node] = modules[node](*(values[one] for one in node.args))  # type: ignore[index]
        return values[region.end].reshape(points.shape)

    with torch.no_grad():
        return response(function, columns)


def _on_cpu(module: nn.Module | None) -> nn.Module:
    return copy.deepcopy(module).cpu()  # type: ignore[union-attr]


def _replace(draft: Draft, region: _Region, found: Response, to_even: bool, axes: int) -> list[str]:
    """Let one activation stand for a region, with what shifts and scales it; return the names of the latter."""
    end, users, row = region.end, list(region.end.users), (-1, *[1] * (axes - 1))
    plain = found.is_plain
    alike = bool((found.maximum == found.maximum[0]).all()) or plain
    size = torch.ones_like(found.maximum) if found.levels is None and found.maximum[0].isinf() else found.maximum
    unit = torch.ones_like(size) if alike else size
    maximum = float(found.maximum[0] if alike else 1.0)
    before, behind = (1 / unit, found.shift / unit), (found.scale * unit, torch.zeros_like(unit))
    draft.replace_module(end, _activation(maximum, found.levels, to_even))
    end.args, added = (region.start,), list[str]()
    if bool((before[0] != 1).any() or (before[1] != 0).any()):
        affine = _affine(before, row, draft.program.input_dtype)
        end.args = (draft.insert_after(region.start, f"{end.name}_in", affine, [region.start]),)
        added.append(end.args[0].name)
    if bool((behind[0] != 1).any()):
        scaled = draft.insert_after(end, f"{end.name}_out", _affine(behind, row, draft.program.input_dtype), [end])
        for user in users:
            user.replace_input_with(end, scaled)
        added.append(scaled.name)
    return added


def _activation(maximum: float, levels: int | None, to_even: bool) -> nn.Module:
    if levels is not None:
        return QuantisedReLU(maximum, levels, to_even)
    return nn.ReLU() if maximum == float("inf") else ClippedReLU(maximum)


def _affine(constants: Sequence[Tensor], row: tuple[int, ...], dtype: torch.dtype) -> Affine:
    scale, shift = (one.reshape(row if len(one) > 1 else ()).to(dtype) for one in constants)
    return Affine(scale, shift)
