"""Operators, passes and rules of a user's own go into a conversion as values, without a fork."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pytest
import small_artifacts as small
import torch
from patient_neuron import PatientNeuron
from torch import Tensor, nn

from seenn_convert.artifact.artifact import load_artifact
from seenn_convert.calibration.statistics import ActivationStatistics
from seenn_convert.errors import ArtifactError, InputError, PostconditionError, UnsupportedOperatorError
from seenn_convert.exits.thresholds import ExitTarget
from seenn_convert.frontend.torch.aten import Operator
from seenn_convert.frontend.torch.call import Call, Lifted
from seenn_convert.ir.editor import Draft
from seenn_convert.ir.operators import CustomOperator
from seenn_convert.ir.program import Stage
from seenn_convert.ir.scores import ExitScore
from seenn_convert.neurons.layers import Neuron
from seenn_convert.passes.base import Pass
from seenn_convert.workflows.convert.options import Options
from seenn_convert.workflows.convert.run import convert, load, recalibrate


@torch.library.custom_op("seenn_tests::soft_clip", mutates_args=())
def soft_clip(x: Tensor, slope: float) -> Tensor:
    """An operator of another library, which no table of ours knows."""
    return torch.tanh(slope * x) / slope


@soft_clip.register_fake
def _(x: Tensor, slope: float) -> Tensor:
    return torch.empty_like(x)


class SoftClip(CustomOperator):
    """What stands for it in a program."""

    options: ClassVar[tuple[str, ...]] = ("slope",)

    def __init__(self, slope: float) -> None:
        super().__init__()
        self.slope = slope

    def forward(self, x: Tensor) -> Tensor:
        return torch.tanh(self.slope * x) / self.slope


def lift_soft_clip(call: Call) -> Lifted:
    return Lifted(SoftClip(call.number("slope")), (call.tensor("x"),))


SOFT_CLIP = Operator("seenn_tests::soft_clip", lift_soft_clip)


class Network(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.first, self.head = nn.Conv2d(1, 6, 3, padding=1), nn.Linear(6 * 64, 3)

    def forward(self, image: Tensor) -> Tensor:
        hidden = torch.relu(self.first(image))
        return self.head(torch.ops.seenn_tests.soft_clip(hidden, 0.5).flatten(1))


def network() -> nn.Module:
    return Network().eval()


@dataclass(frozen=True)
class HalfOfMaximum:
    """A threshold rule of a user's own."""

    name: str = "half of the maximum"

    def v_threshold(self, statistics: ActivationStatistics) -> Tensor:
        return statistics.maxima / 2


def test_an_unknown_operator_is_refused_with_what_to_do() -> None:
    with pytest.raises(UnsupportedOperatorError, match="seenn_tests::soft_clip belongs to another library") as caught:
        convert(network(), small.dataset(), Options(4, calibration="fast"))
    assert "extra_operators" in str(caught.value)


def test_an_operator_given_as_a_value_is_converted_and_tends_to_the_ann() -> None:
    options = Options(64, calibration="fast", correction="none", neuron="tracking")
    artifact = convert(network(), small.dataset(), options, extra_operators=(SOFT_CLIP,))
    sites = {site.operator: site.treatment for site in artifact.report.conversion.operators}
    assert sites["SoftClip"] == "temporal-difference"
    images, _ = small.draw(16, 5)
    model = artifact.model()
    drives, state = model.drive(images), model.initial_state(len(images))
    for _ in range(64):
        logits, _, state = model.step(drives, state)
    wanted = network()(images).detach()
    assert float((logits - wanted).norm() / wanted.norm()) < 0.02


