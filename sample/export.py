"""Export of the trained network to ONNX and `torch.export`, and the check of both files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from dataset import Split, normalise
from network import IMAGE_SIZE, SampleNetwork
from torch import nn

TOLERANCE = 1e-4
CHECKED_BATCHES = (1, 7)
BATCH = torch.export.Dim("batch", min=1, max=65536)


def example_input() -> torch.Tensor:
    """A batch of two blank images (2, 1, 28, 28), for the exporters to trace with."""
    return torch.zeros(2, 1, IMAGE_SIZE, IMAGE_SIZE)


def drop_onnx_traces(path: Path) -> None:
    """Rewrite the ONNX file without the source-code traces that the exporter leaves on every node."""
    model = onnx.load(path)
    for node in model.graph.node:
        kept = [entry for entry in node.metadata_props if "stack_trace" not in entry.key]
        del node.metadata_props[:]
        node.metadata_props.extend(kept)
    onnx.checker.check_model(model)
    onnx.save(model, path)


def export_onnx(network: SampleNetwork, path: Path) -> None:
    """Write one ONNX file, weights inside: `image` (batch, 1, 28, 28) to `logits` (batch, 10)."""
    torch.onnx.export(
        network,
        (example_input(),),
        path,
        dynamo=True,
        external_data=False,
        input_names=["image"],
        output_names=["logits"],
        dynamic_shapes={"image": {0: BATCH}},
        verbose=False,
    )
    drop_onnx_traces(path)


def export_pt2(network: SampleNetwork, path: Path) -> None:
    """Write the `torch.export` program with a dynamic batch, without source-code traces."""
    program = torch.export.export(network, (example_input(),), dynamic_shapes={"image": {0: BATCH}})
    for node in program.graph.nodes:
        node.meta.pop("stack_trace", None)
    torch.export.save(program, path)


@torch.no_grad()
def check_exports(network: SampleNetwork, split: Split, onnx_path: Path, pt2_path: Path) -> dict[str, float]:
    """Compare both files' logits with the network's on the split's first images.

    Return the greatest absolute difference for each file; raise if one is above `TOLERANCE`.
    """
    session = onnxruntime.InferenceSession(onnx_path, providers=["CPUExecutionProvider"])
    program = torch.export.load(pt2_path).module()
    worst = {"onnx": 0.0, "pt2": 0.0}
    for count in CHECKED_BATCHES:
        images = normalise(torch.from_numpy(split.images[:count]))
        expected = network(images).numpy()
        found = {"onnx": session.run(["logits"], {"image": images.numpy()})[0], "pt2": program(images).numpy()}
        for name, logits in found.items():
            worst[name] = max(worst[name], float(np.abs(logits - expected).max()))
    if max(worst.values()) > TOLERANCE:
        raise RuntimeError(f"an exported file does not agree with the network: {worst}")
    return worst


def onnx_accuracy(path: Path, split: Split) -> float:
    """Share of the split's images that the ONNX file classifies rightly in ONNX Runtime."""
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    images = normalise(torch.from_numpy(split.images)).numpy()
    logits = session.run(["logits"], {"image": images})[0]
    return float((logits.argmax(axis=1) == split.labels).mean())


@torch.no_grad()
def multiply_accumulates(network: SampleNetwork) -> int:
    """Multiply-accumulate operations of the convolutions and the linear layer for one image."""
    counts: list[int] = []

    def count(module: nn.Module, _: tuple[torch.Tensor, ...], output: torch.Tensor) -> None:
        if isinstance(module, nn.Conv2d | nn.Linear):
            counts.append(module.weight[0].numel() * output[0].numel())

    handles = [m.register_forward_hook(count) for m in network.modules()]
    network(example_input())
    for handle in handles:
        handle.remove()
    return sum(counts)
