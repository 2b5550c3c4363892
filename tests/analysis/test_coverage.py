"""Every call site is listed with its treatment and its share of the work."""


import pytest
import small_artifacts as small
from torch import nn

from seenn_convert.analysis.coverage import call_sites, macs_of, spiking_share
from seenn_convert.artifact.files import json_text
from seenn_convert.ir.operators import AtenOperator, PerPart


def test_every_call_is_listed() -> None:
    sites = {site.name: site for site in call_sites(small.ann_program())}
    assert {name: site.treatment for name, site in sites.items()} == {
        "conv1": "stem", "pool": "stem", "relu": "spiking", "conv2": "linear", "relu_1": "spiking", "add": "linear",
        "pool_1": "temporal-difference", "flatten": "linear", "head": "linear",
    }  # fmt: skip
    assert {name: site.macs for name, site in sites.items() if site.macs} == {
        "conv1": 5 * 64 * 9, "conv2": 5 * 16 * 45, "head": 20 * 3
    }  # fmt: skip
    assert sum(site.share for site in sites.values()) == pytest.approx(1)
    assert {name: site.driven_by for name, site in sites.items() if site.driven_by} == {
        "conv1": "image", "conv2": "spikes", "head": "graded"
    }  # fmt: skip
    assert spiking_share(list(sites.values())) == pytest.approx(3600 / (2880 + 3600 + 60))
    assert sites["pool_1"].operator == "MaxPool2d"
    json_text(list(sites.values()))


@pytest.mark.parametrize(("module", "output", "macs"), [
    (nn.Conv2d(8, 6, (3, 5), groups=2), (6, 7, 9), 6 * 7 * 9 * 4 * 15),
    (nn.Conv1d(4, 4, 3, groups=4), (4, 10), 4 * 10 * 3),
    (nn.Linear(12, 5), (5,), 60),
    (nn.Linear(12, 5), (7, 5), 7 * 60),
    (nn.AvgPool2d(2), (3, 4, 4), 0),
    (nn.Conv3d(2, 3, 2), (3, 4, 4, 4), 3 * 64 * 2 * 8),
])  # fmt: skip
def test_multiply_accumulates_by_hand(module: nn.Module, output: tuple[int, ...], macs: int) -> None:
    assert macs_of(module, output) == macs


@pytest.mark.parametrize(("module", "output", "inputs", "macs"), [
    (nn.ConvTranspose2d(4, 6, 3, 2, groups=2), (6, 11, 11), [(4, 5, 5)], 4 * 25 * 3 * 9),
    (PerPart(nn.Linear(8, 3)), (5, 7, 3), [(5, 7, 8)], 5 * 7 * 24),
    (AtenOperator("matmul.default", ("@0", "@1")), (2, 5, 7), [(2, 5, 3), (2, 3, 7)], 2 * 5 * 7 * 3),
    (AtenOperator("einsum.default", ("bij,bjk->bik", ("@0", "@1"))), (5, 7), [(5, 3), (3, 7)], 5 * 7 * 3),
    (AtenOperator("scaled_dot_product_attention.default", ("@0", "@1", "@2")), (2, 5, 8),
     [(2, 5, 4), (2, 6, 4), (2, 6, 8)], 2 * 5 * 6 * (4 + 8)),
    (AtenOperator("mul.Tensor", ("@0", "@1")), (4,), [(4,), (4,)], 0),
])  # fmt: skip
def test_multiply_accumulates_that_depend_on_the_inputs(
    module: nn.Module, output: tuple[int, ...], inputs: list[tuple[int, ...]], macs: int
) -> None:
    assert macs_of(module, output, *inputs) == macs
