"""Convert many architectures and write how far each spiking network is from its ANN, and how fast the error falls.

Run: ``python benchmarks/zoo.py --models FILE.py --output benchmarks/results/zoo``. ``FILE.py`` defines ``names()`` and
``build(name)``, which returns a module in eval mode and a batch of images. A network is calibrated on its own batch.
Skip connections carry graded values, as they do by default; "off" marks a network measured without that.
The scale of a tracking neuron's levels is the 99th percentile of each channel; it is not clipped there. The slope is
that of the error over timesteps times levels, by least squares, with ``FINE_LEVELS``, where the error is small enough
for the law to show. Results are kept in ``OUTPUT.jsonl`` line by line, so an interrupted run goes on where it stopped.
"""

import gc
import importlib.util
import json
import math
import resource
import time
from pathlib import Path
from typing import Any

import click
import peers
import torch
from measuring import output_option
from torch import Tensor, nn
from zoo_table import FINEST_LEVELS, LEVELS, PARITY, PEER_MARKS, SIGNED_MARKS, TRACKING_MARKS, slope_of, table_of

from seenn_convert.analysis.coverage import call_sites, graded_skips, spiking_share
from seenn_convert.calibration.calibration import from_statistics
from seenn_convert.calibration.observe import observe
from seenn_convert.calibration.output_error import output_errors, overall, prefix_errors, relative_distance
from seenn_convert.calibration.rules import AutoRule, PercentileRule
from seenn_convert.calibration.timestep_bias import fit_timestep_bias, without_bias_behind
from seenn_convert.errors import SeennConvertError
from seenn_convert.frontend.torch.read import from_torch
from seenn_convert.ir.interpreter import relative_error
from seenn_convert.ir.operators import SPIKING_OPERATORS
from seenn_convert.ir.program import Program
from seenn_convert.neurons.types import Signed, Tracking
from seenn_convert.passes.base import in_double, run_passes
from seenn_convert.passes.insert_timestep_bias import InsertTimestepBias
from seenn_convert.passes.sequence import ANN_PASSES, encoding_passes, last_passes, spiking_passes
from seenn_convert.runtime.memory import keep_pages
from seenn_convert.workflows.convert.session import BIAS_TIMESTEPS

FINE_LEVELS, LEAST_DOUBLE_ERROR = 256, 1e-12
"""Levels with which the slope is measured, and the least error in double precision that shows it."""


@click.command()
@click.option("--models", type=click.Path(path_type=Path), required=True, help="File with names() and build(name).")
@output_option
@click.option("--only", multiple=True, help="Names; all where none is given.")
@click.option("--part", default="0/1", show_default=True, help="I/N: every N-th network from the I-th.")
@click.option("--largest", default=math.inf, help="Skip networks of more million parameters, and say so.")
@click.option("--signed", multiple=True, help="Measure signed neurons over 256 timesteps for these, too.")
@click.option("--short", multiple=True, help="Convert these and check their parity, but run no timestep.")
@click.option("--law", multiple=True, help="Measure the slope of these in double precision, too.")
@click.option("--spikingjelly", is_flag=True, help="Let SpikingJelly convert those of OUTPUT.jsonl that it has not.")
@click.option("--write", is_flag=True, help="Only write the table of what is in OUTPUT.jsonl.")
def main(models: Path, output: Path, only: tuple[str, ...], part: str, largest: float, signed: tuple[str, ...],
         short: tuple[str, ...], law: tuple[str, ...], spikingjelly: bool, write: bool) -> None:  # fmt: skip
    """Measure the networks that FILE.py builds."""
    if not short:  # which is for the largest: kept pages would lie beside those in use
        keep_pages()
    zoo, lines = loaded(models), output.with_suffix(".jsonl")
    known = [json.loads(line) for line in lines.read_text().splitlines()] if lines.exists() else []
    first, step = map(int, part.split("/"))
    done = {row["network"] for row in known}
    for name in [] if write else list(only or zoo.names())[first::step]:
        if name not in done:
            known.append({"network": name, **measure(zoo, name, largest, name in signed, name in short)})
            _keep(known, lines, known[-1])
    for row in [] if write else known:
        if row["network"] in law and "law" not in row:
            row["law"] = measure_law(zoo, row["network"])
            _keep(known, lines, row["law"])
        if spikingjelly and "spikingjelly" not in row and row.get("parameters", math.inf) <= largest:
            row["spikingjelly"] = measure_peer(zoo, row["network"])
            _keep(known, lines, row["spikingjelly"])
    output.with_suffix(".md").write_text(table_of(known))


