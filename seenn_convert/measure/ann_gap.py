"""Whether the ANN is right on clearly more of some images than of others: it has seen them, or something is wrong."""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from seenn_convert.artifact.schema.conversion import CalibrationFacts
from seenn_convert.artifact.schema.evaluation import Reason
from seenn_convert.artifact.schema.shared import AnnConfidence, AnnRight, Caution, WarningCode
from seenn_convert.measure.ann_confidence import confidence_differs, looks_new
from seenn_convert.measure.chance import near_chance
from seenn_convert.measure.intervals import NORMAL_95

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


REFIT = "seenn-convert calibrate ARTIFACT --exit-data NEW"
"""The command that fits exits and certificate to other images and leaves the network as it is."""

AGAIN = "seenn-convert calibrate ARTIFACT --data DATA"
"""The command that does all of the calibration again."""

UNSEEN = "calibrate exits and certificates on images that it was not trained on"

NAMES = {"calibration": "calibration", "validation": "exit", "new": "new"}
"""What people call the images that ``AnnRight.of`` names."""


@dataclass(frozen=True)
class Answers:
    """What is known of the ANN's answers on some images.

    Attributes:
        right: How often they are right; None without labels.
        sure: How sure it is of them.
        are_new: Whether the user gave the images as ones that it was not trained on.
    """

    right: AnnRight | None = None
    sure: AnnConfidence | None = None
    are_new: bool = False

    def otherwise_sure(self, other: "Answers") -> bool:
        """Return whether the ANN is clearly more or less sure of these images than of others, as far as is known."""
        if self.sure is None or other.sure is None:
            return False
        return confidence_differs(self.sure, other.sure, UNLIKELY, far=0.0)


@dataclass(frozen=True)
class Gap:
    """Why the ANN answers some images otherwise than those to which the exits were fitted, and a warning about it."""

    reason: Reason
    caution: Caution


def conversion_gap(
    data: CalibrationFacts, said: float | None, classes: int, network: str = "the ANN"
) -> Iterator[Caution]:
    """Return an iterator over warnings about what is known of the ANN and the calibration images do not show.

    Args:
        data: How often it is right on the calibration images and on the exit images.
        said: Its accuracy on new images, as the user says it.
        classes: Number of outputs.
        network: What was trained, in words: the ANN, or the spiking network itself.
    """
    calibration, exits = data.ann_right, None if data.validation is None else data.validation.ann_right
    if calibration is not None and exits is not None and differ(calibration, exits):
        facts = f"{network} is right on {calibration.share:.1%} of the calibration images and on "
        facts += f"{exits.share:.1%} of the exit images"
        if calibration.share < exits.share:
            yield Caution("ann_below_expected", f"{facts}; {MENDED}")
        elif near_chance(exits.share, 1 / classes):
            yield Caution("ann_gap", f"{facts}, whose classes or labels are probably in another order; {MENDED}")
    counted = exits or (calibration if data.validation is None else None)
    if counted is not None and said is not None and differ(counted, said):
        yield _said_otherwise(counted, said)
    nothing_known = data.validation is None and said is None
    if calibration is not None and nothing_known and calibration.images >= ENOUGH and calibration.share >= NEARLY_ALL:
        yield Caution(
            "ann_nearly_always_right",
            f"{network} is right on {calibration.share:.1%} of the calibration images: if it was trained on them, "
            f"confidence, expected loss and certificate say nothing about new images; {UNSEEN} (--exit-data), or say "
            "how accurate it is on those (--ann-accuracy)",
        )


def conversion_notes(
    data: CalibrationFacts, said: float | None, certified: bool, classes: int, network: str = "the ANN"
) -> Iterator[Caution]:
    """Return an iterator over what the exits rest on, as far as nothing else is known of the ANN on new images.

    Args:
        data: What the ANN answers on the calibration images and on the exit images.
        said: Its accuracy on new images, as the user says it; then a warning says if it is another one.
        certified: Whether something was certified.
        classes: Number of outputs.
        network: What was trained, in words: the ANN, or the spiking network itself.
    """
    exits = data.validation
    if exits is not None and _memorised(data, classes):
        words = f"{_answers_words(data.ann_right, data.ann_confidence, exits.ann_right)} of the calibration images"
        other = f"{_answers_words(exits.ann_right, exits.ann_confidence, data.ann_right)} of the exit images"
        yield Caution(
            "calibration_memorised",
            f"{network} is {words} and {other}{_more(data.ann_right, exits.ann_right)}: it has probably seen the "
            "calibration images in training. Exits, expected loss and any certificate come from the exit images",
        )
    elif said is None and not looks_new(data.exits.ann_confidence) and not any(conversion_gap(data, None, classes)):
        if data.exits.ann_right is not None and near_chance(data.exits.ann_right.share, 1 / classes):
            return  # labels or preprocessing are mixed up, and another warning says so
        yield from _assumption(data, certified, network)


