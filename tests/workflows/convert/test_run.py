"""The whole journey: any form of a model becomes a network that tends to its ANN, reproducibly."""

import copy
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import small_artifacts as small
import torch
from torch import nn

from seenn_convert.artifact.artifact import Artifact, load_artifact
from seenn_convert.calibration.rules import MaxRule, MseRule
from seenn_convert.choices import CORRECTION_NAMES, SCORE_NAMES, Correction, ScoreName
from seenn_convert.cli.console import conversion_text
from seenn_convert.errors import ArtifactError, CalibrationDataError, InputError, PostconditionError
from seenn_convert.exits.certificates.certificate import Certify
from seenn_convert.exits.readouts import collect_readouts
from seenn_convert.exits.thresholds import ExitTarget
from seenn_convert.exits.tune import split_calibration
from seenn_convert.frontend.load import read_model
from seenn_convert.ir.editor import Draft
from seenn_convert.ir.program import Stage
from seenn_convert.ir.scores import Evidence, ExitScore, scores_of
from seenn_convert.measure.compare import compare
from seenn_convert.passes.base import Pass
from seenn_convert.runtime.early_exit import run_early_exit
from seenn_convert.runtime.policies import FixedPolicy, PlannedPolicy, ThresholdPolicy, exit_steps
from seenn_convert.workflows.add_planner.options import PolicyOptions
from seenn_convert.workflows.add_planner.run import attach_policy
from seenn_convert.workflows.convert.run import Options, convert, load, recalibrate

IMAGES = small.draw(100, 81)[0]


def same_bits(a: Artifact, b: Artifact) -> bool:
    one, other = a.model()(IMAGES), b.model()(IMAGES)
    same_answers = torch.equal(one.logits, other.logits) and torch.equal(one.exit_step, other.exit_step)
    return a.policy == b.policy and same_answers


def agreement(artifact: Artifact) -> float:
    """Return the share of images on which the full run answers as the original network does."""
    trace = run_early_exit(artifact.model(), [IMAGES], 100, FixedPolicy(artifact.timesteps))
    with torch.no_grad():
        return float((trace.predictions == small.trained_net()(IMAGES).argmax(dim=-1)).double().mean())


@pytest.mark.slow
@pytest.mark.parametrize("neuron", ["signed", "if"])
@pytest.mark.parametrize("correction", CORRECTION_NAMES)
def test_at_many_timesteps_it_answers_as_the_ann(neuron: str, correction: Correction) -> None:
    options = Options(
        timesteps=64, neuron=neuron, rule=MaxRule(), correction=correction, target=ExitTarget(timesteps=64)
    )
    assert agreement(convert(small.source(), small.dataset(), options)) >= 0.97


@pytest.mark.slow
def test_the_mean_logits_close_in_on_the_ann() -> None:
    """On the images that the thresholds were measured on: there no activation is above its threshold."""
    net, pixels = small.trained_net(), small.draw(96, 1)[0]  # the images of small.dataset()
    images = pixels[list(split_calibration(len(pixels), Options().seed).fitting)]
    with torch.no_grad():
        wanted = net(images)
    errors = []
    for timesteps in (8, 64, 256):
        options = Options(timesteps=timesteps, rule=MaxRule(), correction="none")
        model = convert(net, small.dataset(), options).model()
        logits = run_early_exit(model, [images], 100, FixedPolicy(timesteps)).logits
        errors.append(float((logits - wanted).abs().mean()))
    assert errors[1] < errors[0] / 3
    assert errors[2] < errors[1] / 2


@pytest.mark.slow
def test_every_form_of_the_model_gives_the_same_network(tmp_path: Path) -> None:
    net = small.trained_net()
    options = Options(timesteps=4)
    exported = torch.export.export(net, (torch.zeros(2, *small.SHAPE),), dynamic_shapes=({0: torch.export.Dim.AUTO},))
    torch.export.save(exported, tmp_path / "net.pt2")
    forms = [net, exported, tmp_path / "net.pt2", str(tmp_path / "net.pt2"), read_model(net, small.SHAPE)]
    artifacts = [convert(form, small.dataset(), options) for form in forms]
    assert all(same_bits(artifacts[0], other) for other in artifacts[1:])
    assert artifacts[2].provenance.model.format == "pt2"
    assert len(artifacts[2].provenance.model.sha256) == 64


