"""Statistics do not depend on how the data was cut, and a range that grew equals one that was there from the start."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from seenn_convert.calibration.statistics import BINS, ActivationStatistics

CHANNELS = 3
numbers = st.floats(-1e6, 1e6, width=32, allow_subnormal=False)
rows = st.lists(st.tuples(*[numbers] * CHANNELS), min_size=1, max_size=24)


def seen(*batches: Tensor) -> ActivationStatistics:
    """Return the statistics of batches ``(B, C)``."""
    statistics = ActivationStatistics.empty(batches[0].shape[1])
    for batch in batches:
        statistics.update(batch)
    return statistics


def equal(a: ActivationStatistics, b: ActivationStatistics) -> bool:
    """Return whether all that was seen is the same, to the bit."""
    return all(torch.equal(getattr(a, name), getattr(b, name)) for name in ("counts", "exponents", "totals", "maxima"))


@settings(deadline=None)
@given(rows=rows, data=st.data())
def test_any_split_any_order_and_any_merge_give_the_same_counts(rows: list, data: st.DataObject) -> None:
    values = torch.tensor(rows)
    whole = seen(values)
    order = torch.tensor(data.draw(st.permutations(range(len(rows)))))
    cut = data.draw(st.integers(0, len(rows)))
    first, second = values[order][:cut], values[order][cut:]
    parts = [part for part in (first, second) if len(part)]

    assert equal(whole, seen(*parts))
    assert equal(whole, seen(*values[order].split(1)))
    merged = seen(*parts[:1])
    for part in parts[1:]:
        merged.merge(seen(part))
    assert equal(whole, merged)
    merged = seen(*parts[-1:])
    for part in parts[:-1]:
        merged.merge(seen(part))
    assert equal(whole, merged)


@settings(deadline=None)
@given(rows=rows)
def test_a_range_that_grew_holds_the_histogram_of_the_final_range(rows: list) -> None:
    """Bin i of a range [0, 2**e) counts the values in [i, i+1) * 2**e / BINS."""
    values = torch.tensor(rows)
    statistics = seen(*values.split(1))
    for channel in range(CHANNELS):
        positive = values[:, channel][values[:, channel] > 0].double()
        width = 2.0 ** float(statistics.exponents[channel]) / BINS
        expected = torch.bincount((positive / width).floor().long(), minlength=BINS)
        assert torch.equal(statistics.counts[channel], expected)
        assert statistics.totals[channel] == len(rows)
        assert statistics.maxima[channel] == max(0.0, float(values[:, channel].max()))
        if len(positive):
            least = 2.0**-112  # where the range of an empty histogram starts
            assert positive.max() < 2.0 ** float(statistics.exponents[channel]) <= max(2 * positive.max(), least)


def test_a_merge_leaves_the_other_as_it_was() -> None:
    mine, other = seen(torch.tensor([[100.0]])), seen(torch.tensor([[1.0]]))
    mine.merge(other)
    assert equal(other, seen(torch.tensor([[1.0]])))
    assert equal(mine, seen(torch.tensor([[1.0], [100.0]])))
    twice = seen(torch.tensor([[3.0]]))
    twice.merge(twice)
    assert equal(twice, seen(torch.tensor([[3.0], [3.0]])))


def test_pooling_takes_all_channels_as_one() -> None:
    values = torch.randn(50, 4, generator=torch.Generator().manual_seed(0)) * torch.tensor([0.01, 1.0, 30.0, 0.0])
    assert equal(seen(values).pooled(), seen(values.reshape(-1, 1)))
    assert seen(values).channels == 4


def test_maps_count_every_position() -> None:
    maps = torch.rand(2, 3, 4, 5)
    assert equal(seen(maps), seen(maps.transpose(0, 1).reshape(3, -1).t()))
    assert seen(maps).totals.tolist() == [40, 40, 40]


def test_the_smallest_numbers_are_put_into_their_bins() -> None:
    """Scaling to bins must not overflow single precision."""
    values = torch.tensor([[1e-33], [1e-36], [1e-37], [4e-38]])
    for part in (values, values[2:]):
        statistics = seen(part)
        width = 2.0 ** float(statistics.exponents) / BINS
        expected = torch.bincount((part.flatten().double() / width).floor().long(), minlength=BINS)
        assert torch.equal(statistics.counts[0], expected)


def test_centres_are_the_middles_of_the_bins() -> None:
    statistics = seen(torch.tensor([[0.9], [0.4]]))
    assert float(statistics.exponents) == 0
    assert statistics.centres()[0, :2].tolist() == [0.5 / BINS, 1.5 / BINS]
