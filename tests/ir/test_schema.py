"""Every module of the closed list becomes plain data and comes back with the same numbers; nothing else does."""

import json

import pytest
import torch
import toys
from patient_neuron import PatientNeuron
from small_operators import OUTSIDE
from torch import Tensor, nn

from seenn_convert.errors import ArtifactError
from seenn_convert.ir import operators
from seenn_convert.ir.operators.step import (
    ClippedDifference,
    ExitProbe,
    FrameAt,
    MeanDifference,
    RectifiedDifference,
    TemporalDifference,
    Tick,
    TimestepBias,
)
from seenn_convert.ir.schema import OPTIONS, Extras, build_module, describe_module, options_text
from seenn_convert.ir.scores import ENTROPY, PATIENCE, ExitScore
from seenn_convert.neurons.layers import (
    BinaryNeuron,
    EncodingNeuron,
    GroupEncoder,
    GroupNeuron,
    MultiLevelEncoder,
    MultiLevelNeuron,
    SignedNeuron,
    TrackingEncoder,
    TrackingNeuron,
    UnsignedMultiLevelNeuron,
)
from seenn_convert.neurons.leaky import LeakyNeuron
from seenn_convert.neurons.traced import TracedNeuron

SIGNAL, IMAGE, ROW = torch.randn(2, 4, 9), torch.randn(2, 4, 9, 9), torch.randn(2, 4)
CLOCK, HALF = torch.tensor([0.0, 1.0]), torch.tensor(0.5)
THRESHOLD = torch.tensor([0.5, 1.0, 2.0, 3.0]).reshape(4, 1, 1)
ABOVE = operators.Elementwise(
    1,
    ((0,), (0, 1)),
    (
        operators.AtenOperator("gt.Tensor", ("@0", "#0"), (), (torch.tensor(0.5),)),
        operators.AtenOperator("mul.Tensor", ("@0", "@1")),
    ),
)
"""``x * (x > 0.5)``."""
LAW = operators.Elementwise(3, ((0, 1), (3,), (3, 2)), (operators.Add(), ABOVE, operators.Subtract()), (4, 3, 5))
EXAMPLES: list[tuple[nn.Module, tuple[Tensor, ...]]] = [
    (nn.Conv1d(4, 6, 3, 2, 1, 1, 2), (SIGNAL,)),
    (nn.Conv1d(4, 6, 3, padding="same", bias=False), (SIGNAL,)),
    (nn.Conv2d(4, 8, (3, 2), (2, 1), (1, 0), (1, 2), 4), (IMAGE,)),
    (nn.Conv2d(4, 8, 3, padding="same", bias=False), (IMAGE,)),
    (nn.Conv3d(4, 2, (1, 2, 3), padding=1, groups=2), (IMAGE.unsqueeze(2),)),
    (nn.ConvTranspose1d(4, 6, 3, 2, 1, 1, 2), (SIGNAL,)),
    (nn.ConvTranspose2d(4, 6, 3, (2, 1), 1, (1, 0), 2, bias=False), (IMAGE,)),
    (nn.LayerNorm((4, 9), eps=1e-3), (SIGNAL,)),
    (nn.LayerNorm(9, elementwise_affine=False), (SIGNAL,)),
    (nn.GroupNorm(2, 4, eps=1e-3), (IMAGE,)),
    (nn.GroupNorm(4, 4, affine=False), (SIGNAL,)),
    (nn.PReLU(4), (IMAGE,)),
    (operators.QuantisedReLU(0.7, 4), (IMAGE,)),
    (operators.QuantisedReLU(0.7, 4, to_even=True), (SIGNAL,)),
    (nn.Linear(4, 3), (ROW,)),
    (nn.Linear(4, 3, bias=False), (ROW,)),
    (nn.BatchNorm1d(4, eps=1e-3), (SIGNAL,)),
    (nn.BatchNorm2d(4), (IMAGE,)),
    (nn.ReLU(), (ROW,)),
    (nn.LeakyReLU(0.3), (ROW,)),
    (nn.MaxPool1d(3, 2, 1, 1, ceil_mode=True), (SIGNAL,)),
    (nn.MaxPool2d((3, 2), 2, (1, 0), 2), (IMAGE,)),
    (nn.AvgPool1d(3, 2, 1, count_include_pad=False), (SIGNAL,)),
    (nn.AvgPool2d(3, (2, 1), 1, True, False, 5), (IMAGE,)),
    (nn.AdaptiveAvgPool1d(2), (SIGNAL,)),
    (nn.AdaptiveAvgPool2d((2, 3)), (IMAGE,)),
    (nn.AdaptiveMaxPool1d(2), (SIGNAL,)),
    (nn.AdaptiveMaxPool2d((2, 3)), (IMAGE,)),
    (nn.Dropout(0.3), (ROW,)),
    (nn.Identity(), (ROW,)),
    (operators.Add(), (ROW, ROW)),
    (operators.Subtract(), (ROW, 3 * ROW)),
    (operators.Concatenate(1), (ROW, ROW)),
    (operators.Mean((1, 2), True), (SIGNAL,)),
    (operators.MeanOverFrames(), (SIGNAL,)),
    (operators.Reshape((9, 4)), (SIGNAL,)),
    (operators.Permute((0, 2, 1)), (SIGNAL,)),
    (operators.Slice(2, 1, 8, 3), (SIGNAL,)),
    (operators.PaddedLinear(3, 2), (torch.randn(2, 3),)),
    (operators.PaddedLinear(3, 2, bias=False), (torch.randn(2, 3),)),
    (operators.Pad((1, 2), 0.5), (SIGNAL,)),
    (operators.Pad((1, 2), mode="reflect"), (SIGNAL,)),
    (operators.PaddedMaxPool((1, 0, 1, 0), nn.MaxPool2d(3, 2)), (IMAGE,)),
    (operators.Expand((4, 9)), (SIGNAL[:, :1],)),
    (operators.ConstantRow(THRESHOLD), (ROW,)),
    (operators.Cast("bool"), (ROW,)),
    (ABOVE, (ROW,)),
    (operators.Elementwise(1, ((0,), (1,)), (ABOVE, nn.ReLU())), (ROW,)),
    (operators.PerPart(nn.Conv1d(9, 3, 2)), (IMAGE,)),
    (operators.RowConvolution((2, 1), (1, 0), (1, 1), 2), (IMAGE, torch.randn(2, 6, 2, 3, 3))),
    (operators.PerPart(operators.AtenOperator("add.Tensor", ("@0", "#0"), (), (torch.ones(9),))), (IMAGE,)),
    (operators.AtenOperator("gelu.default", ("@0",), (("approximate", "tanh"),)), (ROW,)),
    (operators.AtenOperator("index_select.default", ("@0", 1, "#0"), (), (torch.tensor([2, 0]),)), (SIGNAL,)),
    (operators.AtenOperator("mul.Tensor", ("@0", "@0")), (ROW,)),
    (operators.AtenOperator("einsum.default", ("bi,bj->bij", ("@0", "@1"))), (ROW, ROW)),
    (operators.AtenOperator("masked_fill.Scalar", ("@0", "#0", float("-inf")), (), (torch.eye(9).bool(),)), (IMAGE,)),
    (operators.Encode(), (ROW,)),
    (operators.Affine(THRESHOLD, THRESHOLD + 1), (IMAGE,)),
    (operators.ClippedReLU(6.0), (IMAGE,)),
    (operators.Analog(nn.ReLU()), (IMAGE,)),
    (operators.Analog(operators.QuantisedReLU(2.0, 4)), (IMAGE,)),
    (operators.Graded(nn.ReLU()), (IMAGE,)),
    (operators.Graded(operators.Encode()), (IMAGE,)),
    (operators.GradedReLU(), (IMAGE,)),
    (operators.GradedReLU(6.0), (IMAGE,)),
    (BinaryNeuron(THRESHOLD, THRESHOLD / 2), (IMAGE, IMAGE)),
    (SignedNeuron(THRESHOLD, THRESHOLD / 2), (IMAGE, IMAGE, IMAGE.abs().round())),
    (TrackingNeuron(THRESHOLD, THRESHOLD / 2), (IMAGE, CLOCK, IMAGE, IMAGE.abs().round())),
    (TrackingNeuron(THRESHOLD, THRESHOLD / 2, 6.0), (IMAGE, CLOCK, IMAGE, IMAGE.abs().round())),
    (EncodingNeuron(THRESHOLD, THRESHOLD / 2), (IMAGE, IMAGE)),
    (TrackingEncoder(THRESHOLD, THRESHOLD / 2), (IMAGE, IMAGE)),
    (MultiLevelNeuron(THRESHOLD, THRESHOLD / 2, 5), (IMAGE, IMAGE, IMAGE.abs().round())),
    (UnsignedMultiLevelNeuron(THRESHOLD, THRESHOLD / 2, 2), (IMAGE, IMAGE)),
    (MultiLevelEncoder(THRESHOLD, THRESHOLD / 2, 3), (IMAGE, IMAGE)),
    (GroupNeuron(THRESHOLD, THRESHOLD / 2, 7), (IMAGE, IMAGE, IMAGE.abs().round())),
    (GroupEncoder(THRESHOLD, THRESHOLD / 2, 2), (IMAGE, IMAGE)),
    (LeakyNeuron(THRESHOLD, HALF - 0.5, HALF, HALF, HALF - 0.5), (IMAGE, IMAGE)),
    (LeakyNeuron(THRESHOLD, HALF, HALF, HALF, HALF, "rest", strict=True, delayed=True), (IMAGE, IMAGE)),
    (LeakyNeuron(THRESHOLD, HALF, HALF, HALF, HALF, strict=True, owing=True), (IMAGE, IMAGE)),
    (operators.FirstSpikes(LeakyNeuron(THRESHOLD, HALF, HALF, HALF, HALF, "none")), (IMAGE,)),
    (operators.FirstState(THRESHOLD, 3), (ROW,)),
    (operators.HeldState(THRESHOLD), (ROW,)),
    (operators.KeepState(), (ROW, IMAGE)),
    (TracedNeuron(HALF, HALF, ("first", "second"), LAW), (ROW, ROW, ROW)),
    (operators.FirstSpikes(TracedNeuron(HALF, HALF, ("first", "second"), LAW)), (ROW,)),
    (LAW, (ROW, ROW, ROW)),
    (operators.EachStep(nn.MaxPool2d(2)), (IMAGE,)),
    (operators.Latest(), (ROW, CLOCK, ROW)),
    (MeanDifference(nn.LayerNorm(4)), (CLOCK, ROW, ROW, ROW)),
    (MeanDifference(operators.AtenOperator("mul.Tensor", ("@0", "@1")), (True, False)), (CLOCK, ROW, ROW, ROW, ROW)),
    (MeanDifference(operators.PerPart(nn.GroupNorm(1, 9))), (CLOCK, IMAGE, IMAGE, IMAGE)),
    (TemporalDifference(nn.MaxPool2d(3, 2, 1)), (IMAGE, IMAGE, torch.zeros(2, 4, 5, 5))),
    (RectifiedDifference(), (IMAGE, IMAGE)),
    (ClippedDifference(6.0), (IMAGE, CLOCK, IMAGE)),
    (TimestepBias(torch.randn(3, 4)), (ROW, CLOCK)),
    (Tick(), (CLOCK,)),
    (FrameAt(), (IMAGE, CLOCK)),
    (ExitProbe(ENTROPY, torch.tensor([1.0, 2.0])), (ROW, ROW, CLOCK)),
    (ExitProbe(PATIENCE, torch.tensor([1.0, 2.0])), (ROW, ROW, CLOCK, CLOCK)),
]