def evaluation_gap(
    before: Answers, here: Answers, classes: int, others: Iterable[Caution] = (), network: str = "the ANN"
) -> Gap | None:
    """Return why the ANN is right on clearly more or fewer images ``here`` than where exits were chosen, if it is.

    Without labels there, the mean confidence is compared instead.

    Args:
        before: Its answers on the images to which the exits were fitted, as far as they are known.
        here: The same of other images.
        classes: Number of outputs.
        others: The other warnings about these images.
        network: What was trained, in words: the ANN, or the spiking network itself.
    """
    assert here.right is not None
    name = "exit" if before.are_new else "calibration"
    if before.right is not None and differ(before.right, here.right):
        more = here.right.share > before.right.share
        facts = f"right on {here.right.share:.1%} of these images and on {before.right.share:.1%} of the {name} images"
    elif before.right is None and _surer(before.sure, here.sure):
        assert before.sure is not None and here.sure is not None
        more = False
        facts = f"{here.sure.average:.1%} sure of these images and {before.sure.average:.1%} of the {name} images"
    else:
        return None
    codes = {one.code for one in others}
    if more and before.are_new and "calibration_images" in codes:
        return _gap(network, "memorised", facts, "it has probably seen these in training")
    if more:
        harder = "those are harder, or labelled or preprocessed in another way"
        return _gap(network, "other_kind", facts, f"{harder}; {MENDED}")
    if near_chance(here.right.share, 1 / classes) or codes & MIXED_UP:
        return _gap(network, "mixed_up", facts, f"these are probably labelled or preprocessed in another way; {MENDED}")
    if before.are_new or looks_new(before.sure):
        return _gap(
            network,
            "other_kind",
            facts,
            f"these are probably of another kind, or harder. Confidence, exit target and certificate hold for images "
            f"like the {name} images; calibrate again with images of this kind: {AGAIN}",
        )
    return _gap(
        network,
        "memorised",
        facts,
        f"it has probably seen the {name} images in training, or these are of another kind. Confidence, exit "
        f"target and certificate hold for images like those, not for these; fit the exits to labelled images of this "
        f"kind that it was not trained on: {REFIT}",
    )


def _gap(network: str, reason: Reason, facts: str, why: str) -> Gap:
    return Gap(reason, Caution("ann_gap", f"{network} itself is {facts}, which chance does not explain: {why}"))


def _memorised(data: CalibrationFacts, classes: int) -> bool:
    """Return whether the ANN is right on clearly more of the calibration images than of the exit images, or surer."""
    assert data.validation is not None
    calibration, exits = data.ann_right, data.validation.ann_right
    if calibration is None or exits is None:
        return _surer(data.ann_confidence, data.validation.ann_confidence)
    guesses = near_chance(exits.share, 1 / classes)
    return differ(calibration, exits) and calibration.share > exits.share and not guesses


def _surer(first: AnnConfidence | None, second: AnnConfidence | None) -> bool:
    """Return whether the ANN is clearly surer on the first images than on the second."""
    if first is None or second is None or first.average <= second.average:
        return False
    return confidence_differs(first, second, UNLIKELY, FAR)


def _answers_words(right: AnnRight | None, sure: AnnConfidence | None, other: AnnRight | None) -> str:
    """Return how often the ANN is right, or how sure it is where that is not known of both."""
    if right is not None and other is not None:
        return f"right on {right.share:.1%}"
    assert sure is not None
    return f"{sure.average:.1%} sure"


def _more(first: AnnRight | None, second: AnnRight | None) -> str:
    """Return the difference in points with its 95 % interval, nothing where one is not known."""
    if first is None or second is None:
        return ""
    points = 100 * (first.share - second.share)
    half = 100 * NORMAL_95 * math.sqrt(sum(one.share * (1 - one.share) / one.images for one in (first, second)))
    return f", a difference of {points:.1f} points (95% CI {points - half:.1f} to {points + half:.1f})"


def _assumption(data: CalibrationFacts, certified: bool, network: str) -> Iterator[Caution]:
    """Return an iterator over what exits and certificate rest on, and what to do if it is not so."""
    what = "exits and certificate" if certified else "exits"
    code: WarningCode = "certificate_assumes_unseen" if certified else "exits_assume_unseen"
    first, sure, exits = data.ann_right, data.exits.ann_confidence, data.exits.ann_right
    if data.validation is None:
        seen = ""
        if sure is not None and exits is not None:
            words = f"{sure.average:.1%} sure of them and right on {exits.share:.1%}"
            seen = f" ({network} is {words}: nothing shows that they are new to it)"
        text = f"{what} hold for images like the calibration images{seen}; if {network} was trained on them, {UNSEEN}"
        yield Caution(code, f"{text} (--exit-data)")
    elif first is not None and exits is not None:
        text = (
            f"{network} is not clearly less often right on the exit images ({exits.share:.1%}) than on the calibration "
        )
        text += f"images ({first.share:.1%}), and nothing shows that they are new to it; "
        yield Caution(code, f"{text}{what} hold for new images if it was not trained on the exit images")


def _said_otherwise(counted: AnnRight, said: float) -> Caution:
    name = NAMES[counted.of]
    facts = (
        f"the ANN is right on {counted.share:.1%} of the {name} images and is said to be right on {said:.1%} of new "
    )
    facts += "ones"
    if counted.share < said:
        return Caution("ann_below_expected", f"{facts}; {MENDED}")
    return Caution(
        "calibration_memorised",
        f"{facts}: it has probably seen the {name} images in training, so confidence, expected loss and any "
        f"certificate hold for images like those and not for new ones; {UNSEEN} (--exit-data)",
    )
