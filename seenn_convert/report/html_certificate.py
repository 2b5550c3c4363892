"""The section of the report page on the certificate: what is promised, what it rests on, whether it holds here."""

from collections.abc import Mapping
from typing import Any

from seenn_convert.artifact.plain import dig, finite
from seenn_convert.report.certificate_words import evidence, outcome, promise
from seenn_convert.report.html_sections import MISSING, facts, number, paragraph, percent, section, text

RISKS = {
    "disagreement": "the answer at the exit is another one than after all timesteps",
    "accuracy": "right answers lost by leaving early, less right answers gained",
}


def certificate_section(report: Mapping[str, Any]) -> str:
    """Return the section, nothing where nothing was certified."""
    certificate = dig(report, "conversion", "certificate")
    if not isinstance(certificate, Mapping):
        return ""
    timesteps = finite(dig(report, "conversion", "timesteps"))
    parts = [paragraph(text(promise(certificate, None if timesteps is None else int(timesteps))))]
    parts.append(paragraph(text(evidence(certificate))))
    check = dig(report, "evaluation", "certificate")
    if isinstance(check, Mapping):
        parts.append(paragraph(f"<b>{text(outcome(check))}</b>"))
    pairs = [
        ("What is counted", RISKS.get(str(dig(certificate, "risk")), MISSING)),
        ("At most (epsilon)", percent(dig(certificate, "epsilon"), 2)),
        ("May be broken (delta)", f"{percent(dig(certificate, 'delta'))} of such certificates"),
        ("On held-out calibration images", percent(dig(certificate, "observed"), 2)),
        ("Bound of this policy alone", percent(dig(certificate, "upper_bound"), 2)),
        ("Average timesteps there", number(dig(certificate, "average_timesteps"), 2)),
    ]
    return section("certificate", "What is certified", *parts, facts(pairs))


def certificate_verdict(report: Mapping[str, Any]) -> list[tuple[bool, str]]:
    """Return whether the certificate holds on the data of the evaluation, as a verdict of the page."""
    check = dig(report, "evaluation", "certificate")
    words = outcome(check) if isinstance(check, Mapping) else ""
    return [(dig(check, "holds") is True, text(words))] if words else []