def tensors_of(module: nn.Module) -> dict[str, Tensor]:
    """What an artifact stores of a module: its tensors by name, without the counter of batch norm."""
    return {name: value for name, value in module.state_dict().items() if name != "num_batches_tracked"}


def rebuilt(module: nn.Module) -> nn.Module:
    """Send a module through JSON and back."""
    return build_module(json.loads(json.dumps(describe_module(module), allow_nan=False)), tensors_of(module))


@pytest.mark.parametrize(
    ("module", "inputs"), EXAMPLES, ids=lambda value: repr(value) if isinstance(value, nn.Module) else ""
)
def test_round_trip(module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
    toys.warm(module).eval()
    back = rebuilt(module)

    assert type(back) is type(module) and not back.training
    assert repr(back).replace("Ellipsis", "") == repr(module) or isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d))
    assert not any(value.requires_grad or value.is_meta for value in back.state_dict().values())
    assert describe_module(back) == describe_module(module)
    before, after = module(*inputs), back(*inputs)
    before, after = ((v,) if isinstance(v, Tensor) else v for v in (before, after))
    assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True))


def test_every_module_of_the_list_has_an_example() -> None:
    assert {type(module) for module, _ in EXAMPLES} == set(OPTIONS)


@pytest.mark.parametrize("module", [nn.Sigmoid(), nn.Bilinear(1, 1, 1), nn.Sequential(nn.ReLU())])
def test_other_modules_are_refused(module: nn.Module) -> None:
    with pytest.raises(TypeError, match="not an operator that an artifact may hold"):
        describe_module(module)


