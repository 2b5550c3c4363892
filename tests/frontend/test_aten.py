"""Each family of aten calls: what is converted gives the same numbers, what is not is refused with a reason."""

from collections.abc import Callable
from typing import Any

import harness
import pytest
import torch
import toys
from torch import Tensor, nn
from torch.nn import functional as F

from seenn_convert.errors import UnsupportedOperatorError
from seenn_convert.frontend.from_torch import from_exported, from_torch
from seenn_convert.program import Program

IMAGE, SIGNAL, ROW = (4, 9, 9), (4, 12), (6,)
Body = Callable[[Any, Tensor], Tensor]


def check(body: Body, shape: tuple[int, ...], kinds: str, **modules: nn.Module) -> Program:
    """Lift ``body``, flattened to logits; compare numbers for several batch sizes and the operators it became."""
    model = toys.toy(lambda m, x: body(m, x).flatten(1), shape, **modules)
    program = from_torch(model, shape)
    for count in (1, 3):
        batch = harness.images(program, count)
        with torch.no_grad():
            harness.assert_same(program(batch), model(batch.clone()))
    found = [type(module).__name__ for _, module in program.calls()]
    assert found[: len(kinds.split())] == kinds.split()
    assert set(found[len(kinds.split()) :]) <= {"Reshape"}
    return program


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (nn.Conv2d(4, 6, (3, 2), (2, 1), (1, 0), (1, 2), 2), IMAGE),
        (nn.Conv2d(4, 4, 3, groups=4, bias=False), IMAGE),
        (nn.Conv2d(4, 4, 4, padding="same", dilation=2), IMAGE),
        (nn.Conv2d(4, 4, 3, padding="valid"), IMAGE),
        (nn.Conv1d(4, 6, 3, 2, 1, 2, 2), SIGNAL),
        (nn.Conv1d(4, 6, 2, padding="same", bias=False), SIGNAL),
        (nn.Linear(6, 3), ROW),
        (nn.Linear(12, 3, bias=False), SIGNAL),
        (nn.BatchNorm2d(4, eps=0.1), IMAGE),
        (nn.BatchNorm1d(4, affine=False), SIGNAL),
        (nn.BatchNorm1d(6), ROW),
        (nn.ReLU(), IMAGE),
        (nn.ReLU(inplace=True), ROW),
        (nn.LeakyReLU(0.3), IMAGE),
        (nn.MaxPool2d((3, 2), (2, 1), (1, 0), (1, 2), ceil_mode=True), IMAGE),
        (nn.MaxPool1d(3, 2, 1, 2), SIGNAL),
        (nn.AvgPool2d((3, 2), 2, (1, 0), True, False), IMAGE),
        (nn.AvgPool2d(2, divisor_override=3), IMAGE),
        (nn.AvgPool1d(3, 2, 1, True, False), SIGNAL),
        (nn.AdaptiveAvgPool2d((2, None)), IMAGE),
        (nn.AdaptiveMaxPool2d((2, 3)), IMAGE),
        (nn.AdaptiveAvgPool1d(5), SIGNAL),
        (nn.AdaptiveMaxPool1d(5), SIGNAL),
        (nn.Dropout(0.4), ROW),
    ],
    ids=repr,
)
def test_layers(layer: nn.Module, shape: tuple[int, ...]) -> None:
    """Every layer of the package keeps its options: as module, it becomes a module of its class."""
    program = check(lambda m, x: m.layer(x), shape, type(layer).__name__, layer=layer)

    if isinstance(layer, (nn.Conv1d, nn.Conv2d, nn.LeakyReLU, nn.MaxPool1d, nn.MaxPool2d)):
        assert repr(program.graph_module.layer).replace("(3,)", "3") == repr(layer).replace("(3,)", "3")


@pytest.mark.parametrize("dropout", [nn.Dropout2d(), nn.AlphaDropout(), nn.FeatureAlphaDropout()], ids=repr)
def test_every_dropout_is_nothing_at_inference(dropout: nn.Module) -> None:
    check(lambda m, x: m.drop(x), IMAGE, "Dropout", drop=dropout)


