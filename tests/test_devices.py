"""A device is a place to run, or one sentence says that it is not."""

import pytest
import torch

from seenn_convert.devices import check_device
from seenn_convert.errors import InputError


@pytest.mark.parametrize("device", ["cpu", torch.device("cpu")])
def test_a_place_to_run(device: torch.device | str) -> None:
    check_device(device)


@pytest.mark.parametrize("device", ["meta", "foo", "xla", "cuda:99", "", 10**30])
def test_no_place_to_run(device: object) -> None:
    with pytest.raises(InputError, match=r"device '.*' cannot be used .*; use cpu or cuda") as caught:
        check_device(device)  # type: ignore[arg-type]
    assert len(str(caught.value).splitlines()) == 1 and len(str(caught.value)) < 300
