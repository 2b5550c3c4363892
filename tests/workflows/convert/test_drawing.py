"""Of many images, a conversion uses some: drawn by the seed, each class by its share, and said."""

import small_artifacts as small
import torch

from seenn_convert.calibration.rules import MaxRule
from seenn_convert.cli.console import conversion_text
from seenn_convert.data.draw import Draw
from seenn_convert.report.narrative.exits import calibration_words
from seenn_convert.workflows.convert.drawing import used_images
from seenn_convert.workflows.convert.options import Options, options_from_json
from seenn_convert.workflows.convert.run import convert


def test_each_class_is_drawn_by_its_share() -> None:
    labels = torch.tensor([0] * 40 + [1] * 20)
    data = small.as_dataset(small.draw(60, 1)[0], labels)
    found = used_images(data, Options(calibration_images=12))
    assert torch.bincount(found.labels).tolist() == [8, 4]
    assert used_images(data, Options(calibration_images=12)).indices == found.indices
    assert used_images(data, Options(calibration_images=12, seed=1)).indices != found.indices


def test_few_images_are_all_used_and_so_are_many_where_that_is_asked_for() -> None:
    data = small.dataset(20)
    assert all(used_images(data, Options(calibration_images=count)) is data for count in (0, 20, 1000))


def test_a_conversion_uses_as_many_images_as_the_options_say_and_says_so() -> None:
    options = Options(timesteps=2, rule=MaxRule(), correction="none", calibration_images=30)
    other = small.dataset(50, seed=9)
    artifact = convert(small.source(), small.dataset(), options, exit_data=other)
    facts, origin = artifact.report.conversion.calibration, artifact.provenance
    assert (facts.images, facts.drawn_from) == (30, 96) and facts.fitting_images + facts.held_out_images == 30
    assert (facts.validation.images, facts.validation.drawn_from) == (30, 50)
    assert origin.calibration.drawn == Draw(images=96, seed=0) and origin.validation.drawn == Draw(images=50, seed=0)
    assert (
        "30 of 96 calibration images drawn, each class by its share; --calibration-images N takes N, 0 all"
        in conversion_text(artifact.report)
    )
    assert "30 of 50 exit images drawn" in conversion_text(artifact.report)
    assert "30 of 96 images" in calibration_words(facts)
    assert options_from_json(origin.options).calibration_images == 30


def test_an_artifact_written_before_there_was_a_draw_has_none() -> None:
    assert options_from_json({"timesteps": 4}).calibration_images == Options().calibration_images
