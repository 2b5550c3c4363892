"""What fine-tuning through time brings the answers of every prefix of a run closer to: the ANN's, or labels."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from seenn_convert import choices

SOFTNESS = 3.0
"""Temperature at which answers are compared: it makes what the ANN thinks of the other classes count."""

OWN_BEST = 0.1
"""What agreement with the network's own last answer counts, where that is right."""

TEACHER, OWN_STEPS = 0.2, 0.5
"""What the ANN's answers and those of the network's own right timesteps count beside the labels."""


@dataclass(frozen=True)
class Seen:
    """What an objective reads of a batch.

    Attributes:
        means: ``(T, B, K)`` mean logits of each prefix of the run.
        teacher: ``(B, K)`` logits of the ANN.
        labels: ``(B,)`` true classes, None where there are none.
        shares: ``(T,)`` what each prefix counts, with the sum 1: the share of the images that leave there.
        latest: Whether the readout is no mean over the timesteps but the latest value.
    """

    means: Tensor
    teacher: Tensor
    labels: Tensor | None
    shares: Tensor
    latest: bool = False

    @property
    def steps(self) -> Tensor:
        """The logits of each timestep alone, ``(T, B, K)``."""
        if self.latest:
            return self.means
        t = torch.arange(1, len(self.means) + 1, dtype=self.means.dtype, device=self.means.device).view(-1, 1, 1)
        sums = t * self.means
        return torch.cat([sums[:1], sums[1:] - sums[:-1]])

    @property
    def truth(self) -> Tensor:
        """The labels, or the ANN's answers where there are none."""
        return self.teacher.argmax(dim=-1) if self.labels is None else self.labels


Objective = Callable[[Seen], Tensor]


def prefix_distillation(seen: Seen) -> Tensor:
    """Return the divergence of the answers of each prefix from the ANN's, weighted by the share that leaves there.

    Where the answer of the whole run is right, the earlier ones follow it, too. Reads no labels if there are none.
    """
    apart = (seen.shares * _apart(seen.means, seen.teacher).mean(dim=1)).sum()
    if len(seen.means) == 1:
        return apart
    last = seen.means[-1].detach()
    right = (last.argmax(dim=-1) == seen.truth).to(last.dtype)
    return apart + OWN_BEST * (_apart(seen.means[:-1], last) * right).mean()


def cross_entropy(seen: Seen) -> Tensor:
    """Return the cross-entropy of every single timestep's logits, a mean.

    Source: Deng et al. 2022 (TET), without its pull towards a constant.
    """
    steps = seen.steps
    return F.cross_entropy(steps.flatten(0, 1), seen.truth.repeat(len(steps)))


def temporal_distillation(seen: Seen) -> Tensor:
    """Return the cross-entropy of every timestep, with the answers of the ANN and of its own right timesteps.

    An image that no timestep gets right has no own answers to follow.

    Source: Yu et al. 2025 (temporal self-distillation).
    """
    steps = seen.steps
    right = (steps.argmax(dim=-1) == seen.truth).to(steps.dtype).detach()
    count = right.sum(dim=0)
    own = (steps.detach() * right.unsqueeze(-1)).sum(dim=0) / count.clamp(min=1).unsqueeze(-1)
    follows = (count > 0).to(steps.dtype)
    return (
        cross_entropy(seen)
        + TEACHER * _apart(steps, seen.teacher).mean()
        + OWN_STEPS * (_apart(steps, own) * follows).mean()
    )


def mixed(seen: Seen) -> Tensor:
    """Return prefix distillation and, of the weighted prefixes, half as much cross-entropy."""
    losses = F.cross_entropy(seen.means.flatten(0, 1), seen.truth.repeat(len(seen.means)), reduction="none")
    by_prefix = losses.reshape(seen.means.shape[:2]).mean(dim=1)
    return prefix_distillation(seen) + 0.5 * (seen.shares * by_prefix).sum()


OBJECTIVES: Mapping[choices.Objective, Objective] = {
    "prefixes": prefix_distillation,
    "labels": cross_entropy,
    "temporal": temporal_distillation,
    "mixed": mixed,
}


def _apart(found: Tensor, wanted: Tensor) -> Tensor:
    """Return the divergence ``(T, B)`` of the answers ``(T, B, K)`` from those wanted ``(B, K)``, in nats."""
    target = torch.log_softmax(wanted / SOFTNESS, dim=-1).expand_as(found)
    answers = torch.log_softmax(found / SOFTNESS, dim=-1)
    return SOFTNESS**2 * F.kl_div(answers, target, reduction="none", log_target=True).sum(dim=-1)


def shares_of(exit_counts: Tensor, floor: float = 0.5) -> Tensor:
    """Return what each of T prefixes counts ``(T,)``, from how many images leave after it; at least ``floor / T``."""
    timesteps = len(exit_counts)
    shares = exit_counts.double() / exit_counts.sum().clamp(min=1)
    shares = shares.clamp(min=floor / timesteps)
    return (shares / shares.sum()).float()