def test_an_artifact_names_a_users_module_and_loads_when_it_is_given(tmp_path: Path) -> None:
    artifact = convert(network(), small.dataset(), Options(4, calibration="fast"), extra_operators=(SOFT_CLIP,))
    artifact.save(tmp_path / "out")
    with pytest.raises(ArtifactError, match="'SoftClip' is not a module that a program may hold.*extra_modules="):
        load_artifact(tmp_path / "out")
    images, _ = small.draw(16, 5)
    found, wanted = load(tmp_path / "out", extra_modules=(SoftClip,))(images), artifact.model()(images)
    assert torch.equal(found.logits, wanted.logits) and torch.equal(found.exit_step, wanted.exit_step)


def test_a_rule_of_ones_own_makes_the_thresholds() -> None:
    own = convert(network(), small.dataset(), Options(4, rule=HalfOfMaximum()), extra_operators=(SOFT_CLIP,))
    largest = own.provenance.calibration.thresholds.layers["relu"].maximum
    assert max(own.provenance.calibration.thresholds.layers["relu"].v_threshold) == largest / 2
    assert own.provenance.options["threshold"] == "half of the maximum"


@dataclass(frozen=True)
class Patient:
    """A neuron type of a user's own."""

    patience: float
    name: str = "patient"
    levels: ClassVar[None] = None
    resolution: ClassVar[int] = 1

    def rectifying(self, v_threshold: Tensor, maximum: float = math.inf) -> Neuron:
        return PatientNeuron(v_threshold.clamp(max=maximum), v_threshold / 2, self.patience)

    def encoding(self, v_threshold: Tensor) -> Neuron:
        raise InputError("patient neurons send no sign")


def test_a_neuron_type_of_ones_own_spikes() -> None:
    """At patience 1 it is the binary neuron; at patience 100 no neuron fires, and only the head's bias is left."""
    def logits(options: Options) -> Tensor:
        artifact = convert(network(), small.dataset(), options, extra_operators=(SOFT_CLIP,))
        assert artifact.report.conversion.neuron.kind == options.neuron_type.name
        images, _ = small.draw(16, 5)
        return artifact.model()(images).logits

    plain = {"timesteps": 4, "calibration": "fast", "correction": "none"}
    assert torch.equal(logits(Options(**plain, neuron=Patient(1.0))), logits(Options(**plain, neuron="if")))
    silent = logits(Options(**plain, neuron=Patient(100.0)))
    torch.testing.assert_close(silent, network().head.bias.detach().expand_as(silent))


class ScaleHead(Pass):
    """Doubles the weights of the head: a pass that does not keep the outputs."""

    def rewrite(self, draft: Draft) -> None:
        for node, head in list(draft.modules_of(nn.Linear)):
            wider = nn.Linear(head.in_features, head.out_features)
            wider.load_state_dict({name: 2 * value for name, value in head.state_dict().items()})
            draft.replace_module(node, wider.eval().requires_grad_(False))


class SplitScale(Pass):
    """Splits a head into two layers; the outputs stay."""

    def rewrite(self, draft: Draft) -> None:
        for node, head in list(draft.modules_of(nn.Linear)):
            if head.bias is not None and not bool((head.bias == 0).all()):
                same = nn.Linear(head.in_features, head.out_features)
                same.load_state_dict(head.state_dict())
                draft.replace_module(node, same.eval().requires_grad_(False))


class WriteHead(Pass):
    """Doubles the weights of the head where they lie, which are those of the program it was given, too."""

    def rewrite(self, draft: Draft) -> None:
        for _, head in draft.modules_of(nn.Linear):
            with torch.no_grad():
                head.weight.mul_(2.0)


class NameSteps(Pass):
    """Looks at the step; a pass of stage SNN."""

    accepts = yields = Stage.SNN

    def rewrite(self, draft: Draft) -> None:
        draft.decline(next(iter(draft.graph.nodes)), "it only looks")


