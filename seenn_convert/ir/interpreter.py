"""Run a graph node by node and take part in it: the one interpreter of the package."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import torch
from torch import Tensor, fx, nn

R = TypeVar("R")

Inputs = tuple[Any, ...]
Call = Callable[[fx.Node, nn.Module, Inputs], Any]
"""Runs a module in place of ``module(*inputs)``: it may read or change the inputs, and read or replace the result."""

After = Callable[[fx.Node, Any], None]
"""Sees a node's result."""

STEADY, FAR_OFF, BESIDE = 1e-2, 1e3, 1e2
"""A logit that is masked changes by this share at most, is this large, and so many times as large as the others."""


class Interpreter(fx.Interpreter):
    """Runs a graph node by node; each value is dropped after its last use.

    Args:
        graph_module: What to run.
        call: Runs the modules; each is simply called where None.
        after: Sees the result of every node: of inputs, module calls, items and the output.
    """

    def __init__(self, graph_module: fx.GraphModule, call: Call | None = None, after: After | None = None) -> None:
        super().__init__(graph_module)
        self.call, self.after = call, after

    def run_node(self, n: fx.Node) -> Any:
        """Run one node."""
        if self.call is not None and n.op == "call_module":
            result = self.call(n, self.module.get_submodule(str(n.target)), self.fetch_args_kwargs_from_env(n)[0])
        else:
            result = super().run_node(n)
        if self.after is not None:
            self.after(n, result)
        return result


def read_results(
    graph_module: fx.GraphModule, inputs: Sequence[Tensor], read: Callable[[str, Tensor], R | None]
) -> dict[str, R]:
    """Run a graph without gradients and return node name -> what ``read`` gives for its name and result.

    Only results that are tensors are read, and what is None is left out.
    """
    found: dict[str, R] = {}

    def keep(node: fx.Node, result: Any) -> None:
        value = read(node.name, result) if isinstance(result, Tensor) else None
        if value is not None:
            found[node.name] = value

    with torch.no_grad():
        Interpreter(graph_module, after=keep).run(*inputs)
    return found


def result_shapes(graph_module: fx.GraphModule, *inputs: Tensor) -> dict[str, tuple[int, ...]]:
    """Return node name -> shape of its result without the batch, for every result that is a tensor."""
    return read_results(graph_module, inputs, lambda name, result: tuple(result.shape[1:]))


def relative_error(actual: Tensor, expected: Tensor) -> float:
    """Return the largest absolute difference, as a share of the largest expected magnitude.

    Columns that stand far off, such as classes masked by -1e9, are compared with their own magnitudes.
    """
    if actual.shape != expected.shape:
        return float("inf")
    return float(((actual - expected).abs() / magnitudes(expected).clamp(min=1e-12)).max().detach())


def magnitudes(rows: Tensor) -> Tensor:
    """Return what differences from ``rows`` ``(B, *F)`` are shares of: their largest magnitude.

    Where columns stand far off, it is one magnitude for each column ``(*F)``: that of the column for one far off, and
    the largest of the other columns for those. A column stands far off if it hardly changes between rows, and is large
    both as the exponent of a probability and beside all columns that do not stand so.
    """
    size = rows.abs()
    if rows.dim() < 2 or len(rows) < 2 or not rows.numel():
        return size.max()
    columns = size.amax(0)
    steady = (rows.amax(0) - rows.amin(0) <= STEADY * columns) & (columns >= FAR_OFF)
    far = steady & (columns >= BESIDE * columns.masked_fill(steady, 0).max())
    if not bool(far.any()) or bool(steady.all()):
        return columns.max()
    return torch.where(far, columns, columns.masked_fill(far, 0).max())


def device_of(module: nn.Module) -> torch.device:
    """Return the device of the module's first parameter or buffer, the CPU where it has none."""
    for tensor in [*module.parameters(), *module.buffers()]:
        return tensor.device
    return torch.device("cpu")