def test_a_subclass_is_not_the_class() -> None:
    """The list is closed: a subclass may compute anything."""

    class Loud(nn.ReLU):
        pass

    with pytest.raises(TypeError):
        describe_module(Loud())


@pytest.mark.parametrize(
    ("description", "tensors"),
    [
        ({"operator": "Sequential", "options": {}}, {}),
        ({"operator": "ReLU"}, {}),
        ({"operator": "ReLU", "options": []}, {}),
        ({"operator": "Linear", "options": {"in_features": 2, "out_features": 2, "bias": True}}, {}),
        ({"operator": "Linear", "options": {"in_features": "2", "out_features": 2}}, {}),
        ({"operator": "Linear", "options": {"in_features": 2, "out_features": 2, "bias": False}},
         {"weight": torch.zeros(3, 2)}),
        ({"operator": "BinaryNeuron", "options": {}}, {"v_threshold": torch.tensor(1.0)}),
        *(({"operator": operator, "options": options}, {"v_threshold": THRESHOLD, "v_initial": THRESHOLD})
          for operator, options in (
              ("MultiLevelNeuron", {}), ("MultiLevelNeuron", {"levels": 17}), ("MultiLevelEncoder", {"levels": "3"}),
              ("UnsignedMultiLevelNeuron", {"levels": 2.0}), ("GroupNeuron", {"members": 0}),
              ("GroupEncoder", {"members": [4]}), ("GroupNeuron", {"members": 10**9}))),
        ({"operator": "TemporalDifference", "options": {}}, {}),
        ({"operator": "TemporalDifference", "options": {}, "wrapped": "MaxPool2d"}, {}),
        ({"operator": "ExitProbe", "options": {"score_name": "certainty"}}, {"temperatures": torch.ones(2)}),
        ({"operator": "ReLU", "options": {}}, {"weight": torch.zeros(1)}),
        ({"operator": "PerPart", "options": {}}, {}),
        ({"operator": "PerPart", "options": {}, "wrapped": {"operator": "Sequential", "options": {}}}, {}),
        ({"operator": "ConstantRow", "options": {}}, {}),
        ({"operator": "AtenOperator", "options": {"arguments": ["@0"]}}, {}),
        ({"operator": "AtenOperator", "options": {"operator": 3, "arguments": [], "keywords": []}}, {}),
    ],
)  # fmt: skip
def test_descriptions_that_do_not_fit_are_refused(description: dict, tensors: dict) -> None:
    with pytest.raises((KeyError, TypeError, ValueError, RuntimeError, ArtifactError)):
        build_module(description, tensors)