@pytest.mark.parametrize(
    ("body", "kinds"),
    [
        (lambda m, x: F.threshold(x, 0, 0), "ReLU"),
        (lambda m, x: F.relu6(x), "ClippedReLU"),
        (lambda m, x: F.hardtanh(x, 0, 4), "ClippedReLU"),
        (lambda m, x: torch.clamp(x, 0, 0.5), "ClippedReLU"),
        (lambda m, x: torch.clip(x, min=0, max=0.5), "ClippedReLU"),
        (lambda m, x: x.clamp(max=0.5, min=0.0), "ClippedReLU"),
        (lambda m, x: torch.clamp(x, torch.tensor(0.0), torch.tensor(0.5)), "ClippedReLU"),
        (lambda m, x: x.clamp(min=0), "ReLU"),
        (lambda m, x: x.clip(0), "ReLU"),
        (lambda m, x: torch.clamp_min(x, 0), "ReLU"),
        (lambda m, x: (2 * x).clamp_(0, 0.5), "Affine ClippedReLU"),
        (lambda m, x: (2 * x).clip_(0, 0.5), "Affine ClippedReLU"),
    ],
)
def test_activations(body: Body, kinds: str) -> None:
    check(body, IMAGE, kinds)


@pytest.mark.parametrize(
    ("body", "kinds"),
    [
        (lambda m, x: x + x, "Add"),
        (lambda m, x: x - x.relu(), "ReLU Subtract"),
        (lambda m, x: torch.add(x, x.relu(), alpha=-1), "ReLU Subtract"),
        (lambda m, x: torch.sub(x, x.relu(), alpha=-1), "ReLU Add"),
        (lambda m, x: x + 1, "Affine"),
        (lambda m, x: 1 - x, "Affine"),
        (lambda m, x: torch.rsub(x, 3.0, alpha=2), "Affine"),
        (lambda m, x: torch.rsub(x, torch.arange(9.0), alpha=2), "Affine"),
        (lambda m, x: torch.add(x, torch.arange(9.0), alpha=2), "Affine"),
        (lambda m, x: torch.add(torch.arange(9.0), x, alpha=2), "Affine"),
        (lambda m, x: torch.sub(torch.arange(9.0), x, alpha=3), "Affine"),
        (lambda m, x: torch.ones(1, 4, 1, 1) - x, "Affine"),
        (lambda m, x: x * torch.arange(4).reshape(4, 1, 1), "Affine"),
        (lambda m, x: 0.5 * x, "Affine"),
        (lambda m, x: x / 3, "Affine"),
        (lambda m, x: x / torch.tensor([1.0, 2.0, 4.0]).repeat(3), "Affine"),
        (lambda m, x: -x, "Affine"),
        (lambda m, x: x.mean((2, 3), keepdim=True) * torch.ones(4, 3, 3), "Mean Affine"),  # the constant enlarges it
    ],
)
def test_arithmetic(body: Body, kinds: str) -> None:
    check(body, IMAGE, kinds)


@pytest.mark.parametrize(
    ("body", "kinds"),
    [
        (lambda m, x: torch.cat([x, 2 * x], -3), "Affine Concatenate"),
        (lambda m, x: torch.concat((x, x, x), dim=2), "Concatenate"),
        (lambda m, x: x.mean([-1, -2]), "Mean"),
        (lambda m, x: x.mean(1, keepdim=True), "Mean"),
        (lambda m, x: x.mean((1, 2, 3)).unsqueeze(1), "Mean Reshape"),
        (lambda m, x: x.view(-1, 4, 81), "Reshape"),
        (lambda m, x: x.reshape(x.size(0), 2, 2, 9, 9), "Reshape"),
        (lambda m, x: torch.flatten(x, 2), "Reshape"),
        (lambda m, x: x.unflatten(1, (2, 2)), "Reshape"),
        (lambda m, x: x.unsqueeze(2).squeeze(-3), "Reshape Reshape"),
        (lambda m, x: x.permute(0, 2, -1, 1), "Permute"),
        (lambda m, x: x.transpose(-1, 1), "Permute"),
        (lambda m, x: x[:, None, :, 1:], "Reshape Slice"),
    ],
)
def test_shape_operators(body: Body, kinds: str) -> None:
    """Axes may be counted from either end."""
    check(body, IMAGE, kinds)


