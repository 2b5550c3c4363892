"""How many updates a fine-tuning makes, and the batches they read."""

import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import islice

import torch
from torch import Tensor

from seenn_convert.training.order import batches_from
from seenn_convert.training.through_time import Batch, Teaching
from seenn_convert.training.unrolled import Unrolled
from seenn_convert.workflows.finetune.images import Images
from seenn_convert.workflows.finetune.options import FinetuneOptions

CHECKED = 3
"""Batches that are timed before the first update, where minutes decide how many updates there are."""


def batches_of(images: Images, options: FinetuneOptions, done: int) -> Iterator[Batch]:
    """Yield batches of training images on the device, from the one behind ``done`` others."""
    found = batches_from(images.data, images.training, options.batch_size, options.seed, done)
    for number, batch, labels in found:
        read = labels if options.use_labels and labels is not None else None
        yield number, batch.to(options.device), None if read is None else read.to(options.device)


def updates_of(
    teaching: Teaching, network: Unrolled, images: Images, options: FinetuneOptions, shares: Tensor
) -> tuple[int, int]:
    """Return the updates with activations quantised and those through time; a time is turned into updates by timing."""
    share = options.quantised_share
    if options.epochs is not None:
        every = max(1, round(options.epochs * (len(images.training) // min(options.batch_size, len(images.training)))))
        quantised = round(share * every)
        return quantised, every - quantised
    batches = list(islice(batches_of(images, options, 0), CHECKED))

    def within(time_share: float, quantised: int) -> int:
        kind = replace(teaching, quantised=quantised)
        found = [_seconds(lambda batch: kind.loss(network, batch, shares), batch) for batch in batches]
        network.zero_grad()
        return max(1, int(60 * options.minutes * time_share / statistics.median(found)))

    return within(share, CHECKED) if share > 0 else 0, within(1 - share, 0) if share < 1 else 0


def _seconds(loss_of: Callable[[Batch], Tensor], batch: Batch) -> float:
    """Return how long an update with a batch takes."""
    start = time.perf_counter()
    with torch.enable_grad():
        loss_of(batch).backward()  # type: ignore[no-untyped-call]
    return time.perf_counter() - start
