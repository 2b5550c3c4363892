"""What has no conversion is refused: every call that has none, with its place and the exact reason."""

from typing import Any

import pytest
import torch
import toys
from reading import Body, exported
from torch import Tensor, nn
from torch.nn import functional as F

from seenn_convert.errors import UnsupportedOperatorError
from seenn_convert.frontend.torch.read import from_exported, from_torch

IMAGE = (4, 9, 9)
BATCH = "it works along the batch axis, so rows would depend on each other"
VIEW = "it reshapes the batch axis, so rows would depend on each other"
NONE = "this operator cannot be converted yet; replace it, or convert the part of the model before it"
TYPE = "it computes in float64 and the image is float32; convert the model in one floating-point type"
CAST = "it takes {} numbers that depend on the image; cast them to float32 before it: .to(torch.float32)"
COUNTS = "it gives {} numbers, such as positions or counts, which have no mean over timesteps"
RANDOM = "it draws random numbers, so the model gives other results for the same image; leave it out"
SIZE = (
    "it computes with the number of images in the batch, so an image's result would depend on the others; write a "
    "number that is the same for every batch"
)
INDEX = "it indexes with several or computed indices; only one constant index can be converted"
AXES = "its inputs hold the batch on different axes, so rows would depend on each other"
WHOLE = "it works over the whole batch, so rows would depend on each other; name the axes"
RESULT = "its result lacks the batch axis of its input, so rows would depend on each other"
ROWS = "its constant differs between the rows of the batch"
MULTIPLIES = "it multiplies along the batch axis, so rows would depend on each other"
TABLE = "it indexes with a mask or a table of positions, which cannot be converted yet"
UNEQUAL = "it adds tensors of unequal rank, so rows would depend on each other; unsqueeze one of them"
REFUSED: list[tuple[str, Body]] = [
    (WHOLE, lambda m, x: x.mean().reshape(1, 1)),
    (WHOLE, lambda m, x: x.sum().reshape(1, 1)),
    (WHOLE, lambda m, x: x / x.std()),
    (BATCH, lambda m, x: x.mean(0)),
    (BATCH, lambda m, x: x.mean(dim=(-4, 1))),
    (BATCH, lambda m, x: x.sum(0)),
    (BATCH, lambda m, x: x.amax((0, 2))),
    (BATCH, lambda m, x: x.softmax(0)),
    (BATCH, lambda m, x: x.max(0)[0]),
    (BATCH, lambda m, x: x.topk(1, 0).values),
    (BATCH, lambda m, x: x.kthvalue(1, 0).values),
    (BATCH, lambda m, x: x.diagonal(0, 0, 2)),
    (BATCH, lambda m, x: x.repeat_interleave(2, 0)),
    (BATCH, lambda m, x: F.cosine_similarity(x, x, dim=0)),
    ("it repeats over the whole batch; name the axis", lambda m, x: x.repeat_interleave(2).reshape(x.shape[0], -1)),
    ("its result has an axis other than the batch whose size depends on the input",
     lambda m, x: x.repeat_interleave(torch.tensor([1, 2, 1, 3]), 1)),
    ("it repeats the batch or puts an axis in front of it, so rows would depend on each other",
     lambda m, x: x.tile(2, 1, 1, 1)),
    ("it joins tensors of unequal rank, so rows would depend on each other; unsqueeze one of them",
     lambda m, x: F.cosine_similarity(x, torch.ones(1, 1, 1, 9, 9), dim=-1)),
    ("its result is empty; leave it out", lambda m, x: torch.cat([x, x.topk(0, 1).values], 1)),
    ("it samples a constant, which cannot be converted yet; sample an activation",
     lambda m, x: F.grid_sample(torch.ones(2, 1, 9, 9), x[:, :2].permute(0, 2, 3, 1), align_corners=False)),
    ("its sampling positions are constant, which cannot be converted yet; slice instead",
     lambda m, x: F.grid_sample(x, torch.zeros(2, 3, 3, 2), align_corners=False)),
    ("it uses the indices or another secondary output of a layer, which cannot be converted",
     lambda m, x: x * x.max(1, keepdim=True).indices),
    (BATCH, lambda m, x: x.cumsum(-4)),
    (BATCH, lambda m, x: x.roll(1, 0)),
    (BATCH, lambda m, x: x.flip(0)),
    (BATCH, lambda m, x: x.unfold(0, 1, 1)),
    (BATCH, lambda m, x: x[[0, 1]]),
    (BATCH, lambda m, x: x[0]),
    (BATCH, lambda m, x: x.unbind(0)[1]),
    (BATCH, lambda m, x: torch.cat([x, x], -4)),
    (BATCH, lambda m, x: x.split(1, 0)[0]),
    (BATCH, lambda m, x: F.normalize(x, dim=0)),
    (BATCH, lambda m, x: x.permute(1, 2, 0, 3).softmax(2)),
    ("it rolls over the whole batch; name the axes", lambda m, x: x.roll(1)),
    ("it repeats the batch or puts an axis in front of it, so rows would depend on each other",
     lambda m, x: x.repeat(2, 1, 1, 1)),
    ("it repeats the batch or puts an axis in front of it, so rows would depend on each other",
     lambda m, x: x.expand(3, 2, 4, 9, 9)),
    (VIEW, lambda m, x: x.reshape(3, 216)),
    (VIEW, lambda m, x: x.permute(1, 2, 0, 3).reshape(8, 81)),
    (UNEQUAL, lambda m, x: x.mean((1, 2, 3)).unsqueeze(1) + x.mean((1, 2, 3))),
    (AXES, lambda m, x: x.mean((2, 3))[:, :2] + x.mean((2, 3))[:, :2].t()),
    ("it joins tensors of unequal rank, so rows would depend on each other; unsqueeze one of them",
     lambda m, x: x.mean((1, 2, 3)).unsqueeze(1) * x.mean((1, 2, 3))),
    (MULTIPLIES, lambda m, x: x.mean((2, 3)) @ x.mean((2, 3)).t()),
    (MULTIPLIES, lambda m, x: m.square @ x.mean((2, 3))),
    ("it attends along the batch axis, so rows would depend on each other",
     lambda m, x: F.scaled_dot_product_attention(*[x.mean(2).transpose(0, 1)] * 3)),
    ("its operands and its result do not all begin with the batch; write it as a matmul",
     lambda m, x: torch.einsum("bchw,bcvw->chv", x, x)),
    ("its operands and its result do not all begin with the batch; write it as a matmul",
     lambda m, x: torch.einsum("bchw,achw->ba", x, x)),
    (ROWS, lambda m, x: torch.einsum("bchw,bc->bhw", x, m.rows)),
    ("it normalises over the batch axis, so rows would depend on each other",
     lambda m, x: F.layer_norm(x.mean((2, 3)), (2, 4))),
    ("it normalises over the batch axis, so rows would depend on each other",
     lambda m, x: F.rms_norm(x.mean((2, 3)), (2, 4))),
    ("it takes part of the batch", lambda m, x: x[:1]),
    ("it pads the batch axis", lambda m, x: F.pad(x, (0, 0, 0, 0, 0, 0, 1, 0))),
    ("it takes the batch axis for the rows of a matrix", lambda m, x: x.mean((2, 3)).tril()),
    ("its slopes are not one number per channel", lambda m, x: torch.ops.aten._prelu_kernel(x, torch.ones(9))),
    (TYPE, lambda m, x: x.double()),
    (TYPE, lambda m, x: x + torch.ones(9, dtype=torch.float64)),
    (CAST.format("bool"), lambda m, x: (x > 0).sum(1)),
    (CAST.format("bool"), lambda m, x: torch.cat([x > 0, x > 1], 1)),
    (CAST.format("int64"), lambda m, x: x.long()),
    (COUNTS.format("bool"), lambda m, x: (x > 0).any(1).float()),
    (COUNTS.format("int64"), lambda m, x: x.argmax(1).float()),
    (COUNTS.format("int64"), lambda m, x: torch.count_nonzero(x, 1).float()),
    (INDEX, lambda m, x: x[x > 0].sum().expand(2, 1)),
    ("it writes to computed places, which cannot be converted; use torch.where",
     lambda m, x: x.index_put((x[:, 0] > 0,), torch.zeros(()))),
    ("it computes with complex numbers, which cannot be converted", lambda m, x: torch.fft.ifft(torch.fft.fft(x)).real),
    ("recurrent layers cannot be converted; use convolutions or attention over the sequence",
     lambda m, x: m.recurrent(x[:, 0])[0]),
    ("in its aten.flip, it works along the batch axis, so rows would depend on each other", lambda m, x: x.flipud()),
    ("it draws random numbers; make them a buffer", lambda m, x: x + torch.randn(9)),
    (ROWS, lambda m, x: x + torch.arange(2.0).reshape(2, 1, 1, 1)),
    (ROWS, lambda m, x: torch.maximum(x, torch.arange(2.0).reshape(2, 1, 1, 1))),
    (ROWS, lambda m, x: torch.cat([x.mean((2, 3)), torch.arange(2.0).reshape(2, 1)], 1)),
    ("its constant has more axes than the activation", lambda m, x: x.mean((2, 3)) + torch.ones(2, 1, 1)),
    (INDEX, lambda m, x: x[:, m.places, m.places]),
    (TABLE, lambda m, x: x[:, m.places.reshape(1, 2)]),
    (TABLE, lambda m, x: x[:, m.mask]),
    ("it uses the indices or another secondary output of a layer, which cannot be converted",
     lambda m, x: F.max_pool2d_with_indices(x, 2)[1].float()),
    ("in its aten.convolution, transposed convolution over 3 axes cannot be converted",
     lambda m, x: F.conv_transpose3d(x.unsqueeze(1), torch.ones(1, 1, 1, 1, 1))),
    ("instance norm with running statistics cannot be converted; use batch norm",
     lambda m, x: F.instance_norm(x, torch.zeros(4), torch.ones(4), use_input_stats=False)),
    (NONE, lambda m, x: x.logcumsumexp(1)),
    (RANDOM, lambda m, x: torch.rand_like(x) * x),
    (WHOLE, lambda m, x: x - x.max()),
    (NONE, lambda m, x: x.cumprod(1)),
    (NONE, lambda m, x: torch.as_strided(x, (2, 4), (324, 1))),
    (NONE, lambda m, x: torch.cdist(x, x)),
    ("it is in training mode; call model.eval() before the model is exported", lambda m, x: m.norm(x)),
    ("it is in training mode; call model.eval() before the model is exported", lambda m, x: F.dropout(x, 0.5, True)),
]  # fmt: skip


