"""Attach a policy head to a converted network: it chooses the number of timesteps before the run (SEENN-II)."""

import copy
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from time import perf_counter

import torch

from seenn_convert.analysis.coverage import call_sites
from seenn_convert.analysis.frames import frames_of
from seenn_convert.artifact.artifact import Artifact, as_artifact
from seenn_convert.artifact.schema.conversion import HeadData
from seenn_convert.data.adapters import SampleData, as_samples
from seenn_convert.data.checks import check_shape, classes_of, matched_classes
from seenn_convert.data.samples import Samples
from seenn_convert.errors import CalibrationDataError, InputError
from seenn_convert.exits.choose import Setting
from seenn_convert.exits.plan_choice import decide
from seenn_convert.exits.readouts import Readouts
from seenn_convert.exits.thresholds import ExitTarget
from seenn_convert.exits.tune import Split, split_calibration
from seenn_convert.measure.planned import head_facts, policy_provenance, with_plan
from seenn_convert.passes.attach_policy import AttachPolicy
from seenn_convert.passes.base import run_passes
from seenn_convert.progress import Progress, silent
from seenn_convert.runtime.policies import FixedPolicy
from seenn_convert.runtime.spiking_model import SpikingModel
from seenn_convert.training.planner.head import HeadPlan, plan_head
from seenn_convert.workflows.add_planner.options import PolicyOptions
from seenn_convert.workflows.add_planner.stages import Heads, collect, train

__all__ = ["PolicyOptions", "attach_policy"]

LEAST_IMAGES = 100
"""Fewest images that a policy head is trained and chosen on."""

HELD_OUT_SHARE = 0.25
"""Share of the images that train nothing and choose."""

MOST_OF_A_TIMESTEP = 0.01
"""Multiply-accumulates of a policy head, as a share of those of one timestep if every input spiked."""


def attach_policy(
    artifact: Artifact | Path | str,
    data: SampleData,
    options: PolicyOptions = PolicyOptions(),
    progress: Progress = silent,
) -> Artifact:
    """Return the artifact with a policy head that was trained on ``data`` and chosen on a held-out part of it.

    The spiking network is frozen: its answers at every timestep are computed once, and the head is trained from them.

    Args:
        artifact: What ``convert`` made, or its folder; a policy head that it has is replaced.
        data: Sample images as ``convert`` takes them, never the test set; some thousands are a good number.
        options: How.
        progress: Told about each stage.

    Raises:
        InputError: The network runs for one timestep only, or the data does not fit it.
        CalibrationDataError: There are too few images, or no labels where they are asked for.
    """
    artifact = as_artifact(artifact)
    data = as_samples(data, artifact.preprocessing, progress=progress, input_shape=artifact.snn.input_shape)
    data = matched_classes(data, artifact.class_names, classes_of(artifact.snn))
    _check(artifact, data, options)
    target = options.target or _target(artifact)
    split = split_calibration(len(data), options.seed, HELD_OUT_SHARE)
    model, plan = bare_network(artifact, options), untrained_head(artifact, options)
    ann = artifact.reference
    if ann is not None:
        ann.graph_module.to(options.device)
    start = perf_counter()
    readouts = collect(ann, model, plan, data, options, progress)
    seconds_seen = perf_counter() - start
    if ann is not None:
        ann.graph_module.to("cpu")
    readouts = readouts.with_ann_temperature(split.fitting)
    heads = train(plan, readouts, split, options, progress)
    decision = decide(readouts, heads.planned, split, options.policy != "planned", target)
    choice = decision.choice
    head = heads.heads[decision.head]
    head = replace(head, body=tuple(module.to(artifact.snn.input_dtype) for module in head.body))
    fresh = replace(
        artifact,
        snn=run_passes(replace(artifact.snn, policy_head=None), [AttachPolicy(head, artifact.timesteps)]),
        policy=choice.policy(model.probe.score_name),
    )
    origin = policy_provenance(data, options.to_json())
    facts = head_facts(
        fresh, decision, split, origin.options,
        setting=heads.settings[decision.head],
        data=HeadData(name=origin.name, images=origin.images, labelled=readouts.labels is not None),
        seconds_seen=seconds_seen,
        seconds_training=heads.seconds,
    )  # fmt: skip
    measured = _measured(readouts, heads, split, choice)
    return replace(
        fresh,
        provenance=replace(artifact.provenance, policy=origin),
        report=with_plan(artifact, fresh, decision, target, measured, facts),
    )


