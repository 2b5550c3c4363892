"""Attention networks of every spelling: the numbers of PyTorch for any batch, and spikes that converge to them."""

from collections.abc import Callable
from typing import Any

import harness
import pytest
import torch
import toys
from reading import kinds, read
from torch import Tensor, nn
from torch.nn import functional as F

from seenn_convert.neurons.types import Tracking
from seenn_convert.passes.insert_encoders import InsertEncoders

TOKENS = (5, 8)


def multihead(batch_first: bool) -> toys.Toy:
    """A small vision transformer with PyTorch's own attention, a class token and a learned position code."""

    def body(m: Any, x: Tensor) -> Tensor:
        x = m.patches(x).flatten(2).transpose(1, 2)
        x = torch.cat([m.token.expand(x.shape[0], -1, -1), x], 1) + m.places
        y = m.norm(x)
        y = y if batch_first else y.transpose(0, 1)
        y, _ = m.attention(y, y, y, need_weights=False)
        x = x + (y if batch_first else y.transpose(0, 1))
        x = x + m.second(F.gelu(m.first(m.norm(x))))
        return m.head(x[:, 0])

    model = toys.toy(
        body, patches=nn.Conv2d(3, 8, 4, 4), norm=nn.LayerNorm(8), first=nn.Linear(8, 12), second=nn.Linear(12, 8),
        attention=nn.MultiheadAttention(8, 2, batch_first=batch_first), head=nn.Linear(8, 5),
    )  # fmt: skip
    model.token, model.places = nn.Parameter(torch.randn(1, 1, 8)), nn.Parameter(0.3 * torch.randn(1, 5, 8))
    return model


def shifted_windows() -> toys.Toy:
    """Windows of a shifted image folded into the batch, with a bias table and a mask between what does not touch."""

    def body(m: Any, x: Tensor) -> Tensor:
        x = m.patches(x).permute(0, 2, 3, 1)  # (batch, 4, 4, features)
        y = torch.roll(m.norm(x), (-1, -1), (1, 2))
        y = y.view(-1, 2, 2, 2, 2, 8).permute(0, 1, 3, 2, 4, 5).reshape(-1, 4, 8)
        q, k, v = m.qkv(y).reshape(-1, 4, 3, 2, 4).permute(2, 0, 3, 1, 4)
        scores = q @ k.transpose(-2, -1) * 0.5 + m.bias
        scores = (scores.view(-1, 4, 2, 4, 4) + m.mask.unsqueeze(1).unsqueeze(0)).view(-1, 2, 4, 4)
        y = m.proj((scores.softmax(-1) @ v).transpose(1, 2).reshape(-1, 4, 8))
        y = y.view(-1, 2, 2, 2, 2, 8).permute(0, 1, 3, 2, 4, 5).reshape(-1, 4, 4, 8)
        x = x + torch.roll(y, (1, 1), (1, 2))
        return m.head(F.silu(x).mean((1, 2)))

    model = toys.toy(body, patches=nn.Conv2d(3, 8, 2, 2), norm=nn.LayerNorm(8), qkv=nn.Linear(8, 24),
                     proj=nn.Linear(8, 8), head=nn.Linear(8, 5))  # fmt: skip
    model.register_buffer("bias", torch.randn(2, 4, 4))
    model.register_buffer("mask", torch.where(torch.rand(4, 4, 4) > 0.6, -100.0, 0.0))
    return model


