"""A spiking network as a module that can be trained: the step of a program, and what is learned in it."""

import copy
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.utils.checkpoint import checkpoint

from seenn_convert.ir.interpreter import Inputs, Interpreter
from seenn_convert.ir.operators import Latest
from seenn_convert.ir.operators.step import ClippedDifference, RectifiedDifference, TimestepBias
from seenn_convert.ir.operators.treatment import CONVOLUTIONS
from seenn_convert.ir.program import Program
from seenn_convert.neurons.layers import Neuron
from seenn_convert.neurons.leaky import LeakyNeuron
from seenn_convert.rows import per_row
from seenn_convert.runtime.engine import Drives, Results, State, program_step, unroll
from seenn_convert.training.leaky import TrainedLeaky
from seenn_convert.training.spike_cost import SpikeCost
from seenn_convert.training.surrogate import TrainedNeuron


class TrainedBias(nn.Module):
    """A bias for each timestep that is learned, ``(T, *broadcastable to F)``."""

    def __init__(self, operator: TimestepBias) -> None:
        super().__init__()
        self.bias = nn.Parameter(operator.bias.clone())

    def forward(self, current: Tensor, clock: Tensor) -> Tensor:
        """Return the corrected current ``(B, *F)``."""
        return current + self.bias[clock.long().clamp(max=self.bias.shape[0] - 1)]

    def settled(self) -> TimestepBias:
        """Return the operator with what was learned."""
        return TimestepBias(self.bias.detach())


class _RectifiedDifference(nn.Module):
    """As ``RectifiedDifference``, without writing into what the gradient needs."""

    def forward(self, current: Tensor, running_sum: Tensor) -> tuple[Tensor, Tensor]:
        following = current + running_sum
        return following.relu() - running_sum.relu(), following


class _ClippedDifference(nn.Module):
    """As ``ClippedDifference``, without writing into what the gradient needs."""

    def __init__(self, maximum: float) -> None:
        super().__init__()
        self.maximum = maximum

    def forward(self, current: Tensor, clock: Tensor, running_sum: Tensor) -> tuple[Tensor, Tensor]:
        following = current + running_sum
        before, most = (per_row(steps * self.maximum, current) for steps in (clock, clock + 1))
        return torch.minimum(following, most).relu() - torch.minimum(running_sum, before).relu(), following


