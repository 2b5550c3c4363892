"""Fit a bias for each channel, so that every layer's mean output is the ANN's: at every timestep, or after all."""

from collections.abc import Collection, Iterable, Mapping
from typing import Any, Literal

import torch
from torch import Tensor, fx, nn

from seenn_convert.ir.interpreter import Inputs, Interpreter, read_results
from seenn_convert.ir.program import Program
from seenn_convert.ir.state import initial_state, rows_together
from seenn_convert.neurons.layers import Neuron
from seenn_convert.runtime.engine import Results, State, program_step, unroll

RATE = 0.4

Form = Literal["timestep", "bias", "potential"]
"""A bias for each timestep, one for all of them, or one at the first, which is a shift of the initial potential."""


def fit_timestep_bias(
    ann: Program,
    snn: Program,
    timesteps: int,
    batches: Iterable[Tensor],
    rate: float = RATE,
    form: Form = "timestep",
    settled: Collection[str] = (),
) -> dict[str, Tensor]:
    """Return neuron layer -> bias ``(T, *shape of its threshold)``, in units of the current.

    With ``form`` ``"bias"`` it is the same at every timestep, with ``"potential"`` zero behind the first.

    For each batch the spiking network runs with the biases so far; then every bias moves by ``rate`` times what the
    layer's output at that timestep lacks, on average, to the ANN's activation. Forward passes only, no labels. The
    bias at a timestep depends on nothing later, so it is fitted once for the whole run and good for every prefix.

    Args:
        ann: The program in which neurons were inserted.
        snn: The spiking program with its stem, without a probe.
        timesteps: The longest run T.
        batches: Calibration images, one batch an update; about twelve of 128 images settle it.
        rate: Share of the gap that one update closes.
        form: What is fitted. A potential stays within half a threshold of where it was, so it cannot make up for
            more than the rounding of the first spike.
        settled: Neuron layers that need none.

    Source: Wu et al. 2024 (FTBC); Li et al. 2021 (light calibration: bias and initial potential).
    """
    calls = ((node.name, module) for node, module in snn.calls() if node.name not in settled)
    neurons = {name: module for name, module in calls if isinstance(module, Neuron)}
    biases = {name: module.v_threshold.new_zeros(timesteps, *_row(module)) for name, module in neurons.items()}
    with torch.no_grad():
        for images in batches if neurons else ():
            for name, gap in _gaps_in_parts(ann, snn, images, biases, neurons).items():
                biases[name] += rate * shaped(gap, form)
                if form == "potential":
                    half = neurons[name].v_threshold / 2
                    biases[name] = torch.maximum(torch.minimum(biases[name], half), -half)
    return biases


def shaped(gap: Tensor, form: Form) -> Tensor:
    """Return the gap ``(T, *)`` in the form of what is fitted."""
    if form == "timestep":
        return gap
    if form == "bias":
        return gap.mean(dim=0, keepdim=True).expand_as(gap)
    return torch.cat([gap.sum(dim=0, keepdim=True), torch.zeros_like(gap[1:])])


def without_bias_behind(biases: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the biases with a timestep of none at their end; the last one holds for all later timesteps."""
    return {name: torch.cat([bias, torch.zeros_like(bias[:1])]) for name, bias in biases.items()}


def _gaps_in_parts(
    ann: Program, snn: Program, images: Tensor, biases: dict[str, Tensor], neurons: dict[str, Neuron]
) -> dict[str, Tensor]:
    """Return the gaps of all images, of which only as many run together as their state allows."""
    gaps = {name: torch.zeros_like(bias) for name, bias in biases.items()}

    def activation_mean(name: str, result: Tensor) -> Tensor | None:
        return mean_over_row(result, neurons[name]) if name in neurons else None

    for part in torch.split(images, rows_together(snn, len(images))):
        wanted = read_results(ann.graph_module, [part], activation_mean)
        for name, gap in _gaps(snn, part, biases, wanted).items():
            gaps[name] += gap * (len(part) / len(images))
    return gaps


def _gaps(snn: Program, images: Tensor, biases: dict[str, Tensor], wanted: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return what each layer's output lacks to the ANN's mean at each timestep, in the shape of its bias."""
    assert snn.stem is not None
    gaps = {name: torch.zeros_like(bias) for name, bias in biases.items()}
    now, timesteps = 0, len(next(iter(biases.values())))

    def call(node: fx.Node, module: nn.Module, inputs: Inputs) -> Any:
        if not isinstance(module, Neuron) or node.name not in biases:
            return module(*inputs)
        result = module(inputs[0] + biases[node.name][now], *inputs[1:])
        gaps[node.name][now] = wanted[node.name] - mean_over_row(result[0], module)
        return result

    def advance(t: int, results: Results, state: State) -> None:
        nonlocal now
        now = t

    step = program_step(snn, Interpreter(snn.graph_module, call).run)
    unroll(step, snn.stem(images), initial_state(snn, len(images)), timesteps, [advance])
    return gaps


def mean_over_row(values: Tensor, neuron: Neuron) -> Tensor:
    """Return the mean of ``values`` ``(B, C, *)`` over the batch and all that shares a threshold."""
    shape = _row(neuron)
    if len(shape) < values.dim() - 1:
        return values.mean().reshape(shape)
    over = [0, *(axis + 1 for axis, size in enumerate(shape) if size == 1)]
    return values.mean(dim=over).reshape(shape)


def _row(neuron: Neuron) -> tuple[int, ...]:
    return tuple(neuron.v_threshold.shape)
