"""Fit a bias for each channel, so that every layer's mean output is the ANN's: at every timestep, or after all."""

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Literal

import torch
from torch import Tensor, fx, nn

from seenn_convert.calibration.spacing import evenly_spaced
from seenn_convert.ir.interpreter import Inputs, Interpreter, read_results
from seenn_convert.ir.program import Program
from seenn_convert.ir.state import initial_state, rows_fitted_together
from seenn_convert.neurons.layers import Neuron
from seenn_convert.runtime.engine import Observer, Results, State, program_step, unroll

TRIES, RATE = 8, 0.8
"""How often a bias moves at each timestep of a run, and the share of the gap that is left by which it moves."""

MEAN_OF = (1024, 8192)
"""Fewest and most values that a mean is taken of: where more share a threshold, a bias is found on some of them."""

MEANS_OF = 2**19
"""Values of all channels of a layer that means are taken of, where the bounds above allow it."""

Form = Literal["timestep", "bias", "potential"]
"""A bias for each timestep, one for all of them, or one at the first, which is a shift of the initial potential."""


def fit_timestep_bias(
    ann: Program,
    snn: Program,
    timesteps: int,
    batches: Iterable[Tensor],
    form: Form = "timestep",
    settled: Collection[str] = (),
    observers: Sequence[Observer] = (),
) -> dict[str, Tensor]:
    """Return neuron layer -> bias ``(T, *shape of its threshold)``, in units of the current.

    With ``form`` ``"bias"`` it is the same at every timestep, with ``"potential"`` zero behind the first.

    The spiking network runs once over each batch. Where a layer of neurons gets its current, its bias moves
    until the layer's mean output at this timestep is the ANN's mean activation, as far as a bias can do that; then the
    run goes on with the corrected output. So each bias is found behind layers and timesteps that are corrected already,
    and what the batches find is averaged. Forward passes only, no labels. The bias at a timestep depends on nothing
    later, so it is fitted once for the whole run and good for every prefix.

    Args:
        ann: The program in which neurons were inserted.
        snn: The spiking program with its stem, without a probe.
        timesteps: The longest run T.
        batches: Calibration images; about a hundred settle it.
        form: What is fitted. One bias for all timesteps is the mean of those found, one at the first their sum: the
            same charge in another order. A potential stays within half a threshold of where it was, so it cannot make
            up for more than the rounding of the first spike.
        settled: Neuron layers that need none.
        observers: See each timestep of the corrected run; images run in parts where not all fit into memory.

    Source: Wu et al. 2024 (FTBC); Li et al. 2021 (light calibration: bias and initial potential).
    """
    calls = ((node.name, module) for node, module in snn.calls() if node.name not in settled)
    neurons = {name: module for name, module in calls if isinstance(module, Neuron)}
    biases = {name: module.v_threshold.new_zeros(timesteps, *_row(module)) for name, module in neurons.items()}
    seen = 0
    with torch.no_grad():
        for part in _parts(snn, batches) if neurons or observers else ():
            seen += len(part)
            for name, found in _found(ann, snn, part, biases, neurons, timesteps, observers).items():
                biases[name] += (found - biases[name]) * (len(part) / seen)
    return {name: _shaped(bias, form, neurons[name]) for name, bias in biases.items()}


def _parts(snn: Program, batches: Iterable[Tensor]) -> Iterable[Tensor]:
    """Yield the images of all batches, as many together as their state allows."""
    for images in batches:
        yield from torch.split(images, rows_fitted_together(snn, len(images)))


def _shaped(bias: Tensor, form: Form, neuron: Neuron) -> Tensor:
    """Return the biases ``(T, *)`` in the form of what is fitted."""
    if form == "timestep":
        return bias
    if form == "bias":
        return bias.mean(dim=0, keepdim=True).expand_as(bias)
    half = neuron.v_threshold / 2
    shift = torch.maximum(torch.minimum(bias.sum(dim=0, keepdim=True), half), -half)
    return torch.cat([shift, torch.zeros_like(bias[1:])])


def without_bias_behind(biases: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the biases with a timestep of none at their end; the last one holds for all later timesteps."""
    return {name: torch.cat([bias, torch.zeros_like(bias[:1])]) for name, bias in biases.items()}


def _found(
    ann: Program,
    snn: Program,
    images: Tensor,
    start: Mapping[str, Tensor],
    neurons: Mapping[str, Neuron],
    timesteps: int,
    observers: Sequence[Observer],
) -> dict[str, Tensor]:
    """Return the biases that one run over ``images`` finds, each of which starts to move from ``start``."""
    assert snn.stem is not None

    def activation_mean(name: str, result: Tensor) -> Tensor | None:
        return mean_over_row(some_of(result, neurons[name]), neurons[name]) if name in neurons else None

    wanted = read_results(ann.graph_module, [images], activation_mean)
    found, now = {name: bias.clone() for name, bias in start.items()}, 0

    def call(node: fx.Node, module: nn.Module, inputs: Inputs) -> Any:
        if not isinstance(module, Neuron) or node.name not in found:
            return module(*inputs)
        bias = _closing_the_gap(module, inputs, wanted[node.name], found[node.name][now])
        found[node.name][now] = bias
        return module(inputs[0] + bias, *inputs[1:])

    def advance(t: int, results: Results, state: State) -> None:
        nonlocal now
        now = t

    step = program_step(snn, Interpreter(snn.graph_module, call).run)
    unroll(step, snn.stem(images), initial_state(snn, len(images)), timesteps, [advance, *observers])
    return found


def _closing_the_gap(neuron: Neuron, inputs: Inputs, wanted: Tensor, bias: Tensor) -> Tensor:
    """Return the bias with which the mean output for these inputs comes near the one wanted."""
    current, *state = (some_of(values, neuron) if values.dim() == inputs[0].dim() else values for values in inputs)
    for _ in range(TRIES):
        bias = bias + RATE * (wanted - mean_over_row(neuron(current + bias, *state)[0], neuron))
    return bias


def some_of(values: Tensor, neuron: Neuron) -> Tensor:
    """Return ``values`` ``(B, C, *)``, or evenly spaced ones where many more than a mean needs share a threshold."""
    shared = [axis for axis in range(1, values.dim()) if _is_shared(axis, neuron, values)]
    together = math.prod(values.shape[axis] for axis in (0, *shared))
    fewest, most = MEAN_OF
    enough = max(fewest, min(most, MEANS_OF * together // values.numel()))
    return evenly_spaced(values, shared, together / enough if shared else 1)


def mean_over_row(values: Tensor, neuron: Neuron) -> Tensor:
    """Return the mean of ``values`` ``(B, C, *)`` over the batch and all that shares a threshold."""
    over = [0, *(axis for axis in range(1, values.dim()) if _is_shared(axis, neuron, values))]
    return values.mean(dim=over).reshape(_row(neuron))


def _is_shared(axis: int, neuron: Neuron, values: Tensor) -> bool:
    """Return whether the values along this axis of a batch of rows share a threshold."""
    shape = _row(neuron)
    return len(shape) < values.dim() - 1 or shape[axis - 1] == 1


def _row(neuron: Neuron) -> tuple[int, ...]:
    return tuple(neuron.v_threshold.shape)
