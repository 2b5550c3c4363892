"""The one training loop: a course of updates that may stop, be saved and go on, and that no bad gradient spoils."""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import LambdaLR

B = TypeVar("B")


@dataclass
class Course:
    """An optimiser, its schedule, and how far they have come.

    Attributes:
        optimizer: Its groups have the largest learning rates.
        updates: How many there are in all; the learning rate rises over the first ``warm_up`` of them, then falls as a
            cosine to 0.
        warm_up: A share of the updates.
        most: Largest norm of the gradient; None for any.
        done: Updates done so far.
        losses: The loss of each of them.
        left_out: How many had no finite gradient and changed nothing.
    """

    optimizer: torch.optim.Optimizer
    updates: int
    warm_up: float = 0.1
    most: float | None = None
    done: int = 0
    losses: list[float] = field(default_factory=list)
    left_out: int = 0

    def __post_init__(self) -> None:
        """Make the schedule."""
        self.schedule = LambdaLR(self.optimizer, lambda update: rate((update + 1) / (self.updates + 1), self.warm_up))

    @property
    def parameters(self) -> list[nn.Parameter]:
        """All that is trained."""
        return [one for group in self.optimizer.param_groups for one in group["params"]]

    def run(
        self, batches: Iterable[B], loss_of: Callable[[B], Tensor], behind: Callable[[int], None] | None = None
    ) -> None:
        """Make an update with each batch, until there are enough; ``behind`` is told how many are done after each."""
        with torch.enable_grad():
            for batch in batches:
                if self.done >= self.updates:
                    return
                loss = loss_of(batch)
                self.optimizer.zero_grad()
                loss.backward()  # type: ignore[no-untyped-call]
                self._step()
                self.losses.append(loss.item())
                self.done += 1
                if behind is not None:
                    behind(self.done)

    def _step(self) -> None:
        """Change the parameters, unless a gradient is not finite: a root of 0 has none, and bfloat16 overflows."""
        if all(one.grad is None or bool(one.grad.isfinite().all()) for one in self.parameters):
            if self.most is not None:
                nn.utils.clip_grad_norm_(self.parameters, self.most)
        else:
            self.left_out += 1
            self.optimizer.zero_grad()  # a step without gradients moves nothing
        self.optimizer.step()
        self.schedule.step()

    def to_save(self) -> dict[str, Any]:
        """Return all that a course that goes on needs beside the parameters."""
        return {
            "optimizer": self.optimizer.state_dict(), "schedule": self.schedule.state_dict(), "updates": self.updates,
            "done": self.done, "losses": self.losses, "left_out": self.left_out,
        }  # fmt: skip

    def go_on(self, saved: Mapping[str, Any]) -> None:
        """Take up where the course that was ``saved`` stopped."""
        self.optimizer.load_state_dict(saved["optimizer"])
        self.schedule.load_state_dict(saved["schedule"])
        self.updates, self.done, self.left_out = saved["updates"], saved["done"], saved["left_out"]
        self.losses = list(saved["losses"])


def rate(done: float, warm_up: float) -> float:
    """Return the learning rate as a share of the largest one, after a share ``done`` of the updates."""
    return done / warm_up if done < warm_up else 0.5 * (1 + math.cos(math.pi * (done - warm_up) / (1 - warm_up)))


def size(values: Tensor) -> float:
    """Return the root mean square, to which a learning rate is relative."""
    return float(values.detach().square().mean().sqrt().clamp(min=1e-6))
