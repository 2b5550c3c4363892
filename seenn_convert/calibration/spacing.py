"""Some of very many values: enough for a mean, and evenly spaced."""

from collections.abc import Iterable

from torch import Tensor


def evenly_spaced(values: Tensor, axes: Iterable[int], every: float) -> Tensor:
    """Return about one of ``every`` values: slices across the longest of ``axes``, all where that is below two."""
    axis = max(axes, key=lambda one: values.shape[one], default=0)
    step = min(round(every), values.shape[axis])
    return values if step < 2 else values[(slice(None),) * axis + (slice(step // 2, None, step),)]
