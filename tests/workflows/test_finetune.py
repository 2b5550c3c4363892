"""Fine-tuning a converted network: right earlier, the same if it goes on, and nobody judges what it was trained on."""

from dataclasses import asdict, replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import small_artifacts as small
import torch
from torch import fx, nn

from seenn_convert.artifact.artifact import Artifact, load_artifact
from seenn_convert.cli.console import conversion_text
from seenn_convert.data.dataset import Dataset
from seenn_convert.errors import CalibrationDataError, InputError
from seenn_convert.exits.certificates.certificate import Certify
from seenn_convert.exits.readouts import collect_readouts
from seenn_convert.exits.thresholds import ExitTarget
from seenn_convert.ir.program import Program, Stage
from seenn_convert.measure.costs import run_counted
from seenn_convert.neurons.leaky import LeakyNeuron
from seenn_convert.passes.let_leak import LEAK
from seenn_convert.report.render import report_page
from seenn_convert.training.keeping import FORMAT
from seenn_convert.training.loop import Course
from seenn_convert.training.through_time import Training
from seenn_convert.training.unrolled import Unrolled
from seenn_convert.workflows.add_planner.options import PolicyOptions
from seenn_convert.workflows.add_planner.run import attach_policy
from seenn_convert.workflows.convert.options import Options
from seenn_convert.workflows.convert.run import convert, recalibrate
from seenn_convert.workflows.evaluate import evaluate
from seenn_convert.workflows.finetune.images import Images
from seenn_convert.workflows.finetune.judge import Judge
from seenn_convert.workflows.finetune.options import FinetuneOptions
from seenn_convert.workflows.finetune.run import finetune
from seenn_convert.workflows.finetune.teacher import AnnTeacher
from seenn_convert.workflows.finetune.trainable import trainable

OPTIONS = FinetuneOptions(epochs=4, batch_size=32, held_out=64, learning_rate=0.01)


@cache
def converted() -> Artifact:
    return convert(small.trained_net(), small.dataset(), Options(timesteps=4, front="none", calibration="fast"))


@cache
def tuned() -> Artifact:
    return finetune(converted(), small.dataset(512, 7), OPTIONS)


def agreement_at_first(artifact: Artifact) -> float:
    images = small.draw(256, 11)[0]
    with torch.no_grad():
        wanted = converted().ann(images).argmax(dim=-1)
        found = collect_readouts(artifact.model(), [images]).predictions[0]
    return float((found == wanted).double().mean())


def killed(*given: object, **named: object) -> None:
    raise KeyboardInterrupt


def joined_data(one: Dataset, other: Dataset) -> Dataset:
    pixels = [torch.cat([image for image, _ in data.batches(64)]) for data in (one, other)]
    return small.as_dataset(torch.cat(pixels), torch.cat([one.labels, other.labels]))


def test_new_images_get_the_answer_of_the_ann_at_the_first_timestep_more_often() -> None:
    assert 1 - agreement_at_first(tuned()) < 2 / 3 * (1 - agreement_at_first(converted()))


def test_the_result_is_an_artifact_like_any_other(tmp_path: Path) -> None:
    tuned().save(tmp_path / "tuned")
    again = load_artifact(tmp_path / "tuned")
    assert again.timesteps == 4
    assert agreement_at_first(again) == agreement_at_first(tuned())