@pytest.mark.parametrize(("reason", "body"), REFUSED)
def test_what_has_no_conversion_is_refused_with_its_reason(reason: str, body: Body) -> None:
    """From an export for a batch of two, as many people make it."""
    model = toys.toy(lambda m, x: body(m, x).flatten(1), IMAGE, norm=nn.BatchNorm2d(4, track_running_stats=False),
                     recurrent=nn.LSTM(9, 2, batch_first=True))  # fmt: skip
    for name, value in (("places", torch.tensor([0, 2])), ("mask", torch.tensor([True, False, True, True])),
                        ("rows", torch.arange(8.0).reshape(2, 4)), ("square", torch.ones(2, 2))):  # fmt: skip
        model.register_buffer(name, value)

    with pytest.raises(UnsupportedOperatorError) as caught:
        from_exported(exported(model))
    assert caught.value.problems[0].split(": ", 1)[1] == reason


@pytest.mark.parametrize(
    "body",
    [
        lambda m, x: x / x.shape[0],
        lambda m, x: x * x.size(0),
        lambda m, x: x / x.numel(),
        lambda m, x: x * x.shape[0] ** -0.5,
        lambda m, x: torch.subtract(x, x.shape[0]),
        lambda m, x: x + torch.full((1, 5), x.shape[0]),
        lambda m, x: x + torch.arange(x.shape[0])[:, None],
    ],
)
def test_the_number_of_images_is_no_number_to_compute_with(body: Body) -> None:
    """A row would depend on how many others there are; the reason names the call that does it."""
    with pytest.raises(UnsupportedOperatorError) as caught:
        from_exported(exported(toys.toy(body, (5,)), dynamic=True))
    assert caught.value.problems[0].split(": ", 1)[1] == SIZE


