"""Whether the ANN is right on clearly more of some images than of others: it has seen them, or something is wrong."""

import math
from collections.abc import Iterable, Iterator

from seenn_convert.artifact.schema.shared import AnnRight, Caution
from seenn_convert.measure.chance import near_chance

UNLIKELY, FAR = 1e-4, 0.02
"""Accuracies differ where chance explains that with less than this probability, and by more than this share."""

NEARLY_ALL, ENOUGH = 0.995, 100
"""Share right from which the ANN may well have been trained on the images, and the fewest images that tell."""

MIXED_UP = {"class_order", "preprocessing", "one_answer"}
"""Codes of warnings that say why the ANN is wrong on images, whichever it was trained on."""

MENDED = (
    "check the order of the classes (--class-names), the labels and the preprocessing (--mean, --std and --resize of "
    "convert)"
)


def differ(first: AnnRight, second: AnnRight | float) -> bool:
    """Return whether the ANN is right on clearly more or fewer of some images than of others, or than is said.

    The two-sided test of two proportions, or of one against an accuracy that is said, by the normal approximation.
    """
    if isinstance(second, AnnRight):
        share, per_image = second.share, 1 / first.images + 1 / second.images
        pooled = (first.right + second.right) / (first.images + second.images)
    else:
        share, per_image, pooled = second, 1 / first.images, second
    distance = abs(first.share - share)
    deviation = math.sqrt(max(pooled * (1 - pooled), 1 / (4 * first.images)) * per_image)
    return distance > FAR and math.erfc(distance / deviation / math.sqrt(2)) < UNLIKELY


def conversion_gap(
    calibration: AnnRight | None, validation: AnnRight | None, said: float | None, certified: bool = False
) -> Iterator[Caution]:
    """Return an iterator over warnings about what is known of the ANN and the calibration images do not show.

    Args:
        calibration: How often it is right there; None without labels.
        validation: The same of the validation images; None without such images.
        said: Its accuracy on new images, as the user says it.
        certified: Whether something was certified by these images.
    """
    if calibration is not None and validation is not None and differ(calibration, validation):
        yield _gap(calibration, validation.share, f"on {validation.share:.1%} of the validation images", True)
    counted = validation or calibration
    if counted is not None and said is not None and differ(counted, said):
        yield _gap(counted, said, f"is said to be right on {said:.1%} of new ones", False)
    nothing_known = validation is None and said is None
    if calibration is not None and nothing_known and calibration.images >= ENOUGH and calibration.share >= NEARLY_ALL:
        yield Caution(
            "ann_nearly_always_right",
            f"the ANN is right on {calibration.share:.1%} of the calibration images: if it was trained on them, "
            "confidence, expected loss and certificate say nothing about new images; say how accurate it is on those "
            "(--ann-accuracy), or give labelled images that it was not trained on (--validation-data)",
        )
    elif nothing_known and certified:
        yield Caution(
            "certificate_assumes_unseen",
            "the certificate holds for images like the calibration images; if the ANN was trained on those, it says "
            "nothing about new ones: give labelled images that it was not trained on (--validation-data), or say how "
            "accurate it is on new ones (--ann-accuracy)",
        )


def evaluation_gap(
    before: AnnRight | None, here: AnnRight, classes: int, others: Iterable[Caution] = ()
) -> Caution | None:
    """Return a warning if the ANN is right on clearly more or fewer images ``here`` than where exits were chosen.

    Args:
        before: How often it is right on the images to which the exits were fitted; None if that is not known.
        here: The same of other images.
        classes: Number of outputs.
        others: The other warnings about these images.
    """
    if before is None or not differ(before, here):
        return None
    facts = (
        f"the ANN itself is right on {here.share:.1%} of these images and on {before.share:.1%} of the {before.of} "
        "images, which chance does not explain"
    )
    codes = {one.code for one in others}
    if here.share > before.share and before.of == "validation" and "calibration_images" in codes:
        return Caution("ann_gap", f"{facts}: it has probably seen these in training")
    if here.share > before.share:
        return Caution("ann_gap", f"{facts}: those are harder, or labelled or preprocessed in another way; {MENDED}")
    if near_chance(here.share, 1 / classes) or codes & MIXED_UP:
        return Caution("ann_gap", f"{facts}: these are probably labelled or preprocessed in another way; {MENDED}")
    return Caution(
        "ann_gap",
        f"{facts}: it has probably seen the {before.of} images in training, or these are of another kind. Confidence, "
        "exit target and certificate hold for images like those, not for these; calibrate again with labelled images "
        "of this kind that it was not trained on: seenn-convert calibrate ARTIFACT --data DATA --validation-data NEW",
    )


def _gap(counted: AnnRight, other: float, words: str, fitted: bool) -> Caution:
    facts = f"the ANN is right on {counted.share:.1%} of the {counted.of} images and {words}"
    if counted.share < other:
        return Caution("ann_below_expected", f"{facts}; {MENDED}")
    seen = f"{facts}: it has probably seen the {counted.of} images in training"
    if fitted:
        return Caution(
            "calibration_memorised",
            f"{seen}; confidence, exits, expected loss and any certificate come from the validation images instead",
        )
    return Caution(
        "calibration_memorised",
        f"{seen}, so confidence, expected loss and any certificate hold for images like those and not for new ones; "
        "calibrate on images that it was not trained on, or give some with --validation-data",
    )
