"""Time single layers in onnxruntime: single precision beside its integer kernels, on spikes of -1, 0 and 1."""

import statistics
from collections.abc import Mapping, Sequence
from time import process_time
from typing import Any

import measuring
import numpy as np
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

REPEATS = 9
CONVOLUTIONS = ((1, 64, 32), (1, 256, 8), (64, 16, 32), (64, 64, 8), (64, 64, 32), (64, 256, 8))
"""Rows, channels in and out, and side of 3x3 convolutions."""

KINDS = {
    "Conv": "single precision",
    "Cast, Mul, Conv": "weights in 8 bits, made single precision once",
    "DequantizeLinear, Conv": "weights in 8 bits, as most tools write them",
    "ConvInteger, u8": "spikes and weights in 8 bits without sign",
    "ConvInteger, s8": "the same, weights with sign",
    "QLinearConv": "the same, currents in 8 bits, too",
}


def kernel_rows() -> list[dict[str, Any]]:
    """Return the median milliseconds of processor time of every kind, for every size; they alternate."""
    return [{"rows": rows, "channels": channels, "side": side, "ms": _timed(rows, channels, side)}
            for rows, channels, side in CONVOLUTIONS]  # fmt: skip


def kernel_table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return a table and what its columns are."""
    lines = [
        (row["rows"], row["channels"], f"{row['side']} x {row['side']}", *(f"{row['ms'][kind]:.2f}" for kind in KINDS))
        for row in rows
    ]
    legend = "; ".join(f"*{kind}*: {words}" for kind, words in KINDS.items())
    head = ("rows", "channels", "image", *KINDS)
    text = "Milliseconds of one 3x3 convolution of spikes in onnxruntime, conversions between types of number included"
    return f"{text}. {legend}.\n\n{measuring.table(head, lines)}"


def _timed(rows: int, channels: int, side: int) -> dict[str, float]:
    generator = np.random.default_rng(0)
    spikes = generator.integers(-1, 2, (rows, channels, side, side)).astype(np.float32)
    weights = generator.integers(-127, 128, (channels, channels, 3, 3)).astype(np.int8)
    sessions = {kind: _session(kind, weights) for kind in KINDS}
    seconds: dict[str, list[float]] = {kind: [] for kind in KINDS}
    for _ in range(REPEATS):
        for kind, session in sessions.items():
            start = process_time()
            session.run(None, {"x": spikes})
            seconds[kind].append(process_time() - start)
    return {kind: 1000 * statistics.median(times) for kind, times in seconds.items()}


def _session(kind: str, weights: np.ndarray[Any, Any]) -> Any:
    channels = len(weights)
    unsigned = (weights.astype(np.int16) + 128).astype(np.uint8)
    constants = {
        "w": weights.astype(np.float32), "q": weights, "u": unsigned, "scale": np.ones(channels, np.float32),
        "scales": np.ones((channels, 1, 1, 1), np.float32), "out": np.ones((1, channels, 1, 1), np.float32),
        "one": np.float32(1), "step": np.float32(50), "z": np.int8(0), "zs": np.zeros(channels, np.int8),
        "rest": np.uint8(1), "middle": np.uint8(128),
    }  # fmt: skip

    def op(name: str, inputs: str, result: str, **attributes: Any) -> Any:
        return helper.make_node(name, inputs.split(), [result], **attributes)

    shifted = [op("Add", "x one", "x1"), op("Cast", "x1", "spikes", to=TensorProto.UINT8)]
    back = [op("Cast", "sums", "f", to=TensorProto.FLOAT), op("Mul", "f out", "y")]
    pads = {"pads": [1, 1, 1, 1]}
    nodes = {
        "Conv": [op("Conv", "x w", "y", **pads)],
        "Cast, Mul, Conv": [op("Cast", "q", "f", to=TensorProto.FLOAT), op("Mul", "f scales", "fw"),
                            op("Conv", "x fw", "y", **pads)],
        "DequantizeLinear, Conv": [op("DequantizeLinear", "q scale", "fw", axis=0), op("Conv", "x fw", "y", **pads)],
        "ConvInteger, u8": [*shifted, op("ConvInteger", "spikes u rest middle", "sums", **pads), *back],
        "ConvInteger, s8": [*shifted, op("ConvInteger", "spikes q rest", "sums", **pads), *back],
        "QLinearConv": [op("QuantizeLinear", "x one z", "spikes"),
                        op("QLinearConv", "spikes one z q scale zs step z", "sums", **pads),
                        op("DequantizeLinear", "sums step z", "y")],
    }[kind]  # fmt: skip
    used = {name for node in nodes for name in node.input}
    given = [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items() if name in used]
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in ("x", "y")]
    graph = helper.make_graph(nodes, "layer", ends[:1], ends[1:], initializer=given)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 3
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
