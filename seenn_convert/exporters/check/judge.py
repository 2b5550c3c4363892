"""Every call site of a network against every rule of a target: nothing stops at the first refusal."""

from seenn_convert.exporters.check import view
from seenn_convert.exporters.check.cores import assign, memory_of
from seenn_convert.exporters.check.findings import Competition, CoreLoad, Finding, Fit, SiteFit, Verdict, shares
from seenn_convert.exporters.check.rules import NETWORK, breach
from seenn_convert.exporters.check.target import Cores, Target, Variant
from seenn_convert.exporters.check.view import Fact, Network, Site

FREE = (view.RESHAPE, view.FRAMES)
"""Parts that every target takes: they compute nothing."""

UNCONVERTED = (
    "a model has no neurons yet: it was checked as if converted with --neuron if --skips spiking --front none "
    "--correction none; check the artifact, too"
)


def judge(network: Network, target: Target, name: str) -> Fit:
    """Return how ``network`` fits ``target``, called ``name``."""
    found = {site.name: _findings(site, network, target) for site in network.sites}
    loads, competitions = _cores(network, target, found)
    sites = tuple(_site(site, found[site.name], target) for site in network.sites)
    whole = _whole(network, target)
    verdicts = [site.verdict for site in sites]
    refused = any(one.weight == "refused" for one in whole) or "refused" in verdicts
    return Fit(
        network=network.name,
        target=name,
        title=target.title,
        fits=not refused,
        of_nodes=shares(verdicts, [1.0] * len(sites)),
        of_work=shares(verdicts, [site.share for site in sites]),
        findings=whole,
        sites=sites,
        cores=loads,
        competitions=competitions,
        notes=(*(note.text for note in target.notes), *_about(network, target)),
    )


def _findings(site: Site, network: Network, target: Target) -> list[Finding]:
    """Return what is wrong with one call site, but for its core."""
    if _on_host(site, target) or site.part in FREE:
        return []
    if site.in_front and target.front == "refuse":
        remedy = "convert with --front none"
        reason = "it belongs to the analog front, which computes with graded values"
        return [Finding(rule="front", weight="refused", reason=reason, remedy=remedy, source=target.source)]
    if site.part not in target.accepts:
        reason, remedy = f"the target has no {_called(site)}", target.remedies.get(site.part, "")
        return [Finding(rule="parts", weight="refused", reason=reason, remedy=remedy, source=target.source)]
    facts: dict[str, Fact] = {**network.facts, **site.facts}
    return [one for rule in target.rules if site.part in rule.on and (one := breach(rule, facts)) is not None]


def _called(site: Site) -> str:
    part = site.part.replace("_", "ling " if site.part.endswith("pool") else " ").replace("ling pool", " pooling")
    if site.part == view.OTHER:
        return f"operator {site.operator}"
    return "graded activation" if site.part == view.GRADED else part


def _cores(
    network: Network, target: Target, found: dict[str, list[Finding]]
) -> tuple[tuple[CoreLoad, ...], tuple[Competition, ...]]:
    """Return the cores of the layers that fit otherwise, and add to ``found`` what keeps the others off."""
    if target.cores is None:
        return (), ()
    layers = [
        site for site in network.sites
        if site.part in view.WEIGHTED and site.part in target.accepts and not _on_host(site, target)
        and not (site.in_front and target.front == "refuse") and memory_of(site.facts) is not None
    ]  # fmt: skip
    loads, competitions = assign(layers, target.cores)
    for load in loads:
        if load.core is None:
            rivals = next((one for one in competitions if load.layer in one.layers), None)
            found[load.layer].append(_no_core(load, rivals, target.cores))
    return loads, competitions


def _no_core(load: CoreLoad, rivals: Competition | None, cores: Cores) -> Finding:
    """Return why a layer has no core: none is large enough, or others have taken those that are."""
    needs = f"{load.kernel:,} kernel, {load.neuron:,} neuron and {load.bias:,} bias entries"
    if rivals is None:
        rooms = sorted({*zip(cores.kernel, cores.neuron, strict=True)})
        listed = ", ".join(f"{kernel:,} and {neuron:,}" for kernel, neuron in rooms)
        limit = f"kernel and neuron entries of the cores: {listed}"
        reason, remedy = f"no core holds {needs}", "use fewer channels or a larger stride, or pool before it"
    else:
        limit = f"{len(rivals.cores)} cores for {len(rivals.layers)} layers"
        reason = "no core is left for it"
        remedy = (
            "use fewer layers, make some small enough for other cores, or leave the first ones to the host (--front N)"
        )
    return Finding(
        rule="cores", weight="refused", reason=f"{reason}; {limit}", found=needs, limit=limit, remedy=remedy,
        source=cores.source,
    )  # fmt: skip


def _site(site: Site, findings: list[Finding], target: Target) -> SiteFit:
    verdict: Verdict = "host" if _on_host(site, target) else "fits"
    if any(one.weight == "refused" for one in findings):
        verdict = "refused"
    return SiteFit(
        name=site.name, operator=site.operator, part=site.part, place=site.source, share=site.share, verdict=verdict,
        findings=tuple(findings),
    )  # fmt: skip


def _on_host(site: Site, target: Target) -> bool:
    return site.in_front and target.front == "host"


def _whole(network: Network, target: Target) -> tuple[Finding, ...]:
    """Return what is wrong with the network as a whole."""
    facts = _facts_on_chip(network, target)
    found = [one for rule in target.rules if NETWORK in rule.on and (one := breach(rule, facts)) is not None]
    problems = [_beyond(variant, facts) for variant in target.variants]
    if problems and all(problems):
        listed = "; ".join(problem for problem in problems if problem)
        source = ", ".join(dict.fromkeys(variant.source for variant in target.variants))
        found.append(Finding(rule="variants", weight="refused", reason=listed, source=source,
                             remedy="use a smaller network"))  # fmt: skip
    return tuple(found)


def _facts_on_chip(network: Network, target: Target) -> dict[str, Fact]:
    """Return the facts of the network, with what is left to the host not counted; its neurons are the inputs then."""
    kept = [site for site in network.sites if not _on_host(site, target)]

    def total(name: str) -> int:
        return sum(value for site in kept if isinstance(value := site.facts.get(name, 0), int))

    counted = {name: total(name) for name in ("neurons", "weights", "synapses")}
    sent = int(str(network.facts.get("neurons", 0))) - counted["neurons"]
    return {
        **network.facts,
        **counted,
        "hidden": counted["neurons"],
        "layers": sum(site.part in view.WEIGHTED for site in kept),
        **({"inputs": sent} if sent else {}),
    }


def _beyond(variant: Variant, facts: dict[str, Fact]) -> str:
    """Return which limits of a member of the family the network exceeds; nothing if none."""
    over = [
        f"{value:,} {name}, at most {most:,}"
        for name, most in variant.most.items()
        if isinstance(value := facts.get(name), int) and value > most
    ]
    return f"{variant.name}: {', '.join(over)}" if over else ""


def _about(network: Network, target: Target) -> list[str]:
    return [] if network.converted or target.runs == "activations" else [UNCONVERTED]
