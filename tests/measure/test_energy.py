"""Energy is operations times published energies."""

import pytest

from seenn_convert.measure.energy import ASSUMPTIONS, nanojoule


def test_energy_by_hand() -> None:
    """1,000 multiply-accumulates of 4.6 pJ and 500 accumulates of 0.9 pJ are 5,050 pJ."""
    assert nanojoule(1000, 500) == pytest.approx(5.05)
    assert nanojoule(1000) == pytest.approx(4.6)
    assert nanojoule(0, 1000) == pytest.approx(0.9)


def test_the_numbers_are_said() -> None:
    assert any("4.6 pJ" in text and "0.9 pJ" in text for text in ASSUMPTIONS)
    assert any("multi-level spike" in text and "one accumulate of a shifted weight" in text for text in ASSUMPTIONS)
