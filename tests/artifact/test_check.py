"""Programs that do not fit together are found on shapes alone, whatever their numbers are."""

import copy
from dataclasses import replace

import pytest
import small_artifacts as small
import torch

from seenn_convert.artifact.check import check_runs
from seenn_convert.artifact.graphs import graph_from_json, graph_to_json
from seenn_convert.ir.program import Program, StateSpec
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
    other = small.from_torch(torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 4)).eval(), small.SHAPE)
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
