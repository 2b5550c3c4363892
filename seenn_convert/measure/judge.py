"""What a choice of exit steps comes to on the images that judge."""

from torch import Tensor

from seenn_convert.artifact.schema.comparison import Point, PriceFacts
from seenn_convert.exits.readouts import Readouts
from seenn_convert.measure.costs import Counts
from seenn_convert.measure.intervals import points_lost, wilson_interval


class Judge:
    """What the judging data showed: its readouts, counts of operations, and measured times.

    Attributes:
        head_macs: Multiply-accumulates of the policy head, 0 without one.
    """

    def __init__(self, readouts: Readouts, counts: Counts, prices: PriceFacts, head_macs: int) -> None:
        self.readouts, self.counts, self.prices, self.head_macs = readouts, counts, prices, head_macs
        self.ann_right = readouts.ann_answers == readouts.truth

    def point(self, exit_step: Tensor, right: Tensor | None = None, planned: bool = False) -> Point:
        """Return averages over the images, with the costs of the policy head where ``planned``.

        ``right`` ``(N,)`` is given where it is not that of the answer at the exit.
        """
        at = exit_step.unsqueeze(0) - 1
        right = self.readouts.right.gather(0, at).squeeze(0) if right is None else right
        average, share = float(exit_step.double().mean()), float(right.double().mean())
        lost, half = points_lost(self.ann_right, right)
        lost_to_full, half_to_full = points_lost(self.readouts.right[-1], right)
        return Point(
            average_timesteps=average,
            accuracy=share,
            interval95=wilson_interval(int(right.sum()), len(right)),
            points_lost=lost,
            points_lost_interval95=(lost - half, lost + half),
            points_lost_to_full_run=lost_to_full,
            points_lost_to_full_run_interval95=(lost_to_full - half_to_full, lost_to_full + half_to_full),
            synaptic_operations=self.head_macs * planned + float(self.counts.accumulates.gather(0, at).mean()),
            milliseconds=self.milliseconds(average, planned),
        )

    def milliseconds(self, average: float, planned: bool) -> float:
        """Return the computed time of an image at ``average`` timesteps."""
        head = (self.prices.plan or 0.0) if planned else 0.0
        return self.prices.stem + head + average * self.prices.step