def by_unbind() -> toys.Toy:
    """Queries, keys and values as one product, taken apart along a leading axis; PyTorch's fused attention."""

    def body(m: Any, x: Tensor) -> Tensor:
        batch, tokens, features = x.shape
        q, k, v = m.qkv(x).reshape(batch, tokens, 3, 2, features // 2).permute(2, 0, 3, 1, 4).unbind(0)
        x = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(batch, tokens, features)
        return m.head(F.relu(m.proj(x)).mean(1))

    return toys.toy(body, TOKENS, qkv=nn.Linear(8, 24), proj=nn.Linear(8, 8), head=nn.Linear(8, 5))


def heads_in_the_batch() -> toys.Toy:
    """Heads folded into the batch, with products of batches of matrices."""

    def body(m: Any, x: Tensor) -> Tensor:
        def heads(y: Tensor) -> Tensor:
            return y.view(-1, 5, 2, 4).transpose(1, 2).reshape(-1, 5, 4)

        q, k, v = (heads(layer(x)) for layer in (m.q, m.k, m.v))
        weights = torch.softmax(torch.bmm(q, k.transpose(1, 2)) / 2, dim=-1)
        x = torch.bmm(weights, v).view(-1, 2, 5, 4).transpose(1, 2).reshape(-1, 5, 8)
        return m.head(torch.tanh(x).mean(1))

    return toys.toy(body, TOKENS, q=nn.Linear(8, 8), k=nn.Linear(8, 8), v=nn.Linear(8, 8), head=nn.Linear(8, 5))


def by_einsum() -> toys.Toy:
    """Products in Einstein's notation, the weights of the projection among them."""

    def body(m: Any, x: Tensor) -> Tensor:
        q, k, v = torch.einsum("bnd,tdhk->btnhk", x, m.weight).unbind(1)
        weights = torch.einsum("bnhk,bmhk->bhnm", q, k).softmax(-1)
        return m.head(torch.einsum("bhnm,bmhk->bnhk", weights, v).flatten(2).mean(1))

    model = toys.toy(body, TOKENS, head=nn.Linear(8, 5))
    model.register_buffer("weight", torch.randn(3, 8, 2, 4) / 3)
    return model


def causal() -> toys.Toy:
    """Places filled with minus infinity in front of the softmax."""

    def body(m: Any, x: Tensor) -> Tensor:
        weights = (m.q(x) @ m.k(x).transpose(1, 2)).masked_fill(m.mask, float("-inf")).softmax(-1)
        return m.head((weights @ m.v(x)).mean(1))

    model = toys.toy(body, TOKENS, q=nn.Linear(8, 8), k=nn.Linear(8, 8), v=nn.Linear(8, 8), head=nn.Linear(8, 5))
    model.register_buffer("mask", torch.ones(5, 5).triu(1).bool())
    return model


def codes_of_the_batch_size() -> toys.Toy:
    """Position codes and a class token made for as many rows as the batch has."""

    def body(m: Any, x: Tensor) -> Tensor:
        places = torch.arange(5).unsqueeze(0).repeat(x.shape[0], 1)
        x = torch.cat([torch.zeros(x.shape[0], 1, 8), x + m.table(places), x.new_ones(x.shape[0], 1, 8)], 1)
        return m.head(F.gelu(m.first(x)).amax(1))

    return toys.toy(body, TOKENS, table=nn.Embedding(5, 8), first=nn.Linear(8, 8), head=nn.Linear(8, 5))


NETWORKS: dict[str, Callable[[], toys.Toy]] = {
    "multihead, batch first": lambda: multihead(True),
    "multihead, batch second": lambda: multihead(False),
    "shifted windows": shifted_windows,
    "unbind": by_unbind,
    "heads in the batch": heads_in_the_batch,
    "einsum": by_einsum,
    "causal": causal,
    "codes of the batch size": codes_of_the_batch_size,
}


@pytest.mark.slow
@pytest.mark.parametrize("name", NETWORKS)
def test_an_attention_network_in_every_form(name: str) -> None:
    """Same numbers for batches of 1, 3 and 4 from open and fixed exports; then its spikes converge as 1/t."""
    model = NETWORKS[name]()
    program = read(model, (1, 2))

    ann = InsertEncoders()(harness.ann_program(program))
    snn = harness.spiking_program(ann, Tracking(64))
    batch = harness.images(ann)
    expected, total, errors = ann(batch), torch.zeros(()), {}
    for t, step in enumerate(harness.timesteps(snn, batch, 64), start=1):
        total = total + step.results[0]
        errors[t] = harness.relative_error(total / t, expected)
    assert errors[64] < 0.01
    assert errors[64] < errors[4] / 4


def test_windows_are_parts_of_a_row() -> None:
    """What has a product of its own for every window acts on axes behind the batch, and the rows stay rows."""
    program = read(shifted_windows())

    assert not any(kind == "PerPart" for kind in kinds(program))
    assert kinds(program).count("matmul") == 2
