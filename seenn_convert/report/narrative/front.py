"""The analog front in words: what it holds, or why there is none."""

from seenn_convert.artifact.schema.front import FrontFacts
from seenn_convert.report.numbers import percent, plural


def front_words(front: FrontFacts) -> str:
    """Return what the analog front holds, to be read after its name; how it was chosen if it was searched for."""
    if not front.names:
        if front.off:
            return f"none; {front.off}"
        return f"none; {_tried(front)}, and none saves enough" if front.tried else "none"
    held = plural(len(front.names), "activation", "activations")
    once = f"{percent(front.share)} of the multiply-accumulates run once per image, none of them driven by spikes"
    return f"{held}; {once}" + (f" ({_tried(front)})" if front.tried else "")


def spiking_words(share: float, front: FrontFacts) -> str:
    """Return how much spikes drive, and beside it what the front holds."""
    driven = f"{percent(share)} of the multiply-accumulates"
    if not front.names:
        return driven
    return f"{driven}; the analog front with the layers up to the first neurons holds {percent(front.share)}"


def _tried(front: FrontFacts) -> str:
    fronts = plural(sum(one.activations > 0 for one in front.tried), "front was", "fronts were")
    return f"{fronts} tried on {front.images} images with --front-budget {front.budget:g}"