class Unrolled(nn.Module):
    """A spiking program whose weights, thresholds, initial potentials and timestep biases are parameters.

    Forwards it computes what the program computes, to the bit. What it learns goes back into a program by ``settled``.

    Args:
        program: Of stage SNN, with stem and exit probe; it is not changed.
        cost: What its spikes cost; None where that is of no interest.
    """

    def __init__(self, program: Program, cost: SpikeCost | None = None) -> None:
        super().__init__()
        self.cost = cost
        bare = replace(program, policy_head=None)
        self.program = replace(bare, graph_module=copy.deepcopy(bare.graph_module), stem=copy.deepcopy(bare.stem))
        self.step_graph, self.stem = self.program.graph_module, self.program.stem
        assert self.stem is not None
        for node, module in list(self.program.calls()):
            trained = _trained(module)
            if trained is not None:
                self.step_graph.set_submodule(str(node.target), trained)
        for layer in self.layers():
            layer.requires_grad_()

    @property
    def reads_latest(self) -> bool:
        """Whether its readout is the latest value instead of the mean over the timesteps."""
        return any(isinstance(module, Latest) for _, module in self.program.calls())

    def layers(self) -> Iterator[nn.Module]:
        """Yield convolutions and linear layers of stem and step, each once."""
        for module in self.modules():
            if isinstance(module, (*CONVOLUTIONS, nn.Linear)):
                yield module

    def neurons(self) -> dict[str, TrainedNeuron]:
        """Return the layers of neurons by the name of their node."""
        return {node.name: module for node, module in self.program.calls() if isinstance(module, TrainedNeuron)}

    def biases(self) -> dict[str, TrainedBias]:
        """Return the timestep biases by the name of the layer of neurons that reads them."""
        found: dict[str, TrainedBias] = {}
        for node, module in self.program.calls():
            if isinstance(module, TrainedBias):
                found |= {user.name: module for user in node.users}
        return found

    def start(self, rows: int) -> State:
        """Return the state before the first timestep, ``(B, *shape)`` each, with gradients where it is learned."""
        zero = next(self.step_graph.buffers()).new_zeros(())
        neurons = {f"{node.target}.v_initial": module for node, module in self.program.calls()
                   if isinstance(module, TrainedNeuron)}  # fmt: skip
        state = {}
        for spec in self.program.states:
            value = zero if spec.initial is None else neurons[spec.initial].v_initial
            state[spec.name] = value.expand(rows, *spec.shape)
        return state

    def forward(self, image: Tensor, timesteps: int, recompute: bool = False) -> tuple[Tensor, Tensor]:
        """Return what a run over ``image`` ``(B, *input_shape)`` shows.

        With ``recompute`` the activations of a timestep are computed again backwards, so memory holds one timestep.

        Returns:
            The mean logits of each prefix ``(T, B, K)``, and what the spikes of each timestep cost, as a share
            ``(T, B)`` of the most they can; 0 if their cost is not known.
        """
        assert self.stem is not None
        means: list[Tensor] = []
        spent: list[Tensor] = []

        def observe(t: int, results: Results, state: State) -> None:
            means.append(results[0])
            spent.append(results[2] if len(results) > 2 else results[1].new_zeros(len(results[1])))

        step = program_step(self.program) if self.cost is None else self._counted
        if recompute:
            plain = step

            def step(drives, state):  # type: ignore[no-untyped-def]
                return checkpoint(plain, drives, state, use_reentrant=False)

        unroll(step, self.stem(image), self.start(len(image)), timesteps, [observe])
        return torch.stack(means), torch.stack(spent)

    def _counted(self, drives: Drives, state: State) -> tuple[*Results, State]:
        """Make a timestep, with what its spikes cost as one more result."""
        assert self.cost is not None
        cost, spent = self.cost, []

        def call(node: fx.Node, module: nn.Module, inputs: Inputs) -> Any:
            result = module(*inputs)
            if isinstance(module, TrainedNeuron):
                spent.append(cost.share(node.name, result[0], module.spike))
            return result

        outputs: tuple[Any, ...] = program_step(self.program, Interpreter(self.step_graph, call).run)(drives, state)
        return *outputs[:-1], torch.stack(spent).sum(dim=0), outputs[-1]

    def rates(self, image: Tensor, timesteps: int) -> Tensor:
        """Return logits ``(B, K)`` of ``image`` ``(B, *input_shape)``, each activation in the levels of T timesteps.

        That is the ANN with its activations quantised, for the price of one timestep: what the network would answer
        after T timesteps if spikes came evenly. A temporal difference is its operator in the first timestep.
        """
        assert self.stem is not None

        def call(node: fx.Node, module: nn.Module, inputs: Inputs) -> Any:
            if isinstance(module, TrainedNeuron):
                return module.rate(inputs[0], timesteps), *inputs[1 + module.neuron.reads_clock :]
            if isinstance(module, TrainedBias):
                return inputs[0] + module.bias[:timesteps].mean(dim=0)
            return module(*inputs)

        step = program_step(self.program, Interpreter(self.step_graph, call).run)
        outputs: tuple[Any, ...] = step(self.stem(image), self.start(len(image)))
        logits: Tensor = outputs[0]
        return logits

    def settled(self) -> Program:
        """Return a program with what was learned."""
        program = copy.deepcopy(self.program)
        for node, module in list(program.calls()):
            if isinstance(module, (TrainedNeuron, TrainedBias)):
                program.graph_module.set_submodule(str(node.target), module.settled())
            elif isinstance(module, _RectifiedDifference):
                program.graph_module.set_submodule(str(node.target), RectifiedDifference())
            elif isinstance(module, _ClippedDifference):
                program.graph_module.set_submodule(str(node.target), ClippedDifference(module.maximum))
        for graph in (program.graph_module, program.stem):
            assert graph is not None
            graph.requires_grad_(False)
        return program


def _trained(module: nn.Module) -> nn.Module | None:
    """Return what takes the place of a module in training, None where it may stay."""
    if isinstance(module, LeakyNeuron):
        return TrainedLeaky(module)
    if isinstance(module, Neuron):
        return TrainedNeuron(module)
    if isinstance(module, TimestepBias):
        return TrainedBias(module)
    if isinstance(module, RectifiedDifference):
        return _RectifiedDifference()
    if isinstance(module, ClippedDifference):
        return _ClippedDifference(module.maximum)
    return None
