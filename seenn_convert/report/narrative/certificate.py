"""What a certificate says, in sentences that a reader without statistics understands."""

from seenn_convert.artifact.schema.evaluation import CertificateCheck
from seenn_convert.choices import Reference
from seenn_convert.exits.certificates.certificate import Certificate
from seenn_convert.measure.certified import broken_words, observed_words
from seenn_convert.report.numbers import number

BOUNDS = {"binomial": "exact binomial bound", "betting": "betting bound"}
COUNTED = {
    "disagreement": "images whose answer at the exit differs from the one after all timesteps",
    "accuracy": "right answers lost by early exit, less right answers gained",
}


def promise(certificate: Certificate, timesteps: int | None = None, images: str = "calibration") -> str:
    """Return what is promised of ``images``; ``timesteps`` is the longest run, if it is known."""
    every = f"all {timesteps} timesteps" if timesteps else "all timesteps"
    if certificate.full_run:
        return f"{_why_full_run(certificate, images)}, so every image takes {every} and early exit changes nothing."
    if certificate.risk == "accuracy":
        cost = f"early exit costs at most {_percent(certificate.epsilon)} points of accuracy against running {every}"
    else:
        cost = f"early exit changes at most {_percent(certificate.epsilon)} % of the answers that {every} would give"
    return (
        f"Certified for images like the {images} images: {cost}. Of a hundred such certificates, each from freshly "
        f"drawn {images} images, at most {_percent(certificate.delta)} would be wrong."
    )


def evidence(certificate: Certificate, images: str = "calibration") -> str:
    """Return what the promise rests on."""
    failures, gains = number(certificate.failures), number(certificate.gains)
    changes = f"early exit changed {failures} of their answers"
    if certificate.risk == "accuracy":
        changes = f"with early exit {failures} answers became wrong and {gains} became right"
    return (
        f"It rests on {number(certificate.images)} held-out {images} images, to which nothing was fitted: "
        f"{changes}, after {number(certificate.average_timesteps, 2)} timesteps on average "
        f"({BOUNDS[certificate.bound]})."
    )


def outcome(check: CertificateCheck, reference: Reference = "ann") -> str:
    """Return what became of the promise on other data."""
    if not check.holds:
        return broken_words(check, reference)
    chance = "" if check.observed <= check.epsilon else ", as far as so few images can tell"
    return f"The certificate holds here{chance}: {observed_words(check)}."


def _why_full_run(certificate: Certificate, images: str) -> str:
    if certificate.fastest_timesteps < certificate.average_timesteps:
        return "Faster exits could be certified, but the target asks for the full run"
    return (
        f"Nothing faster than the full run could be certified (more {images} images or a larger epsilon would allow "
        "more)"
    )


def _percent(share: float) -> str:
    return f"{100 * share:.4g}"
