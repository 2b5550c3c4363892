"""The probe: mean logits and their score at every timestep, by each row's own clock."""

import harness
import pytest
import torch
import toys

from seenn_convert.errors import PreconditionError
from seenn_convert.ir.program import Program, format_program
from seenn_convert.ir.scores import CONFIDENCE, ENTROPY, SCORES, ExitScore, evidence_at
from seenn_convert.passes.insert_exit_probe import InsertExitProbe
from seenn_convert.passes.sequence import probe_pass

TEMPERATURES = torch.tensor([0.5, 1.0, 2.0, 4.0])


def pair(make, score: ExitScore = CONFIDENCE) -> tuple[Program, Program]:
    """Return a spiking program without and with its probe."""
    program = harness.spiking_program(harness.program_of(make))
    return program, InsertExitProbe(score, TEMPERATURES, 5)(program)


@pytest.mark.parametrize("score", SCORES, ids=lambda score: score.name)
@pytest.mark.parametrize("make", [toys.residual, toys.perceptron, toys.relu_last])
def test_logits_are_the_mean_and_the_score_is_that_of_the_timestep(make, score: ExitScore) -> None:
    without, probed = pair(make, score)
    batch, total = harness.images(without), 0.0
    steps = list(zip(harness.timesteps(without, batch, 4), harness.timesteps(probed, batch, 4), strict=True))
    known = evidence_at(torch.stack([step.results[0] for _, step in steps]), TEMPERATURES)
    for t, (plain, step) in enumerate(steps, start=1):
        total = total + plain.results[0]
        logits, found = step.results
        assert torch.allclose(logits, total / t, atol=1e-5)
        assert torch.allclose(found, score.of(known[t - 1]), atol=1e-6)
        assert step.state["clock"].tolist() == [float(t)] * len(batch)


def test_rows_of_different_age_share_a_batch() -> None:
    """A fresh row beside one that has done three steps: both get what they would get alone."""
    _, probed = pair(toys.residual)
    old, fresh = harness.images(probed, 2).split(1)
    old_steps, fresh_steps = list(harness.timesteps(probed, old, 4)), list(harness.timesteps(probed, fresh, 1))
    start = {name: value for name, value in harness.initial_state(probed, 1).items()}
    mixed = {name: torch.cat([old_steps[2].state[name], start[name]]) for name in start}
    drives = [torch.cat(pair) for pair in zip(probed.stem(old), probed.stem(fresh), strict=True)]
    logits, found, *following = probed.graph_module(*drives, *mixed.values())

    for row, alone in ((0, old_steps[3]), (1, fresh_steps[0])):
        assert torch.allclose(logits[row], alone.results[0][0], atol=1e-6)
        assert torch.allclose(found[row], alone.results[1][0], atol=1e-6)
        for value, expected in zip(following, alone.state.values(), strict=True):
            assert torch.allclose(value[row], expected[0], atol=1e-6)


def test_insert_exit_probe(golden) -> None:
    program = harness.spiking_program(toys.toy(lambda m, x: x.relu(), (5,)))
    text = format_program(InsertExitProbe(ENTROPY, torch.ones(3), 5)(program))
    threshold = next(part for part in text.split() if part.startswith("SignedNeuron"))
    golden.check("insert_exit_probe.txt", text.replace(threshold, "SignedNeuron(...)(drive,"))


def test_a_program_has_one_probe() -> None:
    _, probed = pair(toys.perceptron)

    with pytest.raises(PreconditionError, match="has an exit probe already"):
        InsertExitProbe(ENTROPY, TEMPERATURES, 5)(probed)


def test_the_number_of_classes_comes_from_the_program() -> None:
    ann = harness.ann_program(harness.program_of(toys.perceptron))
    probed = probe_pass(ann, CONFIDENCE, TEMPERATURES)(harness.spiking_program(harness.program_of(toys.perceptron)))

    assert {spec.name: spec.shape for spec in probed.states}["readout"] == (5,)
    assert probed.results == ("logits", "score")