def test_the_report_says_what_was_trained_and_what_that_gained(tmp_path: Path) -> None:
    facts = tuned().report.conversion.finetuning
    assert facts is not None
    assert (facts.images, facts.judging_images, facts.updates) == (448, 32, 4 * (448 // 32))
    first, kept = facts.looks[0], facts.looks[facts.kept]
    assert (first.update, first.loss) == (0, None) and facts.kept == len(facts.looks) - 1
    assert facts.looks[-1].loss < facts.looks[1].loss
    assert facts.left_out == 0 and 0 < facts.minutes < 5
    page = report_page(tuned().report)
    assert "56 updates of 32 images; 448 images in all" in page and "<h3>Fine-tuning</h3>" in page and "Accuracy in the course of the training" in page
    said = conversion_text(tuned().report)
    assert f"{100 * first.accuracy_at[0]:.1f}% to {100 * kept.accuracy_at[0]:.1f}% at t = 1" in said


def test_exit_images_choose_what_is_kept_and_the_others_of_them_fit_the_exits() -> None:
    found = finetune(converted(), small.dataset(448, 7), replace(OPTIONS, epochs=1), exit_data=small.dataset(80, 21))
    facts, origin = found.report.conversion.finetuning, found.provenance.validation
    assert facts is not None and origin is not None
    assert (facts.images, facts.judging_images, origin.images) == (448, 20, 60)
    scores = [look.score for look in facts.looks]
    assert facts.kept == scores.index(max(scores))


def test_images_that_trained_the_network_judge_nothing() -> None:
    found = evaluate(tuned(), small.dataset(512, 7).take(40))
    assert "finetuning_images" in [warning.code for warning in found.warnings]
    assert "finetuning_images" not in [warning.code for warning in evaluate(tuned(), small.dataset(40, 99)).warnings]


def test_images_that_chose_its_state_judge_nothing_and_fit_no_exits() -> None:
    exits = small.dataset(80, 21)
    found = finetune(converted(), small.dataset(448, 7), replace(OPTIONS, epochs=1), exit_data=exits)
    order = torch.randperm(80, generator=torch.Generator().manual_seed(0)).tolist()
    chose, fitted = exits.subset(sorted(order[:20])), exits.subset(sorted(order[20:]))
    told = {name: [one.text for one in evaluate(found, data).warnings if one.code == "finetuning_images"]
            for name, data in {"chose": chose, "fitted": fitted}.items()}  # fmt: skip
    assert not told["fitted"] and len(told["chose"]) == 1 and "chose its state" in told["chose"][0]
    doubtful = recalibrate(found, exit_data=exits)
    assert "finetuning_images" in [one.code for one in doubtful.report.conversion.warnings]
    for before, said in ((chose, "chose its state"), (small.dataset(448, 7).take(60), "trained the network")):
        with pytest.raises(InputError, match=said):
            finetune(found, small.dataset(96, 33), replace(OPTIONS, epochs=1), exit_data=before)


def test_images_that_trained_it_before_are_not_held_out() -> None:
    both = joined_data(small.dataset(512, 7), small.dataset(64, 44))
    again = finetune(tuned(), both, replace(OPTIONS, epochs=1, held_out=128, seed=5))
    judging = again.report.conversion.finetuning.judging_images + again.provenance.validation.images
    assert 3 <= judging < 64  # of the 128 that were drawn, those that are new


def test_it_says_if_nothing_was_gained() -> None:
    spoilt = replace(OPTIONS, epochs=1, learning_rate=1.0)
    found = finetune(converted(), small.dataset(448, 7), spoilt, exit_data=small.dataset(80, 21))
    facts, codes = found.report.conversion.finetuning, [one.code for one in found.report.conversion.warnings]
    assert (facts.kept == 0) == ("nothing_gained" in codes) and facts.kept == 0
    assert "nothing_gained" not in [one.code for one in tuned().report.conversion.warnings]


def test_fewer_timesteps_than_the_exits_aim_for_are_refused() -> None:
    aimed = convert(small.trained_net(), small.dataset(),
                    Options(timesteps=4, front="none", calibration="fast", target=ExitTarget(timesteps=3)))  # fmt: skip
    with pytest.raises(InputError, match="aim for 3 timesteps on average, and -T 2 allows fewer"):
        finetune(aimed, small.dataset(512, 7), replace(OPTIONS, timesteps=2))


def test_exits_can_be_fitted_again_and_thresholds_cannot() -> None:
    with pytest.raises(InputError, match="fine-tuned, which calibrating it again would undo"):
        recalibrate(tuned(), small.dataset())
    again = recalibrate(tuned(), exit_data=small.dataset(80, 21))
    assert again.report.conversion.finetuning == tuned().report.conversion.finetuning
    assert agreement_at_first(again) == agreement_at_first(tuned())
    assert "finetuning_images" not in [one.code for one in again.report.conversion.warnings]
    doubtful = recalibrate(tuned(), exit_data=small.dataset(512, 7).take(80))
    assert "finetuning_images" in [one.code for one in doubtful.report.conversion.warnings]


def test_a_training_that_was_cut_off_gives_the_same_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    state, looked = tmp_path / "state.pt", Training.looked

    def killed(self: Training, *given: object, **named: object) -> None:
        if self.course.done > 20:
            raise KeyboardInterrupt
        looked(self, *given, **named)  # type: ignore[arg-type]

    options = replace(OPTIONS, quantised_share=0.5)  # it is cut off in the first stage
    with monkeypatch.context() as patched:
        patched.setattr(Training, "looked", killed)
        with pytest.raises(KeyboardInterrupt):
            finetune(converted(), small.dataset(512, 7), options, state=state)
    assert state.exists()
    found = finetune(converted(), small.dataset(512, 7), options, state=state)
    unbroken = finetune(converted(), small.dataset(512, 7), options)
    assert "28 as a quantised ANN" in conversion_text(found.report)
    wanted = unbroken.snn.graph_module.state_dict()
    assert all(torch.equal(value, wanted[name]) for name, value in found.snn.graph_module.state_dict().items())


def test_the_state_of_another_training_is_refused(tmp_path: Path) -> None:
    state = tmp_path / "state.pt"
    state.write_bytes(b"no training")
    with pytest.raises(InputError, match="no training on its way"):
        finetune(converted(), small.dataset(512, 7), OPTIONS, state=state)
    torch.save({"of": "another", "format": FORMAT}, state)
    with pytest.raises(InputError, match="another training"):
        finetune(converted(), small.dataset(512, 7), OPTIONS, state=state)
    torch.save({"of": "another"}, state)
    with pytest.raises(InputError, match="another version"):
        finetune(converted(), small.dataset(512, 7), OPTIONS, state=state)


def test_the_state_of_a_training_for_another_target_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    state = tmp_path / "state.pt"
    with monkeypatch.context() as patched:
        patched.setattr(Course, "run", killed)
        with pytest.raises(KeyboardInterrupt):
            finetune(converted(), small.dataset(512, 7), OPTIONS, state=state)
    options = {**converted().provenance.options, "target": asdict(ExitTarget(timesteps=1.2))}
    other = replace(converted(), provenance=replace(converted().provenance, options=options))
    with pytest.raises(InputError, match="another training"):
        finetune(other, small.dataset(512, 7), OPTIONS, state=state)


def test_images_that_calibrated_hold_nothing_out() -> None:
    with pytest.raises(CalibrationDataError, match="too few to fine-tune"):
        finetune(converted(), small.dataset(), OPTIONS)


def test_too_few_held_out_images_are_named_as_what_they_are() -> None:
    with pytest.raises(InputError, match="held out must be at least 3, got 2"):
        replace(OPTIONS, held_out=2)


def test_more_timesteps_than_the_artifact_has_are_refused() -> None:
    with pytest.raises(InputError, match="at most 4 timesteps, got 8"):
        finetune(converted(), small.dataset(512, 7), FinetuneOptions(timesteps=8))


def test_another_teacher_is_followed_and_has_to_fit() -> None:
    """One that gives every image the first class is followed into that."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        one_answer, more_classes = small.SmallNet().eval(), nn.Sequential(nn.Flatten(), nn.Linear(64, 5)).eval()
    with torch.no_grad():
        one_answer.head.weight.zero_()
        one_answer.head.bias.copy_(torch.tensor([9.0, 0.0, 0.0]))
    options = replace(OPTIONS, use_labels=False)
    found = finetune(converted(), small.dataset(512, 7), options, teacher=one_answer)
    images = small.draw(64, 11)[0]
    answers = collect_readouts(found.model(), [images]).predictions[0]
    assert float((answers == 0).double().mean()) > 0.9
    with pytest.raises(InputError, match="has 5 classes, the artifact has 3; give a teacher of the same input"):
        finetune(converted(), small.dataset(512, 7), OPTIONS, teacher=more_classes)


def test_a_state_file_in_a_new_folder_is_written_and_an_impossible_one_is_refused_before_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state, impossible = tmp_path / "new" / "folder" / "state.pt", tmp_path / "file" / "state.pt"
    (tmp_path / "file").touch()
    finetune(converted(), small.dataset(160, 7), replace(OPTIONS, epochs=1), state=state)
    assert [one.name for one in state.parent.iterdir()] == ["state.pt"]
    monkeypatch.setattr(Course, "run", lambda *given: pytest.fail("trained"))
    with pytest.raises(InputError, match="cannot be written"):
        finetune(converted(), small.dataset(160, 7), OPTIONS, state=impossible)


def test_a_network_in_double_precision_is_trained_in_it() -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = small.SmallNet().double().eval()
    double = convert(net, small.dataset(), Options(timesteps=2, front="none", calibration="fast"))
    data, options = small.dataset(160, 7), replace(OPTIONS, epochs=1, objective="temporal")
    for teacher in (None, small.trained_net()):
        found = finetune(double, data, options, teacher=teacher)
        assert found.snn.input_dtype == torch.float64
        assert found.report.conversion.finetuning.left_out == 0
    with pytest.raises(InputError, match="computes in float64"):
        finetune(double, data, replace(options, precision="bfloat16"))


@pytest.mark.parametrize(("exit_images", "reason"), [
    (small.dataset(), "the exit images are calibration images"), (small.dataset(1, 5), "1 exit image is too few"),
    (small.dataset(160, 7).take(60), "exit images are among bars.npz, which train the network"),
])  # fmt: skip
def test_exit_images_that_do_not_serve_are_refused_before_training(
    exit_images: Dataset, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Course, "run", lambda *given: pytest.fail("trained"))
    with pytest.raises(InputError, match=reason):
        finetune(converted(), small.dataset(160, 7), OPTIONS, exit_data=exit_images)


def test_a_certificate_that_takes_more_images_is_refused_before_training(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Course, "run", lambda *given: pytest.fail("trained"))
    certified = Options(timesteps=4, front="none", calibration="fast", certify=Certify(0.1, 0.1))
    artifact = recalibrate(converted(), options=certified, exit_data=small.dataset(200, 21))
    with pytest.raises(CalibrationDataError, match="too few to certify"):
        finetune(artifact, small.dataset(160, 7), OPTIONS)


def test_a_policy_head_that_is_gone_is_told() -> None:
    artifact = attach_policy(converted(), small.dataset(160, 13), PolicyOptions(epochs=1))
    found = finetune(artifact, small.dataset(160, 7), replace(OPTIONS, epochs=1))
    assert found.snn.policy_head is None
    assert "policy_head_gone" in [one.code for one in found.report.conversion.warnings]


def test_images_of_an_earlier_training_are_still_known_after_another() -> None:
    again = finetune(tuned(), small.dataset(160, 23), replace(OPTIONS, epochs=1))
    for data in (small.dataset(512, 7), small.dataset(160, 23)):
        warnings = evaluate(again, data.take(40)).warnings
        assert "finetuning_images" in [warning.code for warning in warnings]


def test_a_training_goes_on_with_its_own_images_alone(tmp_path: Path) -> None:
    """As many other images, or judging images in another number, make another training."""
    options, state = replace(OPTIONS, epochs=1), tmp_path / "state.pt"
    finetune(converted(), small.dataset(160, 7), options, state=state)
    for data, exits in ((small.dataset(160, 8), None), (small.dataset(160, 7), small.dataset(60, 21))):
        with pytest.raises(InputError, match="another training"):
            finetune(converted(), data, options, exit_data=exits, state=state)


def test_a_loss_that_is_not_finite_does_not_spoil_the_report() -> None:
    training = Training.of(Unrolled(converted().snn), 4, 0.01, torch.ones(4) / 4)
    training.course.losses, training.course.done = [1.0, float("nan"), float("inf"), 2.0], 4
    training.looked(0.5, training.shares)
    assert training.history[-1]["loss"] == 1.5
    training.course.losses, training.course.done = [*training.course.losses, float("nan")], 5
    training.looked(0.5, training.shares)
    assert training.history[-1]["loss"] is None


def test_it_trains_inside_inference_mode() -> None:
    with torch.inference_mode():
        found = finetune(converted(), small.dataset(160, 7), replace(OPTIONS, epochs=1))
    assert found.report.conversion.finetuning.left_out == 0


def test_a_penalty_on_spikes_makes_them_fewer() -> None:
    def operations(artifact: Artifact) -> float:
        return float(run_counted(artifact.model(), [small.draw(64, 11)[0]], lambda count: None)[1].accumulates[-1].mean())

    frugal = finetune(converted(), small.dataset(512, 7), replace(OPTIONS, spike_penalty=2.0))
    assert operations(frugal) < 0.8 * operations(tuned())


def leaky() -> Artifact:
    options = Options(timesteps=4, front="none", calibration="fast", neuron="if")
    binary = convert(small.trained_net(), small.dataset(), options)
    return finetune(binary, small.dataset(512, 7), replace(OPTIONS, leak=True))


def test_binary_neurons_can_learn_a_leak_and_be_trained_again_without_an_ann(tmp_path: Path) -> None:
    first = leaky()
    first.save(tmp_path / "leaky")
    again = load_artifact(tmp_path / "leaky")
    leaks = [module.leak for _, module in again.snn.calls() if isinstance(module, LeakyNeuron)]
    assert leaks and all(not torch.equal(leak, torch.full_like(leak, LEAK)) for leak in leaks)
    adopted = replace(again, facts=replace(again.facts, reference="full_run"))
    further = finetune(adopted, small.dataset(512, 8), replace(OPTIONS, epochs=1))
    facts = further.report.conversion.finetuning
    assert facts is not None and facts.ann_accuracy > 0.8  # of the network itself, after all timesteps
    with pytest.raises(InputError, match="do not compute a quantised activation"):
        finetune(adopted, small.dataset(512, 8), replace(OPTIONS, quantised_share=0.5))
    with pytest.raises(InputError, match="neurons leak already; leave out --leak"):
        finetune(again, small.dataset(512, 8), replace(OPTIONS, leak=True))
    with pytest.raises(InputError, match="a leak is for binary neurons"):
        finetune(converted(), small.dataset(512, 8), replace(OPTIONS, leak=True))


@pytest.mark.parametrize(("leak", "options", "words"), [
    (1.0, {"leak": True}, "with neurons that do not leak; train it with neurons that do and adopt it again"),
    (1.0, {"quantised_share": 0.5}, "there is no ANN whose activations could be quantised"),
    (1.0, {"leak": True, "quantised_share": 0.5}, "there is no ANN whose activations could be quantised"),
    (0.5, {"leak": True}, "the neurons leak already; leave out --leak"),
    (0.5, {"quantised_share": 0.5}, "neurons that leak do not compute a quantised activation; leave out --quantised-share"),
])  # fmt: skip
def test_what_a_network_trained_as_a_spiking_one_cannot_learn_is_told(
    leak: float, options: dict[str, Any], words: str
) -> None:
    graph = fx.Graph()
    graph.output(graph.call_module("neurons", (graph.placeholder("current"),)))
    neurons = LeakyNeuron(*map(torch.tensor, (1.0, 0.0, leak, 1.0, 0.0)))
    with pytest.raises(InputError, match=words):
        trainable(Program(fx.GraphModule({"neurons": neurons}, graph), Stage.SNN, (3,)), replace(OPTIONS, **options))


def test_it_is_judged_by_the_exits_that_it_will_have() -> None:
    """With a target of timesteps, prefixes count as they will then: with one timestep, the first alone beyond the floor."""
    artifact, data = small.artifact(), small.dataset(60, 9)
    images = Images(data, [], data, data, True)
    options = FinetuneOptions(timesteps=4, batch_size=32)

    found = Judge(AnnTeacher(artifact.ann), images, options, ExitTarget(timesteps=1))(Unrolled(artifact.snn))

    assert found["average_timesteps"] == 1
    assert found["shares"].argmax() == 0
    assert found["shares"][1:].tolist() == pytest.approx([float(found["shares"][1])] * 3)
