"""Depthwise convolutions that read graded values, in words."""

from seenn_convert.artifact.schema.conversion import GradedDepthwise
from seenn_convert.report.numbers import percent


def depthwise_words(found: GradedDepthwise) -> str:
    """Return how many there are and what they multiply at each timestep."""
    layers = "1 depthwise convolution reads" if found.layers == 1 else f"{found.layers} depthwise convolutions read"
    return f"{layers} graded values: {percent(found.share)} of the multiply-accumulates at every timestep"
