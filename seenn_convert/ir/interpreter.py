"""Run a graph node by node and take part in it: the one interpreter of the package."""

from collections.abc import Callable, Container
from typing import Any

import torch
from torch import Tensor, fx, nn

Inputs = tuple[Any, ...]
Call = Callable[[fx.Node, nn.Module, Inputs], Any]
"""Runs a module in place of ``module(*inputs)``: it may read or change the inputs, and read or replace the result."""

After = Callable[[fx.Node, Any], None]
"""Sees a node's result."""


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


def tensor_results(
    graph_module: fx.GraphModule, *inputs: Tensor, only: Container[str] | None = None
) -> dict[str, Tensor]:
    """Return node name -> result of one run, for every result that is a tensor and of a node named in ``only``."""
    found: dict[str, Tensor] = {}

    def keep(node: fx.Node, result: Any) -> None:
        if isinstance(result, Tensor) and (only is None or node.name in only):
            found[node.name] = result

    Interpreter(graph_module, after=keep).run(*inputs)
    return found


def result_shapes(graph_module: fx.GraphModule, *inputs: Tensor) -> dict[str, tuple[int, ...]]:
    """Return node name -> shape of its result without the batch, for every result that is a tensor."""
    found: dict[str, tuple[int, ...]] = {}

    def measure(node: fx.Node, result: Any) -> None:
        if isinstance(result, Tensor):
            found[node.name] = tuple(result.shape[1:])

    with torch.no_grad():
        Interpreter(graph_module, after=measure).run(*inputs)
    return found


def device_of(module: nn.Module) -> torch.device:
    """Return the device of the module's first parameter or buffer, the CPU where it has none."""
    for tensor in [*module.parameters(), *module.buffers()]:
        return tensor.device
    return torch.device("cpu")
