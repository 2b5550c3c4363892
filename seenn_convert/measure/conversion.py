"""The conversion part of the report: what was converted, how, and how the exit was chosen."""

from collections.abc import Iterable, Mapping, Sequence

from seenn_convert.analysis.coverage import call_sites, graded_depthwise, graded_skips, spiking_share
from seenn_convert.artifact.schema.coding import from_plain
from seenn_convert.artifact.schema.conversion import (
    CalibrationFacts,
    Conversion,
    ExitFacts,
    GradedDepthwise,
    GradedSkips,
    HeldOut,
    ModelFacts,
    NeuronFacts,
    PassFacts,
    WeightTuning,
)
from seenn_convert.artifact.schema.evaluation import ThreeRuns
from seenn_convert.artifact.schema.front import FrontFacts
from seenn_convert.artifact.schema.provenance import ModelOrigin
from seenn_convert.artifact.schema.shared import Caution, PolicyFacts
from seenn_convert.calibration.calibration import Calibration
from seenn_convert.choices import Reference
from seenn_convert.data.checks import classes_of
from seenn_convert.exits.choose import Setting
from seenn_convert.exits.thresholds import ExitTarget
from seenn_convert.exits.tune import ExitTuning
from seenn_convert.ir.program import Program
from seenn_convert.measure.cautions import cautions, notes
from seenn_convert.measure.jumps import jump_cautions
from seenn_convert.measure.spiking_warnings import few_spikes, more_energy
from seenn_convert.neurons.layers import Neuron


def model_facts(origin: ModelOrigin, snn: Program, class_names: Sequence[str] | None) -> ModelFacts:
    """Return the ``model`` part of ``report.json``."""
    return ModelFacts(
        **vars(origin),
        input_shape=snn.input_shape,
        classes=classes_of(snn),
        class_names=None if class_names is None else tuple(class_names),
    )


def conversion_report(
    ann: Program,
    snn: Program,
    calibration: Calibration,
    tuning: ExitTuning,
    data: CalibrationFacts,
    *,
    neuron: str,
    target: ExitTarget | None,
    parity: float | None,
    energy: ThreeRuns,
    ann_accuracy: float | None = None,
    front: FrontFacts = FrontFacts(),
    warnings: Iterable[Caution] = (),
    reference: Reference = "ann",
) -> Conversion:
    """Return the ``conversion`` part of ``report.json``.

    Neurons were inserted in ``ann``; ``neuron`` is the name of their type, ``parity`` the relative error against the
    original and ``ann_accuracy`` what the user says of new images, both None where they are not known. ``energy`` is an
    estimate from held-out images, ``front`` what is known of the analog front. The report's own warnings come before
    those given. If the ``reference`` is the full run, the network was adopted, and no option would have changed it.
    """
    of_options = () if reference == "full_run" else (
        *few_spikes(ann, snn, call_sites(ann)), *jump_cautions(ann, snn, neuron)
    )  # fmt: skip
    sites, facts = call_sites(ann), _neuron(snn, neuron)
    layers, share = graded_depthwise(ann)
    return Conversion(
        reference=reference,
        timesteps=len(tuning.temperatures),
        neuron=facts,
        threshold_rule=calibration.rule,
        threshold_choice=calibration.choice,
        weights=from_plain(calibration.weights, WeightTuning) if calibration.weights else None,
        per_channel=calibration.per_channel,
        calibration=data,
        operators=tuple(sites),
        spiking_share=spiking_share(sites),
        front=front,
        graded_skips=GradedSkips(**graded_skips(ann)),
        graded_depthwise=GradedDepthwise(layers=layers, share=share) if layers else None,
        passes=passes_of(snn),
        parity=parity,
        exit=_exit(tuning, target),
        certificate=tuning.certificate,
        energy=energy,
        dead_channels={name: len(layer.dead_channels) for name, layer in calibration.layers.items()},
        warnings=(
            *cautions(
                calibration,
                tuning,
                data,
                classes_of(snn),
                ann_accuracy,
                unit_spikes=facts.unit_spikes,
                reference=reference,
            ),
            *of_options,
            *more_energy(ann, energy, "held-out calibration images"),
            *warnings,
        ),
        notes=notes(tuning, data, classes_of(snn), ann_accuracy, reference),
    )


def passes_of(program: Program) -> tuple[PassFacts, ...]:
    """Return what each pass did to a program."""
    return tuple(
        PassFacts(name=record.name, changed=len(record.changed), declined=record.declined) for record in program.history
    )


def held_out_facts(
    choice: Setting, measured: Mapping[str, float], exit_counts: Mapping[int, int] | None = None
) -> HeldOut:
    """Return what the choice came to on the held-out images; ``measured`` are shares right."""
    return HeldOut(
        **measured,
        expected_drop=choice.expected_drop,
        drop_error=choice.drop_error,
        average_timesteps=choice.average_timesteps,
        reached=choice.reached,
        exit_counts=exit_counts,
    )


def _neuron(snn: Program, kind: str) -> NeuronFacts:
    neuron = next((module for _, module in snn.calls() if isinstance(module, Neuron)), None)
    if neuron is None:
        return NeuronFacts(kind=kind)
    alphabet = None if neuron.alphabet is None else tuple(neuron.alphabet)
    return NeuronFacts(kind=kind, alphabet=alphabet, bits_per_spike=neuron.bits_per_spike)


def _exit(tuning: ExitTuning, target: ExitTarget | None) -> ExitFacts:
    return ExitFacts(
        policy=PolicyFacts.of(tuning.policy.to_json()),
        target=target,
        temperatures=tuple(tuning.temperatures.tolist()),
        held_out=held_out_facts(tuning.choice, tuning.held_out, dict(enumerate(tuning.exit_counts, 1))),
        step_time=tuning.step_time,
    )
