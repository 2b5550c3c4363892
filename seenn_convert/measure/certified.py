"""Check a certificate on images that had no part in it."""

from typing import Any

from torch import Tensor

from seenn_convert.exits.certificates.certificate import Certificate
from seenn_convert.exits.certificates.risk import exit_losses, risk_interval


def check_certificate(certificate: Certificate, answers: Tensor, full: Tensor, labels: Tensor) -> dict[str, Any]:
    """Return the risk on other images, as plain data; ``holds`` is False only where chance does not explain it.

    Args:
        certificate: What was certified.
        answers: ``(N,)`` class at the exit.
        full: ``(N,)`` class after all timesteps.
        labels: ``(N,)`` true classes.
    """
    losses = exit_losses(certificate.risk, answers, full, labels)
    low, high = risk_interval(certificate.risk, losses)
    return {
        "risk": certificate.risk,
        "epsilon": certificate.epsilon,
        "images": len(losses),
        "failures": int((losses > 0).sum()),
        "gains": int((losses < 0).sum()),
        "observed": float(losses.double().mean()),
        "interval95": [low, high],
        "holds": low <= certificate.epsilon,
    }
