"""Run a graph node by node and look at what each gives."""

import torch
from torch import Tensor, fx, nn


class ShapeRecorder(fx.Interpreter):
    """Runs a graph once and notes the shape of every tensor result, without the batch."""

    def __init__(self, graph_module: fx.GraphModule) -> None:
        super().__init__(graph_module)
        self.shapes: dict[str, tuple[int, ...]] = {}

    def run_node(self, n: fx.Node) -> object:
        """Run one node and note its shape."""
        result = super().run_node(n)
        if isinstance(result, Tensor):
            self.shapes[n.name] = tuple(result.shape[1:])
        return result


def device_of(module: nn.Module) -> torch.device:
    """Return the device of the module's first parameter or buffer, the CPU where it has none."""
    for tensor in [*module.parameters(), *module.buffers()]:
        return tensor.device
    return torch.device("cpu")
