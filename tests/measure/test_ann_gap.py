"""The ANN's accuracy on two sets of images differs where chance does not explain it, and by enough to matter."""

import math

import pytest

from seenn_convert.artifact.schema.conversion import CalibrationFacts, ValidationFacts
from seenn_convert.artifact.schema.shared import AnnConfidence, AnnRight, Caution
from seenn_convert.measure.ann_gap import (
    FAR,
    UNLIKELY,
    Answers,
    Gap,
    conversion_gap,
    conversion_notes,
    differ,
    evaluation_gap,
)


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


def facts(
    calibration: AnnRight | None,
    exits: AnnRight | None = None,
    sure: AnnConfidence | None = None,
    exits_sure: AnnConfidence | None = None,
) -> CalibrationFacts:
    """Return what a conversion knows of the ANN; exit images are there if anything is known of them."""
    given = exits is not None or exits_sure is not None
    other = ValidationFacts(
        name="exits", images=600, fitting_images=360, held_out_images=240, ann_right=exits, ann_confidence=exits_sure
    )
    return CalibrationFacts(
        name="own", images=1200, labelled=True, fitting_images=720, held_out_images=480, ann_right=calibration,
        ann_confidence=sure, validation=other if given else None,
    )  # fmt: skip


def confident(
    average: float, overconfidence: float | None, images: int = 1000, deviation: float = 0.1
) -> AnnConfidence:
    return AnnConfidence(images=images, average=average, deviation=deviation, overconfidence=overconfidence)


def codes(calibration: AnnRight | None, exits: AnnRight | None = None, said: float | None = None) -> list[str]:
    return [one.code for one in conversion_gap(facts(calibration, exits), said, 3)]


def noted(data: CalibrationFacts, said: float | None = None, certified: bool = False) -> list[str]:
    return [one.code for one in conversion_notes(data, said, certified, 3)]


def test_what_a_conversion_warns_of() -> None:
    memorised, validation = right(0.948, 1200), right(0.62, 1200, "validation")
    assert codes(memorised) == codes(None, None, 0.5) == codes(memorised, None, 0.95) == []
    assert codes(memorised, None, 0.62) == ["calibration_memorised"]
    assert (
        codes(right(0.62, 1200), None, 0.93)
        == codes(right(0.62, 600), right(0.93, 600, "validation"))
        == ["ann_below_expected"]
    )
    assert codes(memorised, validation, 0.9) == ["ann_below_expected"]
    assert codes(None, validation) == codes(memorised, validation) == []


def test_memorised_calibration_images_are_no_reason_to_warn_if_the_exits_come_from_others() -> None:
    """The note says how much the accuracies differ, with the interval of the difference of two shares."""
    (note,) = conversion_notes(facts(right(0.95, 1000), right(0.85, 1000, "validation")), None, True, 3)
    assert note.code == "calibration_memorised"
    half = 196 * math.sqrt(0.95 * 0.05 / 1000 + 0.85 * 0.15 / 1000)
    assert f"a difference of 10.0 points (95% CI {10 - half:.1f} to {10 + half:.1f})" in note.text


def test_whether_answers_are_sure_otherwise_is_a_test_of_means() -> None:
    """Two means of 1,000 with deviation 0.1 each: 2 points are 4.5 of their standard errors, 1 point is too near."""
    here, unknown = Answers(sure=confident(0.9, None)), Answers()
    assert here.otherwise_sure(Answers(sure=confident(0.93, None))) and Answers(
        sure=confident(0.87, None)
    ).otherwise_sure(here)
    assert not here.otherwise_sure(Answers(sure=confident(0.91, None)))
    assert not here.otherwise_sure(unknown) and not unknown.otherwise_sure(here)


def test_where_the_ann_guesses_nothing_is_said_of_new_images() -> None:
    assert noted(facts(right(0.35, 1000))) == []
    assert noted(facts(right(0.85, 1000))) == ["exits_assume_unseen"]


def test_without_labels_the_confidence_shows_that_calibration_images_were_memorised() -> None:
    known = facts(None, None, confident(0.97, None), confident(0.85, None))
    assert noted(known) == ["calibration_memorised"]
    (note,) = conversion_notes(known, None, False, 3)
    assert "97.0% sure of the calibration images and 85.0% sure of the exit images" in note.text
    assert noted(facts(None, None, confident(0.97, None), confident(0.965, None))) == []