@pytest.mark.parametrize(
    "index",
    [
        (slice(None), slice(1, None)), (slice(None), slice(None, -1)), (slice(None), slice(-3, -1)),
        (slice(None), slice(None), slice(None, None, 2), slice(1, 100, 3)), (Ellipsis, slice(-100, 4)),
        (slice(None), slice(0, 3), slice(2, 5), slice(-2, None)),
    ],
    ids=repr,
)  # fmt: skip
def test_slices_with_open_negative_and_far_ends(index: tuple) -> None:
    check(
        lambda m, x: x[index], IMAGE, " ".join(["Slice"] * sum(part not in (Ellipsis, slice(None)) for part in index))
    )


@pytest.mark.parametrize("start", [0, 2, -2, -1])
def test_narrow_counts_from_either_end(start: int) -> None:
    check(lambda m, x: x.narrow(1, start, 1), IMAGE, "Slice")


@pytest.mark.parametrize(
    "split",
    [
        lambda x: x.split(3, 2), lambda x: x.split([1, 2, 1], dim=1), lambda x: x.chunk(3, -1),
        lambda x: torch.tensor_split(x, 3, 1), lambda x: torch.tensor_split(x, (1, 3), 1),
    ],
)  # fmt: skip
def test_splits_give_every_part(split: Callable[[Tensor], tuple[Tensor, ...]]) -> None:
    """The last part may be smaller; parts may be used in any order."""

    def body(m: Any, x: Tensor) -> Tensor:
        return torch.cat([part.flatten(1) for part in reversed(split(x))], 1)

    check(body, IMAGE, "Slice Slice Slice Reshape Reshape Reshape Concatenate")


@pytest.mark.parametrize(
    ("amounts", "value"),
    [((1, 2), 0.0), ((0, 0, 1, 0), 1.5), ((1, 0, 0, 1, 2, 0), -1.0), ((1, -2), 0.0), ((1, 0, 0, 0, 0, 1, 0, 0), 2.0)],
)
def test_padding_counts_from_the_last_axis(amounts: tuple[int, ...], value: float) -> None:
    check(lambda m, x: F.pad(x, amounts, value=value), IMAGE, "Pad")


def test_copies_and_casts_to_the_same_type_are_nothing() -> None:
    check(lambda m, x: x.clone().detach().contiguous().to(torch.float32).type_as(x).float(), IMAGE, "")


def test_another_floating_point_type_is_kept() -> None:
    """A float64 network stays float64, its constants included."""
    model = toys.toy(lambda m, x: m.head((x / 3 + 0.1).relu().flatten(1)), head=nn.Linear(192, 5)).double()
    program = from_torch(model, toys.IMAGE, torch.float64)
    image = harness.images(program)

    assert program(image).dtype is torch.float64
    harness.assert_same(program(image), model(image), 1e-13)


