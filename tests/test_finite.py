"""What is NaN or infinite is found whatever hides it, and a sum that overflows is no reason to refuse."""

import math

import pytest
import torch

from seenn_convert.errors import CalibrationDataError, InputError
from seenn_convert.finite import check_images_finite, check_logits_finite, first_not_finite


@pytest.mark.parametrize("values", [[math.nan], [math.inf], [-math.inf], [math.inf, -math.inf]])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_the_first_row_is_found(values: list[float], dtype: torch.dtype) -> None:
    images = torch.zeros(5, 2, 3, dtype=dtype)
    for row in (2, 4):
        images[row, 1, : len(values)] = torch.tensor(values, dtype=dtype)

    assert first_not_finite(images) == 2
    assert first_not_finite(images[:2]) is None
    assert first_not_finite(images[:, 1, 0]) == 2


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_large_values_are_finite(dtype: torch.dtype) -> None:
    assert first_not_finite(torch.full((3, 4), torch.finfo(dtype).max, dtype=dtype)) is None
    assert first_not_finite(torch.full((2, 2), 2**62)) is None


def test_messages_name_the_image() -> None:
    images = torch.tensor([[1.0], [math.nan]])
    with pytest.raises(CalibrationDataError, match=r"^image 8 holds NaN or infinity; remove it$"):
        check_images_finite(images, [7, 8], CalibrationDataError)
    with pytest.raises(InputError, match=r"^image 8: the logits are NaN or infinite for it; check the image"):
        check_logits_finite(images, [7, 8])
