"""What an answer costs: spikes, synaptic operations and energy, counted image by image and layer by layer."""

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, fx, nn

from seenn_convert.analysis.coverage import call_sites
from seenn_convert.analysis.spike_sources import is_weighted, reached
from seenn_convert.artifact.artifact import Artifact
from seenn_convert.artifact.schema.evaluation import Energy, OperationCounts, ThreeRuns, TwoRuns
from seenn_convert.choices import Reference
from seenn_convert.exits.readouts import Readouts, collect_readouts
from seenn_convert.ir.interpreter import device_of
from seenn_convert.ir.operators import Add, GradedReLU, Subtract, Treatment, treatment_of
from seenn_convert.ir.operators.step import ClippedDifference, MeanDifference, RectifiedDifference, TemporalDifference
from seenn_convert.ir.program import Program
from seenn_convert.measure.energy import ASSUMPTIONS, nanojoule
from seenn_convert.measure.instruments import CountingModel, Watch
from seenn_convert.neurons.layers import Neuron
from seenn_convert.runtime.engine import Results, State
from seenn_convert.runtime.spiking_model import SpikingModel

INPUT = "input"
"""Where the operations are booked that no neuron causes."""


@dataclass(frozen=True)
class Counts:
    """What a run of all timesteps did.

    Attributes:
        spikes: ``(T, N)`` spikes of either sign up to each timestep, image by image.
        accumulates: ``(T, N)`` synaptic operations up to each timestep, with the additions along skip connections.
        multiplies: ``(T, N)`` those of them that are multiply-accumulates, since graded values cause them.
        by_layer: Weight layer -> synaptic operations for one image, over all timesteps, on average.
    """

    spikes: Tensor
    accumulates: Tensor
    multiplies: Tensor
    by_layer: Mapping[str, float]


class Tally:
    """An observer that counts, image by image, what a run of all timesteps does; ``model`` is what to run."""

    def __init__(self, model: SpikingModel, watch: Watch | None = None) -> None:
        self.model, self.skips = CountingModel(model, watch), graded_additions(model.program)
        self.found: list[list[Tensor]] = [[] for _ in range(model.timesteps)]
        self.by_layer: dict[str, float] = defaultdict(float)

    def add(self, t: int, results: Results, state: State) -> None:
        """Count what the images of a batch did at timestep ``t``: spikes, operations, and multiplications of these."""
        count, operations = len(results[0]), self.model.operations
        spikes, summed = _layers(self.model.spikes, count), _layers(operations, count)
        graded = summed[[name in self.model.graded for name in operations]]
        self.found[t - 1].append(torch.stack([spikes.sum(0), summed.sum(0) + self.skips, graded.sum(0)]))
        for name, total in zip(operations, summed.sum(1).tolist(), strict=True):
            self.by_layer[name] += total

    def counts(self) -> Counts:
        """Return what all batches together did."""
        spikes, accumulates, multiplies = torch.stack([torch.cat(parts, dim=1) for parts in self.found], 1).cumsum(1)
        by_layer = {name: total / spikes.shape[1] for name, total in self.by_layer.items()}
        return Counts(spikes, accumulates, multiplies, by_layer)


def run_counted(
    model: SpikingModel, batches: Iterable[Tensor], progress: Callable[[int], None], keep_plan: bool = False
) -> tuple[Readouts, Counts]:
    """Run all timesteps, as ``collect_readouts`` does, and count spikes and accumulates up to each of them."""
    tally = Tally(model)
    readouts = collect_readouts(tally.model, batches, keep_plan=keep_plan, progress=progress, observers=(tally.add,))
    return readouts, tally.counts()


def graded_additions(snn: Program) -> int:
    """Return the additions of one timestep of one image by which graded values enter sums along skip connections."""
    modules = dict(snn.calls())
    skips = {f"{node.name}_sum" for node, module in modules.items() if _is_copy(module) and _is_added(node, modules)}
    sums = (spec for spec in snn.states if spec.name in skips or spec.name.removesuffix("_0") in skips)
    return sum(math.prod(spec.shape) for spec in sums) + _still_additions(snn)


def _is_copy(module: nn.Module) -> bool:
    """Return whether a module of the step sends the graded values of an activation."""
    return isinstance(module, (RectifiedDifference, ClippedDifference)) or (
        isinstance(module, (TemporalDifference, MeanDifference)) and isinstance(module.operator, GradedReLU)
    )


def _still_additions(snn: Program) -> int:
    """Return the additions of values that the stem computes to others: the same at every timestep, added at each."""
    states = {spec.name for spec in snn.states}
    inputs = (node for node in snn.graph_module.graph.nodes if node.op == "placeholder" and node.name not in states)
    added = [_is_added(node, dict(snn.calls())) for node in inputs]
    if snn.stem is None or not any(added):
        return 0
    image = torch.zeros(2, *snn.input_shape, dtype=snn.input_dtype, device=device_of(snn.graph_module))
    with torch.no_grad():
        return sum(drive[0].numel() for drive, counts in zip(snn.stem(image), added, strict=True) if counts)


