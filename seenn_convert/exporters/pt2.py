"""The target ``pt2``: stem, step and policy head as programs of ``torch.export``, with any number of rows."""

import copy
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, fx, nn
from torch.export import Dim, ExportedProgram

from seenn_convert.artifact.artifact import Artifact
from seenn_convert.errors import ExportError, reason_of
from seenn_convert.exporters.document import (
    AGAIN,
    document_of,
    general_refusals,
    read_document,
    read_starts,
    write_document,
    write_starts,
)
from seenn_convert.exporters.exporter import Refusal, Verification, refuse_nodes
from seenn_convert.exporters.network import ExportedNetwork, Graph
from seenn_convert.exporters.verification import verified
from seenn_convert.frontend.quiet import quiet
from seenn_convert.frontend.torch.archive import plain_archive
from seenn_convert.frontend.torch.versions import runnable
from seenn_convert.ir.operators import AtenOperator
from seenn_convert.ir.program import plans_from_image

ROWS = (1, 16, 40)
"""Batch sizes at which a program must give the bits of its graph."""

EXAMPLE_ROWS = 3
"""Rows that a program is traced with; it holds for any number."""


class _Unaligned(nn.Module):
    """An ATen operator without the padding that makes a row's bits independent of the others.

    That padding depends on the number of threads, which a program would keep for ever.
    """

    def __init__(self, operator: AtenOperator) -> None:
        super().__init__()
        self.operator = operator

    def forward(self, *inputs: Tensor) -> Tensor:
        """Return the operator's result."""
        return self.operator._call(inputs)


@dataclass(frozen=True)
class Pt2Exporter:
    """Writes ``stem.pt2``, ``step.pt2``, ``policy.pt2`` for ``torch.export.load``, and ``seenn.json``."""

    name: str = "pt2"

    def refusals(self, artifact: Artifact) -> list[Refusal]:
        """Return what no file of graphs can say; what PyTorch cannot trace shows when it is written."""
        return general_refusals(artifact)

    def write(self, artifact: Artifact, folder: Path) -> None:
        """Write the files.

        Raises:
            ExportError: PyTorch cannot trace a graph with an open number of rows.
        """
        files, refusals = write_starts(artifact, folder), []
        for name, (graph, inputs) in _graphs(artifact).items():
            try:
                program = _exported(graph, inputs)
            except Exception as error:  # whatever tracing may raise
                reason = f"torch.export cannot trace it ({reason_of(error)})"
                refusals.append(Refusal(name, reason, "export with --to onnx"))
                continue
            _save(program, folder / f"{name}.pt2")
            files.append(f"{name}.pt2")
        refuse_nodes(self.name, refusals)
        write_document(document_of(artifact, self.name), folder, files)

    def verify(self, folder: Path, artifact: Artifact, images: Tensor) -> Verification:
        """Run the programs beside their graphs, which must agree to the bit, and beside the network."""
        network = pt2_network(folder)
        with torch.no_grad():
            _check_bits(artifact, network, images)
        return verified(artifact, network, images, f"PyTorch {torch.__version__}")


def pt2_network(folder: Path) -> ExportedNetwork:
    """Return the network in the folder that the target ``pt2`` wrote.

    Raises:
        ArtifactError: The folder is no export, or was changed.
        ExportError: It was written for another target, or PyTorch cannot load it.
    """
    document = read_document(folder)
    if document.target != "pt2":
        raise ExportError(f"{folder} is an export to {document.target}; this needs one to pt2 (export --to pt2)")
    head = None if document.plan_inputs is None else _runner(folder / "policy.pt2")
    stem, step = (_runner(folder / f"{part}.pt2") for part in ("stem", "step"))
    return ExportedNetwork(document, read_starts(document, folder), stem, step, head)


def _runner(path: Path) -> Graph:
    try:
        with quiet():
            module = runnable(torch.export.load(plain_archive(path)))
    except Exception as error:  # whatever a foreign file may provoke
        raise ExportError(f"PyTorch {torch.__version__} cannot load {path} ({reason_of(error)}); {AGAIN}") from error

    def run(inputs: Sequence[Tensor]) -> tuple[Tensor, ...]:
        result = module(*inputs)
        return tuple(result) if isinstance(result, (tuple, list)) else (result,)

    return run


def _graphs(artifact: Artifact) -> dict[str, tuple[fx.GraphModule, tuple[Tensor, ...]]]:
    """Return the graphs without padding, each with example inputs."""
    model = artifact.model()
    with torch.no_grad():
        image = torch.randn(EXAMPLE_ROWS, *artifact.snn.input_shape)
        stem = _unaligned(model.stem)
        drives = tuple(stem(image))
        state = tuple(value.clone(memory_format=torch.contiguous_format) for value in
                      model.initial_state(EXAMPLE_ROWS).values())  # fmt: skip
    found = {"stem": (stem, (image,)), "step": (_unaligned(model.step_graph), (*drives, *state))}
    if model.policy_head is not None:
        inputs = (image,) if plans_from_image(artifact.snn) else drives
        found["policy"] = (_unaligned(model.policy_head), inputs)
    return found


def _unaligned(graph: fx.GraphModule) -> fx.GraphModule:
    graph = copy.deepcopy(graph)
    for name, module in list(graph.named_modules()):
        if isinstance(module, AtenOperator):
            graph.set_submodule(name, _Unaligned(module))
    return graph


def _exported(graph: fx.GraphModule, inputs: tuple[Tensor, ...]) -> ExportedProgram:
    rows = Dim("rows", min=1)
    with torch.no_grad(), warnings.catch_warnings(), quiet():
        warnings.simplefilter("ignore")
        program = torch.export.export(graph, inputs, dynamic_shapes=tuple({0: rows} for _ in inputs))
    program._example_inputs = None  # random numbers that nobody needs in the file
    return program


def _save(program: ExportedProgram, path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.export.save(program, path)


def _check_bits(artifact: Artifact, network: ExportedNetwork, images: Tensor) -> None:
    """Raise ExportError unless the programs give the bits of their graphs, for several numbers of rows."""
    graphs, model = _graphs(artifact), artifact.model()
    stem, step = graphs["stem"][0], graphs["step"][0]
    for rows in ROWS:
        batch = images[torch.arange(rows) % len(images)]
        drives, state = stem(batch), model.initial_state(rows)
        theirs = network.drive(batch)
        inputs = (*drives, *state.values())
        pairs = [*zip(drives, theirs, strict=True), *zip(step(*inputs), network.step_graph(inputs), strict=True)]
        if not all(torch.equal(one, other) for one, other in pairs):
            raise ExportError(
                f"with {rows} rows the exported programs give other bits than the network; please report it, and use "
                "--no-verify to have the files"
            )
