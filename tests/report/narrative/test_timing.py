"""How times were measured is said in words; the prose is pinned here."""

from seenn_convert.artifact.schema.evaluation import Timing
from seenn_convert.report.narrative.timing import timing_words


def test_times_of_one_pass() -> None:
    timing = Timing(images=192, batch_size=64, threads=1, other_images=2000)
    assert timing_words(timing) == (
        "measured batch by batch in turn, on 2,000 images for the ANN and early exit and on 192 images for all "
        "timesteps, in batches of 64 with 1 thread"
    )


def test_times_of_older_reports_are_medians() -> None:
    timing = Timing(images=512, batch_size=256, threads=2)
    assert timing_words(timing) == "the median of several runs over 512 images in batches of 256 with 2 threads"
