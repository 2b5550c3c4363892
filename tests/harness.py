"""The laws every pass is held to, and the short way from a toy to its spiking program and its timesteps."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
from calibrating import calibrate
from torch import Tensor, fx, nn

from seenn_convert.calibration.rules import MaxRule
from seenn_convert.frontend.torch.read import from_torch
from seenn_convert.ir.editor import shapes_of
from seenn_convert.ir.interpreter import Interpreter, relative_error
from seenn_convert.ir.operators import SPIKING_OPERATORS
from seenn_convert.ir.program import Program, Stage, format_program
from seenn_convert.ir.scores import CONFIDENCE
from seenn_convert.ir.state import initial_state
from seenn_convert.neurons.types import NeuronType, Signed
from seenn_convert.passes.base import Pass, run_passes
from seenn_convert.passes.sequence import ANN_PASSES, last_passes, probe_pass, spiking_passes
from seenn_convert.runtime.policies import FixedPolicy
from seenn_convert.runtime.spiking_model import SpikingModel

TOLERANCE = 1e-5


@cache
def program_of(make: Callable[[], nn.Module]) -> Program:
    """Return the program of a toy, read once for the whole session; programs are never changed."""
    torch.manual_seed(0)
    return as_program(make())


def as_program(model: nn.Module | Program) -> Program:
    return model if isinstance(model, Program) else from_torch(model, model.input_shape)


def images(program: Program, count: int = 5) -> Tensor:
    generator = torch.Generator().manual_seed(3)
    return torch.randn(count, *program.input_shape, generator=generator, dtype=program.input_dtype)


def assert_same(actual: Tensor, expected: Tensor, tolerance: float = TOLERANCE) -> None:
    assert actual.shape == expected.shape
    assert relative_error(actual, expected) <= tolerance


def check_pass(one: Pass, model: nn.Module | Program) -> Program:
    """Return what an ANN-stage pass makes of a model: same outputs, input untouched, a second run changes nothing."""
    before = as_program(model)
    batch, text = images(before), format_program(before)
    weights = {name: value.clone() for name, value in before.graph_module.state_dict().items()}
    expected = before(batch)
    after = one(before)
    assert after.stage is Stage.ANN
    assert_same(after(batch), expected)
    assert format_program(before) == text
    assert torch.equal(before(batch), expected)
    untouched = before.graph_module.state_dict()
    assert untouched.keys() == weights.keys()
    assert all(torch.equal(untouched[name], value) for name, value in weights.items())
    again = one(after)
    assert format_program(again) == format_program(after)
    assert not again.history[-1].changed
    assert_same(again(batch), expected)
    return after


def ann_program(model: nn.Module | Program) -> Program:
    """Return the program after all passes of stage ANN, in the form in which neurons are inserted."""
    program = as_program(model)
    return run_passes(program, ANN_PASSES, images(program))


def largest_activations(ann: Program, batch: Tensor, per_channel: bool = True) -> dict[str, Tensor]:
    """Return a threshold for each activation: its largest magnitude on ``batch``, with no channel at 0."""
    found: dict[str, Tensor] = {}
    values = record(ann.graph_module, batch)
    for node, module in ann.calls():
        if isinstance(module, SPIKING_OPERATORS):
            top = values[node.name].abs().transpose(0, 1).flatten(1).amax(1)
            found[node.name] = torch.where(top > 0, top, top.max()) if per_channel else top.max()
    return found


def spiking_program(model: nn.Module | Program, neuron_type: NeuronType = Signed()) -> Program:
    """Return the spiking program of a model, without a probe, with thresholds from ``images``."""
    ann = ann_program(model)
    thresholds = largest_activations(ann, images(ann))
    return run_passes(ann, spiking_passes(ann, thresholds, neuron_type))


def spiking_model(program: Program, batch: Tensor, count: int) -> SpikingModel:
    """Return the network of a program as ``convert`` makes it, without corrections; every row runs ``count`` steps."""
    with torch.no_grad():
        ann = run_passes(program, (*ANN_PASSES, *last_passes("graded")), batch)
        snn = run_passes(ann, spiking_passes(ann, calibrate(ann, [batch], MaxRule()).v_thresholds(), Signed()))
        return SpikingModel(
            run_passes(snn, [probe_pass(ann, CONFIDENCE, torch.ones(count))]), count, FixedPolicy(count)
        )


@dataclass(frozen=True)
class Timestep:
    """One timestep: what the step returned, the value of every node, and the state after it."""

    results: tuple[Tensor, ...]
    values: dict[str, Any]
    state: dict[str, Tensor]


def timesteps(program: Program, batch: Tensor, count: int) -> Iterator[Timestep]:
    """Run a spiking program and yield each timestep."""
    drives = (batch,) if program.stem is None else program.stem(batch)
    state = initial_state(program, len(batch))
    for _ in range(count):
        values = record(program.graph_module, *drives, *state.values())
        outputs, split = values["output"], len(program.results)
        state = dict(zip(state, outputs[split:], strict=True))
        yield Timestep(tuple(outputs[:split]), values, state)


def check_mean_law(program: Program, calls: Sequence[tuple[fx.Node, nn.Module]]) -> None:
    """Assert for each ``MeanDifference`` that its mean output is its operator of the mean inputs, at every timestep."""
    taken: dict[str, Tensor] = {}
    for t, step in enumerate(timesteps(program, images(program), 8), start=1):
        for node, module in calls:
            sources = [source.name for source in node.args[2 : 2 + len(module.varying)]]
            for name in {*sources, f"{node.name}_out"}:
                taken[f"{node.name} {name}"] = taken.get(f"{node.name} {name}", 0) + step.values[name]
            means = [taken[f"{node.name} {name}"] / t for name in sources]
            assert torch.allclose(taken[f"{node.name} {node.name}_out"] / t, module.operator(*means), atol=1e-5)


def record(graph_module: fx.GraphModule, *inputs: Tensor) -> dict[str, Any]:
    """Return the value of every node of one run."""
    values: dict[str, Any] = {}
    with torch.no_grad():
        Interpreter(graph_module, after=lambda node, result: values.update({node.name: result})).run(*inputs)
    return values


def shapes(program: Program) -> dict[str, tuple[int, ...]]:
    return shapes_of(program)
