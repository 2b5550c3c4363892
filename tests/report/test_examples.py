"""Pictures say right or wrong by the names of the classes, and only embedded ones are shown."""

from fake_reports import picture

from seenn_convert.artifact.schema.evaluation import Example
from seenn_convert.report.examples import pictures


def example(label: int | None, prediction: int, image: str = "") -> Example:
    return Example(image=image, label=label, prediction=prediction, exit_step=3, confidence=0.5)


def test_right_wrong_and_unknown() -> None:
    names = ("plane", "car")
    right, wrong, unknown = pictures([example(1, 1), example(0, 7), example(None, 0)], names)
    assert (right.kind, right.answer, right.truth) == ("right", "car", "car")
    assert (wrong.kind, wrong.answer, wrong.truth) == ("wrong", "class 7", "plane")
    assert (unknown.kind, unknown.answer, unknown.truth) == ("unknown", "plane", "")
    assert right.exit == "step 3 · 50\u00a0%"


def test_classes_without_names_are_numbers() -> None:
    assert pictures([example(1, 6)], None)[0].answer == "class 6"


def test_small_pictures_keep_their_pixels_and_foreign_ones_are_not_shown() -> None:
    small, large, foreign = pictures(
        [example(0, 0, picture(32, 0)), example(0, 0, picture(66, 0)), example(0, 0, "https://example.org/a.png")], None
    )
    assert (small.pixelated, large.pixelated, foreign.pixelated) == (True, False, False)
    assert small.image and large.image and not foreign.image
