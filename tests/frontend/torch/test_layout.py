"""Where the batch axis is: views and permutations carry it along, and a program holds every value batch first."""

import math
from typing import Any

import pytest
import torch
import toys
from hypothesis import given
from hypothesis import strategies as st
from reading import Body, kinds, read
from torch import Tensor, nn
from torch.nn import functional as F

from seenn_convert.frontend.torch.layout import PLAIN, STAND_IN, Layout, after_view, batch_of, sizes_of


def held(value: Tensor, layout: Layout, batch: int) -> Tensor:
    """Return an exported value as the program holds it."""
    parts = value.unflatten(layout.axis, (layout.outer, batch, layout.inner))
    return parts.movedim(layout.axis + 1, 0).reshape(batch, *layout.shape(value.shape))


@pytest.mark.parametrize(
    ("layout", "sizes", "shape", "positions"),
    [
        (PLAIN, (2, 3, 4), (3, 4), [(), (1,), (2,)]),
        (Layout(1), (3, 2, 4), (3, 4), [(1,), (), (2,)]),
        (Layout(0, 1, 5), (10, 3), (5, 3), [(1,), (2,)]),
        (Layout(0, 5, 1), (10, 3), (5, 3), [(1,), (2,)]),
        (Layout(1, 5, 7), (3, 70, 4), (3, 5, 7, 4), [(1,), (2, 3), (4,)]),
    ],
)
def test_a_program_holds_the_axes_in_order_behind_the_batch(
    layout: Layout, sizes: tuple[int, ...], shape: tuple[int, ...], positions: list[tuple[int, ...]]
) -> None:
    assert layout.shape(sizes) == shape
    assert layout.positions(len(sizes)) == positions
    assert layout.is_plain is (layout == Layout(0, 1, 1))
    assert layout.has_parts is (layout == Layout(0, 1, 5))


SHAPES = st.lists(st.sampled_from([1, 2, 3, 4]), min_size=1, max_size=3)


