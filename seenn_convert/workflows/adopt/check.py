"""Compare an adopted network with the original: every spike or state, and what it returns at each timestep."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, fx, nn

from seenn_convert.analysis.frames import frames_of
from seenn_convert.errors import PostconditionError
from seenn_convert.frontend.spiking.source import Recording, SpikingSource
from seenn_convert.ir.interpreter import Inputs, Interpreter, relative_error
from seenn_convert.ir.operators import FirstSpikes
from seenn_convert.ir.program import Program
from seenn_convert.ir.state import initial_state
from seenn_convert.neurons.layers import Neuron
from seenn_convert.neurons.traced import TracedNeuron
from seenn_convert.passes.base import run_passes
from seenn_convert.passes.sequence import timed_passes
from seenn_convert.runtime.engine import Results, State, program_step, unroll

ROUNDING = 1e-5
"""A neuron may fire or not by rounding if it does so when its current and its state move by this share of the largest
of their layer: layers add in another order than the original, batch norm is folded, and a leak is one product."""

TOLERANCE = 1e-4
"""Largest relative difference of what the networks return, and of their states, if all spikes before are the same."""


@dataclass(frozen=True)
class Agreement:
    """How an adopted network agrees with the original.

    Attributes:
        images: Inputs that were compared,
        timesteps: for so many timesteps each.
        numbers: Outputs of neurons, or numbers of states, that were compared.
        by_state: Whether they are those of states.
        by_rounding: At how many places the networks differ since a neuron was at its threshold but for rounding. What
            this changes behind it is not compared.
        error: Largest relative difference of what the networks return, over the timesteps.
    """

    images: int
    timesteps: int
    numbers: int
    by_state: bool
    by_rounding: int
    error: float

    def words(self) -> str:
        """Return the agreement as a sentence without its full stop."""
        what = "numbers of its states" if self.by_state else "outputs of neurons"
        rounded = f", except {self.by_rounding:,} that rounding at a threshold changed" if self.by_rounding else ""
        return (
            f"all {self.numbers:,} {what} are those of the original on {self.images} images and {self.timesteps} "
            f"timesteps{rounded}"
        )


def check_agreement(source: SpikingSource, layers: Program, images: Tensor, timesteps: int) -> Agreement:
    """Return how a network agrees with the original on ``images`` ``(B, *input_shape)``.

    Args:
        source: The network as it was read.
        layers: Its first timestep after the passes of stage ANN.
        images: Inputs.
        timesteps: How long to run.

    Raises:
        PostconditionError: They differ; names the first layer or state, and the timestep.
    """
    frames = frames_of(layers)
    original = source.record(
        images.expand(timesteps, *images.shape)
        if frames is None
        else torch.stack([images[:, t % frames] for t in range(timesteps)])
    )
    ours = _Run(_in_time(layers), images, timesteps)
    if not source.by_state:
        near = {name: ours.near[name] for name in source.layers}
        return _compared(source, original, ours.currents, ours.spikes, near, 0.0)
    plain = _Run(_in_time(source.program), images, timesteps)
    owners = {
        part: node.name
        for node, module in layers.calls()
        if isinstance(module, FirstSpikes) and isinstance(module.neuron, TracedNeuron)
        for part in module.neuron.parts
    }
    in_order = sorted(source.layers, key=lambda name: list(owners).index(name) if name in owners else len(owners))
    states = {name: [state[f"{name}_before"] for state in plain.states] for name in in_order}
    never = torch.zeros(1, dtype=torch.bool)
    near = {name: ours.near[owners[name]] if name in owners else [never] * timesteps for name in in_order}
    return _compared(source, original, ours.currents, states, near, TOLERANCE)


def _in_time(layers: Program) -> Program:
    return run_passes(layers, timed_passes("mean"))


def _compared(
    source: SpikingSource, original: Recording, currents: Sequence[Tensor], ours: Mapping[str, Sequence[Tensor]],
    near: Mapping[str, Sequence[Tensor]], tolerance: float,
) -> Agreement:  # fmt: skip
    """Compare timestep by timestep; a row that rounding changed is left out from there on."""
    timesteps, rows = len(currents), len(currents[0])
    same, flips, numbers, error = torch.ones(rows, dtype=torch.bool), 0, 0, 0.0
    for t in range(timesteps):
        for name in near:
            path, theirs, found = source.layers[name], original.seen[name][t], ours[name][t]
            if theirs.shape != found.shape:
                sent, read = tuple(theirs.shape), tuple(found.shape)
                raise PostconditionError(f"{path} has shape {sent}, and was read to have {read}; report the network")
            alive = same.reshape(-1, *[1] * (found.dim() - 1))
            differs = ((theirs - found).abs() > tolerance * theirs.abs().max()) & alive
            wrong = differs & ~near[name][t]
            if bool(wrong.any()):
                raise PostconditionError(_difference(path, t, wrong, same))
            numbers, flips = numbers + found.numel(), flips + int(differs.sum())
            same &= ~differs.flatten(1).any(dim=1)
        if bool(same.any()):
            here = relative_error(currents[t][same], original.outputs[t][same])
            if not here <= TOLERANCE:
                raise PostconditionError(
                    f"at timestep {t + 1} the network returns other values than the original, by {here:.2g} relative, "
                    "though nothing before differs; report the network"
                )
            error = max(error, here)
    return Agreement(rows, timesteps, numbers, source.by_state, flips, error)


def _difference(path: str, t: int, wrong: Tensor, same: Tensor) -> str:
    rows = wrong.flatten(1)
    return (
        f"{path or 'the neurons'}: the first that is not as in the original: at timestep {t + 1}, "
        f"{int(rows.sum()):,} of {rows[same].numel():,} numbers differ, on "
        f"{int(rows.any(dim=1).sum())} of {int(same.sum())} images; nothing was adopted: check that the network gives "
        "the same when it runs twice, and report it"
    )


class _Run:
    """What a spiking program without an exit probe does with images, timestep by timestep.

    ``currents`` is what it returns, ``states`` what is behind it, ``spikes`` what its layers of neurons send, and
    ``near`` whether a neuron was so near its threshold that rounding decides.
    """

    def __init__(self, program: Program, images: Tensor, timesteps: int) -> None:
        self.currents: list[Tensor] = []
        self.states: list[State] = []
        self.spikes: dict[str, list[Tensor]] = defaultdict(list)
        self.near: dict[str, list[Tensor]] = defaultdict(list)
        assert program.stem is not None
        step = program_step(program, Interpreter(program.graph_module, self._call).run)
        with torch.no_grad():
            drives = program.stem(images.contiguous())
            unroll(step, drives, initial_state(program, len(images)), timesteps, [self._keep])

    def _keep(self, t: int, results: Results, state: State) -> None:
        self.currents.append(results[0])
        self.states.append(state)

    def _call(self, node: fx.Node, module: nn.Module, inputs: Inputs) -> object:
        result = module(*inputs)
        if isinstance(module, Neuron):
            most = ROUNDING * max(float(value.abs().max()) for value in inputs)
            above, below = (module(*(value + by for value in inputs))[0] for by in (most, -most))
            self.spikes[node.name].append(result[0])
            self.near[node.name].append((above != below) | (above != result[0]))
        return result
