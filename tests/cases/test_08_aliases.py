"""Aliases and composites are read as what PyTorch makes of them: the same operators, the same numbers."""

import pytest
import torch
import toys
from reading import Body, kinds, read
from torch.nn import functional as F

pytestmark = pytest.mark.slow  # `make test` runs it, `make check` does not

K = torch.linspace(0.5, 2, 4).reshape(4, 1, 1)
SAME: list[tuple[Body, Body]] = [
    (lambda m, x: torch.subtract(x, K), lambda m, x: torch.sub(x, K)),
    (lambda m, x: torch.subtract(x, x.relu(), alpha=2), lambda m, x: torch.sub(x, x.relu(), alpha=2)),
    (lambda m, x: torch.multiply(x, K), lambda m, x: x * K),
    (lambda m, x: torch.divide(x, K), lambda m, x: x / K),
    (lambda m, x: torch.divide(x, 2, rounding_mode="floor"), lambda m, x: torch.div(x, 2, rounding_mode="floor")),
    (lambda m, x: torch.negative(x), lambda m, x: -x),
    (lambda m, x: torch.absolute(x), lambda m, x: x.abs()),
    (lambda m, x: torch.arctan(x), lambda m, x: x.atan()),
    (lambda m, x: torch.fix(x), lambda m, x: x.trunc()),
    (lambda m, x: torch.special.expit(x), lambda m, x: x.sigmoid()),
    (lambda m, x: torch.special.softmax(x, 1), lambda m, x: x.softmax(1)),
    (lambda m, x: torch.moveaxis(x, 1, 3), lambda m, x: torch.movedim(x, 1, 3)),
    (lambda m, x: torch.moveaxis(x, (1, 2), (2, 3)), lambda m, x: torch.movedim(x, (1, 2), (2, 3))),
    (lambda m, x: torch.hstack([x, -x]), lambda m, x: torch.cat([x, -x], 1)),
    (lambda m, x: torch.dstack([x, -x]), lambda m, x: torch.cat([x, -x], 2)),
    (lambda m, x: torch.hsplit(x, 2)[1], lambda m, x: x.chunk(2, 1)[1]),
    (lambda m, x: torch.fliplr(x), lambda m, x: x.flip(1)),
    (lambda m, x: torch.linalg.matmul(x, x), lambda m, x: x @ x),
    (lambda m, x: torch.norm(x, dim=1), lambda m, x: torch.linalg.vector_norm(x, dim=1)),
    (lambda m, x: torch.diff(x, dim=1), lambda m, x: x[:, 1:] - x[:, :-1]),
    (lambda m, x: torch.linalg.multi_dot([x.flatten(1), torch.ones(144, 3), torch.ones(3, 2)]),
     lambda m, x: x.flatten(1) @ torch.ones(144, 3) @ torch.ones(3, 2)),
    (lambda m, x: (2 * x).subtract_(K).multiply_(K).negative_(), lambda m, x: (2 * x).sub_(K).mul_(K).neg_()),
    (lambda m, x: (2 * x).divide_(K).relu_(), lambda m, x: (2 * x).div_(K).relu_()),
]  # fmt: skip
COMPOSITES: list[Body] = [
    lambda m, x: torch.rot90(x, 1, (2, 3)),
    lambda m, x: torch.rot90(x, -1, (2, 3)),
    lambda m, x: torch.column_stack([x, x]),
    lambda m, x: torch.atleast_3d(x),
    lambda m, x: torch.tensordot(x, torch.arange(12.0).reshape(4, 3), ([1], [0])),
    lambda m, x: torch.inner(x, torch.arange(12.0).reshape(2, 6)),
    lambda m, x: torch.kron(x, torch.ones(1, 1, 2, 2)),
    lambda m, x: torch.trapezoid(x, dim=1),
    lambda m, x: torch.linalg.cross(x[:, :3], x[:, 1:], dim=1),
    lambda m, x: torch.aminmax(x, dim=1)[1],
    lambda m, x: torch.ravel(x).reshape(x.shape[0], -1),
    lambda m, x: F.pairwise_distance(x, x.flip(1)),
    lambda m, x: torch.nansum(x, 1),
]


@pytest.mark.parametrize(("alias", "plain"), SAME)
def test_an_alias_is_read_as_what_it_stands_for(alias: Body, plain: Body) -> None:
    def essence(body: Body) -> list[str]:
        program = read(toys.toy(lambda m, x: body(m, x).flatten(1), (4, 6, 6)))
        return [kind for kind in kinds(program) if kind != "Reshape"]

    assert essence(alias) == essence(plain)


@pytest.mark.parametrize("body", COMPOSITES)
def test_a_composite_is_read_from_its_parts(body: Body) -> None:
    """From exports with an open and with a fixed batch; the numbers are PyTorch's."""
    read(toys.toy(lambda m, x: body(m, x).flatten(1), (4, 6, 6)))
