"""Tune thresholds and weights so that the network in levels gives the ANN's own activations back."""

import copy
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, fx, nn

from seenn_convert.ir.interpreter import Inputs, Interpreter
from seenn_convert.ir.operators import ClippedReLU, Encode, QuantisedReLU
from seenn_convert.ir.program import Program
from seenn_convert.training.loop import Course, size

THRESHOLD_RATE, WEIGHT_RATE = 0.01, 0.003
"""Step sizes: of the logarithm of a threshold, and of a weight as a share of its tensor's root mean square."""

ACTIVATION_WEIGHT = 0.5
"""What the relative squared error of the activations counts against the divergence of the answers."""

WARM_UP = 20
"""Updates until the steps have their full size."""


@dataclass(frozen=True)
class Reconstruction:
    """What was tuned.

    Attributes:
        ann: The program with its weights tuned; the given one is untouched.
        v_thresholds: Activation -> threshold.
        losses: The loss of each update, as a share of the first one.
    """

    ann: Program
    v_thresholds: dict[str, Tensor]
    losses: tuple[float, ...]

    def up_to(self, share: float, ann: Program, v_thresholds: Mapping[str, Tensor]) -> "Reconstruction":
        """Return what lies at ``share`` of the way, in [0, 1], to here from what tuning started from.

        Weights in between often serve other images better than either end: most of the gain, little of the noise.

        Source: Wortsman et al. 2022 (interpolation of fine-tuned weights).
        """
        between = replace(self.ann, graph_module=copy.deepcopy(self.ann.graph_module))
        first = dict(ann.graph_module.named_parameters())
        with torch.no_grad():
            for name, weight in between.graph_module.named_parameters():
                weight.copy_(torch.lerp(first[name], weight, share))
            thresholds = {
                name: torch.lerp(v_thresholds[name].log(), value.log(), share).exp()
                for name, value in self.v_thresholds.items()
            }
        return Reconstruction(between, thresholds, self.losses)


def reconstruct(
    ann: Program,
    v_thresholds: Mapping[str, Tensor],
    batches: Iterable[Tensor],
    updates: int,
    levels: int,
) -> Reconstruction:
    """Tune thresholds and weights on unlabelled images by gradient steps.

    A neuron's mean output after t steps is close to its activation in t levels. So the ANN with its activations in the
    levels of the whole run stands in for it, at the cost of one step. Each update brings answers and activations closer
    to those of the ANN as it was; no label is read. An update without a finite gradient is left out. Levels of shorter
    runs taken in turn make the first answers better and the last ones worse than they were.

    Args:
        ann: In the form in which neurons will be inserted.
        v_thresholds: Activation -> threshold to start from.
        batches: Images ``(B, *input_shape)``, one batch an update.
        updates: How many batches there are; the steps fade out towards the last.
        levels: Levels of an activation: timesteps times what a spike resolves.

    Source: Li et al. 2021 (SNN calibration), Wei et al. 2022 (QDrop): reconstruction of quantised networks.
    """
    tuned = replace(ann, graph_module=copy.deepcopy(ann.graph_module))
    logs = {name: value.detach().log().requires_grad_() for name, value in v_thresholds.items()}
    groups = [{"params": list(logs.values()), "lr": THRESHOLD_RATE}]
    groups += [{"params": [one], "lr": WEIGHT_RATE * size(one)} for one in _weights(tuned)]
    course = Course(torch.optim.Adam(groups), updates, min(0.5, WARM_UP / max(updates, 1)))
    course.run(batches, lambda images: _loss(ann, tuned, logs, images, levels))
    for parameter in tuned.graph_module.parameters():
        parameter.requires_grad_(False)
    shares = tuple(loss / max(course.losses[0], 1e-12) for loss in course.losses)
    return Reconstruction(tuned, {name: value.detach().exp() for name, value in logs.items()}, shares)


def _loss(ann: Program, tuned: Program, logs: Mapping[str, Tensor], images: Tensor, levels: int) -> Tensor:
    with torch.no_grad():
        logits, wanted = _activations(ann, logs, images, None)
    answers = torch.softmax(logits, dim=-1)
    logits, found = _activations(tuned, logs, images, levels)
    divergence = nn.functional.kl_div(torch.log_softmax(logits, dim=-1), answers, reduction="batchmean")
    errors = [
        (found[name] - value).square().mean() / value.square().mean().clamp(min=1e-12) for name, value in wanted.items()
    ]
    return divergence + ACTIVATION_WEIGHT * torch.stack(errors).mean()


def _activations(
    program: Program, logs: Mapping[str, Tensor], images: Tensor, levels: int | None
) -> tuple[Tensor, dict[str, Tensor]]:
    """Return the logits of an ANN and its activations, in ``levels`` levels of their thresholds unless None."""
    found: dict[str, Tensor] = {}

    def call(node: fx.Node, module: nn.Module, inputs: Inputs) -> Any:
        result = module(*inputs)
        if node.name in logs:
            if levels is not None:
                if isinstance(module, QuantisedReLU):  # its own levels hand no gradient through
                    result = inputs[0].clamp(0, module.maximum)
                result = _in_levels(result, _row(logs[node.name].exp(), result), levels, module)
            found[node.name] = result
        return result

    return Interpreter(program.graph_module, call).run(images), found


def _in_levels(x: Tensor, v_threshold: Tensor, levels: int, activation: nn.Module) -> Tensor:
    """Return ``x`` rounded to levels of its threshold and clipped; rounding hands the gradient through."""
    if isinstance(activation, ClippedReLU):
        v_threshold = v_threshold.clamp(max=activation.maximum)
    scaled = x / v_threshold * levels
    rounded = scaled + (torch.floor(scaled + 0.5) - scaled).detach()
    least = -levels if isinstance(activation, Encode) else 0
    return rounded.clamp(least, levels) * (v_threshold / levels)


def _row(v_threshold: Tensor, like: Tensor) -> Tensor:
    return v_threshold.reshape(-1, *[1] * (like.dim() - 2)) if v_threshold.dim() else v_threshold


def _weights(program: Program) -> list[nn.Parameter]:
    """Return weights and biases of the convolutions and linear layers, each once."""
    found: dict[int, nn.Parameter] = {}
    for _, module in program.calls():
        if isinstance(module, (nn.modules.conv._ConvNd, nn.Linear)):
            found |= {id(parameter): parameter for parameter in module.parameters(recurse=False)}
    for parameter in found.values():
        parameter.requires_grad_()
    return list(found.values())
