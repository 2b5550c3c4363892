"""SpikingJelly on the same networks and images, where it is installed; it is needed for these rows alone."""

import copy
import operator
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from torch import Tensor, fx, nn

from seenn_convert.ir.interpreter import result_shapes
from seenn_convert.ir.operators.basic import Add, Mean, Pad, Reshape, Slice
from seenn_convert.ir.program import Program

RECIPES: dict[str, dict[str, Any]] = {
    "max": {"mode": "Max"},
    "percentile": {"mode": "99.9%", "channel_wise": True, "pre_spike_maxpool": True, "half_threshold": True},
    "balancing": {},
}
"""Its rate coding with the largest activation of a layer; the same with the 99.9th percentile of each channel, its max
pooling moved in front of the neuron and half a threshold to start from; its local threshold balancing."""


def version() -> str:
    """Return the version of the installed SpikingJelly."""
    from importlib.metadata import version

    return version("spikingjelly")


def spikingjelly(module: nn.Module, recipe: str, batches: Iterable[Tensor]) -> nn.Module:
    """Return what SpikingJelly makes of ``module`` with one of ``RECIPES``; raises what it raises.

    Raises:
        NoNeuron: It replaced nothing, and did not say so.
    """
    from spikingjelly.activation_based import ann2snn, neuron

    make: Callable[..., Any] = ann2snn.LocalThresholdBalancingRecipe if recipe == "balancing" else (
        ann2snn.RateCodingRecipe
    )  # fmt: skip
    converted: nn.Module = ann2snn.Converter(make(dataloader=list(batches), **RECIPES[recipe])).convert(module)
    if not any(isinstance(one, neuron.BaseNode) for one in converted.modules()):
        raise NoNeuron("converted without a single neuron in it")
    return converted


def plain(ann: Program) -> fx.GraphModule:
    """Return the network of PyTorch's own layers alone: what SpikingJelly accepts.

    Strided slices and padded channels, as in the shortcuts of a ResNet-20, become convolutions with fixed weights.

    Raises:
        NotImplementedError: An operator has no such form here.
    """
    graph_module = copy.deepcopy(ann.graph_module)
    shapes = result_shapes(graph_module, torch.zeros(1, *ann.input_shape))
    channels_of = {node: shapes[node.name][0] for node in graph_module.graph.nodes if shapes.get(node.name)}
    for node in list(graph_module.graph.nodes):
        if node.op != "call_module":
            continue
        module, channels = graph_module.get_submodule(node.target), channels_of[node.all_input_nodes[0]]
        if isinstance(module, Add):
            with graph_module.graph.inserting_before(node):
                total = graph_module.graph.call_function(operator.add, node.args)
            channels_of[total] = channels
            node.replace_all_uses_with(total)
            graph_module.graph.erase_node(node)
        elif not type(module).__module__.startswith("torch.nn"):
            setattr(graph_module, node.target, _layer(module, channels))
    graph_module.recompile()
    return graph_module


def _layer(module: nn.Module, channels: int) -> nn.Module:
    if isinstance(module, Slice) and module.dim in (2, 3) and module.start == 0:
        return _picking(channels, channels, (module.step, 1) if module.dim == 2 else (1, module.step), 0)
    if isinstance(module, Pad) and module.value == 0 and not any(module.amounts[:4]) and len(module.amounts) == 6:
        return _picking(channels, channels + sum(module.amounts[4:]), (1, 1), module.amounts[4])
    if isinstance(module, Mean) and tuple(module.dims) == (2, 3):
        return nn.AdaptiveAvgPool2d(1)
    if isinstance(module, Reshape) and len(module.shape) == 1:
        return nn.Flatten()
    raise NotImplementedError(f"{type(module).__name__} has no form in PyTorch's own layers here")


def _picking(channels: int, out_channels: int, stride: tuple[int, int], first: int) -> nn.Conv2d:
    """Return a convolution that hands its channels on, the first of them to channel ``first``."""
    layer = nn.Conv2d(channels, out_channels, 1, stride, bias=False).requires_grad_(False)
    layer.weight.zero_()
    layer.weight[first : first + channels, :, 0, 0] = torch.eye(channels)
    return layer


class NoNeuron(Exception):
    """A network came back without neurons."""


def mean_outputs(converted: nn.Module, image: Tensor, marks: Sequence[int]) -> list[Tensor]:
    """Return the mean output ``(B, K)`` after each number of timesteps in ``marks``, which rises."""
    from spikingjelly.activation_based import functional

    functional.reset_net(converted)
    total, found = 0.0, []
    for t in range(1, marks[-1] + 1):
        total = total + converted(image)
        if t in marks:
            found.append(total / t)
    return found