@pytest.mark.parametrize("name", OUTSIDE)
def test_an_aten_operator_outside_the_closed_list_is_refused(name: str) -> None:
    """What writes, draws random numbers, or looks at other memory is no operator of a program, whoever names it."""
    options = {"operator": name, "arguments": ["@0"], "keywords": []}

    with pytest.raises(ValueError, match="is not an operator that a program may hold"):
        build_module({"operator": "AtenOperator", "options": options}, {})


def test_options_that_are_not_in_the_list_are_ignored() -> None:
    """An artifact cannot reach constructor arguments that the list does not name."""
    module = build_module({"operator": "ReLU", "options": {"inplace": True}}, {})

    assert isinstance(module, nn.ReLU) and not module.inplace


@pytest.mark.parametrize(("module", "text"), [
    (nn.Linear(2, 3), "in_features=2, out_features=3"), (nn.Linear(2, 3, bias=False), "in_features=2, out_features=3, bias=False"),
    (nn.Conv1d(2, 2, 3, padding=1, groups=2), "in_channels=2, out_channels=2, kernel_size=(3,), padding=(1,), groups=2"),
    (nn.MaxPool2d(2), "kernel_size=2, stride=2"), (nn.BatchNorm2d(4), "num_features=4"), (nn.ReLU(), ""),
    (nn.GroupNorm(2, 4, affine=False), "num_groups=2, num_channels=4, affine=False"), (nn.Softmax(1), "dim=1"),
    (operators.Mean((2, 3), True), "dims=(2, 3), keepdim=True"),
])  # fmt: skip
def test_the_options_as_text_leave_out_defaults(module: nn.Module, text: str) -> None:
    """The words are ours: those of PyTorch change between its versions."""
    assert options_text(module) == text


