"""Check a certificate on images that had no part in it."""

from torch import Tensor

from seenn_convert.artifact.schema.evaluation import CertificateCheck
from seenn_convert.choices import Reference
from seenn_convert.exits.certificates.certificate import Certificate
from seenn_convert.exits.certificates.risk import exit_losses, risk_interval
from seenn_convert.measure.promises import reason_words


def check_certificate(certificate: Certificate, answers: Tensor, full: Tensor, labels: Tensor) -> CertificateCheck:
    """Return the risk on other images; ``holds`` is False only where chance does not explain it.

    Classes are ``(N,)``: ``answers`` at the exit, ``full`` after all timesteps, and the true ``labels``.
    """
    losses = exit_losses(certificate.risk, answers, full, labels)
    low, high = risk_interval(certificate.risk, losses)
    return CertificateCheck(
        risk=certificate.risk,
        epsilon=certificate.epsilon,
        images=len(losses),
        failures=int((losses > 0).sum()),
        gains=int((losses < 0).sum()),
        observed=float(losses.double().mean()),
        interval95=(low, high),
        holds=low <= certificate.epsilon,
    )


def broken_words(check: CertificateCheck, reference: Reference = "ann") -> str:
    """Return that a certificate does not hold on other images, why, and what to do."""
    return f"The certificate does not hold here: {observed_words(check)}. {reason_words(check.reason, reference)}."


def observed_words(check: CertificateCheck) -> str:
    """Return what was observed, and what is certified."""
    unit = "points of accuracy lost" if check.risk == "accuracy" else "% of the answers changed"
    low, high = check.interval95
    return (
        f"{100 * check.observed:.2f} {unit} (95 % interval {100 * low:.2f} to {100 * high:.2f}; "
        f"certified: at most {100 * check.epsilon:.4g})"
    )
