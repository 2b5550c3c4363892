"""An evaluation counts what a run by hand counts, and refuses data it cannot judge."""

import json
from dataclasses import replace

import pytest
import small_artifacts as small
import torch

from seenn_convert.artifact.provenance import used_data
from seenn_convert.artifact.schema.coding import to_plain
from seenn_convert.artifact.schema.evaluation import Evaluation
from seenn_convert.errors import InputError, PostconditionError
from seenn_convert.exits.readouts import Readouts, collect_readouts
from seenn_convert.frontend.torch.read import from_torch
from seenn_convert.measure import evaluate as evaluate_file
from seenn_convert.measure import one_pass
from seenn_convert.measure.diagnosis import diagnose
from seenn_convert.measure.evaluate import measure
from seenn_convert.measure.intervals import wilson_interval
from seenn_convert.measure.remedies import Settings
from seenn_convert.runtime.early_exit import ExitTrace
from seenn_convert.runtime.policies import ThresholdPolicy, exit_steps

DATA = small.dataset(70, seed=71)
ARTIFACT = replace(small.artifact(), policy=ThresholdPolicy("confidence", (0.8, 0.7, 0.75, 0.6)))


@pytest.fixture(scope="module")
def found() -> Evaluation:
    return measure(ARTIFACT, DATA, batch_size=32)


def test_the_keys_of_the_contract(found: Evaluation) -> None:
    plain = to_plain(found)
    assert set(plain) == {
        "differs_from_hindsight", "confidence",
        "timing", "policy",
        "data", "ann_accuracy", "accuracy_at", "early_exit", "milliseconds_per_image", "operations", "energy",
        "trade_off", "layers", "diagnosis", "examples", "certificate", "exit_drift", "warnings", "target",
    }  # fmt: skip
    assert set(plain["early_exit"]) == {"accuracy", "interval95", "average_timesteps", "exit_counts"}
    assert set(plain["milliseconds_per_image"]) == {"ann", "all_timesteps", "early_exit"}
    assert set(plain["operations"]) == {
        "ann_macs", "stem_macs", "policy_macs", "synaptic_operations", "graded_operations", "spikes",
    }  # fmt: skip
    assert list(plain["accuracy_at"]) == list(plain["early_exit"]["exit_counts"]) == [str(t) for t in range(1, 9)]
    assert found.data == used_data(DATA).facts
    json.dumps(plain, allow_nan=False)


def test_the_numbers_are_those_of_hindsight(found: Evaluation) -> None:
    pixels, labels = small.draw(70, 71)
    run = collect_readouts(ARTIFACT.model(), [pixels])
    steps = exit_steps(ARTIFACT.policy, run.scores)
    right = run.predictions[steps - 1, torch.arange(70)] == labels
    early = found.early_exit
    assert early.accuracy == int(right.sum()) / 70
    assert early.interval95 == wilson_interval(int(right.sum()), 70)
    assert early.average_timesteps == pytest.approx(float(steps.double().mean()))
    assert early.exit_counts == {t: int((steps == t).sum()) for t in range(1, 9)}
    assert sum(early.exit_counts.values()) == 70
    assert found.accuracy_at == {t + 1: int((run.predictions[t] == labels).sum()) / 70 for t in range(8)}
    with torch.no_grad():
        assert found.ann_accuracy == int((small.trained_net()(pixels).argmax(1) == labels).sum()) / 70
    assert found.trade_off[0].average_timesteps == 1.0
    assert found.differs_from_hindsight == 0
    assert found.timing.other_images == 70


def test_early_exit_does_less_and_shares_add_up(found: Evaluation) -> None:
    operations = found.operations
    for kind in ("synaptic_operations", "spikes"):
        assert 0 < getattr(operations, kind).early_exit < getattr(operations, kind).all_timesteps
    assert operations.stem_macs == 2880
    assert sum(layer.operation_share for layer in found.layers) == pytest.approx(1)
    spikes = sum(layer.spikes_per_image for layer in found.layers)
    assert spikes == pytest.approx(operations.spikes.all_timesteps, rel=0.1)  # of 64 of the 70 images


