"""Why a model and the program that was read from it may differ: the model is no function of one image."""

from collections.abc import Callable

import torch
from torch import Tensor

from seenn_convert.ir.interpreter import relative_error


def no_function(reference: Callable[[Tensor], Tensor], images: Tensor, tolerance: float) -> str | None:
    """Return why ``reference`` is no function of one image, None if it is one as far as ``images`` show.

    Args:
        reference: From images ``(B, *F)`` to logits.
        images: At least two, to see whether rows depend on each other.
        tolerance: Largest relative error of equal results.
    """
    with torch.no_grad():
        first, again = reference(images.clone()), reference(images.clone())
        if not relative_error(first, again) <= tolerance:
            return (
                "it gives other results when the same images are given again, as a counter or random numbers do; "
                "let the logits depend on the image only"
            )
        if len(first) != len(images):
            return None
        part = reference(images[len(images) // 2 :].clone())
    if not relative_error(part, first[len(images) // 2 :]) <= tolerance:
        return (
            "its result for an image depends on the other images of the batch, or on their number; "
            "let the logits of an image depend on that image only"
        )
    return None