def _keep(known: list[dict[str, Any]], lines: Path, news: dict[str, Any]) -> None:
    """Write all rows, so that what is there stays if the run is interrupted, and show what is new."""
    beside = lines.with_suffix(".new")
    beside.write_text("".join(json.dumps(row) + "\n" for row in known))
    beside.replace(lines)
    click.echo(json.dumps(news), err=True)


@torch.no_grad()
def measure_peer(zoo: Any, name: str) -> dict[str, Any]:
    """Return what SpikingJelly makes of one network on the same batch: its errors, or why it makes nothing."""
    module, image = built(zoo, name)
    wanted = module(image)
    start = time.perf_counter()
    try:
        converted = peers.spikingjelly(module, "percentile", [image])
        means = peers.mean_outputs(converted, image, PEER_MARKS)
    except Exception as error:  # whatever it may raise
        return {"failed": f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"[:300]}
    seconds = time.perf_counter() - start
    errors = _at(PEER_MARKS, [relative_distance(mean, wanted) for mean in means])
    return {"version": peers.version(), "error": errors, "seconds": seconds}


@torch.no_grad()
def measure_law(zoo: Any, name: str) -> dict[str, Any]:
    """Return the errors of tracking neurons with ``FINEST_LEVELS`` in double precision, and their slope.

    For networks that amplify single-precision rounding, or whose error is still far above what the law is about.
    """
    module, image = built(zoo, name)
    program = from_torch(module, tuple(image.shape[1:]))
    image = image.double()
    _, ann, statistics, images = _observed(run_passes(in_double(program), ANN_PASSES), image)
    thresholds = from_statistics(statistics, images, PercentileRule(99)).v_thresholds()
    exact = {layer: threshold.double() for layer, threshold in thresholds.items()}
    snn = run_passes(ann, spiking_passes(ann, exact, Tracking(FINEST_LEVELS)))
    errors = prefix_errors(snn, image, ann(image), TRACKING_MARKS)
    slope = slope_of(TRACKING_MARKS, errors, LEAST_DOUBLE_ERROR)
    return {"levels": FINEST_LEVELS, "error": _at(TRACKING_MARKS, errors), "slope": slope}


def measure(zoo: Any, name: str, largest: float, signed: bool, short: bool = False) -> dict[str, Any]:
    """Return what there is to say about one network."""
    try:
        module, image = built(zoo, name)
    except Exception as error:  # the architecture's own code
        return {"failed": f"cannot be built: {error!r}"}
    row: dict[str, Any] = {"parameters": sum(p.numel() for p in module.parameters()) / 1e6, "side": image.shape[-1]}
    if row["parameters"] > largest:
        return {**row, "failed": f"more than {largest:g} M parameters, left out here"}
    try:
        with torch.no_grad():
            start = time.perf_counter()
            wanted, program = module(image), from_torch(module, tuple(image.shape[1:]))
            del module  # the largest need the memory
            ann, parity = _converted(zoo, name, program, image, wanted)
            del program
            return {**row, **parity, **_measure(ann, image, signed, short, start)}
    except SeennConvertError as error:
        return {**row, "failed": str(error)[:2000]}


def _converted(
    zoo: Any, name: str, program: Program, image: Tensor, wanted: Tensor
) -> tuple[Program, dict[str, float]]:
    """Return the ANN after the passes, and how far its and the program's outputs are from those of the module."""
    ann = run_passes(program, ANN_PASSES, image)
    single = parity = max(relative_error(program(image), wanted), relative_error(ann(image), wanted))
    if parity > PARITY:  # the network amplifies single-precision rounding: compare in double
        exact = in_double(program)
        for one in ANN_PASSES:  # not by run_passes, which would hold the first program to the end
            exact = one(exact)
            gc.collect()
        found = exact(image.double())
        del exact
        gc.collect()
        parity = relative_error(found, built(zoo, name)[0].double()(image.double()))
    return ann, {"parity": parity, "single_precision_parity": single}


def _measure(ann: Program, image: Tensor, signed: bool, short: bool, start: float) -> dict[str, Any]:
    relus = sum(isinstance(one, SPIKING_OPERATORS) for _, one in ann.calls())
    encode, ann, statistics, images = _observed(ann, image)
    thresholds = from_statistics(statistics, images, PercentileRule(99)).v_thresholds()
    snn = run_passes(ann, spiking_passes(ann, thresholds, Tracking(LEVELS)))
    seconds = time.perf_counter() - start
    sites = call_sites(ann)
    row = {
        "encode": encode,
        "relu_family": relus,
        "neuron_layers": len(thresholds),
        "graded_skips": graded_skips(ann)["connections"],
        "spiking_share": spiking_share(sites),
        "call_sites": {t: sum(s.treatment == t for s in sites) for t in dict.fromkeys(s.treatment for s in sites)},
        "convert_seconds": seconds,
    }
    if short:
        return {**row, "not_run": True, "peak_gb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6}
    logits = ann(image)
    errors = prefix_errors(snn, image, logits, TRACKING_MARKS)
    del snn
    fine = run_passes(ann, spiking_passes(ann, thresholds, Tracking(FINE_LEVELS)))
    fine_errors = prefix_errors(fine, image, logits, TRACKING_MARKS)
    row |= {
        "tracking": _at(TRACKING_MARKS, errors),
        "fine_tracking": _at(TRACKING_MARKS, fine_errors),
        "slope": slope_of(TRACKING_MARKS, fine_errors),
    }
    if signed:
        row["signed"] = _signed(ann, statistics, images, image)
    row["peak_gb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    return row


def _observed(ann: Program, image: Tensor) -> tuple[str, Program, Any, int]:
    """Return how graded values become spikes, the ANN so, and its statistics.

    Where no activation fires on the batch, encoders become the neurons, as ``convert`` then advises.
    """
    for encode in ("auto", "always"):
        encoded = run_passes(ann, (*encoding_passes(ann, encode), *last_passes("graded")), image)
        statistics, images = observe(encoded, [image])
        if any(bool((one.maxima > 0).any()) for one in statistics.values()):
            break
    return encode, encoded, statistics, images


def _signed(ann: Program, statistics: Any, images: int, image: Tensor) -> dict[str, Any]:
    """Measure signed neurons as ``convert`` makes them: thresholds chosen, timestep biases fitted."""
    timesteps, signed = SIGNED_MARKS[-1], Signed()
    start = time.perf_counter()
    found = [from_statistics(statistics, images, rule) for rule in AutoRule().candidates(timesteps)]
    best = min(found, key=lambda one: overall(output_errors(ann, ann, one.v_thresholds(), signed, timesteps, image)))
    snn = run_passes(ann, spiking_passes(ann, best.v_thresholds(), signed))
    biases = fit_timestep_bias(ann, snn, BIAS_TIMESTEPS, [image])
    biased = run_passes(snn, [InsertTimestepBias(without_bias_behind(biases))])
    wanted = ann(image)
    return {
        "rule": best.rule,
        "plain": _at(SIGNED_MARKS, prefix_errors(snn, image, wanted, SIGNED_MARKS)),
        "biased": _at(SIGNED_MARKS, prefix_errors(biased, image, wanted, SIGNED_MARKS)),
        "seconds": time.perf_counter() - start,
    }


def _at(marks: tuple[int, ...], errors: list[float]) -> dict[str, float]:
    return dict(zip(map(str, marks), errors, strict=True))


def loaded(path: Path) -> Any:
    """Return the module that a file of architectures makes."""
    spec = importlib.util.spec_from_file_location("zoo", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _with_weights(module: nn.Module) -> nn.Module:
    """Give weights that are all zero, as heads often start, random values: zeros would hide every error behind them."""
    generator = torch.Generator().manual_seed(0)
    for parameter in module.parameters():
        if parameter.dim() >= 2 and not parameter.any():
            nn.init.normal_(parameter, std=0.02, generator=generator)
    return module


def built(zoo: Any, name: str) -> tuple[nn.Module, Tensor]:
    """Build a network; one that does not accept the size of image it is given is tried with larger ones."""
    sizes: dict[str, int] = getattr(zoo, "_LARGER", {})
    for side in (None, 128, 224, 256, 299):
        if side is not None:
            sizes[name] = side
        try:
            module, image = zoo.build(name)
            return _with_weights(module), image
        except Exception:
            if side == 299:
                raise
    raise AssertionError


if __name__ == "__main__":
    main()