def test_the_diagnosis_is_that_of_the_layers(found: Evaluation) -> None:
    assert found.diagnosis == diagnose(found.layers, Settings.of(ARTIFACT))
    dead = ARTIFACT.report.conversion.dead_channels
    assert {x.name: x.dead_channels for x in found.diagnosis.layers} == dead
    assert all(layer.channels == 5 for layer in found.layers)


def test_the_batch_size_does_not_matter(found: Evaluation) -> None:
    other = measure(ARTIFACT, DATA, batch_size=9)
    for key in ("data", "ann_accuracy", "accuracy_at", "early_exit", "operations", "energy", "trade_off", "layers"):
        assert getattr(other, key) == getattr(found, key), key


def test_another_ann_can_be_compared_with(found: Evaluation) -> None:
    guessing = torch.nn.Linear(64, 3)
    torch.nn.init.zeros_(guessing.weight)
    torch.nn.init.ones_(guessing.bias)
    program = from_torch(torch.nn.Sequential(torch.nn.Flatten(), guessing).eval(), small.SHAPE)
    other = measure(ARTIFACT, DATA, ann=program)
    assert other.ann_accuracy == int((DATA.labels == 0).sum()) / 70
    assert other.early_exit == found.early_exit
    assert other.operations.ann_macs == found.operations.ann_macs


def test_progress_reaches_its_end() -> None:
    last: dict[str, tuple[int, int]] = {}
    measure(ARTIFACT, DATA, 32, progress=lambda stage, done, total: last.update({stage: (done, total)}))
    assert last == {"evaluating": (70, 70)}


def test_data_that_cannot_be_judged() -> None:
    pixels, labels = small.draw(6, 1)
    for data, reason in (
        (small.dataset(6, labelled=False), "no labels"),
        (small.as_dataset(pixels, labels + 2), "out of range"),
        (small.as_dataset(torch.zeros(6, 1, 7, 7), labels), "the model takes"),
        (small.as_dataset(pixels / (torch.arange(6) != 4).float().reshape(-1, 1, 1, 1), labels), "image 4 holds"),
    ):
        with pytest.raises(InputError, match=reason):
            measure(ARTIFACT, data)


def test_class_folders_in_another_order_are_judged_alike(found: Evaluation) -> None:
    """A network that numbers its classes otherwise than the folders are sorted: names decide, not positions."""
    source = replace(DATA.source, labels=(DATA.labels + 2) % 3)  # c, which was 0, comes last among a, b, c
    object.__setattr__(source, "class_names", ("a", "b", "c"))
    other = measure(replace(ARTIFACT, class_names=("c", "a", "b")), replace(DATA, source=source), batch_size=32)
    assert other.early_exit == found.early_exit


@pytest.mark.parametrize("device", ["meta", "foo"])
def test_a_device_that_is_no_place_to_run(device: str) -> None:
    with pytest.raises(InputError, match="cannot be used"):
        measure(ARTIFACT, DATA, device=device)


def test_other_types_of_number_may_differ_a_little() -> None:
    steps = torch.full((200,), 2)
    run = Readouts(torch.zeros(2, 200, dtype=torch.int64), torch.zeros(2, 200))
    late = ExitTrace(torch.zeros(200, dtype=torch.int64), torch.zeros(200, 3), steps.clone(), torch.zeros(200))
    late.exit_step[:2] = 1
    policy = ThresholdPolicy("confidence", (0.5, -1.0))
    assert evaluate_file._compare_with_hindsight(run, late, policy, evaluate_file.ROUNDING_SHARE) == 2
    with pytest.raises(PostconditionError, match="differ for 2 of 200 images"):
        evaluate_file._compare_with_hindsight(run, late, policy, 0.0)


def test_a_difference_to_hindsight_is_a_defect(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = one_pass.run_early_exit

    def late(*args: object, **options: object) -> object:
        trace = honest(*args, **options)
        trace.exit_step[3] += 1
        return trace

    monkeypatch.setattr(one_pass, "run_early_exit", late)
    many = small.dataset(210, seed=71)
    with pytest.raises(PostconditionError, match="differ for 1 of 210 images"):  # less than any tolerance
        measure(ARTIFACT, many)
