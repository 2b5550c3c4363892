"""A conversion on its way: the ANN, its calibration data and how they are used, as one value."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from seenn_convert.analysis.coverage import call_sites
from seenn_convert.calibration.timestep_bias import Form
from seenn_convert.data.samples import Samples
from seenn_convert.exits.tune import Split, split_calibration
from seenn_convert.ir.program import Program
from seenn_convert.progress import Counter, Progress, silent
from seenn_convert.rows import pad_rows
from seenn_convert.workflows.convert.options import Options

BIAS_TIMESTEPS = 64
"""Timesteps behind which there is no bias: the start-up that biases correct is over by then."""

CHOICE_IMAGES = (16, 32)
"""Fewest and most images on which alternatives are compared."""

CHOICE_WORK = 8e10
"""Multiply-accumulates of all timesteps of these images, where the bounds above allow it."""


@dataclass(frozen=True)
class Session:
    """What every stage of a conversion reads.

    Attributes:
        ann: After the passes of stage ANN.
        data: Calibration data.
        split: Which of it fits, and which judges.
        options: How to convert.
        progress: Told about each stage.
        validation: The exit images, which the ANN was not trained on; None if there are none.
    """

    ann: Program
    data: Samples
    split: Split
    options: Options
    progress: Progress = silent
    validation: Samples | None = None

    @property
    def exits(self) -> "Session":
        """The session whose data the exits are fitted to: the exit images, or else the calibration data."""
        if self.validation is None:
            return self
        split = split_calibration(len(self.validation), self.options.seed)
        return replace(self, data=self.validation, split=split, validation=None)

    @property
    def horizon(self) -> int:
        """The timestep up to which the run has to be good: images leave around the average that is aimed at."""
        options = self.options
        average = None if options.target is None else options.target.timesteps
        return options.timesteps if average is None else min(options.timesteps, math.ceil(2 * average))

    @property
    def levels(self) -> int:
        """The levels that the whole run can tell apart: timesteps times what a spike resolves."""
        return self.options.timesteps * self.options.neuron_type.resolution

    def counter(self, stage: str, total: int) -> Counter:
        """Return what counts the progress of a stage."""
        return Counter(self.progress, stage, total)

    def compared_with(self, timesteps: int) -> Form | None:
        """Return the biases that runs of ``timesteps`` are compared with: none if a long run ends without them."""
        form = self.options.chosen_correction
        return None if form == "none" or (form == "timestep" and timesteps > BIAS_TIMESTEPS) else form

    def drawn(self, among: Sequence[int], count: int) -> list[int]:
        """Return ``count`` of the positions, in an order set by the seed; repeated if need be."""
        order = torch.randperm(len(among), generator=torch.Generator().manual_seed(self.options.seed))
        return [among[int(order[i % len(order)])] for i in range(count)]

    def some(
        self, among: Sequence[int], work: float, bounds: tuple[int, int], timesteps: int | None = None
    ) -> list[int]:
        """Return positions among those given, drawn by the seed: as many as ``work`` multiply-accumulates allow.

        The work is that of all ``timesteps``; ``bounds`` are the fewest and the most images, where there are so many.
        """
        an_image = sum(site.macs for site in call_sites(self.ann)) * (timesteps or self.options.timesteps)
        fewest, most = bounds
        count = max(fewest, min(most, int(work // max(an_image, 1))))
        return self.drawn(among, min(count, len(among)))

    def images(self, stage: str, size: int, chosen: Sequence[int]) -> Iterator[Tensor]:
        """Yield the images at ``chosen``, ``size`` together, where and in the type in which the ANN computes."""
        counter = self.counter(stage, len(chosen))
        for image, _ in self.data.batches(size, chosen):
            yield image.to(self.options.device, self.ann.input_dtype)
            counter.add(len(image))

    def choice_images(self, among: Sequence[int], bounds: tuple[int, int] = CHOICE_IMAGES) -> Tensor:
        """Return the images on which alternatives are compared, drawn from the positions ``among``."""
        chosen = self.some(among, CHOICE_WORK, bounds)
        images = next(self.data.batches(len(chosen), chosen))[0]
        return pad_rows(images.to(self.options.device, self.ann.input_dtype))
