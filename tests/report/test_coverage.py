"""Every call site is listed with its treatment and its share of the work."""

import json

import pytest
import small_artifacts as small
from torch import nn

from seenn_convert.report.coverage import call_sites, macs_of, spiking_share


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
    assert spiking_share(list(sites.values())) == pytest.approx((3600 + 60) / (2880 + 3600 + 60))
    assert sites["pool_1"].operator == "MaxPool2d"
    json.dumps([site.to_json() for site in sites.values()], allow_nan=False)


@pytest.mark.parametrize(("module", "output", "macs"), [
    (nn.Conv2d(8, 6, (3, 5), groups=2), (6, 7, 9), 6 * 7 * 9 * 4 * 15),
    (nn.Conv1d(4, 4, 3, groups=4), (4, 10), 4 * 10 * 3),
    (nn.Linear(12, 5), (5,), 60),
    (nn.Linear(12, 5), (7, 5), 7 * 60),
    (nn.AvgPool2d(2), (3, 4, 4), 0),
])  # fmt: skip
def test_multiply_accumulates_by_hand(module: nn.Module, output: tuple[int, ...], macs: int) -> None:
    assert macs_of(module, output) == macs
