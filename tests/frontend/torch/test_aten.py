"""Each family of aten calls: what is converted gives the same numbers, what is not is refused with a reason."""

from collections.abc import Callable
from typing import Any

import harness
import pytest
import torch
import toys
from reading import Body, kinds, read
from torch import Tensor, nn
from torch.nn import functional as F

from seenn_convert.frontend.torch.read import from_torch
from seenn_convert.ir.program import Program

IMAGE, SIGNAL, ROW = (4, 9, 9), (4, 12), (6,)


def check(body: Body, shape: tuple[int, ...], calls: str, **modules: nn.Module | Tensor) -> Program:
    """Read ``body``, flattened to logits, in every way, and compare the operators it became."""
    model = toys.toy(lambda m, x: body(m, x).flatten(1), shape)
    for name, value in modules.items():
        if isinstance(value, Tensor):
            model.register_buffer(name, value)
        else:
            model.add_module(name, value.eval())
    program = read(toys.warm(model))
    found = kinds(program)
    assert found[: len(calls.split())] == calls.split()
    assert set(found[len(calls.split()) :]) <= {"Reshape"}
    return program


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (nn.Conv2d(4, 6, (3, 2), (2, 1), (1, 0), (1, 2), 2), IMAGE),
        (nn.Conv2d(4, 4, 3, groups=4, bias=False), IMAGE),
        (nn.Conv2d(4, 4, 4, padding="same", dilation=2), IMAGE),
        (nn.Conv2d(4, 4, 3, padding="valid"), IMAGE),
        (nn.ConvTranspose2d(4, 6, 3, 2, 1, 1, groups=2), IMAGE),
        (nn.ConvTranspose1d(4, 6, 3, 2), SIGNAL),
        (nn.Conv1d(4, 6, 3, 2, 1, 2, 2), SIGNAL),
        (nn.Conv1d(4, 6, 2, padding="same", bias=False), SIGNAL),
        (nn.Linear(6, 3), ROW),
        (nn.Linear(12, 3, bias=False), SIGNAL),
        (nn.BatchNorm2d(4, eps=0.1), IMAGE),
        (nn.BatchNorm1d(4, affine=False), SIGNAL),
        (nn.BatchNorm1d(6), ROW),
        (nn.LayerNorm((9, 9), bias=False), IMAGE),
        (nn.LayerNorm(12, elementwise_affine=False), SIGNAL),
        (nn.GroupNorm(2, 4), IMAGE),
        (nn.GroupNorm(4, 4, affine=False), SIGNAL),
        (nn.PReLU(4), IMAGE),
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
        (lambda m, x: F.threshold(x, 0.5, 0), "threshold"),
        (lambda m, x: F.hardtanh(x), "Affine ClippedReLU Affine"),
        (lambda m, x: x.clamp(max=1), "clamp"),
        (lambda m, x: x.clamp(0, -1), "clamp"),
        (lambda m, x: x.clamp(0.1), "clamp"),
        (lambda m, x: torch.clamp(x, torch.tensor(0.0), 2 * x), "Affine clamp"),
        (lambda m, x: F.prelu(x, torch.tensor([0.3])), "LeakyReLU"),
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
        (lambda m, x: torch.add(x, x.relu(), alpha=2), "ReLU Affine Add"),
        (lambda m, x: x * x.relu(), "ReLU mul"),
        (lambda m, x: x / (x.relu() + 1), "ReLU Affine div"),
        (lambda m, x: torch.div(torch.tensor(1.0), x + 9), "Affine div"),
        (lambda m, x: torch.div(x, 2, rounding_mode="floor"), "div"),
        (lambda m, x: x.square() ** 1.5, "square pow"),
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
        (lambda m, x: torch.cat([x.mean((2, 3)), torch.zeros(x.shape[0], 1)], 1), "Mean ConstantRow Concatenate"),
        (lambda m, x: torch.stack([x, 2 * x], 1), "Affine Reshape Reshape Concatenate"),
        (lambda m, x: torch.stack([x, 2 * x]).mean(0), "Affine Reshape Reshape Concatenate Mean"),
        (
            lambda m, x: torch.stack([x, 2 * x, x + 1], 0).amax(0),
            "Affine Affine Reshape Reshape Reshape Concatenate amax",
        ),
        (lambda m, x: x.repeat(1, 2, 1, 1), "repeat"),
        (lambda m, x: x[:, :1].expand(-1, 4, 9, 9), "Slice Expand"),
        (lambda m, x: x[:, 2], "Slice Reshape"),
        (lambda m, x: x[:, [2, 0, -1]], "index_select"),
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


