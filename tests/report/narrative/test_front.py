"""The sentences about the analog front."""

from dataclasses import replace

from seenn_convert.artifact.schema.front import FrontFacts, FrontTrial
from seenn_convert.report.narrative.front import front_words, spiking_words

TRIED = tuple(
    FrontTrial(activations=count, share=share, drop_at=(9.0, 1.0 - share), distance_at=(0.9, 0.3), average_timesteps=1.5,
               expected_drop=0.5, reached=True, nanojoule_per_image=7.0)
    for count, share in ((0, 0.02), (2, 0.1))
)  # fmt: skip
FRONT = FrontFacts(asked="auto", budget=0.125, names=("relu", "relu_1"), share=0.1, tried=TRIED, images=24)


def test_a_front_says_what_it_holds_and_how_it_was_found() -> None:
    found = front_words(FRONT).replace("\u00a0", " ")
    assert found == ("2 activations; 10.0 % of the multiply-accumulates run once per image, none of them driven by spikes "
                     "(1 front was tried on 24 images with --front-budget 0.125)")  # fmt: skip


def test_no_front_says_why() -> None:
    assert front_words(FrontFacts()) == "none"
    assert front_words(FrontFacts(asked="auto", off="the reason")) == "none; the reason"
    assert "none saves enough" in front_words(replace(FRONT, names=()))


def test_a_spiking_share_says_what_the_front_holds() -> None:
    assert "front" not in spiking_words(0.98, replace(FRONT, names=()))
    assert spiking_words(0.9, FRONT).replace("\u00a0", " ").endswith("holds 10.0 %")