def _is_added(value: fx.Node, modules: Mapping[fx.Node, nn.Module]) -> bool:
    """Return whether ``value`` enters a sum, with no weights and nothing but linear operators before it.

    Of a call that returns several values the first is meant; the others are its state.
    """
    open_nodes = [one for one in value.users if one.op != "call_function" or one.args[1] == 0]
    while open_nodes:
        node = open_nodes.pop()
        module = modules.get(node)
        if node.op == "call_function":
            open_nodes += node.users
        if isinstance(module, (Add, Subtract)):
            return True
        if module is not None and treatment_of(module) is Treatment.LINEAR and not is_weighted(module):
            open_nodes += node.users
    return False


def costs(
    ann: Program,
    counts: Counts,
    exit_step: Tensor,
    policy_macs: int = 0,
    reference: Reference = "ann",
    other: Program | None = None,
) -> tuple[OperationCounts, Energy]:
    """Return operations and energy per image.

    ``ann`` says what the layers are, and is the ANN that they are compared with unless there is an ``other``; if the
    ``reference`` is the full run, there is none. Images leave at ``exit_step`` ``(N,)``, 1-based; where early exit runs
    a policy head, once per image, it takes ``policy_macs`` multiply-accumulates.
    """
    sites = call_sites(ann)
    total = sum(s.macs for s in (sites if other is None else call_sites(other)))
    stem = sum(s.macs for s in sites if s.treatment == "stem")
    at_exit = (exit_step - 1).unsqueeze(0)

    def two_runs(values: Tensor) -> TwoRuns:
        return TwoRuns(all_timesteps=float(values[-1].mean()), early_exit=float(values.gather(0, at_exit).mean()))

    operations = OperationCounts(
        ann_macs=total,
        stem_macs=stem,
        policy_macs=policy_macs,
        synaptic_operations=two_runs(counts.accumulates),
        graded_operations=two_runs(counts.multiplies),
        spikes=two_runs(counts.spikes),
    )
    summed, graded = operations.synaptic_operations, operations.graded_operations
    energy = ThreeRuns(
        ann=nanojoule(total) if reference == "ann" else None,
        all_timesteps=nanojoule(stem + graded.all_timesteps, summed.all_timesteps - graded.all_timesteps),
        early_exit=nanojoule(stem + policy_macs + graded.early_exit, summed.early_exit - graded.early_exit),
    )
    return operations, Energy(assumptions=ASSUMPTIONS, nanojoule_per_image=energy)


def expected_energy(
    ann: Program, counts: Counts, exit_counts: Sequence[int], reference: Reference = "ann"
) -> ThreeRuns:
    """Return the energy per image in nJ if ``exit_counts`` images leave at each timestep, the first entry at 1.

    A few images tell what a timestep costs; many more tell when images leave. So both are averaged apart.
    """
    steps = torch.repeat_interleave(torch.arange(1, len(exit_counts) + 1), torch.tensor(exit_counts))

    def average(total: Tensor) -> Tensor:
        return total.mean(dim=1, keepdim=True).expand(-1, len(steps))

    alike = Counts(average(counts.spikes), average(counts.accumulates), average(counts.multiplies), counts.by_layer)
    return costs(ann, alike, steps, reference=reference)[1].nanojoule_per_image


def operation_shares(artifact: Artifact, counts: Counts) -> dict[str, float]:
    """Return neuron layer -> share of all synaptic operations that its spikes cause.

    A weight layer that several neuron layers feed is split between them evenly; what no neuron feeds is ``INPUT``.
    """
    total = max(sum(counts.by_layer.values()), 1e-12)
    caused: dict[str, float] = defaultdict(float)
    neurons = {node for node, module in artifact.snn.calls() if isinstance(module, Neuron)}
    for node in artifact.snn.graph_module.graph.nodes:
        if node.name in counts.by_layer:
            before = (found for one in node.all_input_nodes for found in reached(one, neurons.__contains__))
            sources = list(dict.fromkeys(found.name for found in before)) or [INPUT]
            for source in sources:
                caused[source] += counts.by_layer[node.name] / len(sources) / total
    return caused


def _layers(counts: Mapping[str, Tensor], count: int) -> Tensor:
    """Return the counts ``(L, B)`` of all layers for the first ``count`` rows."""
    if not counts:
        return torch.zeros(0, count, dtype=torch.float64)
    return torch.stack(list(counts.values()))[:, :count].cpu()
