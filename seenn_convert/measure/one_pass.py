"""Everything that an evaluation runs, in one pass over the images: ANN, all timesteps and early exit, in turn.

Early exit takes the batches one after the other; before it gets one, the ANN and all timesteps have run on it. So each
image is read and preprocessed once, memory does not grow with the data, and whatever else the machine does slows down
all three alike.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from seenn_convert.analysis.memory import images_together
from seenn_convert.artifact.schema.evaluation import ThreeRuns, Timing
from seenn_convert.artifact.schema.layers import LayerRow
from seenn_convert.data.draw import drawn
from seenn_convert.data.samples import Samples
from seenn_convert.exits.readouts import Readouts, collect_readouts, joined
from seenn_convert.ir.program import Program
from seenn_convert.ir.state import numbers_in_a_row, rows_together
from seenn_convert.measure.ann import logits_of
from seenn_convert.measure.costs import Counts, Tally
from seenn_convert.measure.layers import LayerTable
from seenn_convert.progress import Counter, Progress
from seenn_convert.rows import ROW_FLOOR, pad_rows
from seenn_convert.runtime.early_exit import ExitTrace, run_early_exit
from seenn_convert.runtime.policies import reads_plan
from seenn_convert.runtime.spiking_model import SpikingModel
from seenn_convert.runtime.stopwatch import timed

TIMED_SECONDS, TIMED_IMAGES, TIMED_SHARE = 10.0, 256, 0.1
"""All timesteps run once more, without counting, to be timed: on images up to this number and this share of all, in
whole batches, at least one, and no more of them once they have taken this long."""

LAYER_IMAGES, LAYER_STATE, LAYER_NUMBERS = (8, 64), 2**27, 2**26
"""Fewest and most images that the table of layers is about, numbers of state of all of them where the bounds allow it,
and numbers of their sums that are kept at once: 256 MB."""


@dataclass(frozen=True, eq=False)
class Seen:
    """What one pass showed of N images, in their order.

    Attributes:
        ann_logits: ``(N, K)`` of the ANN, or after all timesteps.
        run: Readouts of all timesteps.
        trace: What came out of early exit.
        counts: Spikes and operations of all timesteps.
        layers: The table of layers.
        milliseconds: Wall time per image of the three.
        timing: How they were timed.
    """

    ann_logits: Tensor
    run: Readouts
    trace: ExitTrace
    counts: Counts
    layers: list[LayerRow]
    milliseconds: ThreeRuns
    timing: Timing


def run_once(
    ann: Program | None,
    own_ann: Program | None,
    model: SpikingModel,
    data: Samples,
    batch_size: int,
    progress: Progress,
) -> Seen:
    """Run ``ann``, all timesteps of ``model`` and early exit on ``data``.

    Args:
        ann: The ANN to compare with; if None, all timesteps take its place.
        own_ann: The ANN that the table of layers holds the layers against: the one that became ``model``, if any did.
        model: The spiking network.
        data: Images.
        batch_size: Rows that run together at most; they are fewer for few images, so that one batch can be timed.
        progress: Told how many images have left.

    Raises:
        InputError: An image or what a network says about it is not finite; names the image.
    """
    together = rows_together(model.program, batch_size)
    together = together if ann is None else images_together(ann, together)
    rows = min(together, max(ROW_FLOOR, len(data) // 4))
    counter = Counter(progress, "evaluating", len(data))
    batches = _Batches(ann, own_ann, model, data, rows)
    batches.warm_up()
    whole: list[float] = []
    trace = timed(run_early_exit, model.device, whole)(model, batches, rows, progress=counter.add)
    return Seen(
        ann_logits=torch.cat(batches.ann_logits),
        run=joined(batches.readouts),
        trace=ExitTrace(trace.predictions.cpu(), trace.logits.cpu(), trace.exit_step.cpu(), trace.confidence.cpu()),
        counts=batches.tally.counts(),
        layers=batches.table.rows(),
        milliseconds=batches.milliseconds(sum(whole)),
        timing=Timing(images=batches.timed, other_images=len(data), batch_size=rows, threads=torch.get_num_threads()),
    )


class _Batches:
    """The batches that early exit reads: each has run through the ANN and all timesteps when it is handed out."""

    def __init__(
        self, ann: Program | None, own_ann: Program | None, model: SpikingModel, data: Samples, rows: int
    ) -> None:
        self.ann, self.model, self.data, self.rows = ann, model, data, rows
        self.table = LayerTable(own_ann, model)
        self.tally = Tally(model, self.table.watch)
        fewest, most = LAYER_IMAGES
        of_layers = max(fewest, min(most, LAYER_STATE // numbers_in_a_row(model.program)))
        self.of_layers = frozenset(drawn(len(data), data.labels, of_layers))
        self.most_of_layers = max(1, LAYER_NUMBERS // numbers_in_a_row(model.program))
        self.ann_logits: list[Tensor] = []
        self.readouts: list[Readouts] = []
        self.seen = self.timed = 0
        self.aside: list[float] = []
        self.ann_seconds: list[float] = []
        self.full_seconds: list[float] = []

    def __iter__(self) -> Iterator[Tensor]:
        """Return an iterator over the batches; what it does is no part of early exit and timed as ``aside``."""
        source = (image for image, _ in self.data.batches(self.rows))
        return iter(timed(lambda: self._next(source), self.model.device, self.aside), None)

    def warm_up(self) -> None:
        """Run a few rows once: the first call of a kernel prepares it."""
        image, _ = next(self.data.batches(1))
        rows = pad_rows(image.to(self.model.device, self.model.dtype))
        if self.ann is not None:
            logits_of(self.ann, image)
        self.model.step(self.model.drive(rows), self.model.initial_state(len(rows)))

    def milliseconds(self, whole: float) -> ThreeRuns:
        """Return the times per image; early exit, with all that ran ``aside``, took ``whole`` seconds."""
        return ThreeRuns(
            ann=None if self.ann is None else 1000 * sum(self.ann_seconds) / self.seen,
            all_timesteps=1000 * sum(self.full_seconds) / self.timed,
            early_exit=1000 * (whole - sum(self.aside)) / self.seen,
        )

    def _next(self, source: Iterator[Tensor]) -> Tensor | None:
        """Return the next batch, after all but early exit has run on it; None at the end."""
        image = next(source, None)
        if image is None:
            return None
        if self.ann is not None:
            self.ann_logits.append(timed(logits_of, self.model.device, self.ann_seconds)(self.ann, image, self.seen))
        if len(self.readouts) % self._stride() == 0 and (not self.timed or sum(self.full_seconds) < TIMED_SECONDS):
            timed(collect_readouts, self.model.device, self.full_seconds)(self.model, [image], first=self.seen)
            self.timed += len(image)
        chosen = [row for row in range(len(image)) if self.seen + row in self.of_layers][: self.most_of_layers]
        self.table.expect(image[chosen].to(self.model.device, self.model.dtype), chosen)
        found = collect_readouts(
            self.tally.model, [image], keep_plan=reads_plan(self.model.policy), keep_logits=self.ann is None,
            observers=(self.tally.add, self.table.add), first=self.seen,
        )  # fmt: skip
        if found.logits is not None:
            self.ann_logits.append(found.logits[-1])
        self.readouts.append(replace(found, logits=None))
        self.seen += len(image)
        return image

    def _stride(self) -> int:
        """Return which batches are timed: each of this number, so that they lie all over the run."""
        wanted = max(1, int(min(TIMED_IMAGES, TIMED_SHARE * len(self.data)) / self.rows))
        return math.ceil(math.ceil(len(self.data) / self.rows) / wanted)