BATCH, COMPUTED, NONE = "rows would depend on each other", "is computed", "has no conversion"
REFUSED: list[tuple[str, Body]] = [
    ("takes the mean over the whole batch", lambda m, x: x.mean().reshape(1, 1)),
    (BATCH, lambda m, x: x.mean(0)),
    (BATCH, lambda m, x: x.mean(dim=(-4, 1))),
    (BATCH, lambda m, x: torch.cat([x, x], -4)),
    (BATCH, lambda m, x: x.split(1, 0)[0]),
    (BATCH, lambda m, x: x.transpose(0, 1)),
    (BATCH, lambda m, x: x.permute(1, 0, 2, 3)),
    (BATCH, lambda m, x: x.flatten(0, 1)),
    (BATCH, lambda m, x: x.mean((2, 3)).t()),
    (BATCH, lambda m, x: x.mean((1, 2, 3)).unsqueeze(1) + x.mean((1, 2, 3))),
    ("takes part of the batch", lambda m, x: x[:1]),
    ("pads the batch axis", lambda m, x: F.pad(x, (0, 0, 0, 0, 0, 0, 1, 0))),
    ("mode 'reflect'", lambda m, x: F.pad(x, (1, 1, 1, 1), "reflect")),
    ("padding with infinity", lambda m, x: F.pad(x, (1, 1), value=float("-inf"))),
    ("clamp from -1.0 to 1.0", lambda m, x: F.hardtanh(x)),
    ("clamp from below to 1", lambda m, x: x.clamp(max=1)),
    ("clamp from 0.0 to -1.0", lambda m, x: x.clamp(0, -1)),
    ("clamp from 0.1 to above", lambda m, x: x.clamp(0.1)),
    ("'min' differs between neurons", lambda m, x: torch.clamp(x, torch.zeros(9))),
    ("'max' is computed from the image", lambda m, x: torch.clamp(x, torch.tensor(0.0), x)),
    ("only a threshold at 0 is a ReLU", lambda m, x: F.threshold(x, 0.5, 0)),
    ("'alpha' other than 1", lambda m, x: torch.add(x, x, alpha=2)),
    ("product of two activations", lambda m, x: x * x),
    ("a constant divided by an activation", lambda m, x: torch.div(torch.tensor(1.0), x)),
    ("a rounded quotient", lambda m, x: torch.div(x, 2, rounding_mode="floor")),
    ("joins an activation with a constant", lambda m, x: torch.cat([x.mean((2, 3)), torch.zeros(2, 1)], 1)),
    ("changes the type of the numbers", lambda m, x: x.double()),
    ("changes the type of the numbers", lambda m, x: x + torch.ones(9, dtype=torch.float64)),
    ("draws random numbers", lambda m, x: x + torch.randn(9)),
    ("differs between the rows of the batch", lambda m, x: x + torch.arange(2.0).reshape(2, 1, 1, 1)),
    ("more axes than the activation", lambda m, x: x.mean((2, 3)) + torch.ones(2, 1, 1)),
    (NONE, lambda m, x: F.conv3d(x.unsqueeze(1), torch.ones(1, 1, 1, 1, 1))),
    ("one number a row", lambda m, x: x.mean((1, 2, 3)).relu()),
    (NONE, lambda m, x: F.conv_transpose2d(x, torch.ones(4, 1, 2, 2))),
    (NONE, lambda m, x: torch.sigmoid(x)),
    (NONE, lambda m, x: torch.softmax(x, 1)),
    ("training mode", lambda m, x: m.norm(x)),  # without running statistics it always normalises by the batch
]


@pytest.mark.parametrize(("reason", "body"), REFUSED)
def test_what_has_no_conversion_is_refused_with_its_reason(reason: str, body: Body) -> None:
    model = toys.toy(body, IMAGE, norm=nn.BatchNorm2d(4, track_running_stats=False))
    exported = torch.export.export(model, (torch.zeros(2, *IMAGE),))  # for a batch of two, as many people export

    with pytest.raises(UnsupportedOperatorError) as caught:
        from_exported(exported)
    assert reason in str(caught.value)


@pytest.mark.parametrize("layer", [nn.Conv1d(2, 2, 3), nn.Linear(2, 2)], ids=repr)
def test_a_layer_that_takes_the_batch_for_channels_is_refused(layer: nn.Module) -> None:
    """Without a batch axis PyTorch reads the rows as channels: right for a batch of two, wrong for any other."""

    def body(m: Any, x: Tensor) -> Tensor:
        return m.layer(x if isinstance(m.layer, nn.Conv1d) else x.mean(1)).reshape(2, -1)

    with pytest.raises(UnsupportedOperatorError, match="takes the batch axis for"):
        from_torch(toys.toy(body, (6,), layer=layer), (6,))
