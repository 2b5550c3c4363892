"""A check as text: the verdict, what was refused and what would help, the cores, and what else to know."""

from collections.abc import Iterable, Sequence

from seenn_convert.cli.console import columns_text
from seenn_convert.exporters.check.findings import CoreLoad, Finding, Fit, PrecisionEffect, Shares

MOST_NAMES = 6
"""Call sites with the same finding that are named."""


def fit_text(fit: Fit) -> str:
    """Return a check in words."""
    verdict = "fits" if fit.fits else "does not fit"
    lines = [
        f"{fit.network} on {fit.title}: {verdict}",
        f"nodes: {_shares(fit.of_nodes)} (of {len(fit.sites)})",
        f"work: {_shares(fit.of_work)} (of the multiply-accumulates)",
        *_section("refused", _lines(fit, "refused")),
        *_section("left to the host", [site.name for site in fit.sites if site.verdict == "host"]),
        *_section("cores, with the entries used of each memory", _cores(fit)),
        *_section("number formats", [] if fit.precision is None else _precision(fit.precision)),
        *_section("to know", [*_lines(fit, "note"), *fit.notes]),
    ]
    return "\n".join(lines)


def _shares(shares: Shares) -> str:
    return f"{_percent(shares.fits)} fit, {_percent(shares.refused)} refused, {_percent(shares.host)} left to the host"


def _percent(share: float) -> str:
    """Return a share in percent; only what is all or nothing is called so."""
    return f"{share:.0%}" if share in (0, 1) else f"{min(max(share, 0.001), 0.999):.1%}"


def _section(title: str, lines: Sequence[str]) -> list[str]:
    return ["", title, *(f"  {line}" for line in lines)] if lines else []


def _lines(fit: Fit, weight: str) -> list[str]:
    """Return each finding of a weight once, with all call sites that it is about."""
    about: dict[tuple[str, str], tuple[Finding, list[str]]] = {}
    for finding in fit.findings:
        about[finding.rule, finding.reason] = finding, []
    for site in fit.sites:
        place = "" if site.name.startswith(site.place) or weight == "note" else f" ({site.place})"
        for finding in site.findings:
            about.setdefault((finding.rule, finding.reason), (finding, []))[1].append(f"{site.name}{place}")
    told = [one for one in about.values() if one[0].weight == weight]
    return [line for finding, names in told for line in _finding(finding, names)]


def _finding(finding: Finding, names: Sequence[str]) -> Iterable[str]:
    yield f"{_named(names)}: {finding.reason}"
    if finding.remedy:
        yield f"    what helps: {finding.remedy}"
    if finding.weight == "refused":
        yield f"    stated in: {finding.source}"


def _named(names: Sequence[str]) -> str:
    if not names:
        return "the network"
    more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
    return ", ".join(names[:MOST_NAMES]) + more


def _cores(fit: Fit) -> list[str]:
    if not fit.cores:
        return []
    rows = [("layer", "core", "kernel", "neuron", "bias"), *(_load(load) for load in fit.cores)]
    table = columns_text(rows).splitlines()
    for one in fit.competitions:
        cores = ", ".join(map(str, one.cores))
        table.append(f"{len(one.layers)} layers compete for {len(one.cores)} cores ({cores}): {', '.join(one.layers)}")
    return table


def _load(load: CoreLoad) -> tuple[str, str, str, str, str]:
    if load.core is None:
        return load.layer, "none", f"{load.kernel:,}", f"{load.neuron:,}", f"{load.bias:,}"
    return (
        load.layer, str(load.core), f"{load.kernel:,} of {load.kernel_room:,}",
        f"{load.neuron:,} of {load.neuron_room:,}", f"{load.bias:,} of {load.bias_room:,}",
    )  # fmt: skip


def _precision(found: PrecisionEffect) -> list[str]:
    state = "" if found.state_bits is None else f", states of {found.state_bits} bits"
    (before, after), accuracy = found.average_timesteps, found.accuracy
    lines = [
        f"simulated on {found.images} images: weights of {found.weight_bits} bits, one scale per "
        f"{found.weights_per}{state}",
        f"{found.answers_changed} answers change, {found.exits_changed} leave at another timestep; average timesteps "
        f"{before:.2f} before, {after:.2f} after",
    ]
    lines += [] if accuracy is None else [f"accuracy {accuracy[0]:.2%} before, {accuracy[1]:.2%} after"]
    saturated = f"{found.saturated:.2%} of the states met the ends of their format"
    return [*lines, saturated] if found.saturated else lines
