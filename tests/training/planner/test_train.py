"""Training maximises the expected reward, the same way every time."""

import pytest
import torch
from torch import nn

from seenn_convert.training.planner.rewards import PricedReward
from seenn_convert.training.planner.train import Training, expected_loss, sampled_loss, train_heads, with_between


def task(images: int = 600) -> tuple[torch.Tensor, torch.Tensor]:
    """Images that show when they will be right: from the first, the second or the third of four timesteps on."""
    kind = torch.arange(images) % 3
    features = nn.functional.one_hot(kind, 3).float() + 0.1 * torch.randn(images, 3)
    right = (torch.arange(4).unsqueeze(1) >= kind).float()
    return features, right


def losses(right: torch.Tensor, *prices: float) -> torch.Tensor:
    return torch.stack([PricedReward(prices).losses(right, price) for price in prices])


def planned(trunk: list[nn.Module], last: nn.Module, features: torch.Tensor) -> torch.Tensor:
    for module in (*trunk, last):
        features = module(features)
    return features.argmax(dim=-1)


@pytest.mark.parametrize("gradient", ["exact", "sampled"])
def test_what_can_be_seen_is_learned(gradient: str) -> None:
    """At a price of 0.3 each image stops when it is right; at a price above 1 everybody stops at once."""
    features, right = task()
    training = Training(epochs=100, learning_rate=0.1, weight_decay=0.0, gradient=gradient)
    trunk, last = train_heads([], 3, features, losses(right, 0.3, 2.0), torch.ones(600), training)
    assert (planned(trunk, last[0], features) == torch.arange(600) % 3).float().mean() > 0.97
    assert (planned(trunk, last[1], features) == 0).float().mean() > 0.97


def test_nothing_is_changed_and_the_result_is_the_same_again() -> None:
    features, right = task()
    trunk = [nn.Linear(3, 5), nn.ReLU()]
    before = [p.detach().clone() for p in trunk[0].parameters()]
    made = []
    for seed in (0, 0, 1):
        torch.manual_seed(int(torch.randint(1000, (1,))))  # the state of the global generator does not matter
        body, (last,) = train_heads(trunk, 5, features, losses(right, 0.1), torch.ones(600), Training(2, seed=seed))
        made.append([*body[0].parameters(), *last.parameters()])
    assert all(torch.equal(a, b) for a, b in zip(before, trunk[0].parameters(), strict=True))
    assert all(torch.equal(a, b) for a, b in zip(made[0], made[1], strict=True))
    assert not all(torch.equal(a, b) for a, b in zip(made[0], made[2], strict=True))


def test_between_two_settings_there_are_mixtures_of_their_layers() -> None:
    layers = [nn.Linear(2, 3) for _ in range(3)]
    found, x = with_between(layers, 4), torch.randn(5, 2)
    assert len(found) == 9
    assert all(torch.equal(a.weight, b.weight) for a, b in zip(found[::4], layers, strict=True))
    torch.testing.assert_close(found[5](x), 0.75 * layers[1](x) + 0.25 * layers[2](x))
    assert with_between(layers[:1], 4) == layers[:1]


def test_the_expected_loss_by_hand() -> None:
    """Exits with probabilities 1/4 and 3/4 and losses 4 and 0 lose 1, with a weight of 2 twice as much."""
    plan = torch.tensor([[[1.0, 3.0]]]).log()
    assert expected_loss(plan, torch.tensor([[[4.0, 0.0]]]), torch.tensor([2.0])).item() == pytest.approx(2.0)


def test_the_sampled_gradient_is_the_exact_one_on_average() -> None:
    generator = torch.Generator().manual_seed(0)
    plan = torch.randn(1, 1, 4).expand(4000, 1, 4).clone().requires_grad_()
    loss = torch.randn(1, 1, 4).expand(4000, 1, 4)
    weights = torch.ones(4000)
    exact = torch.autograd.grad(expected_loss(plan, loss, weights), plan)[0].sum(dim=0)
    parts = [torch.autograd.grad(sampled_loss(plan, loss, weights, generator), plan)[0].sum(dim=0) for _ in range(30)]
    assert torch.allclose(torch.stack(parts).mean(dim=0), exact, atol=0.02)
    assert exact.abs().max() > 0.05


def test_entropy_keeps_the_plan_graded() -> None:
    """Where nothing can be seen, the best plan is one exit for all; its logits are then reward / entropy."""
    features, right = torch.zeros(512, 3), torch.tensor([[0.2], [0.5], [0.6]]).expand(3, 512)
    training = Training(epochs=150, learning_rate=0.1, weight_decay=0.0, entropy=0.5)
    _, (last,) = train_heads([], 3, features, losses(right, 0.0), torch.ones(512), training)
    plan = last(features[0])
    torch.testing.assert_close(plan - plan[0], torch.tensor([0.0, 0.6, 0.8]), atol=0.02, rtol=0)
