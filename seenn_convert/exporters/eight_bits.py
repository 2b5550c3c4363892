"""Weights in 8 bits: whole numbers up to 127 times a scale for each output channel, in single precision exactly.

A scale has 17 significant bits, so a whole number of 7 bits times a scale is a number of single precision. A rounded
weight therefore says itself what its scale is, the largest number of its channel over 127, and is stored without loss.

A large layer that reads spikes is rounded after what a spike is worth is multiplied into its weights, so that integer
kernels can take spikes and weights as they are.
"""

import copy
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor, fx, nn

from seenn_convert.artifact.artifact import Artifact
from seenn_convert.ir.operators import PaddedLinear
from seenn_convert.neurons.layers import LAYERS, Neuron

LARGEST, SCALE_BITS = 127, 17
NEARLY = 0.05
"""Of a step, and of the last bit of a scale: what rounding to single precision may have moved a number by."""

LEAST_SCALE = 2.0**-100
"""Of channels whose weights are all 0, and of weights so small that whole numbers of them would be lost."""

TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d)
LEAST_INPUTS, LEAST_OUTPUTS, LEAST_WEIGHTS = 1152, 128, 2**16
"""From where on the integer kernels of onnxruntime pay: inputs and outputs of a convolution, weights of a product."""

WEIGHTED = (nn.Conv1d, nn.Conv2d, nn.Conv3d, *TRANSPOSED, nn.Linear, PaddedLinear)


@dataclass(frozen=True, kw_only=True)
class Rounding:
    """What weights in 8 bits did to a network.

    Attributes:
        weight_bits: Bits of a weight.
        exits: Whether temperatures and exit thresholds were ``fitted`` to the rounded network, or ``kept``.
        fitted_images: Images that the exits were fitted to.
        judged_images: Other images, on which the two networks were compared; 0 without images.
        answers_changed: How many of them have another answer.
        exits_changed: How many of them leave at another timestep.
        accuracy: Before and after on them, None without labels.
        average_timesteps: Before and after on them.
        notes: What a user should know.
    """

    weight_bits: int = 8
    exits: Literal["fitted", "kept"]
    fitted_images: int = 0
    judged_images: int = 0
    answers_changed: int | None = None
    exits_changed: int | None = None
    accuracy: tuple[float, float] | None = None
    average_timesteps: tuple[float, float] | None = None
    notes: tuple[str, ...] = ()


def rounded(artifact: Artifact) -> Artifact:
    """Return the network with the weights of its layers in 8 bits, and without its certificate, which is about another.

    Biases, thresholds and the policy head stay as they are.
    """
    snn = copy.deepcopy(artifact.snn)
    assert snn.stem is not None
    with torch.no_grad():
        for graph in (snn.stem, snn.graph_module):
            worths = _worths(graph)
            for name, module in graph.named_modules():
                if isinstance(module, WEIGHTED):
                    worth = worths.get(name, torch.ones(()))
                    weight = on_grid(module.weight.double() * worth, channel_axis(module))
                    module.weight.copy_((weight / worth).to(module.weight.dtype))
    return replace(artifact, snn=snn, certificate=None)


def _worths(graph: fx.GraphModule) -> dict[str, Tensor]:
    """Return layer that integer kernels shall run -> what the spikes it reads are worth, in double precision."""
    found: dict[str, Tensor] = {}
    targets = [str(node.target) for node in graph.graph.nodes if node.op == "call_module"]
    for node in graph.graph.nodes:
        if node.op != "call_module" or targets.count(str(node.target)) > 1:
            continue
        module, source = graph.get_submodule(str(node.target)), node.args[0]
        if not isinstance(source, fx.Node) or not source.args or source.op != "call_function" or source.args[1] != 0:
            continue
        neurons = source.args[0]
        assert isinstance(neurons, fx.Node)
        layer = graph.get_submodule(str(neurons.target))
        if isinstance(layer, LAYERS) and _sends_8_bits(layer) and _pays(module):
            worth = worth_of_inputs(module, layer.spike)
            if worth is not None:
                found[str(node.target)] = worth
    return found


def _sends_8_bits(layer: Neuron) -> bool:
    return layer.alphabet is not None and max(layer.alphabet) <= LARGEST


def _pays(module: nn.Module) -> bool:
    if isinstance(module, nn.Conv2d):
        inputs = module.weight[0].numel()
        return module.groups == 1 and inputs >= LEAST_INPUTS and module.out_channels >= LEAST_OUTPUTS
    return type(module) is nn.Linear and module.weight.numel() >= LEAST_WEIGHTS


def worth_of_inputs(module: nn.Module, spike: Tensor) -> Tensor | None:
    """Return what a spike is worth to each weight, in double precision; None if that is not one number per input."""
    weight = module.weight
    axis = 0 if isinstance(module, nn.Conv2d) else -1  # of a row, which is its inputs
    if not isinstance(weight, Tensor) or spike.numel() not in (1, weight.shape[1]):
        return None
    if spike.numel() > 1 and spike.shape[axis] != spike.numel():
        return None
    return spike.detach().double().reshape(1, -1, *[1] * (weight.dim() - 2))


def nearly_whole(module: nn.Module, worth: Tensor) -> tuple[Tensor, Tensor] | None:
    """Return int8 numbers and scales whose product is weight times ``worth`` up to rounding; None if there are none."""
    weight = module.weight
    if not isinstance(weight, Tensor) or not _pays(module):
        return None
    weight = weight.detach().double() * worth
    scale = (_largest(weight, 0) / LARGEST).clamp(min=LEAST_SCALE)
    numbers = (weight / scale).round()
    near = bool(((weight / scale - numbers).abs() < NEARLY).all()) and bool((numbers.abs() <= LARGEST).all())
    return (numbers.to(torch.int8), scale.float()) if near else None


def channel_axis(module: nn.Module) -> int:
    """Return the axis of a layer's weights that is its output channels."""
    return 1 if isinstance(module, TRANSPOSED) else 0


def on_grid(weight: Tensor, axis: int) -> Tensor:
    """Return weights rounded to whole numbers times a scale for each channel along ``axis``; rounding twice is once."""
    scale = _scale(weight, axis)
    return ((weight.double() / scale).round() * scale).to(weight.dtype)


def whole_numbers(weight: Tensor, axis: int) -> tuple[Tensor, Tensor] | None:
    """Return int8 numbers and scales, broadcastable, whose product is ``weight`` to the bit; None if there are none."""
    scale = (_largest(weight, axis) / LARGEST).float()
    scale = torch.where(scale == 0, 1.0, scale)
    whole = (weight.double() / scale.double()).round()
    exact = bool((whole.abs() <= LARGEST).all()) and torch.equal(whole.float() * scale, weight)
    return (whole.to(torch.int8), scale) if exact else None


def _scale(weight: Tensor, axis: int) -> Tensor:
    """Return scales in double precision, rounded up to ``SCALE_BITS`` significant bits."""
    mantissa, exponent = torch.frexp(_largest(weight, axis) / LARGEST)
    scale = torch.ldexp((mantissa * 2**SCALE_BITS - NEARLY).ceil() / 2**SCALE_BITS, exponent)
    return scale.clamp(min=LEAST_SCALE)


def _largest(weight: Tensor, axis: int) -> Tensor:
    """Return the largest absolute weight of each channel in double precision, broadcastable to the weights."""
    others = [place for place in range(weight.dim()) if place != axis]
    return weight.detach().double().abs().amax(dim=others, keepdim=True)
