"""Adopt a network that was trained as a spiking one: read it, compare it with the original, fit its exits."""

from collections.abc import Sequence
from pathlib import Path

from torch import nn

from seenn_convert.artifact.artifact import Artifact
from seenn_convert.artifact.schema.provenance import ModelOrigin
from seenn_convert.calibration.calibration import Calibration
from seenn_convert.data.adapters import SampleData, as_samples
from seenn_convert.data.checks import checked_classes, checked_names, outputs_of
from seenn_convert.data.events import FRAME_AXES
from seenn_convert.data.preprocessing import Preprocessing
from seenn_convert.data.samples import Samples
from seenn_convert.errors import InputError
from seenn_convert.exits.certificates.certificate import check_certifiable
from seenn_convert.exits.tune import split_calibration
from seenn_convert.frontend.factory import call_factory, is_factory
from seenn_convert.frontend.spiking.explicit import read_explicit, step_of
from seenn_convert.frontend.spiking.read import read_network
from seenn_convert.frontend.spiking.source import SpikingSource
from seenn_convert.ir.program import Program
from seenn_convert.measure.conversion import conversion_report
from seenn_convert.measure.data_cautions import data_cautions
from seenn_convert.measure.suspicions import suspicions
from seenn_convert.neurons.layers import Neuron
from seenn_convert.neurons.leaky import LeakyNeuron
from seenn_convert.passes.base import run_passes
from seenn_convert.passes.group_neurons import GroupNeurons
from seenn_convert.passes.run_in_time import ends_in_neurons
from seenn_convert.passes.sequence import ADOPTED_PASSES, probe_pass, timed_passes
from seenn_convert.progress import Progress, silent
from seenn_convert.runtime.spiking_model import SpikingModel
from seenn_convert.workflows.adopt.check import Agreement, check_agreement
from seenn_convert.workflows.adopt.options import AdoptOptions
from seenn_convert.workflows.convert.assemble import assembled, move
from seenn_convert.workflows.convert.drawing import used_images
from seenn_convert.workflows.convert.prepare import check_data, first_images
from seenn_convert.workflows.convert.session import Session
from seenn_convert.workflows.convert.stages.exit import calibration_facts, estimated_energy, fit_exit

AS_TRAINED = "as trained"


def adopt(
    module: nn.Module | str,
    data: SampleData,
    options: AdoptOptions = AdoptOptions(),
    weights: Path | str | None = None,
    progress: Progress = silent,
    *,
    class_names: Sequence[str] | None = None,
    preprocessing: Preprocessing | None = None,
    input_shape: Sequence[int] | None = None,
    start: object = None,
) -> Artifact:
    """Adopt a network that was trained as a spiking one: it stays as it is, and gets exits.

    Args:
        module: In eval mode: a module with explicit state, whose method ``step``, or whose ``forward``, takes an input
            and a state and returns ``(output, state)``; or a network of SpikingJelly layers (``IFNode``, ``LIFNode``,
            ``ParametricLIFNode``) or snnTorch layers (``Leaky``); or ``package.module:factory``.
        data: Images that it was not trained on, to which the exits are fitted: what ``convert`` takes. Of recordings
            ``(frames, C, H, W)`` it reads a frame at each timestep.
        options: How to adopt it.
        weights: State of the factory's module.
        progress: Told about each stage.
        class_names: Names of its outputs, in order.
        preprocessing: Of pixels.
        input_shape: Shape of what it reads at one timestep, where the data does not tell.
        start: State of one row before the first timestep of a module with explicit state; None if it is zero.

    Raises:
        InputError: Network, data or options cannot be used; says what to do.
        PostconditionError: What was read does not fire as the original does; names the first layer and timestep.
    """
    if not isinstance(options, AdoptOptions):
        raise InputError(
            f"options are of type {type(options).__name__}; give AdoptOptions, such as AdoptOptions(timesteps=4)"
        )
    progress("reading the network", 0, 1)
    samples = as_samples(data, preprocessing, progress=progress, input_shape=input_shape)
    shape = tuple(samples.image_shape)
    frames = shape[0] if len(shape) == 1 + FRAME_AXES else None
    options = options.for_frames(frames)
    source = _read(module, shape if frames is None else shape[1:], weights, start)
    source = source if frames is None else source.for_recordings(frames)
    check_data(source.program, samples)
    samples = _named(used_images(samples, options.exits), class_names, outputs_of(source.program))
    images = first_images(source.program, samples).to(source.program.input_dtype)
    layers = run_passes(source.program, ADOPTED_PASSES)
    if options.readout == "membrane" and not ends_in_neurons(layers):
        raise InputError(
            f"{source.name} does not end in a layer of neurons, whose membrane could be read; take the mean or the "
            "last of what it returns (--readout mean)"
        )
    agreement = check_agreement(source, layers, images, options.timesteps)
    progress("reading the network", 1, 1)
    spiking = run_passes(layers, timed_passes(options.readout))
    return _with_exits(layers, spiking, samples, options, source, agreement, progress)


