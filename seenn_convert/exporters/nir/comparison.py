"""Compare what a file computes with the network it was made from: every spike and every output of whole runs."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, fx

from seenn_convert.artifact.artifact import Artifact
from seenn_convert.errors import ExportError
from seenn_convert.exporters.exporter import Verification
from seenn_convert.exporters.nir.folding import file_name
from seenn_convert.exporters.nir.interpreter import Sent
from seenn_convert.exporters.verification import EDGE, TOGETHER, TOLERANCE, row_errors
from seenn_convert.ir.interpreter import Interpreter
from seenn_convert.neurons.layers import Neuron
from seenn_convert.runtime.engine import program_step
from seenn_convert.runtime.policies import Readout
from seenn_convert.runtime.spiking_model import SpikingModel

Run = Callable[[Tensor, int], Iterator[Sent]]
"""Runs images for so many timesteps; yields what each one sends."""


@dataclass(frozen=True)
class Seen:
    """What a timestep of the network shows.

    Attributes:
        logits: Mean logits ``(B, K)``.
        score: Exit score ``(B,)``.
        spikes: Layer of neurons, as the file calls it -> where it fired.
        held: The same -> membrane potential behind the reset, in thresholds.
    """

    logits: Tensor
    score: Tensor
    spikes: dict[str, Tensor]
    held: dict[str, Tensor]


def own_run(model: SpikingModel, images: Tensor) -> Iterator[Seen]:
    """Yield what each timestep of the network shows, without early exit."""
    spikes: dict[str, Tensor] = {}
    held: dict[str, Tensor] = {}

    def keep(node: fx.Node, result: object) -> None:
        module = model.step_graph.get_submodule(str(node.target)) if node.op == "call_module" else None
        if isinstance(module, Neuron) and isinstance(result, tuple):
            spikes[file_name(node.name)] = result[0] != 0
            held[file_name(node.name)] = result[1] / module.v_threshold

    step = program_step(model.program, Interpreter(model.step_graph, after=keep).run)
    drives, state = model.drive(images), model.initial_state(len(images))
    for _ in range(model.timesteps):
        *shown, state = step(drives, state)
        logits, score = shown
        yield Seen(logits, score, dict(spikes), dict(held))


@dataclass
class _Count:
    """What was counted over batches of images."""

    images: int = 0
    error: float = 0.0
    flipped: int = 0
    spikes: int = 0
    spikes_differ: int = 0
    answers_differ: int = 0
    exits_differ: int = 0


def compared_runs(artifact: Artifact, theirs: Run, images: Tensor, runtime: str) -> Verification:
    """Return how a file compares with the network on preprocessed images ``(N, *input_shape)``.

    Raises:
        ExportError: Something differs by more than rounding explains; says where first.
    """
    count, model = _Count(), artifact.model()
    with torch.no_grad():
        for first in range(0, len(images), TOGETHER):
            _compare(model, theirs, images[first : first + TOGETHER], count)
    return Verification(
        runtime=runtime,
        images=count.images,
        made_up=False,
        largest_error=count.error,
        flipped_rows=count.flipped,
        compared_rows=count.images,
        answers_differ=count.answers_differ,
        exits_differ=count.exits_differ,
        spikes=count.spikes,
        spikes_differ=count.spikes_differ,
    )


def _compare(model: SpikingModel, theirs: Run, images: Tensor, count: _Count) -> None:
    flipped = torch.zeros(len(images), dtype=torch.bool)
    exits = _Exits(model, len(images)), _Exits(model, len(images))
    sums = _Sums(model, len(images))
    for t, (seen, sent) in enumerate(zip(own_run(model, images), theirs(images, model.timesteps), strict=True), 1):
        differs = {name: _apart(name, fired, sent) for name, fired in seen.spikes.items()}
        flipped |= _newly_flipped(differs, seen, flipped, t)
        count.spikes += sum(int(fired.sum()) for fired in seen.spikes.values())
        count.spikes_differ += sum(int(apart.sum()) for apart in differs.values())
        logits, score = sums.add(sent.output)
        errors = row_errors(seen.logits, logits)[~flipped]
        if errors.numel() and float(errors.max()) > TOLERANCE:
            raise ExportError(
                f"the logits of the export differ by {float(errors.max()):.2g} of the largest value at timestep {t}, "
                "and no spike does; please report it, and use --no-verify to have the files"
            )
        count.error = max(count.error, float(errors.max()) if errors.numel() else 0.0)
        for one, shown in zip(exits, (Readout(seen.logits, seen.score), Readout(logits, score)), strict=True):
            one.see(shown, t)
    count.images += len(images)
    count.flipped += int(flipped.sum())
    count.exits_differ += int((exits[0].step != exits[1].step).sum())
    count.answers_differ += int((exits[0].answer != exits[1].answer).sum())


class _Sums:
    """The exit probe of the network, fed with the outputs of a file."""

    def __init__(self, model: SpikingModel, rows: int) -> None:
        self.probe = model.probe
        names = ("readout", "clock", "run_length")
        self.state = {name: value for name, value in model.initial_state(rows).items() if name in names}

    def add(self, output: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean logits and score with the output of one more timestep."""
        state = self.state
        current = output.reshape(state["readout"].shape)
        logits, score, *following = self.probe(current, state["readout"], state["clock"], state.get("run_length"))
        self.state = dict(zip(self.probe.state_names, following, strict=True)) | {"clock": state["clock"] + 1}
        return logits, score


class _Exits:
    """When each row leaves, and with which answer, if the exit policy looks at all timesteps."""

    def __init__(self, model: SpikingModel, rows: int) -> None:
        self.model, self.index = model, torch.arange(rows)
        self.step = torch.zeros(rows, dtype=torch.long)
        self.answer = torch.zeros(rows, dtype=torch.long)

    def see(self, shown: Readout, t: int) -> None:
        """Look at a timestep."""
        leaves = self.model.policy.exits(shown, torch.full_like(self.step, t), self.index)
        leaves = (leaves | (t == self.model.timesteps)) & (self.step == 0)
        self.step = torch.where(leaves, t, self.step)
        self.answer = torch.where(leaves, shown.logits.argmax(-1), self.answer)


def _apart(layer: str, fired: Tensor, sent: Sent) -> Tensor:
    """Return where the spikes of a layer differ."""
    if layer not in sent.spikes:
        raise ExportError(f"the export has no layer of neurons {layer}; please report it")
    return fired != sent.spikes[layer].reshape(fired.shape)


def _newly_flipped(differs: dict[str, Tensor], seen: Seen, before: Tensor, t: int) -> Tensor:
    """Return the rows ``(B,)`` in which a spike differs for the first time; a neuron on the edge of firing explains it.

    Raises:
        ExportError: In a row the first layer that differs was not on the edge of firing where it differs.
    """
    settled = before.clone()
    for name, apart in differs.items():
        fresh = apart.flatten(1).any(1) & ~settled
        held = seen.held[name]
        far = apart & ((held - held.round()).abs() > EDGE * t)
        if bool((far.flatten(1).any(1) & fresh).any()):
            raise ExportError(
                f"{name}: {int(apart[fresh].sum())} spikes of the export differ at timestep {t}, and the neurons are "
                "not on the edge of firing; please report it, and use --no-verify to have the files"
            )
        settled |= fresh
    return settled & ~before