@pytest.mark.parametrize("mode", ["reflect", "replicate", "circular"])
def test_padding_with_the_tensors_own_values(mode: str) -> None:
    check(lambda m, x: F.pad(x, (1, 2, 0, 1), mode), IMAGE, "Pad")


SMOOTH = [
    "silu", "gelu", "sigmoid", "tanh", "hardswish", "hardsigmoid", "softplus", "mish", "elu", "celu", "selu",
    "hardshrink", "softshrink", "logsigmoid",
]  # fmt: skip


@pytest.mark.parametrize("name", SMOOTH)
def test_smooth_activations_stand_as_they_are(name: str) -> None:
    """Elementwise operators need no code of their own."""
    check(lambda m, x: getattr(F, name)(x), ROW, name.replace("logsigmoid", "log_sigmoid"))


@pytest.mark.parametrize(
    ("body", "kinds"),
    [
        (lambda m, x: x.softmax(1), "softmax"),
        (lambda m, x: F.log_softmax(x, -1), "log_softmax"),
        (lambda m, x: x.sum((1, 2), keepdim=True), "sum"),
        (lambda m, x: x.sum(-1), "sum"),
        (lambda m, x: x.cumsum(1), "cumsum"),
        (lambda m, x: x.amax((2, 3)), "amax"),
        (lambda m, x: x.amin(1), "amin"),
        (lambda m, x: x.var(1), "var"),
        (lambda m, x: x.std((2, 3), keepdim=True), "std"),
        (lambda m, x: x.prod(2), "prod"),
        (lambda m, x: x.logsumexp((1, 3)), "logsumexp"),
        (lambda m, x: x.norm(dim=1), "linalg_vector_norm"),
        (lambda m, x: F.normalize(x, dim=-3), "linalg_vector_norm clamp_min Expand div"),
        (lambda m, x: x.max(1, keepdim=True).values, "amax"),
        (lambda m, x: x.min(-1)[0], "amin"),
        (lambda m, x: x.permute(1, 0, 2, 3).max(0)[0], "Permute amax"),
        (lambda m, x: x.median(2).values, "median"),
        (lambda m, x: x.kthvalue(3, -1, keepdim=True).values, "kthvalue"),
        (lambda m, x: x.topk(2, 1).values, "topk"),
        (lambda m, x: x.sort(-1, descending=True).values, "sort"),
        (lambda m, x: x.cummax(3).values - x.cummin(1).values, "cummax cummin Subtract"),
        (lambda m, x: F.cosine_similarity(x, x.flip(1), dim=-1), "flip cosine_similarity"),
        (lambda m, x: F.cosine_similarity(x, m.table[None, :, :, :, 0], dim=1), "cosine_similarity"),
        (lambda m, x: x.tile(2, 1, 3), "repeat"),
        (lambda m, x: x.repeat_interleave(2, 1), "index_select"),
        (lambda m, x: x.diagonal(1, 2, 3), "diagonal"),
        (lambda m, x: F.fold(F.unfold(x, 3, stride=3), 9, 3, stride=3), "im2col col2im"),
        (
            lambda m, x: F.grid_sample(x, x[:, :2].permute(0, 2, 3, 1).tanh(), align_corners=False),
            "Slice Permute tanh grid_sampler",
        ),
        (
            lambda m, x: F.grid_sample(
                x, F.affine_grid(x[:, 0, :2, :3], x.shape, align_corners=True), align_corners=True
            ),
            "Slice Reshape Slice Slice Linear Permute Reshape grid_sampler",
        ),
        (lambda m, x: F.cosine_similarity(x, m.square, dim=-1), "cosine_similarity"),
        (lambda m, x: F.rrelu(x, 0.1, 0.3), "LeakyReLU"),
        (lambda m, x: F.glu(x, 1), "glu"),
        (lambda m, x: F.rms_norm(x, (9,)), "rms_norm"),
        (lambda m, x: F.instance_norm(x), "GroupNorm"),
        (lambda m, x: F.local_response_norm(x, 3), "mul Reshape Pad avg_pool3d Reshape Reshape Affine Affine pow div"),
        (lambda m, x: x.roll((1, -2), (2, 3)), "roll"),
        (lambda m, x: x.flip((-1, 1)), "flip"),
        (lambda m, x: x.tril(1), "tril"),
        (lambda m, x: x.unfold(2, 3, 2), "unfold"),
        (lambda m, x: F.unfold(x, 3), "im2col"),
        (lambda m, x: F.pixel_shuffle(x, 2), "pixel_shuffle"),
        (lambda m, x: F.pixel_unshuffle(x, 3), "pixel_unshuffle"),
        (lambda m, x: F.channel_shuffle(x, 2), "channel_shuffle"),
        (lambda m, x: F.interpolate(x, scale_factor=2), "upsample_nearest2d"),
        (lambda m, x: F.interpolate(x, size=(5, 7), mode="bilinear"), "upsample_bilinear2d"),
        (lambda m, x: F.interpolate(x, size=(5, 7), mode="bicubic", align_corners=True), "upsample_bicubic2d"),
        (lambda m, x: F.interpolate(x, size=(5, 7), mode="bilinear", antialias=True), "_upsample_bilinear2d_aa"),
        (lambda m, x: F.max_pool3d(x.unsqueeze(1), 2), "Reshape max_pool3d"),
        (lambda m, x: F.conv3d(x.unsqueeze(1), torch.ones(2, 1, 2, 2, 2)), "Reshape Conv3d"),
        (lambda m, x: torch.maximum(x, torch.linspace(-1, 1, 9)), "maximum"),
        (lambda m, x: x.masked_fill(m.mask, float("-inf")).softmax(-1), "masked_fill softmax"),
        (lambda m, x: torch.where(m.mask, x, float("-inf")).exp(), "where exp"),
        (lambda m, x: torch.where(m.mask, x, 2 * x), "Affine where"),
        (lambda m, x: x @ m.square, "Linear"),
        (lambda m, x: x @ m.square[None, None], "Linear"),
        (lambda m, x: m.square @ x, "matmul"),
        (lambda m, x: x @ x.transpose(2, 3), "Permute matmul"),
        (lambda m, x: torch.bmm(x.mean(1), x.mean(2).transpose(1, 2)), "Mean Mean Permute matmul"),
        (lambda m, x: torch.einsum("bchw,bcvw->bchv", x, x), "einsum"),
        (lambda m, x: torch.einsum("bchw,wk->bchk", x, m.square), "einsum"),
        (lambda m, x: torch.einsum("bchw,chwk->bck", x, m.table), "einsum"),  # a constant of the activation's rank
        (
            lambda m, x: F.scaled_dot_product_attention(x, x, x, is_causal=True, scale=0.5),
            "scaled_dot_product_attention",
        ),
        (lambda m, x: F.scaled_dot_product_attention(x, x, x, m.mask), "scaled_dot_product_attention"),
    ],
)
def test_operators_that_stand_as_they_are(body: Body, kinds: str) -> None:
    """Along any axis but the batch, counted from either end."""
    check(body, IMAGE, kinds, square=torch.randn(9, 9), mask=torch.ones(9, 9).triu(1).t().bool(),
          table=torch.randn(4, 9, 9, 2))  # fmt: skip


def test_copies_and_casts_to_the_same_type_are_nothing() -> None:
    check(lambda m, x: x.clone().detach().contiguous().to(torch.float32).type_as(x).float(), IMAGE, "")


def test_another_floating_point_type_is_kept() -> None:
    """A float64 network stays float64, its constants included."""
    model = toys.toy(lambda m, x: m.head((x / 3 + 0.1).relu().flatten(1)), head=nn.Linear(192, 5)).double()
    program = from_torch(model, toys.IMAGE, torch.float64)
    image = harness.images(program)

    assert program(image).dtype is torch.float64
    harness.assert_same(program(image), model(image), 1e-13)