def _read(
    module: nn.Module | str, input_shape: Sequence[int], weights: Path | str | None, start: object
) -> SpikingSource:
    name = ""
    if isinstance(module, str) and is_factory(module):
        name, (module, _) = module, call_factory(module, weights)
    elif weights is not None:
        raise InputError("the network holds its weights; weights are for package.module:factory")
    if not isinstance(module, nn.Module):
        raise InputError(
            f"a network is adopted as a module or as package.module:factory, got {module!r}; files of networks that "
            "run in time are not read"
        )
    if step_of(module) is not None:
        return read_explicit(module, input_shape, start, name)
    if start is not None:
        raise InputError("a start is for a module with explicit state, step(input, state) -> (output, state)")
    return read_network(module, input_shape, name)


def _named(data: Samples, class_names: Sequence[str] | None, classes: int) -> Samples:
    """Return the data with its classes matched to the network's outputs, and its labels checked."""
    if class_names is not None:
        data = data.with_classes(checked_names(class_names, classes))
    return checked_classes(data, None, classes)


def _with_exits(
    layers: Program, spiking: Program, data: Samples, options: AdoptOptions, source: SpikingSource,
    agreement: Agreement, progress: Progress,
) -> Artifact:  # fmt: skip
    """Fit the exits of a spiking program and put everything into an artifact."""
    split = split_calibration(len(data), options.seed)
    session = Session(layers, data, split, options.exits, progress)
    if options.certify is not None:
        check_certifiable(options.certify, len(data), len(split.held_out), data.labels is not None)
    layers.graph_module.to(options.device)
    tuning = fit_exit(session, spiking, None)
    temperatures = tuning.temperatures.to(options.device, layers.input_dtype)
    snn = run_passes(spiking, [probe_pass(layers, options.exits.exit_score, temperatures)])
    energy = estimated_energy(
        session, SpikingModel(snn, options.timesteps, tuning.policy), tuning.exit_counts, "full_run"
    )
    move(layers, snn, "cpu")
    origin = ModelOrigin(
        name=source.name, format="spiking module", notes=(*source.notes, agreement.words(), *_uncounted(layers))
    )
    calibration = Calibration(AS_TRAINED, False, 0, {})
    conversion = conversion_report(
        layers, snn, calibration, tuning, calibration_facts(session, tuning), neuron=_neuron_name(snn),
        target=options.exits.target, parity=agreement.error, energy=energy, reference="full_run",
        warnings=(*suspicions(None, data, tuning.ann_logits, split.held_out), *data_cautions(data)),
    )  # fmt: skip
    return assembled(session, layers, snn, calibration, tuning, origin, conversion, options.to_json())


def _neuron_name(snn: Program) -> str:
    """Return what the neurons are called in a report."""
    neurons = [module for _, module in snn.calls() if isinstance(module, Neuron)]
    if not all(isinstance(neuron, LeakyNeuron) for neuron in neurons):
        return "custom"
    leaky = any(bool((neuron.leak != 1).any()) for neuron in neurons if isinstance(neuron, LeakyNeuron))
    return "leaky" if leaky else "integrate-and-fire"


def _uncounted(layers: Program) -> list[str]:
    """Return a sentence for each place where something fires and is no layer of neurons."""
    declined = [pair for record in layers.history if record.name == GroupNeurons.__name__ for pair in record.declined]
    return [
        f"the spikes of {node} are not counted as spikes, since what makes them was not recognised as a layer of "
        f"neurons: {why}"
        for node, why in declined
    ]