@pytest.mark.slow
def test_an_onnx_file_gives_the_network_too(tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    program = torch.onnx.export(
        small.trained_net(), (torch.zeros(2, *small.SHAPE),), dynamo=True, verbose=False,
        dynamic_shapes=({0: torch.export.Dim("batch")},),
    )  # fmt: skip
    assert program is not None
    program.save(str(path))
    artifact = convert(path, small.dataset(), Options(timesteps=64, target=ExitTarget(timesteps=64)))
    assert agreement(artifact) >= 0.97
    assert artifact.provenance.model.name == "net.onnx"
    assert artifact.report.conversion.parity < 1e-4


def test_without_labels_the_ann_stands_in() -> None:
    artifact = convert(small.source(), small.dataset(labelled=False), Options(timesteps=16))
    conversion = artifact.report.conversion
    assert conversion.calibration.labelled is False
    assert conversion.exit.held_out.reference == 1.0
    assert agreement(artifact) >= 0.9


@pytest.mark.slow
def test_the_same_seed_gives_the_same_network_and_another_seed_another_split() -> None:
    options = Options(timesteps=4)
    a, b = (convert(small.source(), small.dataset(), options) for _ in range(2))
    assert same_bits(a, b)
    assert a.provenance == b.provenance
    other = convert(small.source(), small.dataset(), Options(timesteps=4, seed=1))
    assert other.provenance.calibration.thresholds != a.provenance.calibration.thresholds


@pytest.mark.slow
def test_the_batch_size_decides_about_nothing() -> None:
    """Up to rounding: kernels sum batches of fewer than 16 rows in another order."""
    sizes = (96, 29, 20, 7, 1)
    artifacts = [convert(small.source(), small.dataset(), Options(timesteps=4, batch_size=n)) for n in sizes]
    first = artifacts[0]
    for other in artifacts[1:]:
        a, b = (found.provenance.calibration.thresholds.layers for found in (first, other))
        for name in a:
            assert a[name].v_threshold == pytest.approx(b[name].v_threshold, rel=1e-5)
        assert first.policy.thresholds == pytest.approx(other.policy.thresholds, rel=1e-3)


def test_the_model_that_was_given_stays_as_it_was() -> None:
    net = copy.deepcopy(small.trained_net())
    before = {name: value.clone() for name, value in net.state_dict().items()}
    convert(net, small.dataset(), Options(timesteps=2))
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())
    assert all(parameter.requires_grad for parameter in net.parameters())
    assert isinstance(net.relu, nn.ReLU)


def test_options_reach_the_network() -> None:
    options = Options(3, "if", MseRule(4), per_channel=False, correction="none", score="entropy")
    artifact = convert(small.source(), small.dataset(), options)
    assert isinstance(artifact.policy, ThresholdPolicy) and artifact.policy.score_name == "entropy"
    assert artifact.timesteps == 3
    assert artifact.provenance.options == options.to_json()
    assert artifact.report.conversion.neuron.alphabet == (0, 1)
    assert all(len(set(layer.neuron.v_threshold.flatten().tolist())) == 1 for layer in artifact.model().layers)
    assert "bias" not in {node.name.rsplit("_")[-1] for node in artifact.snn.graph_module.graph.nodes}


