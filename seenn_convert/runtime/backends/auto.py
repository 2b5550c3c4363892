"""The backend ``auto``: PyTorch as it is, until there is so much work that another backend pays; then the fastest."""

import itertools
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from seenn_convert.errors import SeennConvertError
from seenn_convert.runtime.backends.backend import Backend
from seenn_convert.runtime.backends.compiled import CompiledBackend, CompiledModel
from seenn_convert.runtime.early_exit import ExitTrace
from seenn_convert.runtime.engine import unroll
from seenn_convert.runtime.fresh_rows import Steppable
from seenn_convert.runtime.overwriting import fast_step, own_start
from seenn_convert.runtime.stopwatch import median_seconds

WORTH_TRYING, WORTH_COMPILING = 5.0, 600.0
"""Seconds that the work takes at most in PyTorch as it is, from which on other backends are measured, and from which on
a network is compiled that no earlier process has compiled."""

MEASURED = 3
"""Timesteps, or runs of a single image, that are measured behind one that warms up."""


@dataclass(eq=False)
class AutoBackend:
    """Runs a network by ``eager`` until the work is worth more, then by the fastest of all backends that can run it.

    The work is counted over all calls, so a server gets there, too, and apart for single images and for batches.

    Attributes:
        eager: PyTorch as it is.
        others: Name -> what makes another backend, or raises if it cannot run the network.
        timesteps: The longest run T.
        said: What was taken and why, a sentence for each choice.
    """

    eager: Backend
    others: Mapping[str, Callable[[], Backend]]
    timesteps: int
    said: list[str] = field(default_factory=list)
    taken: dict[bool, Backend] = field(default_factory=dict)
    rate: dict[bool, float] = field(default_factory=dict)
    work: dict[bool, float] = field(default_factory=dict)
    little: set[bool] = field(default_factory=set)

    name = "auto"

    def model(self, rows: int) -> Steppable:
        """Return the network as the backend that was taken runs it."""
        return self.taken.get(rows == 1, self.eager).model(rows)

    def run(
        self, batches: Iterable[Tensor], rows: int, images: int, progress: Callable[[int], None] | None = None
    ) -> ExitTrace:
        """Choose on the first batch, if there is enough work, and run all of them."""
        source = iter([batches] if isinstance(batches, Tensor) else batches)
        first = next(source, None)
        if first is None or not len(first):
            return self.eager.run([] if first is None else [first, *source], rows, images, progress)
        backend = self._chosen(first[: max(1, min(rows, images))], images)
        return backend.run(itertools.chain([first], source), rows, images, progress)

    def _chosen(self, image: Tensor, images: int) -> Backend:
        """Return what runs ``images`` images of which the first are ``image``."""
        alone = images == 1
        if alone not in self.taken:
            if alone not in self.rate:
                self.rate[alone] = self._seconds(self.eager, image, alone)
            self.work[alone] = self.work.get(alone, 0.0) + images * self.rate[alone] * (1 if alone else self.timesteps)
            if self.work[alone] < WORTH_TRYING:
                return self._left_to_eager(alone)
            self.taken[alone] = self._fastest(image, alone)
        return self.taken[alone]

    def _left_to_eager(self, alone: bool) -> Backend:
        """Return PyTorch as it is, and say why, once."""
        if alone not in self.little:
            self.little.add(alone)
            self.said.append(
                f"backend eager: the work takes {self.work[alone]:.2g} s at most, less than preparing another backend"
            )
        return self.eager

    def _fastest(self, image: Tensor, alone: bool) -> Backend:
        """Measure all that can run the network, and say what came out."""
        found, seconds, reasons = {"eager": self.eager}, {"eager": self.rate[alone]}, []
        for name, make in self.others.items():
            try:
                found[name] = make()
                reason = self._not_compiled(found[name], image, alone)
                if reason is None:
                    seconds[name] = self._seconds(found[name], image, alone)
            except SeennConvertError as error:
                reason = str(error).splitlines()[0]
            if reason is not None:
                reasons.append(f"{name} left out: {reason}")
        best = min(seconds, key=lambda name: seconds[name])
        each = "per image" if alone else "per image and timestep"
        rest = [f"{name} {1000 * value:.3g}" for name, value in seconds.items() if name != best]
        self.said.append(f"backend {best}: {1000 * seconds[best]:.3g} ms {each} ({'; '.join([*rest, *reasons])})")
        return found[best]

    def _not_compiled(self, backend: Backend, image: Tensor, alone: bool) -> str | None:
        """Return why a backend is not measured: compiling would take longer than it saves."""
        if not isinstance(backend, CompiledBackend) or self.work[alone] >= WORTH_COMPILING:
            return None
        if backend.is_kept(len(image)):
            return None
        return "it was not compiled before, which takes minutes; --backend compiled does it once"

    def _seconds(self, backend: Backend, image: Tensor, alone: bool) -> float:
        """Return the median seconds per image: of a whole run for a single image, else of a timestep."""
        if alone:
            return run_seconds(backend, image)
        model = backend.model(len(image))
        rows = image[: model.rows] if isinstance(model, CompiledModel) else image
        return step_seconds(model, rows) / len(rows)


def run_seconds(backend: Backend, image: Tensor, repeats: int = MEASURED) -> float:
    """Return the median seconds of a run of a single image ``(1, *input_shape)``."""
    with torch.no_grad():
        return median_seconds(lambda: backend.run([image], 1, 1), image.device, repeats)


def step_seconds(model: Steppable, image: Tensor, repeats: int = MEASURED) -> float:
    """Return the median seconds of a timestep of the rows of ``image``, their state carried on."""
    with torch.no_grad():
        drives = model.drive(image.to(model.device, model.dtype))
        make = fast_step(model)
        state = unroll(make, drives, own_start(model, len(image)), 1)

        def step() -> None:
            nonlocal state
            state = unroll(make, drives, state, 1)

        return median_seconds(step, model.device, repeats)
