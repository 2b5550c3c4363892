"""Fine-tune a spiking network through time, with surrogate gradients, towards the answers of its ANN or labels."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from seenn_convert.ir.program import Program
from seenn_convert.training.augment import augmented
from seenn_convert.training.loop import Course
from seenn_convert.training.objectives import Objective, Seen
from seenn_convert.training.order import seeded
from seenn_convert.training.rates import parameter_groups
from seenn_convert.training.unrolled import Unrolled

WARM_UP, MOST_GRADIENT = 0.05, 5.0
"""Share of the updates in which the learning rate rises, and the largest norm of a gradient."""

Batch = tuple[int, Tensor, Tensor | None]
"""Its number, images ``(B, *input_shape)``, and labels ``(B,)`` where there are any."""


@dataclass(frozen=True)
class Teaching:
    """What an update does.

    Attributes:
        teacher: Whose answers are followed: from images to logits ``(B, K)``, without gradients.
        objective: What training brings closer to what.
        timesteps: The longest run T.
        mirror: Whether pictures are mirrored half the time.
        precision: Type of number of convolutions and linear layers in training, if it is not float32; else, and in
            neurons, it is that of the network.
        recompute: Whether activations are computed again backwards.
        seed: Of the moves of the pictures.
        spike_penalty: What the cost of the spikes counts in the loss, as a share of the most they can cost.
        quantised: So many updates train the ANN with its activations quantised, before those through time: each to the
            levels of one timestep after which images leave, as often as they do.
    """

    teacher: Callable[[Tensor], Tensor]
    objective: Objective
    timesteps: int
    mirror: bool = True
    precision: torch.dtype = torch.float32
    recompute: bool = False
    seed: int = 0
    spike_penalty: float = 0.0
    quantised: int = 0

    def loss(self, network: Unrolled, batch: Batch, shares: Tensor) -> Tensor:
        """Return the loss of a batch; the prefixes of the run count by ``shares`` ``(T,)``."""
        number, images, labels = batch
        images = augmented(images, seeded(self.seed, number), self.mirror)
        wanted = self.teacher(images)
        with torch.autocast(images.device.type, self.precision, enabled=self.precision != torch.float32):
            images = images.to(network.program.input_dtype)
            if number < self.quantised:
                levels = 1 + int(torch.multinomial(shares.cpu(), 1, generator=seeded(self.seed, number, 1)))
                means, shares = network.rates(images, levels).unsqueeze(0), shares.new_ones(1)
                spent = means.new_zeros(())
            else:
                means, spent = network(images, self.timesteps, self.recompute)
        loss = self.objective(Seen(means.to(wanted.dtype), wanted, labels, shares, network.reads_latest))
        return loss + self.spike_penalty * spent.mean() if self.spike_penalty else loss


@dataclass
class Training:
    """A training on its way: it can be saved at any update and go on from there with the same weights.

    Attributes:
        network: What is trained.
        course: Its optimiser, schedule and progress.
        shares: ``(T,)`` what each prefix counts now.
        quantised: How many of the updates train the ANN with its activations quantised.
        chooses: Whether the parameters that judged best are kept; else the last ones are.
        best: The parameters that are kept so far.
        history: What each look at the held-out images showed.
        seconds: How long it has taken.
    """

    network: Unrolled
    course: Course
    shares: Tensor
    quantised: int = 0
    chooses: bool = True
    best: dict[str, Tensor] = field(default_factory=dict)
    history: list[dict[str, Any]] = field(default_factory=list)
    seconds: float = 0.0

    @classmethod
    def of(
        cls, network: Unrolled, updates: int, rate: float, shares: Tensor, quantised: int = 0, chooses: bool = True
    ) -> "Training":
        """Return a training before its first update."""
        optimizer = torch.optim.Adam(parameter_groups(network, rate))
        return cls(network, Course(optimizer, updates, WARM_UP, MOST_GRADIENT), shares, quantised, chooses)

    def looked(self, score: float, shares: Tensor, **facts: Any) -> None:
        """Note what held-out images show now; the parameters are kept if they are the best so far, or the last."""
        fresh = self.course.losses[self.history[-1]["update"] if self.history else 0 :]
        losses = [loss for loss in fresh if math.isfinite(loss)]  # others belong to updates that were left out
        loss = sum(losses) / len(losses) if losses else None
        self.history.append({
            "update": self.course.done, "loss": loss, "score": score, "minutes": self.seconds / 60, **facts,
        })  # fmt: skip
        if self.kept == len(self.history) - 1:
            self.best = {name: value.detach().clone() for name, value in self.network.state_dict().items()}
        self.shares = shares

    def settled(self) -> Program:
        """Return the program with the parameters that are kept."""
        self.network.load_state_dict(self.best)
        return self.network.settled()

    def to_save(self) -> dict[str, Any]:
        """Return all that a training that goes on needs."""
        return {
            "network": self.network.state_dict(), "course": self.course.to_save(), "shares": self.shares,
            "quantised": self.quantised, "best": self.best, "history": self.history, "seconds": self.seconds,
        }  # fmt: skip

    def go_on(self, saved: Mapping[str, Any]) -> None:
        """Take up where the training that was ``saved`` stopped."""
        self.network.load_state_dict(saved["network"])
        self.course.go_on(saved["course"])
        self.shares, self.quantised, self.best = saved["shares"], saved["quantised"], saved["best"]
        self.history, self.seconds = list(saved["history"]), saved["seconds"]

    @property
    def kept(self) -> int:
        """Which of the looks is that of the parameters that are kept: the first of the best, or the last."""
        if not self.chooses:
            return len(self.history) - 1
        scores = [look["score"] for look in self.history]
        return scores.index(max(scores))
