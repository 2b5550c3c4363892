"""Write a network as an ONNX file to look at: every node with its treatment, and with its fit to a target."""

from pathlib import Path

from seenn_convert.analysis.coverage import CallSite, call_sites, spiking_share
from seenn_convert.artifact.artifact import Artifact
from seenn_convert.errors import InputError
from seenn_convert.exporters.check.findings import Fit, SiteFit
from seenn_convert.exporters.check.judge import judge
from seenn_convert.exporters.check.reading import network_of_artifact, network_of_model
from seenn_convert.exporters.check.target import read_target
from seenn_convert.exporters.check.view import Site
from seenn_convert.exporters.onnx.picture import Tags, picture
from seenn_convert.ir.program import Program


def write_picture(network: Artifact | Program, file: Path, target: str | Path | None = None, name: str = "") -> None:
    """Write an artifact, or a program of stage ANN, as an ONNX file whose nodes say how each call site is treated.

    Args:
        network: What is shown.
        file: Where; what is there is replaced.
        target: A target of ``check``; each node then says whether it fits, and why not.
        name: What the file calls the network.

    Raises:
        InputError: There is no such target, or the file cannot be written.
    """
    if isinstance(network, Artifact):
        ann, seen = network.ann, network_of_artifact(network, name)
    else:
        ann, seen = network, network_of_model(network, name)
    fit = None
    if target is not None:
        called, limits = read_target(target)
        fit = judge(seen, limits, called)
    sites, calls = {site.name: site for site in seen.sites}, call_sites(ann)
    fits = {} if fit is None else {one.name: one for one in fit.sites}
    tags = {call.name: _tags(call, sites[call.name], fits.get(call.name)) for call in calls}
    notes = {"network": name, "driven by spikes": f"{spiking_share(calls):.1%}", **_notes(fit)}
    content = picture(ann, tags, notes).SerializeToString(deterministic=True)
    try:
        file.write_bytes(content)
    except OSError as error:
        raise InputError(f"{file} cannot be written ({error.strerror}); name another file") from error


def _tags(call: CallSite, site: Site, fit: SiteFit | None) -> Tags:
    """Return what the nodes of one call site say."""
    known = {name: _plain(value) for name, value in site.facts.items()}
    facts = {"treatment": call.treatment, "operator": call.operator, "driven by": call.driven_by,
             "share of the work": f"{call.share:.2%}", "in the model": call.source, **known}  # fmt: skip
    text = f"{call.operator}: {call.treatment}" + (f", driven by {call.driven_by}" if call.driven_by else "")
    words: tuple[str, ...] = (call.treatment,)
    if fit is not None:
        words = (*words, fit.verdict)
        facts["fit"] = fit.verdict
        for number, one in enumerate(fit.findings, 1):
            facts[f"finding {number}"] = _sentence(one.reason, one.remedy, one.source)
            text += f". {one.reason[:1].upper()}{one.reason[1:]}"
    return Tags(words, f"{text}.", {key: value for key, value in facts.items() if value})


def _notes(fit: Fit | None) -> dict[str, str]:
    if fit is None:
        return {}
    found = {f"finding {n}": _sentence(one.reason, one.remedy, one.source) for n, one in enumerate(fit.findings, 1)}
    share = f"{fit.of_nodes.fits:.0%} of the nodes, {fit.of_work.fits:.0%} of the work"
    return {"target": fit.title, "fits": "yes" if fit.fits else "no", "fits of it": share, **found}


def _sentence(reason: str, remedy: str, source: str) -> str:
    return "; ".join(part for part in (reason, remedy) if part) + (f" ({source})" if source else "")


def _plain(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)
