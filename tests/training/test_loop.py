"""The training loop: it goes on to the bit where it stopped, and a gradient that is no number changes nothing."""

import copy
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from seenn_convert.training.loop import Course, rate
from seenn_convert.training.order import seeded


def batches(first: int = 0) -> Iterator[Tensor]:
    while True:
        yield torch.randn(8, 3, generator=seeded(4, first))
        first += 1


def course(network: nn.Linear, updates: int = 12) -> Course:
    return Course(torch.optim.Adam(network.parameters(), lr=0.1), updates, most=1.0)


def line() -> nn.Linear:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Linear(3, 1)


def test_it_goes_on_to_the_bit() -> None:
    whole, part = line(), line()
    course(whole).run(batches(), lambda batch: whole(batch).square().mean())
    first = course(part)

    class Killed(Exception):
        pass

    def killed(done: int) -> None:
        if done == 5:
            raise Killed

    try:
        first.run(batches(), lambda batch: part(batch).square().mean(), killed)
    except Killed:
        saved, weights = copy.deepcopy(first.to_save()), copy.deepcopy(part.state_dict())
    again = line()
    again.load_state_dict(weights)
    second = course(again)
    second.go_on(saved)
    second.run(batches(second.done), lambda batch: again(batch).square().mean())
    assert second.done == 12 and len(second.losses) == 12
    assert torch.equal(whole.weight, again.weight) and torch.equal(whole.bias, again.bias)


def test_an_update_without_a_finite_gradient_is_left_out() -> None:
    network = line()
    before = copy.deepcopy(network.state_dict())
    one = course(network, 1)
    one.run(batches(), lambda batch: network(batch).mean() * torch.tensor(float("nan")))
    assert one.left_out == 1
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


def test_the_rate_rises_and_falls() -> None:
    assert rate(0.05, 0.1) == 0.5
    assert rate(0.1, 0.1) == 1.0
    assert abs(rate(0.55, 0.1) - 0.5) < 1e-9
    assert rate(1.0, 0.1) == 0.0
