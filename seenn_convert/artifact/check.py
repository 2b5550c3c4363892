"""Check that programs read from files fit together: on shapes alone first, then by running one image."""

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, fx, nn

from seenn_convert.ir.interpreter import Inputs, Interpreter
from seenn_convert.ir.operators import AtenOperator, RowConvolution
from seenn_convert.ir.operators.aten import PRODUCTS
from seenn_convert.ir.program import Program, plans_from_image
from seenn_convert.ir.schema import OPTIONS
from seenn_convert.ir.state import initial_state
from seenn_convert.neurons.layers import LAYERS, Neuron

ROWS = 2
LARGEST_RESULT, MOST_WORK = 2**28, 2**37
"""Numbers in a result of one node; multiply-accumulates of one image beyond which nothing is run at loading."""


def check_runs(ann: Program, snn: Program, timesteps: int | None = None) -> int:
    """Run the ANN, the stem, one timestep and the policy head, if there is one, on the meta device.

    There tensors have shapes and no numbers.

    Args:
        ann: With its tensors on the meta device.
        snn: With its stem, likewise.
        timesteps: As many as a policy head can choose from; not checked where None.

    Returns:
        About how many multiply-accumulates one image takes.

    Raises:
        ValueError: A result or a state has another shape, type or name than the program says, or is too large.
        Exception: Whatever else running a malformed graph raises.
    """
    assert snn.stem is not None
    inputs = [node.name for node in snn.graph_module.graph.nodes if node.op == "placeholder"]
    states = [spec.name for spec in snn.states]
    if inputs[len(inputs) - len(states) :] != states or not {"readout", "clock"} <= set(states):
        raise ValueError(f"the step takes {inputs}, which does not end with its states {states}")
    for graph_module in (ann.graph_module, snn.stem, snn.graph_module, snn.policy_head):
        if graph_module is not None:
            _check_types(graph_module, snn.input_dtype)
    shapes, dtype = _Shapes(), snn.input_dtype
    image = torch.empty(ROWS, *snn.input_shape, dtype=dtype, device="meta")
    state = initial_state(snn, ROWS)
    drives = shapes.run(snn.stem, image)
    logits, score, *following = shapes.run(snn.graph_module, *drives, *state.values())
    _check("score", score, (ROWS,), score.dtype)
    _check("logits", logits, tuple(shapes.run(ann.graph_module, image).shape), dtype)
    _check("logits", logits, tuple(state["readout"].shape), dtype)
    if snn.policy_head is not None:
        plan = shapes.run(snn.policy_head, *((image,) if plans_from_image(snn) else drives))
        _check("plan", plan, (ROWS, timesteps or plan.shape[-1]), dtype)
    for (name, old), new in zip(state.items(), following, strict=True):
        _check(name, old, tuple(old.shape), dtype)
        _check(name, new, tuple(old.shape), dtype)
    return shapes.work // ROWS


def check_one_image(ann: Program, snn: Program) -> None:
    """Run the ANN, the stem, the first timestep and the policy head on one black image, as a user will.

    What fits by its shapes may still not run: kernels differ in the types and options that they take.

    Raises:
        ValueError: A threshold of a neuron is not a positive number.
        Exception: Whatever else running a malformed graph raises.
    """
    assert snn.stem is not None
    for _, module in snn.calls():
        if isinstance(module, Neuron) and not bool(((module.v_threshold > 0) & module.v_threshold.isfinite()).all()):
            raise ValueError("a firing threshold is not a positive number")
    image = torch.zeros(1, *snn.input_shape, dtype=snn.input_dtype)
    with torch.no_grad():
        ann(image)
        drives = snn.stem(image)
        snn.graph_module(*drives, *initial_state(snn, 1).values())
        if snn.policy_head is not None:
            snn.policy_head(*((image,) if plans_from_image(snn) else drives))


def _check_types(graph_module: fx.GraphModule, dtype: torch.dtype) -> None:
    """Raise ValueError where a weight is of another type than the image; masks and indices are constants of calls."""
    for module in graph_module.modules():
        if type(module) not in OPTIONS:
            continue  # a user's own may hold what it likes
        for name, value in (*module.named_parameters(recurse=False), *module.named_buffers(recurse=False)):
            is_mask = isinstance(module, AtenOperator) and value.dtype in (torch.bool, torch.int64)
            if value.dtype is not dtype and not is_mask:
                raise ValueError(f"{name} of {type(module).__name__} holds numbers of type {value.dtype}, not {dtype}")


class _Shapes:
    """Runs graphs on the meta device, and counts about how much ``work`` one run on numbers would be."""

    def __init__(self) -> None:
        self.work = 0

    def run(self, graph_module: fx.GraphModule, *inputs: Tensor) -> Any:
        with torch.no_grad():
            return Interpreter(graph_module, call=self._call).run(*inputs)

    def _call(self, node: fx.Node, module: nn.Module, inputs: Inputs) -> Any:
        result = _shapes_of_neuron(module, inputs) if type(module) in LAYERS else module(*inputs)
        for value in result if isinstance(result, tuple) else (result,):
            if value.numel() > LARGEST_RESULT:
                raise ValueError(f"{node.name} has a result of {value.numel():,} numbers")
            self.work += value.numel() * _factors(module, inputs)
        return result


def _shapes_of_neuron(module: nn.Module, inputs: Sequence[Tensor]) -> tuple[Tensor, ...]:
    """Return what a layer of neurons returns; its law takes long where tensors have no numbers."""
    assert isinstance(module, Neuron)
    states = len(module.state_names)
    if len(inputs) != 1 + module.reads_clock + states:
        raise ValueError(f"{type(module).__name__} takes {1 + module.reads_clock + states} inputs, not {len(inputs)}")
    taken = (inputs[0], *inputs[len(inputs) - states :], module.v_threshold)
    shape = torch.broadcast_shapes(*(value.shape for value in taken))  # type: ignore[no-untyped-call]
    return tuple(inputs[0].new_empty(shape) for _ in range(1 + states))


def _factors(module: nn.Module, inputs: Sequence[Tensor]) -> int:
    """Return about how many products one number of the result sums."""
    most = 1
    for part in module.modules():
        weight, kernel = getattr(part, "weight", None), getattr(part, "kernel_size", None)
        if isinstance(weight, Tensor) and weight.dim() > 1:
            transposed = isinstance(part, (nn.ConvTranspose1d, nn.ConvTranspose2d))
            most = max(most, weight.numel() // max(weight.shape[int(transposed)], 1))
        elif isinstance(kernel, (int, tuple)):
            most = max(most, math.prod(kernel) if isinstance(kernel, tuple) else kernel**2)
        elif isinstance(part, RowConvolution) or (isinstance(part, AtenOperator) and part.name in PRODUCTS):
            most = max(most, *(max(value.shape[1:], default=1) for value in inputs))
    return most


def _check(name: str, value: Tensor, shape: tuple[int, ...], dtype: torch.dtype) -> None:
    if tuple(value.shape) != shape:
        raise ValueError(f"{name} has shape {tuple(value.shape)} where {shape} is expected")
    if value.dtype is not dtype or not dtype.is_floating_point:
        raise ValueError(f"{name} holds numbers of type {value.dtype} where {dtype} is expected")
