"""A model that is no function of one image is told from one that was read wrongly."""

import pytest
import torch
from torch import Tensor, nn

from seenn_convert.errors import InputError
from seenn_convert.frontend.load import read_model
from seenn_convert.frontend.torch.one_image import no_function

IMAGES = torch.randn(6, 4)


class Counting(nn.Module):
    """Each call multiplies by one more."""

    def __init__(self) -> None:
        super().__init__()
        self.calls = 0

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        return x * self.calls


class PerBatch(nn.Module):
    """Python's ``len`` leaves a plain number in the graph."""

    def forward(self, x: Tensor) -> Tensor:
        return x / len(x)


def test_a_function_of_one_image_is_one() -> None:
    assert no_function(torch.sigmoid, IMAGES, 1e-5) is None


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        (Counting(), "other results when the same images are given again"),
        (PerBatch(), "depends on the other images of the batch, or on their number"),
        (lambda x: x - x.mean(0), "depends on the other images of the batch, or on their number"),
        (lambda x: x + torch.arange(float(len(x)))[:, None], "depends on the other images of the batch"),
        (lambda x: x + torch.rand(()), "other results when the same images are given again"),
    ],
)
def test_what_is_none_is_told_why(model: nn.Module, reason: str) -> None:
    found = no_function(model, IMAGES, 1e-5)
    assert found is not None and reason in found


@pytest.mark.parametrize(("model", "reason"), [(Counting(), "a counter"), (PerBatch(), "or on their number")])
def test_the_check_of_a_conversion_says_so(model: nn.Module, reason: str) -> None:
    """It is the user's model, not a defect of the compiler."""
    source = read_model(model.eval(), (4,))
    with pytest.raises(InputError, match=reason):
        source.check(IMAGES)
