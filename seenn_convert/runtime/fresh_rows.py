"""Fresh rows for the early-exit loop: the stem runs on whole batches, and rows of one plan come together."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from operator import itemgetter
from typing import Protocol

import torch
from torch import Tensor

from seenn_convert.errors import InputError
from seenn_convert.finite import check_images_finite
from seenn_convert.rows import pad_rows
from seenn_convert.runtime.engine import Drives, Results, State
from seenn_convert.runtime.policies import ExitPolicy, planned_timesteps

WINDOW_ROWS = 4
"""How many times the capacity of the loop are sorted by their plan together."""

WINDOW_NUMBERS = 2**26
"""Numbers of drives that wait at most, unless a single batch has more: 256 MB in single precision."""


def check_numbers(image: object) -> None:
    """Raise InputError unless ``image`` is a dense tensor of floating-point numbers: a batch of preprocessed images."""
    if not isinstance(image, Tensor):
        raise InputError(
            f"a batch of images is a tensor, got {type(image).__name__}; give tensors of images alone, or call "
            "predict(artifact, images), which takes arrays, pictures, files and loaders"
        )
    if not image.is_floating_point():
        raise InputError(
            f"the model takes preprocessed images as floating-point numbers, got {image.dtype}; give pixels to "
            "predict(artifact, images), which preprocesses them, or scale them yourself as for the ANN: "
            "image.float() / 255, then mean and std"
        )
    if image.layout is not torch.strided or image.is_meta:
        kind = "meta" if image.is_meta else str(image.layout).removeprefix("torch.")
        raise InputError(f"a batch of images is a dense tensor with numbers, got a {kind} one; give a dense one")


class Steppable(Protocol):
    """What running with early exit needs of a model."""

    @property
    def timesteps(self) -> int:
        """The longest run T."""

    @property
    def policy(self) -> ExitPolicy:
        """Who leaves when."""

    def drive(self, image: Tensor) -> tuple[Tensor, ...]:
        """Return the drives of a batch."""

    def plan(self, image: Tensor, drives: Iterable[Tensor]) -> Tensor:
        """Return the plan logits ``(B, T)`` of a batch; asked for only where the exit policy reads a plan."""

    def step(self, drives: Drives, state: State, /) -> tuple[*Results, State]:
        """Advance one timestep: mean logits, exit score and the next state."""

    def initial_state(self, batch_size: int) -> State:
        """Return the state of fresh rows."""

    @property
    def device(self) -> torch.device:
        """Where the model is."""

    @property
    def dtype(self) -> torch.dtype:
        """Its floating-point type."""


@dataclass(frozen=True)
class Fresh:
    """Some rows: their drives, the numbers of their samples ``(B,)``, and their planned timesteps ``(B,)`` or None."""

    drives: list[Tensor]
    index: Tensor
    planned: Tensor | None

    def each(self, change: Callable[[Tensor], Tensor]) -> "Fresh":
        """Return the rows with ``change`` made to every tensor."""
        planned = None if self.planned is None else change(self.planned)
        return Fresh([change(drive) for drive in self.drives], change(self.index), planned)


class FreshRows:
    """Hands out fresh rows, in the order of the data, or the rows of a window of it with the longest plans first.

    Rows of one plan then fill the batch together and leave it together, and the short plans are at the end, where the
    batch shrinks. Without a plan nothing waits for a window.

    Args:
        model: Gives drives and plans.
        batches: Images ``(B, *input_shape)``, any B.
        row_floor: Fewest rows in a batch.
        planned: Whether to plan; then the model has a policy head.
        capacity: Rows that run together.
        price: Of a timestep, where the plan is priced.
    """

    def __init__(
        self,
        model: Steppable,
        batches: Iterable[Tensor],
        row_floor: int,
        planned: bool,
        capacity: int,
        price: float | None = None,
    ) -> None:
        self.model, self.row_floor, self.planned, self.price = model, row_floor, planned, price
        self.window = WINDOW_ROWS * capacity if planned else 1
        self.batches: Iterator[Tensor] = iter(batches)
        self.waiting: Fresh | None = None
        self.position = 0
        self.served = 0

    def take(self, count: int) -> Fresh:
        """Return up to ``count`` fresh rows; fewer at the end of the data."""
        parts: list[Fresh] = []
        taken = 0
        while taken < count and (waiting := self._ready()) is not None:
            parts.append(waiting.each(itemgetter(slice(self.position, self.position + count - taken))))
            self.position += len(parts[-1].index)
            taken += len(parts[-1].index)
        if not parts:
            return Fresh([], torch.zeros(0, dtype=torch.int64, device=self.model.device), None)
        if self.planned or len(parts) > 1:
            return _joined(parts)
        return parts[0].each(torch.clone)  # the loop writes into them, and a drive may be the user's image itself

    def _ready(self) -> Fresh | None:
        """Return the rows that wait, a new window where those of the last are gone; None at the end of the data."""
        if self.waiting is None or self.position >= len(self.waiting.index):
            self.waiting, self.position = self._next_window(), 0
        return self.waiting

    def _next_window(self) -> Fresh | None:
        parts: list[Fresh] = []
        rows, numbers = 0, 0
        while rows < self.window and numbers < WINDOW_NUMBERS:
            image = next(self.batches, None)
            if image is None:
                break
            if len(image):
                parts.append(self._read(image))
                rows += len(image)
                numbers += sum(drive.numel() for drive in parts[-1].drives)
        if not parts:
            return None
        window = _joined(parts)
        if window.planned is None:
            return window
        return window.each(itemgetter(torch.argsort(window.planned, descending=True, stable=True)))

    def _read(self, image: Tensor) -> Fresh:
        check_numbers(image)
        image = image.to(self.model.device, self.model.dtype)
        count, padded = len(image), pad_rows(image, self.row_floor)
        check_images_finite(image, range(self.served, self.served + count))
        drives = self.model.drive(padded)
        planned = planned_timesteps(self.model.plan(padded, drives), self.price)[:count] if self.planned else None
        index = torch.arange(self.served, self.served + count, device=self.model.device)
        self.served += count
        return Fresh([drive[:count] for drive in drives], index, planned)


def _joined(parts: list[Fresh]) -> Fresh:
    if len(parts) == 1:
        return parts[0]
    plans = [part.planned for part in parts if part.planned is not None]
    return Fresh(
        [torch.cat(pieces) for pieces in zip(*(part.drives for part in parts), strict=True)],
        torch.cat([part.index for part in parts]),
        torch.cat(plans) if plans else None,
    )