def test_passes_given_as_values_run_at_their_stage_and_are_recorded() -> None:
    artifact = convert(
        network(), small.dataset(), Options(2, calibration="fast"), extra_operators=(SOFT_CLIP,),
        extra_passes=(NameSteps(), SplitScale()),
    )  # fmt: skip
    names = [record.name for record in artifact.snn.history]
    assert names.index("OrderChannelsLast") < names.index("SplitScale") < names.index("InsertNeurons")
    assert names.index("HoistStem") < names.index("NameSteps") < names.index("InsertExitProbe")
    again = recalibrate(artifact, small.dataset(), Options(2, calibration="fast"), extra_passes=(NameSteps(),))
    assert "NameSteps" in [record.name for record in again.snn.history]


def test_a_pass_that_changes_the_outputs_is_stopped() -> None:
    with pytest.raises(PostconditionError, match="ScaleHead changed the outputs"):
        convert(network(), small.dataset(), Options(2), extra_operators=(SOFT_CLIP,), extra_passes=(ScaleHead(),))


def test_a_pass_that_writes_into_a_weight_it_was_given_is_stopped() -> None:
    """Both programs would share the weight, so that a comparison of their outputs could not tell."""
    with pytest.raises(PostconditionError, match="WriteHead wrote into a weight of the program it was given"):
        convert(network(), small.dataset(), Options(2), extra_operators=(SOFT_CLIP,), extra_passes=(WriteHead(),))


PERCENT = ExitScore("percent", lambda seen: 100 * torch.softmax(seen.logits / seen.temperature, dim=-1).amax(dim=-1))
NUMBERS = ExitScore("numbers", lambda seen: torch.softmax(seen.logits, dim=-1))
NOTHING = ExitScore("nothing", lambda seen: seen.logits[..., 0] * torch.nan)


@pytest.mark.parametrize(("score", "reason"), [
    (PERCENT, r"'percent' must lie in \[0, 1\], but goes from .* to .*; rescale it"),
    (NOTHING, r"'nothing' must lie in \[0, 1\]"),
    (NUMBERS, r"'numbers' must return a number per image, \(\d+,\), not \(\d+, 3\)"),
])  # fmt: skip
def test_an_exit_score_that_is_none_is_refused(score: ExitScore, reason: str) -> None:
    """Thresholds that nobody or everybody exceeds rest on its range: a certificate would be wrong."""
    with pytest.raises(InputError, match=reason):
        convert(network(), small.dataset(), Options(3, calibration="fast", score=score), extra_operators=(SOFT_CLIP,))


class NoOptions(SoftClip):
    options: ClassVar[tuple[str, ...]] = ()


class WrongOptions(SoftClip):
    options: ClassVar[tuple[str, ...]] = ("slope", "width")


@pytest.mark.parametrize(("kind", "reason"), [
    (NoOptions, "NoOptions cannot be built again from its options and tensors .*'slope'.*; name each argument"),
    (WrongOptions, "WrongOptions lists width in `options` and has no such attribute"),
])  # fmt: skip
def test_a_module_that_could_not_be_loaded_again_is_not_saved(kind: type[SoftClip], reason: str, tmp_path: Path) -> None:
    operator = Operator("seenn_tests::soft_clip", lambda call: Lifted(kind(call.number("slope")), (call.tensor("x"),)))
    artifact = convert(network(), small.dataset(), Options(2, calibration="fast"), extra_operators=(operator,))
    with pytest.raises(InputError, match=reason):
        artifact.save(tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_score_that_leaves_its_range_by_rounding_is_kept_within_it() -> None:
    """Early exit and hindsight see the same number, which no threshold of ``NEVER`` lets pass."""
    score = ExitScore("rounded", lambda seen: torch.softmax(seen.logits, dim=-1).sum(dim=-1) * (1 + 3e-6))
    options = Options(3, calibration="fast", score=score, target=ExitTarget(drop=0.0))
    artifact = convert(network(), small.dataset(), options, extra_operators=(SOFT_CLIP,))
    trace = artifact.model()(small.draw(16, 5)[0])
    assert float(trace.confidence.max()) <= 1.0
