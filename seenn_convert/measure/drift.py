"""Whether images leave at other timesteps than the calibration images did: then they are of another kind."""

from collections.abc import Mapping, Sequence
from itertools import pairwise

import torch

from seenn_convert.artifact.schema.evaluation import ExitDrift

UNLIKELY, FAR = 0.001, 0.1
"""Images have drifted where the exits differ by more than chance explains (p-value below the first), and by enough to
matter: more than this share of them left at other timesteps (total variation distance). Of very many images, chance
explains no difference, however small."""

FEWEST = 5.0
"""Expected images in a cell of the table; neighbouring timesteps with fewer are counted together."""


def exit_drift(before: Mapping[int, int] | None, after: Mapping[int, int]) -> ExitDrift | None:
    """Compare the exit steps of new images with those of the held-out calibration images; None without the latter.

    Both map a timestep to the images that left there: ``before`` of the calibration images, ``after`` of the new ones.
    """
    if not before or not sum(before.values()) or not sum(after.values()):
        return None
    steps = sorted({*before, *after})
    table = [[counts.get(t, 0) for t in steps] for counts in (before, after)]
    p_value, distance, bins = homogeneity(*table)
    averages = [sum(t * n for t, n in zip(steps, row, strict=True)) / sum(row) for row in table]
    return ExitDrift(
        p_value=p_value,
        distance=distance,
        bins=bins,
        calibration_average_timesteps=averages[0],
        average_timesteps=averages[1],
        drifted=p_value < UNLIKELY and distance > FAR,
    )


def homogeneity(first: Sequence[int], second: Sequence[int]) -> tuple[float, float, int]:
    """Return p-value, total variation distance and number of bins of the chi-square test that both counts are alike.

    Source: Pearson 1900; the tail is the regularised incomplete gamma function.
    """
    sizes = (sum(first), sum(second))
    enough = FEWEST * sum(sizes) / min(sizes)
    pairs = _merged(list(zip(first, second, strict=True)), enough)
    statistic = sum(
        (pair[i] - sizes[i] * sum(pair) / sum(sizes)) ** 2 / (sizes[i] * sum(pair) / sum(sizes))
        for pair in pairs
        for i in (0, 1)
    )
    distance = sum(abs(a / sizes[0] - b / sizes[1]) for a, b in pairs) / 2
    if len(pairs) < 2:
        return 1.0, distance, len(pairs)
    half = torch.tensor([(len(pairs) - 1) / 2, statistic / 2], dtype=torch.float64)
    return float(torch.special.gammaincc(half[0], half[1])), distance, len(pairs)


def drift_words(drift: ExitDrift, explained: bool = False) -> str:
    """Return what is wrong with drifted images and what to do, unless another warning has ``explained`` both."""
    chance = f"p = {drift.p_value:.1g}" if drift.p_value >= 1e-9 else "p < 1e-9"
    why = "They are of another kind" if not explained else "The accuracy of the ANN itself is the likely reason"
    remedy = "calibrate again with images of this kind: seenn-convert calibrate ARTIFACT --data DATA"
    return (
        f"these images leave after {drift.average_timesteps:.2f} timesteps on average, the held-out calibration "
        f"images after {drift.calibration_average_timesteps:.2f}: {drift.distance:.0%} leave at other timesteps, "
        f"more than chance explains ({chance}). {why}, so the exit target and any certificate may not hold"
        f"{f'; {remedy}' if not explained else ''}"
    )


def _merged(pairs: list[tuple[int, int]], enough: float) -> list[tuple[int, int]]:
    """Return neighbouring bins counted together until each holds ``enough`` of both samples."""
    ends, held = [0], 0
    for position, pair in enumerate(pairs, 1):
        held += sum(pair)
        if held >= enough:
            ends.append(position)
            held = 0
    ends = [*ends[:-1], len(pairs)] if len(ends) > 1 else [0, len(pairs)]
    return [(sum(a for a, _ in pairs[i:j]), sum(b for _, b in pairs[i:j])) for i, j in pairwise(ends)]