@pytest.mark.parametrize(
    "body",
    [
        lambda m, x: x.view(x.size(0), -1) / x[0].numel(),
        lambda m, x: x.reshape(len(x), 5) + torch.zeros(x.shape[0], 5),
        lambda m, x: torch.cat([x, torch.ones(x.shape[0], 1)], 1),
    ],
)
def test_the_number_of_images_may_give_a_shape(body: Body) -> None:
    model = toys.toy(body, (5,))
    images = torch.randn(3, 5)
    assert torch.allclose(from_torch(model, (5,))(images), model(images))


@pytest.mark.parametrize("layer", [nn.Conv1d(2, 2, 3), nn.Linear(2, 2)], ids=repr)
def test_a_layer_that_takes_the_batch_for_channels_is_refused(layer: nn.Module) -> None:
    """Without a batch axis PyTorch reads the rows as channels: right for a batch of two, wrong for any other."""

    def body(m: Any, x: Tensor) -> Tensor:
        return m.layer(x if isinstance(m.layer, nn.Conv1d) else x.mean(1)).reshape(2, -1)

    with pytest.raises(UnsupportedOperatorError, match="takes the batch axis for"):
        from_torch(toys.toy(body, (6,), layer=layer), (6,))


class Several(nn.Module):
    """Calls without a conversion beside and behind each other."""

    input_shape = toys.IMAGE

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(3, track_running_stats=False)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(x)
        a = self.norm(x)
        b = torch.logcumsumexp(x, 1)
        c = torch.sigmoid(a).double().mean(1, keepdim=True).float()
        d = torch.rand_like(b)
        _ = torch.logcumsumexp(c, 2)  # not listed: no result depends on it
        return (a + b + c + d).flatten(1)