def test_a_model_without_relu_is_refused_in_one_sentence() -> None:
    class Smooth(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.head = nn.Linear(64, 3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.head(x.flatten(1))

    with pytest.raises(InputError, match=r"no ReLU, ReLU6, LeakyReLU or PReLU.*; give a model with some") as caught:
        convert(Smooth().eval(), small.dataset())
    assert "\n" not in str(caught.value)
    with pytest.raises(
        InputError, match=r"nothing in it would spike; let graded values become spikes with --encode auto"
    ):
        convert(Smooth().eval(), small.dataset(), Options(encode="never"))


class Gated(nn.Module):
    """Smooth activations and a gate, no ReLU."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first, self.gate, self.head = nn.Conv2d(1, 6, 3, padding=1), nn.Linear(6, 6), nn.Linear(6 * 64, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = nn.functional.silu(self.first(x))
        gate = torch.sigmoid(self.gate(x.mean((2, 3))))
        return self.head((x * gate[:, :, None, None]).flatten(1))


def test_a_model_without_relus_spikes_where_graded_values_enter_weights() -> None:
    """Its report says so, it converges, and it goes through an artifact with the same bits."""
    net = Gated().eval()
    options = Options(
        timesteps=64, neuron="tracking", rule=MaxRule(), correction="none", require_spiking=0.25
    )  # fmt: skip
    artifact = convert(net, small.dataset(), options)
    conversion = artifact.report.conversion
    driven = {site.name: site.driven_by for site in conversion.operators if site.driven_by}
    assert driven == {"first": "image", "gate": "spikes", "head": "spikes"}
    with torch.no_grad():
        wanted = net(IMAGES)
    errors = [
        float((run_early_exit(artifact.model(), [IMAGES], 100, FixedPolicy(t)).logits - wanted).abs().mean())
        for t in (4, 64)
    ]
    assert errors[1] < errors[0] / 8
    with pytest.raises(InputError, match=r"spikes would drive 25\.6% of the multiply-accumulates, 90\.0% are required"):
        convert(net, small.dataset(), Options(timesteps=4, require_spiking=0.9))
    with pytest.raises(InputError, match="binary neurons cannot send graded signals"):
        convert(net, small.dataset(), Options(timesteps=4, neuron="if"))


def test_the_tracking_neuron_is_the_reference_every_network_tends_to() -> None:
    """Its error falls with timesteps times levels."""
    with torch.no_grad():
        wanted = small.trained_net()(IMAGES)
    errors = []
    for levels in (4, 64):
        options = Options(timesteps=32, neuron="tracking", neuron_levels=levels, rule=MaxRule(), correction="none")
        model = convert(small.source(), small.dataset(), options).model()
        errors.append(float((run_early_exit(model, [IMAGES], 100, FixedPolicy(32)).logits - wanted).abs().mean()))
    assert errors[1] < errors[0] / 8


@pytest.mark.parametrize("score", [name for name in SCORE_NAMES if name not in ("confidence", "entropy")])
def test_every_score_converts_exits_early_saves_and_loads(tmp_path: Path, score: ScoreName) -> None:
    options = Options(timesteps=5, score=score, target=ExitTarget(timesteps=2.5), calibration="fast")
    artifact = convert(small.source(), small.dataset(), options)
    model, run = artifact.model(), collect_readouts(artifact.model(), [IMAGES])
    steps = exit_steps(artifact.policy, run.scores)
    for batches, capacity in (([IMAGES], 100), (IMAGES.split(9), 32)):
        trace = run_early_exit(model, batches, capacity)
        assert torch.equal(trace.exit_step, steps)
        assert torch.equal(trace.predictions, run.predictions[steps - 1, torch.arange(100)])

    artifact.save(tmp_path / "net")
    again = load_artifact(tmp_path / "net")
    assert same_bits(artifact, again)
    assert again.policy == artifact.policy
    assert again.provenance.options["score"] == score


@dataclass(frozen=True)
class Lead:
    """How far the largest mean logit leads the second, x / (x + softness)."""

    softness: float

    def __call__(self, seen: Evidence) -> torch.Tensor:
        first, second = seen.logits.topk(2, dim=-1).values.unbind(dim=-1)
        return (first - second) / (first - second + self.softness)


def test_a_score_of_the_user_s_own_goes_all_the_way(tmp_path: Path) -> None:
    """It decides, is planned with, compared and saved by name; loading asks for the value and imports nothing."""
    own = ExitScore("lead", Lead(2.0))
    converted = convert(small.source(), small.dataset(), Options(timesteps=5, score=own, calibration="fast"))
    assert converted.policy.to_json()["policy"] == converted.provenance.options["score"] == "lead"
    planned = attach_policy(
        converted, small.dataset(120, 11), PolicyOptions(target=ExitTarget(timesteps=2.0), epochs=1)
    )
    artifact = replace(planned, policy=PlannedPolicy(ThresholdPolicy("lead", (0.3,) * 5)))
    artifact.save(tmp_path / "net")
    with pytest.raises(ArtifactError, match="exit score 'lead' is none of confidence, .*hand it over"):
        load_artifact(tmp_path / "net")
    with pytest.raises(InputError, match="two exit scores"):
        load_artifact(tmp_path / "net", scores=(own, ExitScore("lead", Lead(1.0))))
    again = load_artifact(tmp_path / "net", scores=(own,))
    assert same_bits(artifact, again) and load(tmp_path / "net", (own,)).policy == artifact.policy
    run = collect_readouts(again.model(), [IMAGES], keep_logits=True, keep_plan=True)
    assert torch.allclose(run.scores, scores_of(own, run.logits, torch.ones(5)), atol=1e-6)
    trace = run_early_exit(again.model(), IMAGES.split(9), 32)
    assert torch.equal(trace.exit_step, exit_steps(again.policy, run.scores, planned=run.planned()))
    assert 1 < trace.average_timesteps < 5
    found = compare(again, small.dataset(40, 3), small.dataset(60, 4), batch_size=40)
    assert [way.name for way in found.ways][-3:] == ["lead", "planned", "planned+confidence"]
    assert {row.way for row in found.measured} == {"lead", "planned", "planned+confidence"}


def test_a_score_with_the_name_of_another_is_refused() -> None:
    with pytest.raises(InputError, match="there is an exit score 'margin' already"):
        Options(score=ExitScore("margin", Lead(1.0)))


@pytest.mark.parametrize("neuron", ["multilevel", "multilevel-unsigned", "group", "tracking"])
def test_neurons_of_many_levels_convert_exit_early_save_and_load(tmp_path: Path, neuron: str) -> None:
    """Early exit is hindsight, a split of the batch changes nothing, and the artifact gives the same bits."""
    converted = convert(small.source(), small.dataset(), Options(timesteps=6, neuron=neuron, neuron_levels=4))
    run = collect_readouts(converted.model(), [IMAGES])
    medians = run.scores.median(dim=1).values.tolist()
    artifact = replace(
        converted, policy=ThresholdPolicy("confidence", (*medians[:-1], -1.0))
    )  # half of them leave at each timestep
    model, steps = artifact.model(), exit_steps(artifact.policy, run.scores)
    for batches, capacity in (([IMAGES], 100), (IMAGES.split(9), 32)):
        trace = run_early_exit(model, batches, capacity)
        assert torch.equal(trace.exit_step, steps)
        assert torch.equal(trace.predictions, run.predictions[steps - 1, torch.arange(100)])
    assert len(steps.unique()) > 2
    assert agreement(artifact) >= 0.9

    artifact.save(tmp_path / "net")
    again = load_artifact(tmp_path / "net")
    assert same_bits(artifact, again)
    assert (again.report, again.provenance) == (artifact.report, artifact.provenance)
    assert again.provenance.options["neuron_levels"] == 4
    bits = {"multilevel": 4, "multilevel-unsigned": 3, "group": 4, "tracking": None}[neuron]
    assert again.report.conversion.neuron.bits_per_spike == bits


@pytest.mark.parametrize("neuron", ["multilevel", "group"])
def test_many_levels_come_closer_at_few_timesteps(neuron: str) -> None:
    """With the same threshold, four timesteps of fine spikes leave less error than four of one size."""
    with torch.no_grad():
        wanted = small.trained_net()(IMAGES)
    errors = []
    for levels in (1, 4):
        options = Options(timesteps=4, neuron=neuron, neuron_levels=levels, rule=MaxRule(), correction="none")
        model = convert(small.source(), small.dataset(), options).model()
        errors.append(float((run_early_exit(model, [IMAGES], 100, FixedPolicy(4)).logits - wanted).abs().mean()))
    assert errors[1] < errors[0] / 2


@pytest.mark.slow
def test_graded_values_become_spikes_of_many_levels() -> None:
    """Where nothing else would spike; spikes without a sign are refused there."""
    net = Gated().eval()
    with torch.no_grad():
        wanted = net(IMAGES)
    errors = []
    for neuron in ("signed", "multilevel", "group"):
        artifact = convert(net, small.dataset(), Options(timesteps=8, neuron=neuron, rule=MaxRule(), correction="none"))
        trace = run_early_exit(artifact.model(), [IMAGES], 100, FixedPolicy(8))
        errors.append(float((trace.logits - wanted).abs().mean()))
    assert errors[1] < errors[0] and errors[2] < errors[0]
    with pytest.raises(InputError, match="unsigned multi-level neurons cannot send graded signals"):
        convert(net, small.dataset(), Options(timesteps=4, neuron="multilevel-unsigned"))


@pytest.mark.parametrize("row", [0, 5, 33, 40])
def test_the_image_that_is_not_finite_is_named(row: int) -> None:
    """Among the first, among those fitted to (33), or held out (40): by its place in the data set."""
    pixels, _ = small.draw(48, 1)
    pixels[row, 0, 2, 2] = float("nan")
    with pytest.raises(CalibrationDataError, match=f"image {row} holds NaN"):
        convert(small.source(), small.as_dataset(pixels, None))


def test_one_image_is_too_few() -> None:
    with pytest.raises(CalibrationDataError, match="too few"):
        convert(small.source(), small.dataset(1))


def test_a_file_of_another_input_shape(tmp_path: Path) -> None:
    torch.export.save(torch.export.export(small.trained_net(), (torch.zeros(2, *small.SHAPE),)), tmp_path / "net.pt2")
    with pytest.raises(CalibrationDataError, match=r"\(1, 16, 16\), the model takes \(1, 8, 8\)"):
        convert(tmp_path / "net.pt2", small.as_dataset(torch.zeros(8, 1, 16, 16), None))


def test_labels_out_of_range_are_refused() -> None:
    pixels, labels = small.draw(40, 1)
    with pytest.raises(InputError, match="out of range"):
        convert(small.source(), small.as_dataset(pixels, labels + 1))


def test_recalibrating_an_artifact_gives_what_converting_gives(tmp_path: Path) -> None:
    small.artifact().save(tmp_path / "net")
    options = Options(timesteps=5, neuron="if", batch_size=32)
    again = recalibrate(load_artifact(tmp_path / "net"), small.dataset(), options)
    assert same_bits(again, convert(small.source(), small.dataset(), options))
    assert again.provenance.model == small.artifact().provenance.model
    assert again.report.conversion.parity == small.artifact().report.conversion.parity
    again.save(tmp_path / "net")
    assert load(tmp_path / "net").timesteps == 5
    with pytest.raises(CalibrationDataError, match="the model takes"):
        recalibrate(again, small.as_dataset(torch.zeros(8, 1, 9, 9), None), options)


def test_recalibrating_changes_what_depthwise_convolutions_read(tmp_path: Path) -> None:
    """Either way the artifact is the one that converting gives, and it comes back from its folder."""

    class Separable(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layers = nn.Sequential(
                nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Conv2d(4, 4, 1), nn.ReLU6(), nn.Conv2d(4, 4, 3, groups=4), nn.ReLU(),
                nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, small.CLASSES),
            )  # fmt: skip

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.layers(x)

    torch.manual_seed(0)
    net, data, plain = Separable().eval(), small.dataset(40), Options(2, calibration="fast", correction="none", front="none")
    with pytest.raises(InputError, match="--encode always and --depthwise spiking"):
        convert(net, data, replace(plain, require_spiking=0.4))
    made = {
        "graded": convert(net, data, plain),
        "spiking": convert(net, data, replace(plain, depthwise="spiking", require_spiking=0.4)),
    }
    for which, other in (("graded", "spiking"), ("spiking", "graded")):
        again = recalibrate(made[other], data, replace(plain, depthwise=which))
        assert same_bits(again, made[which])
        again.save(tmp_path / which)
        assert same_bits(load_artifact(tmp_path / which), again)
        assert len(again.model().layers) == {"graded": 2, "spiking": 3}[which]
        assert (again.report.conversion.graded_depthwise is not None) == (which == "graded")
        front = recalibrate(again, data, replace(plain, depthwise=other, front=2))
        assert same_bits(front, convert(net, data, replace(plain, depthwise=other, front=2)))
        assert len(front.model().layers) == 1  # behind the depthwise convolution, which the stem takes
        assert ("depthwise convolution reads" in conversion_text(again.report)) == (which == "graded")


def test_load_gives_a_model_that_runs(tmp_path: Path) -> None:
    small.artifact().save(tmp_path / "net")
    model = load(str(tmp_path / "net"))
    assert torch.equal(model(IMAGES).logits, small.artifact().model()(IMAGES).logits)


def test_progress_goes_through_the_stages() -> None:
    stages: dict[str, tuple[int, int]] = {}
    convert(small.source(), small.dataset(), Options(timesteps=2),
            progress=lambda stage, done, total: stages.update({stage: (done, total)}))  # fmt: skip
    assert list(stages) == [
        "reading the model",
        "calibrating",
        "choosing thresholds",
        "correcting means",
        "ANN",
        "tuning the exit",
    ]
    assert all(done == total for done, total in stages.values())


@pytest.mark.slow
def test_any_batch_size_gives_the_same_files(tmp_path: Path) -> None:
    """Kernels may sum a few rows in another order; no run has fewer than the floor."""
    written = []
    for size in (1, 7, 64):
        convert(small.source(), small.dataset(), Options(timesteps=4, batch_size=size)).save(tmp_path / str(size))
        names = ("program.json", "weights.safetensors", "manifest.json", "report.json")
        written.append([(tmp_path / str(size) / name).read_bytes() for name in names])
    assert written[0] == written[1] == written[2]


def test_labels_out_of_range_are_said_before_the_work() -> None:
    pixels, labels = small.draw(40, 1)
    told: list[str] = []
    for work in (
        lambda data: convert(
            small.trained_net(), data, Options(timesteps=2), progress=lambda *what: told.append(what[0])
        ),
        lambda data: recalibrate(small.artifact(), data, Options(timesteps=2), lambda *what: told.append(what[0])),
    ):
        with pytest.raises(InputError, match="label 3 is out of range, the model has 3 classes"):
            work(small.as_dataset(pixels, labels + 1))
    assert set(told) == {"reading the model"}


def test_double_precision_converts_saves_and_loads(tmp_path: Path) -> None:
    artifact = convert(copy.deepcopy(small.trained_net()).double(), small.dataset(), Options(timesteps=4))
    artifact.save(tmp_path / "net")
    model = load(tmp_path / "net")
    assert model.dtype is torch.float64 and model(IMAGES.double()).logits.dtype is torch.float64


def test_images_that_certify_fit_nothing() -> None:
    """Held-out images of another kind change the certificate and the place on the path, and no other number."""
    split, (pixels, labels) = split_calibration(300, 0), small.draw(300, 1)
    options = Options(timesteps=4, certify=Certify(0.1, 0.1))
    one = convert(small.source(), small.as_dataset(pixels.clone(), labels.clone()), options)
    pixels[list(split.held_out)] = small.draw(len(split.held_out), 99)[0]
    labels[list(split.held_out)] = 0
    other = convert(small.source(), small.as_dataset(pixels, labels), options)
    thresholds = [artifact.provenance.calibration.thresholds for artifact in (one, other)]
    assert thresholds[0] == thresholds[1]
    temperatures = [artifact.report.conversion.exit.temperatures for artifact in (one, other)]
    assert temperatures[0] == temperatures[1]
    assert one.certificate is not None and other.certificate is not None
    assert one.certificate.images == other.certificate.images == len(split.held_out)


def test_too_few_images_to_certify_are_said_before_the_work() -> None:
    told: list[str] = []
    with pytest.raises(CalibrationDataError, match="299 are needed, which are about 748 calibration images"):
        convert(small.source(), small.dataset(100), Options(certify=Certify(0.01, 0.05)),
                progress=lambda *what: told.append(what[0]))  # fmt: skip
    assert "calibrating" not in told
    unlabelled = small.dataset(400, labelled=False)
    with pytest.raises(CalibrationDataError, match="the calibration images have no labels"):
        convert(small.source(), unlabelled, Options(certify=Certify(0.1, 0.1, "accuracy")))


@pytest.mark.slow
def test_recalibration_replaces_the_certificate() -> None:
    data = small.dataset(200)
    one = convert(small.source(), data, Options(timesteps=3, certify=Certify(0.1, 0.1)))
    other = recalibrate(one, data, Options(timesteps=3, certify=Certify(0.2, 0.1)))
    plain = recalibrate(one, data, Options(timesteps=3))
    assert (one.certificate.epsilon, other.certificate.epsilon) == (0.1, 0.2)  # type: ignore[union-attr]
    assert plain.certificate is None and plain.report.conversion.certificate is None


def test_what_skip_connections_carry_is_checked_on_the_images_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pass that moved a skip connection to another value would be found, in a calibration as in a conversion."""

    class Broken(Pass):
        accepts = yields = Stage.ANN

        def rewrite(self, draft: Draft) -> None:
            node, module = next(draft.modules_of(nn.Linear))
            draft.replace_module(node, nn.Linear(module.in_features, module.out_features))

    monkeypatch.setattr("seenn_convert.workflows.convert.run.last_passes", lambda *options: (Broken(),))
    with pytest.raises(PostconditionError, match="Broken changed the outputs"):
        recalibrate(small.artifact(), small.dataset(), Options(timesteps=2))


def test_class_names_reach_the_artifact_and_stay_there() -> None:
    names, options = ("left", "middle", "right"), Options(timesteps=3, calibration="fast")
    artifact = convert(small.source(), small.dataset(), options, class_names=names)
    assert artifact.class_names == names
    assert recalibrate(artifact, small.dataset(), options).class_names == names
    with pytest.raises(InputError, match="2 class names were given for the model's 3 outputs"):
        convert(small.source(), small.dataset(), options, class_names=names[:2])
