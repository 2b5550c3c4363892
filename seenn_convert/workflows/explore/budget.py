"""The time that exploring may take, and what the next trial will take of it by the cost of those before."""

from collections.abc import Callable
from typing import NamedTuple

from seenn_convert.choices import Preset
from seenn_convert.workflows.convert.options import Options

EFFORT: dict[Preset, float] = {"fast": 1.0, "balanced": 4.0, "deep": 12.0}
"""What presets cost relative to each other, until a trial has shown it."""

RUNS_BESIDE = 2
"""Runs of the ANN over the images beside the timesteps of the spiking network."""


class Cost(NamedTuple):
    """What a trial took.

    Attributes:
        neuron: Its neuron type.
        preset: Its preset.
        rate: Seconds per image and timestep.
    """

    neuron: str
    preset: Preset
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
        self.costs.append(Cost(options.neuron_type.name, options.calibration, seconds / _work(options, images)))

    def expected(self, options: Options, images: int) -> float:
        """Return the seconds that a trial will take: by the dearest one of its kind so far; 0 before the first."""
        kind = [one for one in self.costs if one.preset == options.calibration]
        same = [one for one in kind if one.neuron == options.neuron_type.name]
        rates = [one.rate * EFFORT[options.calibration] / EFFORT[one.preset] for one in same or kind or self.costs]
        return max(rates, default=0.0) * _work(options, images)


def _work(options: Options, images: int) -> float:
    return images * (options.timesteps + RUNS_BESIDE)
