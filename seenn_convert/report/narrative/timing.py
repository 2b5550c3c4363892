"""How the times of an evaluation were measured, in words."""

from seenn_convert.artifact.schema.evaluation import Timing
from seenn_convert.choices import Reference
from seenn_convert.report.numbers import number, plural


def timing_words(timing: Timing, reference: Reference = "ann") -> str:
    """Return how the times were measured, to be read after "the time is"."""
    images = plural(timing.images, "image", "images")
    how = f"in batches of {timing.batch_size} with {plural(timing.threads, 'thread', 'threads')}"
    if timing.other_images is None:
        return f"the median of several runs over {images} {how}"
    others = "the ANN and early exit" if reference == "ann" else "early exit"
    return (
        f"measured batch by batch in turn, on {number(timing.other_images)} images for {others} and on "
        f"{images} for all timesteps, {how}"
    )
