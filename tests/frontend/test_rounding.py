"""A last bit may move a rounded activation by a level; that is no misread model, and a misread one is still found."""

import pytest
import torch
from torch import Tensor, nn

from seenn_convert.errors import PostconditionError
from seenn_convert.frontend.load import read_model
from seenn_convert.frontend.rounding import differs_by_jumps

THIRD = torch.tensor(0.3)


class NearJumps(nn.Module):
    """Divides and rounds: for some numbers a product with the inverse falls on the other side of a jump."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.floor(x.flatten(1) / THIRD)


def near_jumps() -> Tensor:
    """Return numbers whose quotient by 0.3 and product with 1 / 0.3 have other whole parts."""
    numbers = torch.arange(1, 4001).float() * THIRD
    numbers = torch.cat([numbers, numbers.nextafter(torch.zeros(())), numbers.nextafter(torch.tensor(1e9))])
    differ = numbers[torch.floor(numbers / THIRD) != torch.floor(numbers * (1 / THIRD))]
    assert len(differ) >= 4
    return differ[:4].reshape(4, 1, 1, 1)


@pytest.mark.parametrize("images", [near_jumps(), torch.cat([near_jumps()[:1], torch.rand(4, 1, 1, 1)])])
def test_a_jump_is_no_misread_operator(images: Tensor) -> None:
    """Whether it concerns one image or all of them."""
    model = NearJumps().eval()
    source = read_model(model, (1, 1, 1))

    assert not torch.equal(source.program(images), model(images))
    assert source.check(images) > 1e-5


def test_a_misread_operator_is_found_all_the_same() -> None:
    source = read_model(NearJumps().eval(), (1, 1, 1))
    object.__setattr__(source, "reference", lambda images: NearJumps()(images) + 1)
    with pytest.raises(PostconditionError, match="differs by"):
        source.check(torch.rand(4, 1, 1, 1) * 5 + 0.05)


def test_a_network_that_moves_little_by_its_last_bits_may_differ_little() -> None:
    wanted = torch.ones(4, 2)
    for moved, answer in ((1e-4, True), (1e-6, False)):
        original = lambda images, moved=moved: wanted + moved  # noqa: E731
        assert differs_by_jumps(wanted + 2e-4, wanted, original, torch.rand(4, 3), 1e-5) is answer
