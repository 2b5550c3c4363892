"""Programs that do not fit together are found on shapes alone, whatever their numbers are."""

import copy
from dataclasses import replace

import pytest
import small_artifacts as small
import torch

from seenn_convert.artifact.check import LARGEST_RESULT, check_one_image, check_runs
from seenn_convert.artifact.graphs import graph_from_json, graph_to_json
from seenn_convert.frontend.torch.read import from_torch
from seenn_convert.ir.operators import AtenOperator
from seenn_convert.ir.program import Program, StateSpec
from seenn_convert.neurons.layers import Neuron
from seenn_convert.passes.attach_policy import AttachPolicy, PolicyHead
from seenn_convert.passes.base import run_passes


def on_meta(program: Program) -> Program:
    """Return a copy of the program whose tensors have no numbers."""

    def moved(graph_module: torch.fx.GraphModule) -> torch.fx.GraphModule:
        store: dict[str, torch.Tensor] = {}
        data = graph_to_json(graph_module, store, "net")
        return graph_from_json(data, {key: value.to("meta") for key, value in store.items()})

    stem = None if program.stem is None else moved(program.stem)
    return replace(program, graph_module=moved(program.graph_module), stem=stem)


ANN, SNN = on_meta(small.ann_program()), on_meta(small.model().program)
STATES = SNN.states


def test_what_was_converted_fits_together() -> None:
    check_runs(ANN, SNN)


@pytest.mark.parametrize("states", [
    STATES[:-1], STATES[1:], STATES[::-1], (), (*STATES, StateSpec("more", (3,))),
    (StateSpec(STATES[0].name, (5, 4, 5)), *STATES[1:]), (StateSpec(STATES[0].name, STATES[0].shape, "no.v"), *STATES[1:]),
    (*STATES[:-1], StateSpec("readout", (4,))),
])  # fmt: skip
def test_states_that_do_not_fit(states: tuple[StateSpec, ...]) -> None:
    with pytest.raises((ValueError, RuntimeError, AttributeError, TypeError)):
        check_runs(ANN, replace(SNN, states=states))


def test_programs_that_do_not_belong_together() -> None:
    other = from_torch(torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 4)).eval(), small.SHAPE)
    with pytest.raises(ValueError, match="logits has shape"):
        check_runs(on_meta(other), SNN)
    with pytest.raises(RuntimeError):
        check_runs(ANN, replace(SNN, input_shape=(3, 8, 8)))
    with pytest.raises(ValueError, match="does not end with its states"):
        check_runs(ANN, replace(on_meta(small.spiking_program()), results=("logits", "score")))


def test_a_policy_head_chooses_among_all_timesteps() -> None:
    body = (torch.nn.Flatten(), torch.nn.Linear(64, 5))
    planned = run_passes(small.model(5).program, [AttachPolicy(PolicyHead("image", ((),), body), 5)])
    shapes = replace(on_meta(planned), policy_head=copy.deepcopy(planned.policy_head).to("meta"))
    ann = on_meta(small.ann_program())
    check_runs(ann, shapes, 5)
    with pytest.raises(ValueError, match=r"plan has shape \(2, 5\) where \(2, 6\)"):
        check_runs(ann, shapes, 6)


@pytest.mark.parametrize("dtype", [torch.float64, torch.int64, torch.complex64, torch.bool])
def test_weights_of_another_type_are_found(dtype: torch.dtype) -> None:
    for name in ("conv2.weight", "exit_probe.temperatures"):
        changed = copy.deepcopy(SNN.graph_module)
        owner, _, leaf = name.rpartition(".")
        setattr(changed.get_submodule(owner), leaf, _with(changed, name, dtype))
        with pytest.raises(ValueError, match=f"{leaf} of .* holds numbers of type {dtype}, not torch.float32"):
            check_runs(ANN, replace(SNN, graph_module=changed))


def _with(graph_module: torch.fx.GraphModule, name: str, dtype: torch.dtype) -> torch.Tensor:
    value = dict([*graph_module.named_parameters(), *graph_module.named_buffers()])[name].detach().to(dtype)
    return torch.nn.Parameter(value, requires_grad=False) if name.endswith("weight") else value


def test_a_result_beyond_all_memory_is_refused_before_it_is_made() -> None:
    huge = copy.deepcopy(ANN.graph_module)
    call = next(node for node in huge.graph.nodes if node.op == "call_module")
    huge.add_module("repeat", AtenOperator("repeat.default", ("@0", (1, 1, 2**16, 2**16))))
    with huge.graph.inserting_before(call):
        call.args = (huge.graph.call_module("repeat", call.args),)
    huge.recompile()
    with pytest.raises(ValueError, match=r"repeat has a result of .* numbers"):
        check_runs(replace(ANN, graph_module=huge), SNN)
    assert LARGEST_RESULT < 2 * 64 * 2**32


def test_the_work_of_an_image_is_estimated() -> None:
    """Kernels of 1 x 9 on 8 x 8 places and of 5 x 9 on 4 x 4, a head of 20 x 3; for the ANN and once more in spikes."""
    macs = 64 * 5 * 9 + 16 * 5 * 5 * 9 + 20 * 3
    assert 2 * macs <= check_runs(ANN, SNN) <= 4 * macs


def test_what_fits_by_its_shape_and_does_not_run_is_found() -> None:
    ann, snn = small.ann_program(), small.model().program
    check_one_image(ann, snn)
    changed = copy.deepcopy(ann.graph_module)
    call = next(node for node in changed.graph.nodes if node.op == "call_module")
    changed.add_module("shift", AtenOperator("bitwise_not.default", ("@0",)))
    with changed.graph.inserting_before(call):
        call.args = (changed.graph.call_module("shift", call.args),)
    changed.recompile()
    with pytest.raises((RuntimeError, NotImplementedError)):
        check_one_image(replace(ann, graph_module=changed), snn)


@pytest.mark.parametrize("threshold", [0.0, -1.0, float("nan"), float("inf")])
def test_a_threshold_that_is_not_a_positive_number_is_found(threshold: float) -> None:
    changed = copy.deepcopy(small.model().program.graph_module)
    next(module for module in changed.modules() if isinstance(module, Neuron)).v_threshold.fill_(threshold)
    with pytest.raises(ValueError, match="firing threshold is not a positive number"):
        check_one_image(small.ann_program(), replace(small.model().program, graph_module=changed))
