"""What depthwise convolutions multiply is said in one sentence, on the console and on the page."""

from seenn_convert.artifact.schema.conversion import GradedDepthwise
from seenn_convert.report.narrative.depthwise import depthwise_words
from seenn_convert.report.numbers import plain


def test_one_or_several() -> None:
    several = plain(depthwise_words(GradedDepthwise(layers=14, share=0.073)))
    assert several == "14 depthwise convolutions read graded values: 7.3% of the multiply-accumulates at every timestep"
    assert depthwise_words(GradedDepthwise(layers=1, share=0.5)).startswith("1 depthwise convolution reads graded")
