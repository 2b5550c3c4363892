"""The target ``onnx``: stem, step and policy head as files of their own, with a driver that needs no PyTorch."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import onnx
import torch
from torch import Tensor, fx, nn

from seenn_convert.artifact.artifact import Artifact
from seenn_convert.exporters.document import document_of, drive_names, general_refusals, write_document, write_starts
from seenn_convert.exporters.eight_bits import Rounding
from seenn_convert.exporters.exporter import Refusal, Verification
from seenn_convert.exporters.onnx.graph import Graph, Translation, Value, made_graph, made_model, value_info
from seenn_convert.exporters.onnx.sessions import RUNTIME, onnx_network
from seenn_convert.exporters.onnx.translate import Translator, translated, value_specs
from seenn_convert.exporters.verification import verified
from seenn_convert.ir.program import IMAGE, plans_from_image

NEXT = "next_"
DRIVER = "run_seenn.py"
MOST_BYTES = 2_000_000_000
"""Weights of one file at most: the format allows 2 GiB for all of it."""


@dataclass(frozen=True)
class Part:
    """One graph as ONNX: its nodes, what it takes and gives, and what of it cannot be written."""

    graph: Graph
    inputs: tuple[Value, ...]
    outputs: tuple[Value, ...]
    refusals: tuple[Refusal, ...]


def part_of(
    translate: Translator,
    graph_module: fx.GraphModule,
    inputs: tuple[Tensor, ...],
    names: tuple[str, ...],
    outputs: tuple[str, ...],
    prefix: str = "",
) -> tuple[Part, tuple[Tensor, ...]]:
    """Return a graph as ONNX, and its results for the ``inputs``.

    Args:
        translate: Writes the modules.
        graph_module: The graph.
        inputs: An example for each input, two rows.
        names: What the inputs are called in the file.
        outputs: What the results are called.
        prefix: Of all other names.
    """
    specs = value_specs(graph_module, inputs)
    placeholders = graph_module.graph.find_nodes(op="placeholder")
    given = {
        node.name: Value(name, tuple(value.shape[1:]), value.dtype)
        for node, name, value in zip(placeholders, names, inputs, strict=True)
    }
    graph = Graph(prefix, translate)
    results, refusals = translated(graph, translate, graph_module, specs, given)
    for name, value in zip(outputs, results, strict=True):
        graph.named(name, value)
    told = tuple(Value(name, value.shape, value.dtype) for name, value in zip(outputs, results, strict=True))
    with torch.no_grad():
        found = graph_module(*inputs)
    return Part(graph, tuple(given.values()), told, tuple(refusals)), found if isinstance(found, tuple) else (found,)


def parts_of(artifact: Artifact, translate: Translator, prefixed: bool = False) -> dict[str, Part]:
    """Return stem, step and, where there is one, policy head as ONNX."""
    model, snn = artifact.model(), artifact.snn
    image = torch.zeros(2, *snn.input_shape)
    names, states = tuple(drive_names(artifact)), tuple(spec.name for spec in snn.states)
    prefix = {part: f"{part}/" if prefixed else "" for part in ("stem", "step", "policy")}
    stem, drives = part_of(translate, model.stem, (image,), (IMAGE,), names, prefix["stem"])
    state = tuple(value.contiguous() for value in model.initial_state(2).values())
    outputs = ("logits", "score", *(f"{NEXT}{name}" for name in states))
    step, _ = part_of(translate, model.step_graph, (*drives, *state), (*names, *states), outputs, prefix["step"])
    found = {"stem": stem, "step": step}
    if model.policy_head is not None:
        from_image = plans_from_image(snn)
        inputs, given = ((image,), (IMAGE,)) if from_image else (drives, names)
        found["policy"] = part_of(translate, model.policy_head, inputs, given, ("plan",), prefix["policy"])[0]
    return found


@dataclass(frozen=True)
class OnnxExporter:
    """Writes ``stem.onnx``, ``step.onnx``, ``policy.onnx``, ``seenn.json`` and the driver ``run_seenn.py``.

    Attributes:
        own: What writes a user's own modules, by class: ``write(graph, module, *inputs)`` adds nodes and returns the
            names of the results.
        rounding: What weights in 8 bits changed, for ``seenn.json``; None if they were not rounded.
    """

    own: Mapping[type[nn.Module], Translation] = field(default_factory=dict)
    rounding: Rounding | None = None
    name: str = "onnx"

    def refusals(self, artifact: Artifact) -> list[Refusal]:
        """Return every node that ONNX cannot say."""
        general = [*general_refusals(artifact), *size_refusals(artifact)]
        return general or [one for part in parts_of(artifact, Translator(self.own)).values() for one in part.refusals]

    def write(self, artifact: Artifact, folder: Path) -> None:
        """Write the files."""
        files = write_starts(artifact, folder)
        for name, part in parts_of(artifact, Translator(self.own)).items():
            inputs, outputs = ([value_info(value) for value in values] for values in (part.inputs, part.outputs))
            save_model(made_model(made_graph(part.graph, name, inputs, outputs), {}), folder / f"{name}.onnx")
            files.append(f"{name}.onnx")
        (folder / DRIVER).write_text(Path(__file__).with_name(DRIVER).read_text(encoding="utf-8"), encoding="utf-8")
        write_document(document_of(artifact, self.name, self.rounding), folder, [*files, DRIVER])

    def verify(self, folder: Path, artifact: Artifact, images: Tensor) -> Verification:
        """Run the files in onnxruntime beside the network."""
        return verified(artifact, onnx_network(folder), images, RUNTIME)


def size_refusals(artifact: Artifact) -> list[Refusal]:
    """Return that the weights do not fit into one file, where they do not."""
    tensors = [*artifact.snn.graph_module.parameters(), *artifact.snn.graph_module.buffers()]
    size = sum(tensor.nbytes for tensor in tensors)
    if size < MOST_BYTES:
        return []
    reason = f"its weights take {size / 1e9:.1f} GB, and an ONNX file without others beside it holds 2 GB"
    return [Refusal("the network", reason, "export with --to pt2")]


def save_model(model: Any, path: Path) -> None:
    """Check a model and write it."""
    onnx.checker.check_model(model, full_check=True)
    path.write_bytes(model.SerializeToString(deterministic=True))
