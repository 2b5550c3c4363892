"""A bias for each timestep in front of a layer of neurons, by each row's own clock."""

import harness
import torch
import toys

from seenn_convert.ir.program import Program, format_program
from seenn_convert.ir.scores import CONFIDENCE
from seenn_convert.passes.insert_exit_probe import InsertExitProbe
from seenn_convert.passes.insert_timestep_bias import InsertTimestepBias


def spiking(make) -> Program:
    return harness.spiking_program(harness.program_of(make))


def test_insert_timestep_bias(golden) -> None:
    program = harness.spiking_program(toys.toy(lambda m, x: x.relu(), (5,)))
    text = format_program(InsertTimestepBias({"relu": torch.zeros(4, 1)})(program))
    threshold = next(part for part in text.split() if part.startswith("SignedNeuron"))
    golden.check("insert_timestep_bias.txt", text.replace(threshold, "SignedNeuron(...)(relu_bias,"))


def test_a_bias_of_zero_changes_nothing() -> None:
    program = spiking(toys.residual)
    biased = InsertTimestepBias({f"relu{s}": torch.zeros(3, 1, 1, 1) for s in ("", "_1", "_2", "_3")})(program)
    batch = harness.images(program)

    for one, two in zip(harness.timesteps(program, batch, 4), harness.timesteps(biased, batch, 4), strict=True):
        assert torch.equal(one.results[0], two.results[0])


def test_the_bias_of_each_timestep_is_added_to_the_current() -> None:
    """The last bias holds from then on; charge counts it as current."""
    program = spiking(toys.perceptron)
    bias = torch.randn(3, 6)
    v = next(iter(harness.initial_state(program, 5).values()))
    for t, step in enumerate(
        harness.timesteps(InsertTimestepBias({"relu": bias})(program), harness.images(program), 5)
    ):
        current = step.values["drive"] + bias[min(t, 2)]
        assert torch.allclose(step.values["relu_bias"], current)
        v = v + current - step.values["relu_out"]
        assert torch.allclose(step.state["relu_v"], v, atol=1e-5)


def test_layers_without_a_bias_are_declined() -> None:
    biased = InsertTimestepBias({"relu_1": torch.zeros(3, 4, 1, 1)})(spiking(toys.residual))

    assert dict(biased.history[-1].declined) == {
        name: "it has no timestep bias" for name in ("relu", "relu_2", "relu_3")
    }


def test_bias_and_probe_share_one_clock() -> None:
    biased = InsertTimestepBias({"relu": torch.zeros(3, 6)})(spiking(toys.perceptron))
    probed = InsertExitProbe(CONFIDENCE, torch.ones(3), 5)(biased)

    assert [spec.name for spec in probed.states].count("clock") == 1
    assert sum(node.name.startswith("tick") for node, _ in probed.calls()) == 1
