"""The peak of a call is what it held, and not what calls before it held."""

import pytest
import torch

from seenn_convert.measure.peak_memory import peak_megabytes


def test_a_call_is_charged_for_what_it_held() -> None:
    large, small = (peak_megabytes(lambda size=size: torch.ones(size)) for size in (50_000_000, 1_000))  # type: ignore[misc]
    if large is None or small is None:
        pytest.skip("this system does not tell the peak of a process")
    assert 190 <= large <= 230 and small < 20
