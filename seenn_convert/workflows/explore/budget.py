"""The time that exploring may take, and what the next trial will take of it by the cost of those before."""

import statistics
from collections.abc import Callable
from typing import NamedTuple

from seenn_convert.choices import Preset
from seenn_convert.workflows.convert.options import Options

EFFORT: dict[Preset, float] = {"fast": 1.0, "balanced": 3.0, "deep": 12.0}
"""What presets cost relative to each other, until a trial has shown it."""

RUNS_BESIDE = 2
"""Runs of the ANN over the images beside the timesteps of the spiking network."""


class Cost(NamedTuple):
    """What a trial took.

    Attributes:
        neuron: Its neuron type.
        preset: Its preset.
        images: Its images.
        rate: Seconds per image and timestep.
    """

    neuron: str
    preset: Preset
    images: int
    rate: float


class Budget:
    """Seconds that may be spent, by ``clock``, and what was learnt of costs; time runs from the start on."""

    def __init__(self, seconds: float, clock: Callable[[], float]) -> None:
        self.seconds, self.clock, self.start = seconds, clock, clock()
        self.costs: list[Cost] = []

    @property
    def spent(self) -> float:
        """Seconds since the start."""
        return self.clock() - self.start

    @property
    def left(self) -> float:
        """Seconds that may still be spent."""
        return self.seconds - self.spent

    def note(self, options: Options, images: int, seconds: float) -> None:
        """Learn what a trial on ``images`` images took."""
        rate = seconds / _work(options, images)
        self.costs.append(Cost(options.neuron_type.name, options.calibration, images, rate))

    def expected(self, options: Options, images: int) -> float:
        """Return the seconds that a trial will take, 0 before the first.

        The median of the trials that are most alike decides: of the preset, on as many images, of the neuron type. The
        first trial pays for what later ones find done, so it counts only as long as it is alone.
        """
        neuron, preset = options.neuron_type.name, options.calibration
        alike = {one: (one.preset == preset, one.images == images, one.neuron == neuron) for one in self.costs[1:]}
        alike = alike or dict.fromkeys(self.costs, (True, True, True))
        rates = [one.rate * EFFORT[preset] / EFFORT[one.preset] for one in alike if alike[one] == max(alike.values())]
        return statistics.median(rates) * _work(options, images) if rates else 0.0


def _work(options: Options, images: int) -> float:
    return images * (options.timesteps + RUNS_BESIDE)
