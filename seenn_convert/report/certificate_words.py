"""What a certificate says, in sentences that a reader without statistics understands."""

from collections.abc import Mapping
from typing import Any

from seenn_convert.artifact.plain import dig, finite

BOUNDS = {"binomial": "exact binomial bound", "betting": "betting bound"}


def promise(certificate: Mapping[str, Any], timesteps: int | None = None) -> str:
    """Return what is promised.

    Args:
        certificate: ``Certificate.to_json()``.
        timesteps: The longest run, where it is known.
    """
    epsilon, delta = finite(dig(certificate, "epsilon")), finite(dig(certificate, "delta"))
    if epsilon is None or delta is None:
        return "The certificate is not readable."
    every = f"all {timesteps} timesteps" if timesteps else "all timesteps"
    if dig(certificate, "full_run") is True:
        why = _why_full_run(certificate)
        return f"{why}, so every image takes {every} and leaving early costs nothing, by definition."
    if dig(certificate, "risk") == "accuracy":
        cost = f"leaving early costs at most {_percent(epsilon)} points of accuracy against running {every}"
    else:
        cost = (
            f"at most {_percent(epsilon)} % of all images get another answer by leaving early than by running {every}"
        )
    return (
        f"Certified for images like the calibration images: {cost}. Of a hundred such promises, each on freshly drawn "
        f"calibration images, at most {_percent(delta)} would be broken."
    )


def evidence(certificate: Mapping[str, Any]) -> str:
    """Return what the promise rests on."""
    images, average = finite(dig(certificate, "images")), finite(dig(certificate, "average_timesteps"))
    if images is None or average is None:
        return ""
    return (
        f"It rests on {images:,.0f} held-out calibration images, to which nothing was fitted: "
        f"{_changes(certificate)}, after {average:.2f} timesteps on average "
        f"({BOUNDS.get(str(dig(certificate, 'bound')), 'bound')})."
    )


def outcome(check: Mapping[str, Any]) -> str:
    """Return what became of the promise on other data.

    Args:
        check: ``evaluation.certificate`` of the report.
    """
    epsilon, observed = finite(dig(check, "epsilon")), finite(dig(check, "observed"))
    low, high = (finite(bound) for bound in (dig(check, "interval95") or (None, None)))
    if epsilon is None or observed is None or low is None or high is None:
        return ""
    unit, what = ("points", "lost") if dig(check, "risk") == "accuracy" else ("%", "got another answer")
    measured = (
        f"{100 * observed:.2f} {unit} {what} (95 % interval {100 * low:.2f} to {100 * high:.2f}; "
        f"certified: at most {_percent(epsilon)})"
    )
    if dig(check, "holds") is not True:
        return (
            f"The certificate does not hold here: {measured}. These images are of another kind than the calibration "
            "images, or their draw was unlucky; calibrate again with images of this kind"
        )
    chance = "" if observed <= epsilon else ", as far as so few images can tell"
    return f"The certificate holds here{chance}: {measured}."


def _why_full_run(certificate: Mapping[str, Any]) -> str:
    average, fastest = (finite(dig(certificate, key)) for key in ("average_timesteps", "fastest_timesteps"))
    if average is not None and fastest is not None and fastest < average:
        return "Faster exits could be certified, but the target asks for the full run"
    return (
        "Nothing faster than the full run could be certified (more calibration images or a larger epsilon would allow "
        "more)"
    )


def _changes(certificate: Mapping[str, Any]) -> str:
    failures, gains = (f"{finite(dig(certificate, key)) or 0:,.0f}" for key in ("failures", "gains"))
    if dig(certificate, "risk") == "accuracy":
        return f"by leaving early {failures} became wrong and {gains} became right"
    return f"{failures} of them got another answer"


def _percent(share: float) -> str:
    return f"{100 * share:.4g}"