def test_exits_rest_on_images_that_were_not_trained_on_and_this_is_said_once_unless_it_is_known() -> None:
    """Images that the ANN was trained on are not exchangeable with new ones, and nothing shows that they are such."""
    seen, matched, too_sure = right(0.95, 1000), confident(0.952, 0.2), confident(0.94, 6.9)
    assert (
        noted(facts(seen, None, matched)) == noted(facts(None, None, confident(0.9, None))) == ["exits_assume_unseen"]
    )
    assert noted(facts(seen, None, matched), certified=True) == ["certificate_assumes_unseen"]
    assert noted(facts(seen, None, matched), said=0.95) == []  # as accurate on new images
    assert noted(facts(right(0.87, 1000), None, too_sure)) == []  # too sure of them: they are new to it
    (note,) = conversion_notes(facts(seen, None, matched), None, False, 3)
    assert "95.2% sure of them and right on 95.0%" in note.text
    assert "calibrate exits and certificates on images that it was not trained on (--exit-data)" in note.text


def test_exit_images_on_which_the_ann_is_as_right_as_on_the_others_are_not_known_to_be_new() -> None:
    same = right(0.95, 1000), right(0.948, 1000, "validation")
    assert noted(facts(*same, confident(0.95, 0.1), confident(0.95, 0.3))) == ["exits_assume_unseen"]
    assert noted(facts(*same, confident(0.95, 0.1), confident(0.97, 5.0))) == []
    assert noted(facts(None, None, confident(0.95, None), confident(0.95, None))) == []  # taken at the user's word


def test_exit_images_on_which_the_ann_only_guesses_do_not_show_that_it_memorised_others() -> None:
    for share in (0.0, 0.36):
        assert codes(right(0.948, 1200), right(share, 600, "validation")) == ["ann_gap"]
        assert noted(facts(right(0.948, 1200), right(share, 600, "validation"))) == []


def test_images_on_which_the_ann_is_nearly_always_right_may_have_been_memorised() -> None:
    assert codes(right(0.998, 1000)) == ["ann_nearly_always_right"]
    assert noted(facts(right(0.998, 1000))) == []  # once
    assert codes(right(0.998, 1000), None, 0.997) == codes(right(1, 20)) == []
    assert codes(right(0.998, 1000), right(0.996, 1000, "validation")) == []


def gap_to(
    before: AnnRight | None, here: AnnRight, classes: int = 3, sure: AnnConfidence | None = None, are_new: bool = False
) -> Gap | None:
    return evaluation_gap(Answers(before, sure, are_new), Answers(here, confident(0.8, None)), classes)


def test_what_an_evaluation_says() -> None:
    before = right(0.948, 1200)
    assert gap_to(None, right(0.6, 100, "new")) is gap_to(before, right(0.94, 1000, "new")) is None
    gap = gap_to(before, right(0.62, 1800, "new"))
    assert gap is not None and gap.reason == "memorised"
    assert "62.0% of these images and on 94.8% of the calibration images" in gap.caution.text
    assert "seen the calibration images in training" in gap.caution.text
    better = gap_to(right(0.62, 1200), right(0.948, 1800, "new"))
    assert better is not None and better.reason == "other_kind" and "--class-names" in better.caution.text


def test_images_that_were_new_to_the_ann_were_not_memorised() -> None:
    """Exit images are new by the user's word, calibration images where the ANN is too sure of them."""
    new = right(0.62, 1800, "new")
    for gap in (
        gap_to(right(0.948, 1200, "validation"), new, are_new=True),
        gap_to(None, new, 3, confident(0.95, None), are_new=True),
        gap_to(right(0.9, 1200), new, 3, confident(0.95, 6.0)),
    ):
        assert gap is not None and gap.reason == "other_kind" and "in training" not in gap.caution.text


def test_without_labels_where_exits_were_fitted_an_evaluation_compares_the_confidence() -> None:
    gap = gap_to(None, right(0.6, 1000, "new"), 3, confident(0.95, None))
    assert gap is not None and gap.reason == "memorised" and "80.0% sure" in gap.caution.text


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
    gap = evaluation_gap(Answers(right(0.948, 1200)), Answers(right(share, 1800, "new")), classes, told)

    assert gap is not None and gap.reason == ("memorised" if memorised else "mixed_up")
    text = gap.caution.text
    assert ("in training" in text) is ("--exit-data NEW" in text) is memorised
    assert ("check the order of the classes (--class-names), the labels and the pre" in text) is not memorised
