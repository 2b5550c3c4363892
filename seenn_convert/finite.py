"""Find what is NaN or infinite before it reaches an answer."""

from collections.abc import Sequence

import torch
from torch import Tensor

from seenn_convert.errors import InputError

OVERFLOW = "are NaN or infinite for it; check the image and its preprocessing (mean, std), and the model's weights"


def first_not_finite(values: Tensor) -> int | None:
    """Return the first row of ``values`` ``(B, *)`` that holds NaN or infinity, None if none does.

    One pass as a rule: a sum hides no NaN and no infinity. Only where it is not finite itself is every value looked at.
    """
    if not values.is_floating_point():
        return None
    wide = torch.float64 if values.dtype is torch.float64 else torch.float32
    if bool(values.sum(dtype=wide).isfinite()):
        return None
    rows = (~values.isfinite()).reshape(len(values), -1).any(dim=1).nonzero()
    return int(rows[0]) if len(rows) else None


def check_images_finite(images: Tensor, numbers: Sequence[int], error: type[InputError] = InputError) -> None:
    """Raise ``error`` unless all ``images`` ``(B, *)`` are finite; ``numbers`` names their rows."""
    row = first_not_finite(images)
    if row is not None:
        raise error(f"image {numbers[row]} holds NaN or infinity; remove it")


def check_logits_finite(
    logits: Tensor, numbers: Sequence[int], whose: str = "the logits", error: type[InputError] = InputError
) -> None:
    """Raise ``error`` unless all ``logits`` ``(B, K)`` are finite; ``numbers`` names the images they are of."""
    row = first_not_finite(logits)
    if row is not None:
        raise error(f"image {numbers[row]}: {whose} {OVERFLOW}")
