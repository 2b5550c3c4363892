"""In-place writes: seen under every name of the same memory and under no other, or refused."""

from typing import Any

import pytest
import torch
import toys
from reading import Body, exported, same_numbers
from torch import Tensor, nn
from torch.nn import functional as F

from seenn_convert.errors import UnsupportedOperatorError
from seenn_convert.frontend.torch.lift import lift


def clone_then_write(m: Any, x: Tensor) -> Tensor:
    y = m.conv(x)
    z = y.clone()
    z.relu_()
    return (y + z).flatten(1)


def copy_then_write(m: Any, x: Tensor) -> Tensor:
    y = m.conv(x)
    z = y.to(torch.float32, copy=True)
    z.relu_()
    return (y + z).flatten(1)


def write_then_read_the_old_name(m: Any, x: Tensor) -> Tensor:
    y = m.conv(x)
    z = y.relu_()
    return (y + 2 * z).flatten(1)


def read_then_write(m: Any, x: Tensor) -> Tensor:
    y = m.conv(x)
    old = y + 1
    y.relu_()
    return (old - y).flatten(1)


def write_through_dropout(m: Any, x: Tensor) -> Tensor:
    """Dropout at inference returns its input itself."""
    y = m.conv(x)
    m.drop(y).relu_()
    return y.flatten(1)


def write_through_alpha_dropout(m: Any, x: Tensor) -> Tensor:
    y = m.conv(x)
    F.alpha_dropout(y, 0.5, False).relu_()
    return y.flatten(1)


def write_through_detach(m: Any, x: Tensor) -> Tensor:
    y = m.conv(x)
    y.detach().relu_()
    return y.flatten(1)


def write_through_a_full_slice(m: Any, x: Tensor) -> Tensor:
    y = m.conv(x)
    y[:].relu_()
    return y.flatten(1)


def augmented(m: Any, x: Tensor) -> Tensor:
    y = m.conv(x)
    z = y
    y += 1
    y *= 0.5
    y -= m.conv(x)
    y /= 2
    y.clamp_(0, 0.4)
    return z.flatten(1)


def write_twice(m: Any, x: Tensor) -> Tensor:
    y = m.conv(x)
    y.relu_()
    z = y + 0.5
    y.mul_(-1)
    return (y + z).flatten(1)


def view_as_last(m: Any, x: Tensor) -> Tensor:
    """Nothing reads the tensor under another shape after the write."""
    y = m.conv(x)
    y = y.view(y.size(0), -1)
    return y.relu_()


def write_to_the_image(m: Any, x: Tensor) -> Tensor:
    x.relu_()
    return m.conv(x).flatten(1)


def unsqueeze_in_place(m: Any, x: Tensor) -> Tensor:
    y = m.conv(x).mean((2, 3))
    y.unsqueeze_(2)
    return y.flatten(1)


def overwrite(m: Any, x: Tensor) -> Tensor:
    y, z = m.conv(x), m.conv(x)
    y[:] = y.relu()
    old = y + 1
    y.copy_(z)
    z.relu_()
    return (y + 2 * z + 3 * old).flatten(1)


@pytest.mark.parametrize(
    "body",
    [
        clone_then_write, copy_then_write, write_then_read_the_old_name, read_then_write, write_through_dropout,
        write_through_alpha_dropout, write_through_detach, write_through_a_full_slice, augmented, write_twice,
        view_as_last, write_to_the_image, unsqueeze_in_place, overwrite,
    ],
)  # fmt: skip
def test_in_place_writes_that_are_right(body: Body) -> None:
    """A write is seen under every name of the same memory, and under no other."""
    model = toys.toy(body, conv=toys.conv(), drop=nn.Dropout())

    for dynamic in (True, False):
        same_numbers(lift(exported(model, dynamic=dynamic)), model)


def write_through_a_view(m: Any, x: Tensor) -> Tensor:
    y = m.conv(x)
    y.view(y.size(0), -1).relu_()
    return y.flatten(1)


def write_through_a_slice(m: Any, x: Tensor) -> Tensor:
    y = m.conv(x)
    y[:, :2].relu_()
    return y.flatten(1)


def write_below_a_view(m: Any, x: Tensor) -> Tensor:
    y = m.conv(x)
    flat = y.flatten(1)
    y.relu_()
    return flat


def write_below_parts(m: Any, x: Tensor) -> Tensor:
    y = m.conv(x)
    left, right = torch.tensor_split(y, 2, 1)
    y.relu_()
    return (left + right).flatten(1)


def write_below_chunks(m: Any, x: Tensor) -> Tensor:
    y = m.conv(x)
    left, right = y.chunk(2, 1)
    y.mul_(2)
    return (left + right).flatten(1)


def write_through_a_transposition(m: Any, x: Tensor) -> Tensor:
    y = m.conv(x)
    y.transpose(1, 2).relu_()
    return y.flatten(1)


def write_to_what_may_be_a_copy(m: Any, x: Tensor) -> Tensor:
    y = m.conv(x).permute(0, 2, 3, 1)
    z = y.contiguous()
    z.relu_()
    return (y + z).flatten(1)


VIEW, CONSTANT = "that a view shares", "parameter or buffer"


def write_an_item(m: Any, x: Tensor) -> Tensor:
    y = m.conv(x)
    y[:, 0] = 0
    return y.flatten(1)


def overwrite_a_part(m: Any, x: Tensor) -> Tensor:
    y = m.conv(x)
    y[:, :2] = y[:, 1:3].relu()
    return y.flatten(1)


def overwrite_by_a_part(m: Any, x: Tensor) -> Tensor:
    y = m.conv(x)
    y.copy_(y.mean((1, 2, 3), keepdim=True))
    return y.flatten(1)


def count_calls(m: Any, x: Tensor) -> Tensor:
    m.calls.add_(1)
    return m.conv(x).flatten(1) * m.calls


def change_a_weight(m: Any, x: Tensor) -> Tensor:
    m.calls.view(1, 1).mul_(2)
    return m.conv(x).flatten(1) * m.calls


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (write_through_a_view, VIEW), (write_through_a_slice, VIEW), (write_below_a_view, VIEW),
        (write_below_parts, VIEW), (write_below_chunks, VIEW), (write_through_a_transposition, VIEW),
        (write_to_what_may_be_a_copy, VIEW),
        (write_an_item, VIEW), (overwrite_a_part, VIEW), (overwrite_by_a_part, "of another shape"), (count_calls, CONSTANT), (change_a_weight, CONSTANT),
    ],
)  # fmt: skip
def test_in_place_writes_that_cannot_be_followed_are_refused(body: Body, reason: str) -> None:
    model = toys.toy(body, conv=toys.conv())
    model.register_buffer("calls", torch.ones(1))
    traced = exported(model)
    calls = model.calls.clone()

    with pytest.raises(UnsupportedOperatorError, match=reason):
        lift(traced)
    assert torch.equal(model.calls, calls) and torch.equal(traced.state_dict["calls"], calls)
