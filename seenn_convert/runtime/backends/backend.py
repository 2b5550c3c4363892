"""What a backend is: it runs a network with early exit, and gives what a timestep is measured on."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

from seenn_convert.rows import ROW_FLOOR
from seenn_convert.runtime.early_exit import ExitTrace, run_early_exit
from seenn_convert.runtime.fresh_rows import Steppable


class Backend(Protocol):
    """One way of running one network."""

    @property
    def name(self) -> str:
        """What ``--backend`` calls it."""

    def model(self, rows: int) -> Steppable:
        """Return the network, ready to run ``rows`` rows together.

        Raises:
            InputError: It cannot be prepared here; says why.
        """

    def run(
        self, batches: Iterable[Tensor], rows: int, images: int, progress: Callable[[int], None] | None = None
    ) -> ExitTrace:
        """Run ``images`` images, at most ``rows`` together, and return what came out in their order.

        A single image runs without others beside it, as fast as it can.
        """


@dataclass(frozen=True, eq=False)
class StepBackend:
    """Runs a network that is there already, timestep by timestep.

    Attributes:
        network: The network.
        name: What ``--backend`` calls it.
        row_floor: Fewest rows in a batch of several images.
    """

    network: Steppable
    name: str = "eager"
    row_floor: int = ROW_FLOOR

    def model(self, rows: int) -> Steppable:
        """Return the network."""
        return self.network

    def run(
        self, batches: Iterable[Tensor], rows: int, images: int, progress: Callable[[int], None] | None = None
    ) -> ExitTrace:
        """Run images with early exit."""
        floor = 1 if images == 1 else self.row_floor
        return run_early_exit(self.network, batches, max(1, min(rows, images)), row_floor=floor, progress=progress)
