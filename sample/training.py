"""Training and evaluation of the sample network."""

from __future__ import annotations

import time
from dataclasses import dataclass

import torch
from dataset import Split, normalise, training_batches
from network import DROPOUT, SampleNetwork
from torch import nn


@dataclass(frozen=True)
class Recipe:
    """Everything that decides the trained weights, besides the data and the software."""

    seed: int = 0
    epochs: int = 18
    batch_size: int = 128
    peak_learning_rate: float = 0.1
    momentum: float = 0.9
    weight_decay: float = 5e-4
    label_smoothing: float = 0.05
    precision: str = "bfloat16"
    threads: int = 1
    dropout: float = DROPOUT
    continued: bool = False


def make_optimizer(network: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    """SGD with Nesterov momentum; weight decay on convolution and linear weights only."""
    decayed = [p for p in network.parameters() if p.ndim > 1]
    free = [p for p in network.parameters() if p.ndim <= 1]
    groups = [{"params": decayed, "weight_decay": recipe.weight_decay}, {"params": free, "weight_decay": 0.0}]
    return torch.optim.SGD(groups, lr=recipe.peak_learning_rate, momentum=recipe.momentum, nesterov=True)


def lay_out(network: nn.Module, memory_format: torch.memory_format) -> None:
    """Put the convolution weights into the memory format, in place; channels last trains faster."""
    for parameter in network.parameters():
        if parameter.ndim == 4:
            parameter.data = parameter.data.contiguous(memory_format=memory_format)


def run_epoch(
    network: nn.Module,
    split: Split,
    recipe: Recipe,
    optimizer: torch.optim.Optimizer,
    schedule: torch.optim.lr_scheduler.LRScheduler,
    generator: torch.Generator,
) -> float:
    """Train for one epoch and return the mean training loss.

    With precision "bfloat16" convolutions run in mixed precision; weights stay float32.
    """
    network.train()
    criterion = nn.CrossEntropyLoss(label_smoothing=recipe.label_smoothing)
    losses = []
    for images, labels in training_batches(split, recipe.batch_size, generator):
        images = images.contiguous(memory_format=torch.channels_last)
        with torch.autocast("cpu", torch.bfloat16, enabled=recipe.precision == "bfloat16"):
            logits = network(images)
        loss = criterion(logits.float(), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        losses.append(float(loss.detach()))
    return sum(losses) / len(losses)


def train(split: Split, recipe: Recipe, start_from: dict[str, torch.Tensor] | None = None) -> SampleNetwork:
    """Train a network, fresh or from given weights, and return the one of the last epoch, in eval mode."""
    torch.manual_seed(recipe.seed)
    generator = torch.Generator().manual_seed(recipe.seed)
    network = SampleNetwork()
    if start_from is not None:
        network.load_state_dict(start_from)
    for module in network.modules():
        if isinstance(module, nn.Dropout):
            module.p = recipe.dropout
    lay_out(network, torch.channels_last)
    optimizer = make_optimizer(network, recipe)
    steps = max(1, recipe.epochs * (len(split.labels) // recipe.batch_size))
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, recipe.peak_learning_rate, total_steps=steps, pct_start=0.2, cycle_momentum=False
    )
    for epoch in range(recipe.epochs):
        start = time.perf_counter()
        loss = run_epoch(network, split, recipe, optimizer, schedule, generator)
        print(f"epoch {epoch + 1}/{recipe.epochs}: loss {loss:.4f}, {time.perf_counter() - start:.0f} s", flush=True)
    lay_out(network, torch.contiguous_format)
    return network.eval()


@torch.no_grad()
def accuracy(network: nn.Module, split: Split, batch_size: int = 500) -> float:
    """Share of the split's images that the network classifies rightly, in [0, 1]."""
    right = 0
    for start in range(0, len(split.labels), batch_size):
        images = normalise(torch.from_numpy(split.images[start : start + batch_size]))
        labels = torch.from_numpy(split.labels[start : start + batch_size])
        right += int((network(images).argmax(1) == labels).sum())
    return right / len(split.labels)
