"""The ANN's accuracy on two sets of images differs where chance does not explain it, and by enough to matter."""

import math

import pytest

from seenn_convert.artifact.schema.shared import AnnRight, Caution
from seenn_convert.measure.ann_gap import FAR, UNLIKELY, conversion_gap, differ, evaluation_gap


def right(share: float, images: int, of: str = "calibration") -> AnnRight:
    return AnnRight(of=of, images=images, right=round(share * images))  # type: ignore[arg-type]


@pytest.mark.parametrize(("first", "second", "expected"), [
    (right(0.948, 1200), right(0.623, 1800), True),
    (right(0.948, 20), right(0.8, 20), False),  # a few images say little
    (right(0.990, 100_000), right(0.980, 100_000), False),  # significant, and too little to matter
    (right(0.948, 1200), 0.623, True), (right(0.93, 1000), 0.92, False), (right(0.62, 1000), 0.93, True),
    (right(1.0, 1000), 1.0, False), (right(1.0, 10), 0.9, False), (right(0.5, 1000), 1.0, True),
])  # fmt: skip
def test_differ(first: AnnRight, second: AnnRight | float, expected: bool) -> None:
    assert differ(first, second) is expected


def test_the_level_is_that_of_the_normal_approximation() -> None:
    """Just above and just below the two-sided critical value of the pooled test of two proportions."""
    critical = 3.8906  # of 1e-4
    assert math.erfc(critical / math.sqrt(2)) == pytest.approx(UNLIKELY, rel=1e-3)
    images = 1000
    deviation = math.sqrt(0.25 * 2 / images)  # pooled share of one half
    half = critical * deviation / 2 * images
    for more, expected in ((math.ceil(half + 1), True), (math.floor(half - 1), False)):
        first, second = (AnnRight(of="new", images=images, right=500 + sign * more) for sign in (1, -1))
        assert differ(first, second) is expected and first.share - second.share > FAR


def codes(*given: AnnRight | float | None) -> list[str]:
    return [one.code for one in conversion_gap(*given)]  # type: ignore[arg-type]


def test_what_a_conversion_says() -> None:
    memorised, validation = right(0.948, 1200), right(0.62, 1200, "validation")
    assert codes(memorised, None, None) == codes(None, None, 0.5) == codes(memorised, None, 0.95) == []
    assert codes(memorised, validation, None) == codes(memorised, None, 0.62) == ["calibration_memorised"]
    assert codes(right(0.62, 1200), None, 0.93) == ["ann_below_expected"]
    assert codes(memorised, validation, 0.9) == ["calibration_memorised", "ann_below_expected"]
    assert codes(None, validation, None) == []


def test_images_on_which_the_ann_is_nearly_always_right_may_have_been_memorised() -> None:
    assert codes(right(0.998, 1000), None, None) == ["ann_nearly_always_right"]
    assert codes(right(0.998, 1000), None, 0.997) == codes(right(1, 20), None, None) == []
    assert codes(right(0.998, 1000), right(0.996, 1000, "validation"), None) == []


def test_a_certificate_says_what_it_assumes_unless_more_is_known() -> None:
    """Images that the ANN was trained on are not exchangeable with new ones, and nothing shows that they are such."""
    seen = AnnRight(of="calibration", images=400, right=300)
    assert codes(seen, None, None, True) == codes(None, None, None, True) == ["certificate_assumes_unseen"]
    assert codes(seen, None, 0.75, True) == codes(seen, AnnRight(of="validation", images=400, right=300), None, True) == []


def test_what_an_evaluation_says() -> None:
    before = right(0.948, 1200)
    assert evaluation_gap(None, right(0.6, 100, "new"), 3) is None
    assert evaluation_gap(before, right(0.94, 1000, "new"), 3) is None
    gap = evaluation_gap(before, right(0.62, 1800, "new"), 3)
    assert gap is not None and "62.0% of these images and on 94.8% of the calibration images" in gap.text
    assert "seen the calibration images in training" in gap.text
    better = evaluation_gap(right(0.62, 1200), right(0.948, 1800, "new"), 3)
    assert better is not None and "--class-names" in better.text


@pytest.mark.parametrize(
    ("share", "classes", "others", "memorised"),
    [
        (0.0, 3, (), False),
        (0.36, 3, (), False),
        (0.53, 2, (), False),
        (0.62, 3, (), True),
        (0.36, 10, (), True),
        (0.62, 3, ("class_order",), False),
        (0.62, 3, ("preprocessing",), False),
        (0.62, 3, ("exit_drift",), True),
    ],
)
def test_guesses_and_mixed_up_classes_are_not_put_down_to_training(
    share: float, classes: int, others: tuple[str, ...], memorised: bool
) -> None:
    """Calibrating again would not mend them: first of all the order of the classes has to be right."""
    told = [Caution(code, "") for code in others]  # type: ignore[arg-type]
    gap = evaluation_gap(right(0.948, 1200), right(share, 1800, "new"), classes, told)

    assert gap is not None
    assert ("in training" in gap.text) is ("calibrate again" in gap.text) is memorised
    assert ("check the order of the classes (--class-names), the labels and the pre" in gap.text) is not memorised
