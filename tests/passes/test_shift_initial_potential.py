"""Neurons that start from another membrane potential."""

import harness
import torch
import toys

from seenn_convert.ir.program import Program
from seenn_convert.passes.insert_timestep_bias import InsertTimestepBias
from seenn_convert.passes.shift_initial_potential import ShiftInitialPotential


def spiking() -> Program:
    return harness.spiking_program(harness.program_of(toys.residual))


def test_a_shift_is_a_bias_at_the_first_timestep() -> None:
    program, shift = spiking(), torch.linspace(0.5, 2, 4).reshape(4, 1, 1)
    first = torch.stack([shift, torch.zeros_like(shift)])
    one = ShiftInitialPotential({"relu_1": shift})(program)
    other = InsertTimestepBias({"relu_1": first})(program)
    batch = harness.images(program)
    changed = False
    for a, b, plain in zip(*(harness.timesteps(p, batch, 5) for p in (one, other, program)), strict=True):
        assert torch.allclose(a.results[0], b.results[0], atol=1e-5)
        changed |= not torch.equal(a.results[0], plain.results[0])
    assert changed


def test_the_program_before_keeps_its_neurons_and_others_are_declined() -> None:
    program = spiking()
    before = {name: value.clone() for name, value in program.graph_module.state_dict().items()}
    shifted = ShiftInitialPotential({"relu_1": torch.ones(4, 1, 1)})(program)

    assert all(torch.equal(program.graph_module.state_dict()[name], value) for name, value in before.items())
    moved = shifted.graph_module.get_submodule("relu_1").v_initial
    assert torch.equal(moved, program.graph_module.get_submodule("relu_1").v_initial + 1)
    assert dict(shifted.history[-1].declined) == {
        name: "its initial potential is not shifted" for name in ("relu", "relu_2", "relu_3")
    }
