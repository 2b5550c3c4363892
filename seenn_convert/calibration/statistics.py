"""Streaming statistics of an activation: exact to merge, the same for any batch size and order.

A histogram a channel, whose range is a power of two that doubles when a larger value comes: two neighbouring bins
become one, so the counts are those that the final range would have given from the start.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from seenn_convert.rows import in_memory_order

BINS = 2048
_LEAST_EXPONENT = -112
"""Where an empty range starts: ``BINS / 2**exponent`` must stay finite in single precision."""


@dataclass
class ActivationStatistics:
    """What was seen of one activation's input, channel by channel.

    Attributes:
        counts: ``(C, BINS)`` int64, positive values by bin.
        exponents: ``(C,)`` int64; the bins of a channel span ``[0, 2**exponent)``.
        totals: ``(C,)`` int64, all values, positive or not.
        maxima: ``(C,)``, the largest value, 0 where none was positive.
    """

    counts: Tensor
    exponents: Tensor
    totals: Tensor
    maxima: Tensor

    @classmethod
    def empty(cls, channels: int) -> "ActivationStatistics":
        """Return the statistics of nothing."""
        return cls(
            counts=torch.zeros(channels, BINS, dtype=torch.int64),
            exponents=torch.full((channels,), _LEAST_EXPONENT, dtype=torch.int64),
            totals=torch.zeros(channels, dtype=torch.int64),
            maxima=torch.zeros(channels),
        )

    @property
    def channels(self) -> int:
        """Number of channels C."""
        return self.counts.shape[0]

    def update(self, values: Tensor) -> None:
        """Add a batch of pre-activations ``(B, C, *)``."""
        values = values.detach().float().cpu()
        row = (-1, *[1] * (values.dim() - 2))
        maxima = values.amax(dim=(0, *range(2, values.dim()))).clamp(min=0)
        self._widen(_exponent(maxima))
        self.maxima = torch.maximum(self.maxima, maxima)
        self.totals += values.numel() // self.channels
        scaled = values * torch.ldexp(torch.full((self.channels,), float(BINS)), -self.exponents).reshape(row)
        bins = scaled.clamp_(-1, BINS - 1).add_(1).mul_(values > 0).to(torch.int32)  # bin 0: not positive
        bins += (torch.arange(self.channels, dtype=torch.int32) * (BINS + 1)).reshape(row)
        counts = torch.bincount(in_memory_order(bins).flatten(), minlength=self.channels * (BINS + 1))
        self.counts += counts.reshape(self.channels, BINS + 1)[:, 1:]

    def merge(self, other: "ActivationStatistics") -> None:
        """Add what ``other`` has seen, exactly."""
        copy = ActivationStatistics(other.counts.clone(), other.exponents.clone(), other.totals, other.maxima)
        self._widen(copy.exponents)
        copy._widen(self.exponents)
        self.counts += copy.counts
        self.totals += copy.totals
        self.maxima = torch.maximum(self.maxima, copy.maxima)

    def pooled(self) -> "ActivationStatistics":
        """Return the statistics of all channels taken together, as one channel."""
        copy = ActivationStatistics(self.counts.clone(), self.exponents.clone(), self.totals, self.maxima)
        copy._widen(self.exponents.max().expand(self.channels))
        return ActivationStatistics(
            copy.counts.sum(dim=0, keepdim=True),
            self.exponents.max().reshape(1),
            self.totals.sum().reshape(1),
            self.maxima.max().reshape(1),
        )

    def centres(self) -> Tensor:
        """Return the middle of each bin, ``(C, BINS)``."""
        width = torch.ldexp(torch.full((self.channels, 1), 1.0 / BINS), self.exponents.unsqueeze(1))
        return (torch.arange(BINS) + 0.5) * width

    def share_above(self, limits: Tensor) -> float:
        """Return the share of all values in bins that lie above ``limits``, ``(C,)`` or ``(1,)``."""
        limits = limits.float().cpu().expand(self.channels)
        last = torch.floor(limits * torch.ldexp(torch.full((self.channels,), float(BINS)), -self.exponents)).long()
        some = (limits < self.maxima).nonzero().flatten().tolist()
        above = sum(int(self.counts[channel, last[channel] + 1 :].sum()) for channel in some)  # copies nothing
        return above / float(self.totals.sum())

    def _widen(self, exponents: Tensor) -> None:
        """Merge neighbouring bins until the range of each channel reaches ``exponents``."""
        shift = (exponents - self.exponents).clamp(min=0)
        self.exponents = self.exponents + shift
        wider = (shift > 0).nonzero().flatten()
        if len(wider) == 0:
            return
        counts, shift = self.counts[wider], shift[wider].clamp(max=BINS.bit_length())
        while bool((shift > 0).any()):
            merged = torch.zeros_like(counts)
            merged[:, : BINS // 2] = counts.reshape(-1, BINS // 2, 2).sum(dim=2)
            counts = torch.where((shift > 0).unsqueeze(1), merged, counts)
            shift = (shift - 1).clamp(min=0)
        self.counts[wider] = counts


def _exponent(maxima: Tensor) -> Tensor:
    """Return the smallest ``e`` with ``2**e > maximum``, channel by channel."""
    _, exponents = torch.frexp(maxima)
    return torch.where(maxima > 0, exponents.long(), _LEAST_EXPONENT).clamp(min=_LEAST_EXPONENT)
