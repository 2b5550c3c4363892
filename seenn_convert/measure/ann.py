"""Run the ANN over a data set."""

import torch
from torch import Tensor

from seenn_convert.calibration.observe import check_images
from seenn_convert.data.samples import Samples
from seenn_convert.finite import check_logits_finite
from seenn_convert.ir.interpreter import device_of
from seenn_convert.ir.program import Program
from seenn_convert.progress import Counter, Progress, silent
from seenn_convert.rows import pad_rows

ANN = "the ANN's logits"


def run_ann(ann: Program, data: Samples, batch_size: int, progress: Progress = silent) -> Tensor:
    """Return the ANN's logits ``(N, K)``, on the CPU, the same for any batch size.

    Raises:
        InputError: An image, or what the ANN says about it, is not finite; names the image.
    """
    counter, parts = Counter(progress, "ANN", len(data)), []
    for image, _ in data.batches(batch_size):
        parts.append(logits_of(ann, image, counter.done))
        counter.add(len(image))
    return torch.cat(parts)


def logits_of(ann: Program, image: Tensor, first: int = 0) -> Tensor:
    """Return the ANN's logits of one batch; ``first`` is the number of its first image, for messages.

    Raises:
        InputError: As ``run_ann``.
    """
    numbers = range(first, first + len(image))
    check_images(image, ann.input_shape, numbers)
    rows = pad_rows(image.to(device_of(ann.graph_module), ann.input_dtype))
    logits: Tensor = ann(rows)[: len(image)].cpu()
    check_logits_finite(logits, numbers, ANN)
    return logits
