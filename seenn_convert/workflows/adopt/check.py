"""Compare an adopted network with the original: every spike of every layer, and what it returns at each timestep."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, fx, nn

from seenn_convert.errors import PostconditionError
from seenn_convert.frontend.spiking.source import Recording
from seenn_convert.ir.interpreter import Inputs, Interpreter, relative_error
from seenn_convert.ir.program import Program
from seenn_convert.ir.state import initial_state
from seenn_convert.neurons.leaky import LeakyNeuron
from seenn_convert.runtime.engine import Results, State, program_step, unroll

ROUNDING = 1e-5
"""A membrane this close to its threshold, as a share of the largest membrane of its layer, may fire or not by rounding:
layers add in another order than the original, batch norm is folded, and a leak is one multiplication."""

TOLERANCE = 1e-4
"""Largest relative difference of what the networks return at a timestep, where all spikes before it are the same."""


@dataclass(frozen=True)
class Agreement:
    """How an adopted network agrees with the original.

    Attributes:
        images: Inputs that were compared,
        timesteps: for so many timesteps each.
        spikes: Places and timesteps at which a neuron may have fired.
        by_rounding: At how many of them it did in one network alone, since its membrane was at the threshold but for
            rounding. What this changes behind it is not compared.
        error: Largest relative difference of what the networks return, over the timesteps.
    """

    images: int
    timesteps: int
    spikes: int
    by_rounding: int
    error: float

    def words(self) -> str:
        """Return the agreement as a sentence without its full stop."""
        rounded = ""
        if self.by_rounding:
            rounded = f", except {self.by_rounding:,} that fire or not by rounding, at the threshold"
        return (
            f"all {self.spikes:,} outputs of neurons are those of the original on {self.images} images and "
            f"{self.timesteps} timesteps{rounded}"
        )


def check_agreement(program: Program, original: Recording, images: Tensor, layers: Mapping[str, str]) -> Agreement:
    """Return how a spiking program whose result is its current agrees with the original.

    Args:
        program: With its stem, without exit probe; its readout is the mean.
        original: What the original did with the ``images`` ``(B, *input_shape)``.
        images: Inputs.
        layers: Node of a layer of neurons -> its path in the original, for messages.

    Raises:
        PostconditionError: They differ; names the first layer and timestep.
    """
    timesteps, ours = len(original.outputs), _Run(program)
    same, flips, spikes, error = torch.ones(len(images), dtype=torch.bool), 0, 0, 0.0
    currents = ours.outputs(images, timesteps)
    for t in range(timesteps):
        for name, path in layers.items():
            theirs, found, near = original.seen[name][t], ours.spikes[name][t], ours.near[name][t]
            if theirs.shape != found.shape:
                raise PostconditionError(
                    f"{path} sends {tuple(theirs.shape)}, and was read to send {tuple(found.shape)}"
                )
            differs = (theirs != found) & same.reshape(-1, *[1] * (found.dim() - 1))
            if bool((differs & ~near).any()):
                raise PostconditionError(_difference(path, t, differs & ~near, same))
            spikes, flips = spikes + found.numel(), flips + int(differs.sum())
            same &= ~differs.flatten(1).any(dim=1)
        if bool(same.any()):
            found_error = relative_error(currents[t][same], original.outputs[t][same])
            if not found_error <= TOLERANCE:
                raise PostconditionError(
                    f"at timestep {t + 1} the network returns other values than the original, by {found_error:.2g} "
                    "relative, though all spikes are the same; report the network"
                )
            error = max(error, found_error)
    return Agreement(len(images), timesteps, spikes, flips, error)


def _difference(path: str, t: int, differs: Tensor, same: Tensor) -> str:
    rows = differs.flatten(1)
    return (
        f"{path or 'the neurons'} is the first layer that does not fire as the original does: at timestep {t + 1}, "
        f"{int(rows.sum()):,} of {rows[same].numel():,} neurons differ, on {int(rows.any(dim=1).sum())} of "
        f"{int(same.sum())} images; nothing was adopted: report the layer and its options, or write the network as a "
        "module with explicit state"
    )


class _Run:
    """A run of a program that keeps, for every layer of neurons, its spikes and whether it was near its threshold."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.spikes: dict[str, list[Tensor]] = defaultdict(list)
        self.near: dict[str, list[Tensor]] = defaultdict(list)

    def outputs(self, images: Tensor, timesteps: int) -> list[Tensor]:
        """Run ``images`` and return what the step returns at each timestep, ``(B, K)``."""
        found: list[Tensor] = []

        def keep(t: int, results: Results, state: State) -> None:
            found.append(results[0])

        step = program_step(self.program, Interpreter(self.program.graph_module, self._call).run)
        assert self.program.stem is not None
        with torch.no_grad():
            drives = self.program.stem(images.contiguous())
            unroll(step, drives, initial_state(self.program, len(images)), timesteps, [keep])
        return found

    def _call(self, node: fx.Node, module: nn.Module, inputs: Inputs) -> object:
        result = module(*inputs)
        if isinstance(module, LeakyNeuron):
            charged = module.charged(*inputs)
            self.spikes[node.name].append(result[0])
            self.near[node.name].append((charged - module.v_threshold).abs() <= ROUNDING * charged.abs().max())
        return result
