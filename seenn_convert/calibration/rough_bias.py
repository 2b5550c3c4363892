"""Fit timestep biases in a single run: rough, but good enough to compare networks by."""

from typing import Any

import torch
from torch import Tensor, fx, nn

from seenn_convert.calibration.timestep_bias import Form, mean_over_row, shaped
from seenn_convert.ir.interpreter import Inputs, Interpreter, read_results
from seenn_convert.ir.program import Program
from seenn_convert.ir.state import initial_state
from seenn_convert.neurons.layers import Neuron
from seenn_convert.runtime.engine import Results, State, program_step, unroll


def rough_bias(ann: Program, snn: Program, timesteps: int, images: Tensor, form: Form) -> dict[str, Tensor]:
    """Return neuron layer -> bias ``(T, *shape of its threshold)``, as ``fit_timestep_bias`` does, from one run.

    Each layer is corrected before the layers behind it run: it advances once to see what its output lacks to the ANN's
    mean, and again with that added to its current.

    Args:
        ann: The program in which neurons were inserted.
        snn: The spiking program with its stem, without a probe.
        timesteps: The longest run T.
        images: ``(B, *input_shape)``, few enough to run together.
        form: What the biases are like.
    """
    assert snn.stem is not None
    neurons = {node.name: module for node, module in snn.calls() if isinstance(module, Neuron)}
    biases = {
        name: module.v_threshold.new_zeros(timesteps, *module.v_threshold.shape) for name, module in neurons.items()
    }
    now = 0

    def mean(name: str, result: Tensor) -> Tensor | None:
        return mean_over_row(result, neurons[name]) if name in neurons else None

    def call(node: fx.Node, module: nn.Module, inputs: Inputs) -> Any:
        result = module(*inputs)
        if not isinstance(module, Neuron):
            return result
        gap = wanted[node.name] - mean_over_row(result[0], module)
        biases[node.name][now] = gap
        return module(inputs[0] + gap, *inputs[1:])

    def advance(t: int, results: Results, state: State) -> None:
        nonlocal now
        now = t

    with torch.no_grad():
        wanted = read_results(ann.graph_module, [images], mean)
        step = program_step(snn, Interpreter(snn.graph_module, call).run)
        unroll(step, snn.stem(images), initial_state(snn, len(images)), timesteps, [advance])
    return {name: shaped(bias, form) for name, bias in biases.items()}