def _check(artifact: Artifact, data: Samples, options: PolicyOptions) -> None:
    if artifact.timesteps < 2:
        raise InputError("the network runs for 1 timestep, so there is nothing to plan; convert it with -T 2 or more")
    if frames_of(artifact.snn) is not None:
        raise InputError(
            "a policy head plans before the first timestep, and of a recording only the first frame is there by then; "
            "recordings leave by their exit score alone, as 'convert' has chosen it"
        )
    asked = None if options.target is None else options.target.timesteps
    if asked is not None and asked > artifact.timesteps:
        raise InputError(
            f"target timesteps must be at most the longest run of {artifact.timesteps} timesteps, got {asked:g}"
        )
    check_shape(data, artifact.snn.input_shape)
    if len(data) < LEAST_IMAGES:
        raise CalibrationDataError(
            f"{data.name}: {len(data)} images are too few to train a policy head; give at least {LEAST_IMAGES}, better "
            "some thousands"
        )
    if options.right == "labels" and data.labels is None:
        raise CalibrationDataError(f"{data.name} has no labels; train on the ANN's answers instead (--right worth)")


def _target(artifact: Artifact) -> ExitTarget:
    """Return the target that the artifact was converted for, half a point where it does not say.

    A time becomes the timesteps that it was worth when the artifact was made.
    """
    told = artifact.provenance.options.get("target")
    target = ExitTarget(drop=0.5) if told is None else ExitTarget(**told)
    if target.milliseconds is None:
        return target
    timesteps = artifact.facts.target_timesteps
    if timesteps is None:
        raise InputError(
            f"the network was converted for {target.milliseconds:g} ms per image, and its artifact does not say how "
            "many timesteps these are; give --target-timesteps or --target-drop"
        )
    return ExitTarget(timesteps=min(timesteps, artifact.timesteps))


def bare_network(artifact: Artifact, options: PolicyOptions) -> SpikingModel:
    """Return the spiking network without a policy head, on the device that was asked for."""
    bare = replace(copy.deepcopy(artifact.snn), policy_head=None)
    return SpikingModel(bare, artifact.timesteps, FixedPolicy(artifact.timesteps)).to(options.device)


def untrained_head(artifact: Artifact, options: PolicyOptions) -> HeadPlan:
    """Return the untrained head for the shapes of what it reads."""
    if options.reads == "image":
        shapes = [artifact.snn.input_shape]
    else:
        assert artifact.snn.stem is not None
        with torch.no_grad():
            drives = artifact.snn.stem(torch.zeros(2, *artifact.snn.input_shape, dtype=artifact.snn.input_dtype))
        shapes = [tuple(drive.shape[1:]) for drive in drives]
    step = sum(site.macs for site in call_sites(artifact.ann) if site.treatment != "stem")
    return plan_head(options.reads, shapes, artifact.timesteps, MOST_OF_A_TIMESTEP * step, options.seed)


def _measured(readouts: Readouts, heads: Heads, split: Split, choice: Setting) -> Mapping[str, float]:
    """Return shares right on the held-out images: of early exit, of the ANN, of the full run."""
    held_out = readouts.select(split.held_out)
    planned = None if choice.head is None else heads.planned[choice.head, torch.tensor(split.held_out)]
    return held_out.shares_right(choice.exit_steps(held_out.scores, planned))