class Scale(operators.CustomOperator):
    """An operator of a user's own."""

    options = ("factor",)

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, x: Tensor) -> Tensor:
        return self.factor * x


@pytest.mark.parametrize(("module", "inputs"), [
    (PatientNeuron(THRESHOLD, THRESHOLD, 2), (torch.ones(1, 3), torch.ones(1, 3))), (Scale(3.0), (torch.ones(1, 3),)),
])  # fmt: skip
def test_a_class_of_the_users_own_comes_back_if_it_is_handed_in(module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
    description = json.loads(json.dumps(describe_module(module)))
    back = build_module(description, tensors_of(module), Extras(modules=(PatientNeuron, Scale)))

    assert type(back) is type(module)
    for before, after in zip(module(*inputs), back(*inputs), strict=True):
        assert torch.equal(before, after)
    with pytest.raises(ValueError, match=f"{type(module).__name__}.* give extra_modules="):
        build_module(description, tensors_of(module))


def test_a_name_of_the_closed_list_is_never_another_class() -> None:
    Impostor = type("BinaryNeuron", (PatientNeuron,), {})
    with pytest.raises(TypeError, match="BinaryNeuron is not an operator"):
        describe_module(Impostor(THRESHOLD, THRESHOLD, 1))
    description = describe_module(BinaryNeuron(THRESHOLD, THRESHOLD))
    tensors = {"v_threshold": THRESHOLD, "v_initial": THRESHOLD}
    assert type(build_module(description, tensors, Extras(modules=(Impostor,)))) is BinaryNeuron


def test_a_probe_computes_a_user_s_score_where_it_is_handed_in() -> None:
    """The description holds a name and no code."""
    own = ExitScore("lead", lambda seen: seen.logits[..., 0].sigmoid())
    temperatures = torch.ones(2)
    description = describe_module(ExitProbe(own, temperatures))

    assert description == {"operator": "ExitProbe", "options": {"score_name": "lead"}}
    assert build_module(description, {"temperatures": temperatures}, Extras(scores=(own,))).score is own
    with pytest.raises(ArtifactError, match="'lead'"):
        build_module(description, {"temperatures": temperatures})