def test_every_call_is_listed_with_its_line_also_behind_another() -> None:
    first = Several.forward.__code__.co_firstlineno + 2
    with pytest.raises(UnsupportedOperatorError) as caught:
        from_torch(Several().eval(), toys.IMAGE)

    training = "it is in training mode; call model.eval() before the model is exported"
    assert list(caught.value.problems) == [
        f"batch_norm (aten.batch_norm) at norm (test_refusals.py:{first}): {training}",
        f"logcumsumexp (aten.logcumsumexp) at test_refusals.py:{first + 1}: {NONE}",
        f"mean (aten.mean.dim) at test_refusals.py:{first + 2}: {TYPE}",
        f"rand_like (aten.rand_like) at test_refusals.py:{first + 3}: {RANDOM}",
    ]


def test_what_follows_a_lost_batch_axis_is_not_looked_at() -> None:
    """Behind a call whose result has no rows nothing can be said, so only that call is a problem."""

    def body(m: Any, x: Tensor) -> Tensor:
        return x.flatten(1) * torch.sort(x.mean(0).flatten()).values

    with pytest.raises(UnsupportedOperatorError) as caught:
        from_exported(exported(toys.toy(body)))
    assert [problem.split(" at ")[0] for problem in caught.value.problems] == ["mean (aten.mean.dim)"]
