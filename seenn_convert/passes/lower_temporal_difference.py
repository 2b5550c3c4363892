"""Lower operators that are neither linear nor spiking, so that their mean output is exact at every timestep."""

import math
from collections.abc import Collection

from torch import fx, nn

from seenn_convert.analysis.time_invariance import time_varying
from seenn_convert.ir.editor import Draft
from seenn_convert.ir.operators import Graded, GradedReLU, Treatment, clip_of, is_homogeneous, treatment_of
from seenn_convert.ir.operators.step import (
    ClippedDifference,
    ExitProbe,
    FrameAt,
    MeanDifference,
    RectifiedDifference,
    TemporalDifference,
    Tick,
    TimestepBias,
)
from seenn_convert.ir.program import Stage
from seenn_convert.neurons.layers import Neuron
from seenn_convert.passes.base import Pass

OF_THE_STEP = (
    Neuron, TemporalDifference, RectifiedDifference, ClippedDifference, MeanDifference, ExitProbe, Tick, TimestepBias,
    FrameAt,
)  # fmt: skip


class LowerTemporalDifference(Pass):
    """Replace every operator that is neither linear nor spiking by its temporal difference.

    Homogeneous, as max pooling, with ``S`` the running sum of its input:
    Before: ``x -> f -> y``     After: ``(x, S, F) -> difference -> (f(S + x) - F, S + x, f(S + x))``
    A graded ReLU needs no F: ``y = relu(S + x) - relu(S)``; a clipped one is clipped at its maximum times t.
    Any other, of one or more inputs, at timestep t: ``y = t * f(S / t) - F``, with ``F`` the value of a step before.
    Declines where no input changes in time: there f itself is right, and the stem takes it.

    Args:
        shapes: Node name -> shape of its result without the batch, from the program before the neurons.
        varying: Names of the inputs that differ between timesteps.
    """

    accepts = yields = Stage.SNN

    def __init__(self, shapes: dict[str, tuple[int, ...]], varying: Collection[str] = ()) -> None:
        self.shapes, self.varying = shapes, tuple(varying)

    def rewrite(self, draft: Draft) -> None:
        """Wrap each operator whose input varies in time."""
        varying = time_varying(draft.graph_module, self.varying)
        for node, module in draft.modules_of():
            if isinstance(module, OF_THE_STEP) or treatment_of(module) is not Treatment.TEMPORAL_DIFFERENCE:
                continue
            if node not in varying:
                draft.decline(node, "its input is the same at every timestep")
            elif (maximum := _graded_clip(module)) is not None:
                self._lower_rectifier(draft, node, maximum)
            elif is_homogeneous(module):
                self._lower_homogeneous(draft, node, module)
            else:
                self._lower(draft, node, module, varying)

    def _lower_homogeneous(self, draft: Draft, node: fx.Node, module: nn.Module) -> None:
        """Let ``node`` emit the change of ``module`` of its running sum."""
        name, source = node.name, draft.source_of(node)
        draft.replace_module(node, TemporalDifference(module))
        state = [
            draft.add_state(f"{name}_sum", self._shape(source)),
            draft.add_state(f"{name}_previous", self.shapes[name]),
        ]
        node.args = (source, *state)
        draft.carry_on(node, [f"{name}_out", f"{name}_sum_next", f"{name}_value"], state)

    def _lower_rectifier(self, draft: Draft, node: fx.Node, maximum: float) -> None:
        """Let ``node`` emit the change of a ReLU, clipped at ``maximum``; its last value is not worth a state."""
        name, source, clipped = node.name, draft.source_of(node), maximum < math.inf
        draft.replace_module(node, ClippedDifference(maximum) if clipped else RectifiedDifference())
        clock = [draft.clock()] if clipped else []
        running_sum = draft.add_state(f"{name}_sum", self._shape(source))
        node.args = (source, *clock, running_sum)
        draft.carry_on(node, [f"{name}_out", f"{name}_sum_next"], [running_sum])

    def _lower(self, draft: Draft, node: fx.Node, module: nn.Module, varying: set[fx.Node]) -> None:
        name = node.name
        sources: list[fx.Node] = list(node.args)  # type: ignore[arg-type]
        changing = tuple(_origin(source) in varying for source in sources)
        draft.replace_module(node, MeanDifference(module, changing))
        clock, previous = draft.clock(), draft.add_state(f"{name}_previous", self.shapes[name])
        sums = [
            draft.add_state(f"{name}_sum_{index}", self._shape(source))
            for index, (source, changes) in enumerate(zip(sources, changing, strict=True))
            if changes
        ]
        node.args = (clock, previous, *sources, *sums)
        items = [f"{name}_out", f"{name}_value", *(f"{running_sum.name}_next" for running_sum in sums)]
        draft.carry_on(node, items, [previous, *sums])

    def _shape(self, node: fx.Node) -> tuple[int, ...]:
        return self.shapes[_origin(node).name]


def _graded_clip(module: nn.Module) -> float | None:
    """Return where a graded ReLU is clipped, infinity if it is not; None for anything else."""
    if isinstance(module, GradedReLU):
        return module.maximum
    return clip_of(module.operator) if isinstance(module, Graded) else None


def _origin(node: fx.Node) -> fx.Node:
    """Return the call that made a value: an item belongs to the call it is taken from."""
    return node.all_input_nodes[0] if node.op == "call_function" else node
