"""The cuts that a single value crosses: where they are, what lies in front of them, and where there are none."""

import harness
import pytest
import torch
import toys
from torch import nn

from seenn_convert.analysis.coverage import call_sites
from seenn_convert.analysis.front import cuts, front_names
from seenn_convert.ir.operators import ConstantRow
from seenn_convert.passes.keep_front import KeepFront


def test_a_residual_network_is_cut_before_between_and_behind_its_blocks() -> None:
    """The sum of a block is one value: both activations of the block are in front of it, or with that behind it 3."""
    found = cuts(harness.ann_program(toys.residual()))

    assert [cut.names for cut in found] == [
        (), ("relu",), ("relu", "relu_1"), ("relu", "relu_1", "relu_2")]  # fmt: skip


def two_paths(m: nn.Module, x: torch.Tensor) -> torch.Tensor:
    """Two branches from the image on, which meet in the last layer alone."""
    one, two = m.one(x).relu(), m.two(x).relu()
    return m.head(torch.cat([m.three(one).relu(), m.four(two).relu()], dim=1).flatten(1))


def parallel() -> nn.Module:
    convs = {name: toys.conv() if name in ("one", "two") else nn.Conv2d(4, 4, 1)
             for name in ("one", "two", "three", "four")}  # fmt: skip
    return toys.toy(two_paths, **convs, head=nn.Linear(512, 5))


def test_branches_from_the_image_on_leave_no_cut_but_the_image() -> None:
    found = cuts(harness.ann_program(parallel()))
    assert [cut.activations for cut in found] == [0]


def test_a_constant_row_is_no_path_past_a_value() -> None:
    """Position codes read the size of the batch from the image, and nothing else."""

    def body(m: nn.Module, x: torch.Tensor) -> torch.Tensor:
        features = m.conv(x).relu().mean((2, 3))
        return m.head(m.middle(torch.cat([features, torch.ones(x.shape[0], 2)], 1)).relu())

    ann = harness.ann_program(toys.toy(body, conv=toys.conv(), middle=nn.Linear(6, 5), head=nn.Linear(5, 5)))
    assert any(isinstance(module, ConstantRow) for _, module in ann.calls())
    assert [cut.activations for cut in cuts(ann)] == [0, 1]


@pytest.mark.parametrize("make", [toys.residual, parallel, toys.position_code])
def test_the_share_is_what_then_runs_in_the_stem(make) -> None:
    ann = harness.ann_program(make())
    for cut in cuts(ann):
        kept = KeepFront(cut.activations)(ann)
        stem = sum(site.share for site in call_sites(kept) if site.treatment == "stem")
        assert cut.share == pytest.approx(stem) and cut.names == front_names(kept)
