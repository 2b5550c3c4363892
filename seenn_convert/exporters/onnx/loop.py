"""The target ``onnx-loop``: one file that takes images and returns answers, with the time loop inside."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from onnx import TensorProto, helper
from torch import Tensor, nn

from seenn_convert.artifact.artifact import Artifact
from seenn_convert.artifact.schema.coding import to_plain
from seenn_convert.exporters.document import document_of, general_refusals, read_document, state_starts, write_document
from seenn_convert.exporters.eight_bits import Rounding
from seenn_convert.exporters.exporter import Refusal, Verification
from seenn_convert.exporters.onnx.graph import (
    BATCH,
    TYPES,
    Graph,
    Translation,
    Value,
    made_graph,
    made_model,
    value_info,
)
from seenn_convert.exporters.onnx.sessions import RUNTIME, runner
from seenn_convert.exporters.onnx.split import NEXT, Part, parts_of, save_model, size_refusals
from seenn_convert.exporters.onnx.translate import Translator
from seenn_convert.exporters.verification import compared_answers
from seenn_convert.ir.program import IMAGE
from seenn_convert.runtime.early_exit import ExitTrace
from seenn_convert.runtime.policies import FixedPolicy, PlannedPolicy, ThresholdPolicy

FILE = "network.onnx"
RESULTS = ("label", "confidence", "exit_step", "logits", "score")
_KEPT = ("running", "logits", "score", "exit_step")
"""What the loop carries beside the state: who still runs, and what those that left came out with."""


@dataclass(frozen=True)
class OnnxLoopExporter:
    """Writes ``network.onnx``, which ends when all rows have left, and ``seenn.json``.

    Rows that have left are computed on until all have; their answers stay. The weights lie inside the body of the loop:
    of weights outside, runtimes know less, and pick slower kernels that round in another way.

    Attributes:
        own: What writes a user's own modules, by class, as in ``OnnxExporter``.
        rounding: What weights in 8 bits changed, as in ``OnnxExporter``.
    """

    own: Mapping[type[nn.Module], Translation] = field(default_factory=dict)
    rounding: Rounding | None = None
    name: str = "onnx-loop"

    def refusals(self, artifact: Artifact) -> list[Refusal]:
        """Return every node that ONNX cannot say."""
        general = [*general_refusals(artifact), *size_refusals(artifact)]
        return general or [one for part in parts_of(artifact, Translator(self.own)).values() for one in part.refusals]

    def write(self, artifact: Artifact, folder: Path) -> None:
        """Write the files."""
        document = document_of(artifact, self.name, self.rounding)
        told = {key: to_plain(document)[key] for key in ("preprocessing", "class_names", "timesteps", "policy")}
        graph = _network(artifact, parts_of(artifact, Translator(self.own), prefixed=True))
        save_model(made_model(graph, {key: json.dumps(value) for key, value in told.items()}), folder / FILE)
        write_document(document, folder, [FILE])

    def verify(self, folder: Path, artifact: Artifact, images: Tensor) -> Verification:
        """Run the file in onnxruntime beside the network, all images together and some alone."""
        return compared_answers(artifact, loop_network(folder), images, RUNTIME)


def loop_network(folder: Path) -> Callable[[Tensor], ExitTrace]:
    """Return what the target ``onnx-loop`` wrote into a folder, as a function of images ``(B, *input_shape)``.

    Raises:
        ArtifactError: The folder is no export, or was changed.
        ExportError: onnxruntime cannot load it.
    """
    read_document(folder)
    run = runner(folder / FILE)

    def traced(images: Tensor) -> ExitTrace:
        found = dict(zip(RESULTS, run((images,)), strict=True))
        return ExitTrace(found["label"], found["logits"], found["exit_step"], found["score"])

    return traced


def _network(artifact: Artifact, parts: Mapping[str, Part]) -> Any:
    """Return the graph of the whole network."""
    stem, step = parts["stem"], parts["step"]
    whole = stem.graph
    whole.begin("start")
    if "policy" in parts:
        whole.nodes += parts["policy"].graph.nodes
        whole.constants += parts["policy"].graph.constants
    rows = whole.op("Shape", IMAGE, start=0, end=1)
    starts = [_start(whole, rows, spec.shape, value) for spec, value in _states(artifact)]
    kept = _nothing_yet(whole, rows, next(value for value in step.outputs if value.name == "logits"))
    planned = None
    if isinstance(artifact.policy, PlannedPolicy):
        plan = whole.op("ArgMax", "plan", axis=-1, keepdims=0)
        planned = whole.op("Add", plan, whole.number(1, torch.int64))
    body = _body(artifact, step, planned)
    count, names = len(artifact.snn.states), [value.name for value in step.inputs[-len(artifact.snn.states) :]]
    most = whole.number(artifact.timesteps, torch.int64)
    ends = whole.ops(
        "Loop", most, whole.constant(torch.tensor(True)), *starts, *kept, outputs=len(names) + len(_KEPT), body=body
    )
    _, logits, score, exit_step = ends[count:]
    _answers(whole, artifact, logits, score, exit_step)
    outputs = _described(next(value for value in step.outputs if value.name == "logits"))
    return made_graph(whole, "network", [value_info(stem.inputs[0])], [value_info(one) for one in outputs])


def _described(logits: Value) -> list[Value]:
    """Return what the results of the file are."""
    shapes = {"logits": logits.shape}
    types = dict.fromkeys(("label", "exit_step"), torch.int64)
    return [Value(name, shapes.get(name, ()), types.get(name, torch.float32)) for name in RESULTS]


def _states(artifact: Artifact) -> list[tuple[Any, Tensor]]:
    starts = state_starts(artifact.model())
    return [(spec, starts[spec.name]) for spec in artifact.snn.states]


def _start(g: Graph, rows: str, shape: tuple[int, ...], value: Tensor) -> str:
    """Return a state before the first timestep, expanded when the file runs, so that the file stays small."""
    sizes = g.op("Concat", rows, g.integers(*shape), axis=0) if shape else rows
    return g.op("Expand", g.constant(value), sizes)


def _nothing_yet(g: Graph, rows: str, logits: Value) -> list[str]:
    """Return what the loop carries before the first timestep: all run, nothing has come out."""
    return [
        g.op("Expand", g.constant(torch.tensor(True)), rows),
        _start(g, rows, logits.shape, torch.tensor(0.0)),
        g.op("Expand", g.number(0.0), rows),
        g.op("Expand", g.number(0, torch.int64), rows),
    ]


def _body(artifact: Artifact, step: Part, planned: str | None) -> Any:
    """Return the graph of one timestep: the step, who leaves, and what they leave with."""
    g, states = step.graph, [value.name for value in step.inputs[-len(artifact.snn.states) :]]
    g.begin("exit")
    t = g.op("Add", "iteration", g.number(1, torch.int64))
    leaving = _leaving(g, artifact, t, planned)
    now = g.op("And", "running", leaving)
    g.named(f"{NEXT}running", g.op("And", "running", g.op("Not", leaving)))
    column = g.op("Unsqueeze", now, g.integers(1))
    g.named("kept_next_logits", g.op("Where", column, "logits", "kept_logits"))
    g.named("kept_next_score", g.op("Where", now, "score", "kept_score"))
    g.named("kept_next_exit_step", g.op("Where", now, t, "kept_exit_step"))
    some = g.op("ReduceMax", g.cast(f"{NEXT}running", torch.int32), keepdims=0)
    g.named("goes_on", g.cast(some, torch.bool))
    carried = [*step.inputs[-len(states) :], *_carried(step)]
    after = [Value(f"{NEXT}{value.name}", value.shape, value.dtype) for value in step.inputs[-len(states) :]]
    after += [Value(_after(one.name), one.shape, one.dtype) for one in _carried(step)]
    first = [
        helper.make_tensor_value_info("iteration", TensorProto.INT64, []),
        helper.make_tensor_value_info("condition", TensorProto.BOOL, []),
    ]
    last = helper.make_tensor_value_info("goes_on", TensorProto.BOOL, [])
    return made_graph(g, "timestep", [*first, *map(_open, carried)], [last, *map(_open, after)])


def _carried(step: Part) -> list[Value]:
    logits = next(value for value in step.outputs if value.name == "logits")
    return [
        Value("running", (), torch.bool), Value("kept_logits", logits.shape),
        Value("kept_score", ()), Value("kept_exit_step", (), torch.int64),
    ]  # fmt: skip


def _after(name: str) -> str:
    return f"{NEXT}running" if name == "running" else name.replace("kept_", "kept_next_")


def _open(value: Value) -> Any:
    return helper.make_tensor_value_info(value.name, TYPES[value.dtype], [BATCH, *value.shape])


def _leaving(g: Graph, artifact: Artifact, t: str, planned: str | None) -> str:
    """Return who leaves after this timestep, ``(B,)`` or a single truth value."""
    policy, last = artifact.policy, g.number(artifact.timesteps, torch.int64)
    if isinstance(policy, FixedPolicy):
        last = g.number(min(policy.timesteps, artifact.timesteps), torch.int64)
    leaving = g.op("GreaterOrEqual", t, last)
    if planned is not None:
        leaving = g.op("Or", leaving, g.op("GreaterOrEqual", t, planned))
    early = policy.early if isinstance(policy, PlannedPolicy) else policy
    if isinstance(early, ThresholdPolicy):
        thresholds = g.constant(torch.tensor(early.thresholds, dtype=torch.float32))
        step = g.op("Min", "iteration", g.number(len(early.thresholds) - 1, torch.int64))
        leaving = g.op("Or", leaving, g.op("Greater", "score", g.op("Gather", thresholds, step, axis=0)))
    return leaving


def _answers(g: Graph, artifact: Artifact, logits: str, score: str, exit_step: str) -> None:
    """Name the results of the file."""
    temperatures = g.constant(artifact.model().probe.temperatures)
    at = g.op("Gather", temperatures, g.op("Sub", exit_step, g.number(1, torch.int64)), axis=0)
    scaled = g.op("Div", logits, g.op("Unsqueeze", at, g.integers(1)))
    largest = g.op("ReduceMax", g.op("Softmax", scaled, axis=-1), g.integers(-1), keepdims=0)
    named = (g.op("ArgMax", logits, axis=-1, keepdims=0), largest, exit_step, logits, score)
    for name, value in zip(RESULTS, named, strict=True):
        g.named(name, value)
