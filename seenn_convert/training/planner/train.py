"""Train policy heads from cached readouts: the spiking network stays as it is, and is not run again."""

import copy
import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from seenn_convert.choices import Gradient
from seenn_convert.training.loop import Course

IMAGES, WARM_UP = 256, 0.1
"""Images in an update, and the share of the updates in which the learning rate rises."""


@dataclass(frozen=True)
class Training:
    """How a policy head is trained.

    Attributes:
        epochs: How often each image serves.
        learning_rate: The largest one; it rises, then falls as a cosine.
        weight_decay: Of the weights.
        gradient: ``"exact"``, of the expected reward over all exits; ``"sampled"``, of one exit drawn for each image,
            against the average reward as a baseline (REINFORCE).
        entropy: What the entropy of a plan is worth, beside the reward.
        seed: Of the order of the images and of what is drawn.
    """

    epochs: int = 15
    learning_rate: float = 2e-3
    weight_decay: float = 0.3
    gradient: Gradient = "exact"
    entropy: float = 0.0
    seed: int = 0


def train_heads(
    trunk: Sequence[nn.Module],
    width: int,
    features: Tensor,
    losses: Tensor,
    weights: Tensor,
    training: Training,
    progress: Callable[[int], None] | None = None,
) -> tuple[list[nn.Module], list[nn.Linear]]:
    """Return the trained trunk and one last layer for each setting of the reward: they share the trunk.

    Every setting is trained at once, so a whole frontier costs little more than one point of it. The updates have a
    fixed size and order, so the result does not depend on how the readouts were made.

    Args:
        trunk: The layers before the last; they are not changed.
        width: Features that they end with.
        features: ``(N, F, *)``, normalised.
        losses: ``(S, T, N)`` negative reward of each exit by each setting.
        weights: ``(N,)`` how much each image counts.
        training: How.
        progress: Called with 1 after each epoch.

    Source: Li et al. 2023 (SEENN-II): the gradient of the expected reward is exact, nothing has to be drawn.
    """
    settings, timesteps, images = losses.shape
    body = nn.Sequential(*copy.deepcopy(list(trunk)))
    last = nn.Linear(width, settings * timesteps)
    nn.init.zeros_(last.weight)  # every exit is as likely at first
    nn.init.zeros_(last.bias)
    parameters = [*body.parameters(), *last.parameters()]
    an_epoch = math.ceil(images / IMAGES)
    optimizer = torch.optim.AdamW(parameters, lr=training.learning_rate, weight_decay=training.weight_decay)
    generator = torch.Generator().manual_seed(training.seed)
    by_image, weights = losses.permute(2, 0, 1).contiguous(), weights / weights.mean()

    def loss_of(chosen: Tensor) -> Tensor:
        plan = last(body(features[chosen])).unflatten(1, (settings, timesteps))
        return _loss(plan, by_image[chosen], weights[chosen], training, generator)

    def behind(done: int) -> None:
        if progress is not None and done % an_epoch == 0:
            progress(1)

    body.requires_grad_(True)
    batches = (
        chosen
        for _ in range(training.epochs)
        for chosen in torch.split(torch.randperm(images, generator=generator), IMAGES)
    )
    Course(optimizer, training.epochs * an_epoch, WARM_UP).run(batches, loss_of, behind)
    return list(body.eval().requires_grad_(False)), _apart(last, settings, timesteps)


def with_between(last: Sequence[nn.Linear], parts: int) -> list[nn.Linear]:
    """Return the layers, and between two neighbours ``parts - 1`` mixtures of their weights.

    Neighbouring settings share the trunk, so a mixture plans between them: average timesteps that no setting has.
    """
    found = [last[0]]
    for before, after in itertools.pairwise(last):
        found += [_mixed(before, after, part / parts) for part in range(1, parts)] + [after]
    return found


def _mixed(before: nn.Linear, after: nn.Linear, share: float) -> nn.Linear:
    layer = copy.deepcopy(before)
    for own, other in zip(layer.parameters(), after.parameters(), strict=True):
        own.data.lerp_(other, share)
    return layer


def expected_loss(plan: Tensor, losses: Tensor, weights: Tensor) -> Tensor:
    """Return the expected loss of exits drawn by the softmax of ``plan``, summed over settings, a mean of images.

    Shapes: ``plan`` and ``losses`` ``(B, S, T)``, ``weights`` ``(B,)``.
    """
    expected = (torch.softmax(plan, dim=-1) * losses).sum(dim=-1)
    return (expected * weights.unsqueeze(1)).mean(dim=0).sum()


def sampled_loss(plan: Tensor, losses: Tensor, weights: Tensor, generator: torch.Generator) -> Tensor:
    """Return a value whose gradient is, on average, that of ``expected_loss``, from one exit drawn for each image.

    The baseline of an image is the mean loss of the others. Source: REINFORCE, Williams 1992.
    """
    log_p = torch.log_softmax(plan, dim=-1)
    drawn = torch.multinomial(log_p.detach().exp().flatten(0, 1), 1, generator=generator).reshape(*plan.shape[:2], 1)
    loss = losses.gather(2, drawn).squeeze(2)
    baseline = (loss.sum(dim=0) - loss) / max(len(loss) - 1, 1)
    chosen = log_p.gather(2, drawn).squeeze(2)
    return ((loss - baseline) * weights.unsqueeze(1) * chosen).mean(dim=0).sum()


def _loss(plan: Tensor, losses: Tensor, weights: Tensor, training: Training, generator: torch.Generator) -> Tensor:
    log_p = torch.log_softmax(plan, dim=-1)
    bonus = -training.entropy * (log_p.exp() * log_p).sum(dim=-1).mean(dim=0).sum()
    if training.gradient == "exact":
        return expected_loss(plan, losses, weights) - bonus
    return sampled_loss(plan, losses, weights, generator) - bonus


def _apart(last: nn.Linear, settings: int, timesteps: int) -> list[nn.Linear]:
    """Return the last layer of each setting as a layer of its own."""
    layers = []
    for weight, bias in zip(torch.split(last.weight, timesteps), torch.split(last.bias, timesteps), strict=True):
        layer = nn.Linear(last.in_features, timesteps)
        layer.load_state_dict({"weight": weight.detach().clone(), "bias": bias.detach().clone()})
        layers.append(layer.requires_grad_(False))
    assert len(layers) == settings
    return layers