@given(before=SHAPES, axis=st.integers(0, 2), cut=st.data())
def test_a_view_of_the_exported_value_is_a_reshape_of_every_row(before: list[int], axis: int, cut: Any) -> None:
    """Whatever view keeps the batch whole: the program's rows hold the same numbers in the same order."""
    batch = 5  # prime to every other size, so that only the batch axis holds it
    axis = min(axis, len(before))
    sizes = [*before[:axis], batch, *before[axis:]]
    whole = math.prod(sizes)
    first = cut.draw(st.sampled_from([n for n in range(1, whole + 1) if whole % n == 0]))
    second = cut.draw(st.sampled_from([n for n in range(1, whole // first + 1) if whole // first % n == 0]))
    after = (first, second, whole // first // second)
    value, layout = torch.arange(float(whole)).reshape(sizes), Layout(axis)
    found = after_view(layout, sizes, after, batch)

    if found is not None:
        rows = held(value, layout, batch).flatten(1)
        assert torch.equal(held(value.reshape(after), found, batch).flatten(1), rows)
    else:  # an axis of the view takes part of the batch, or none holds all of it
        front = math.prod(before[:axis])
        ends = [math.prod(after[: i + 1]) for i in range(3)]
        starts = [1, *ends[:-1]]
        assert not any(front % a == 0 and b % (front * batch) == 0 for a, b in zip(starts, ends, strict=True))


def test_a_view_that_takes_the_batch_apart_has_no_layout() -> None:
    assert after_view(PLAIN, (6, 4), (2, 12), 6) is None
    assert after_view(PLAIN, (6, 4), (8, 3), 6) is None
    assert after_view(Layout(1), (4, 6), (3, 8), 6) is None
    assert after_view(PLAIN, (6, 4), (24,), 6) == Layout(0, 1, 4)
    assert after_view(Layout(1), (4, 6), (24,), 6) == Layout(0, 4, 1)


def test_a_batch_of_one_row_stays_where_it_was() -> None:
    """Heads split off behind a batch of one: (tokens, 1, heads * depth) -> (tokens, 1 * heads, depth)."""
    assert after_view(Layout(1), (5, 1, 6), (5, 3, 2), 1) == Layout(1, 1, 3)
    assert after_view(Layout(1, 1, 3), (5, 3, 2), (5, 6), 1) == Layout(0, 5, 1)  # and joined again in front of features
    assert after_view(Layout(0, 5, 1), (5, 6), (5, 1, 6), 1) == Layout(1)
    assert after_view(PLAIN, (1, 5, 6), (5, 6), 1) == Layout(0, 1, 5)
    assert after_view(Layout(0, 1, 5), (5, 6), (1, 5, 6), 1) == PLAIN


def test_constants_broadcast_against_a_row_of_the_program() -> None:
    """Without the batch axis, with an axis for each folded part; None where rows of the batch would differ."""
    constant = torch.arange(12.0).reshape(3, 1, 4)

    assert torch.equal(Layout(1).row(constant, 3), constant[:, 0])
    assert torch.equal(Layout(1, 1, 5).row(constant, 3), constant)
    assert torch.equal(Layout(1, 2, 5).row(constant, 3), constant[:, :, None])
    assert torch.equal(PLAIN.row(constant, 4), constant)
    assert torch.equal(PLAIN.row(torch.ones(2, 3), 2), torch.ones(3))
    assert PLAIN.row(constant, 3) is None


def test_an_open_batch_has_a_size_that_stands_for_it() -> None:
    model = toys.perceptron()
    exported = torch.export.export(model, (torch.zeros(2, 7),), dynamic_shapes=({0: torch.export.Dim.AUTO},))
    image = next(node for node in exported.graph.nodes if node.name == "image")

    assert batch_of(image) == STAND_IN
    assert sizes_of(image, 11) == (11, 7)
    assert all(STAND_IN % n for n in range(2, math.isqrt(STAND_IN) + 1))


def sequence_first(m: Any, x: Tensor) -> Tensor:
    x = F.gelu(m.first(x.transpose(0, 1)))  # (tokens, batch, features)
    x = torch.cat([x[:1], x.flip(2)[1:] + 1, x.roll(1, 0), x[[4, -1]]])
    return m.head(x.unfold(0, 2, 2).amax(3).mean(0))


def all_of_an_image(m: Any, x: Tensor) -> Tensor:
    """Every channel on its own as a row of a larger batch."""
    x = x.reshape(-1, 1, 6)
    x = F.max_pool1d(F.relu(m.conv(x)), 2)
    return m.head(x.reshape(-1, 5, 6).mean(1))


def tokens_in_the_batch(m: Any, x: Tensor) -> Tensor:
    """Features of a token, one row a token, with layers for rows: linear, batch norm, layer norm, product."""
    x = x.flatten(0, 1)
    x = m.norm(m.bn(m.first(x)))
    return m.head((x * x.softmax(-1)).unflatten(0, (-1, 5)).amax(1))


def batch_last(m: Any, x: Tensor) -> Tensor:
    x = x.permute(2, 1, 0)  # (features, tokens, batch)
    return m.head((x.mean(1, keepdim=True) * x.relu()).permute(2, 1, 0).sum(1))


def folded_and_moved(m: Any, x: Tensor) -> Tensor:
    """(batch, tokens, heads * depth) -> (tokens, batch * heads, depth) and back."""
    x = x.transpose(0, 1).reshape(5, -1, 2)
    return m.head((x - x.mean(0, keepdim=True)).reshape(5, -1, 6).transpose(0, 1)[:, 0])


@pytest.mark.parametrize("body", [sequence_first, all_of_an_image, tokens_in_the_batch, batch_last, folded_and_moved])
def test_wherever_the_source_puts_the_batch(body: Body) -> None:
    model = toys.toy(
        body, (5, 6), first=nn.Linear(6, 6), conv=nn.Conv1d(1, 2, 3, padding=1), bn=nn.BatchNorm1d(6),
        norm=nn.LayerNorm(6), head=nn.Linear(6, 4),
    )  # fmt: skip
    read(model, (1, 2, 3))


def test_layers_on_parts_of_a_row_say_so() -> None:
    model = toys.toy(all_of_an_image, (5, 6), conv=nn.Conv1d(1, 2, 3, padding=1), head=nn.Linear(6, 4))

    assert kinds(read(model)) == ["Reshape", "PerPart", "ReLU", "PerPart", "Reshape", "Mean", "Linear"]
