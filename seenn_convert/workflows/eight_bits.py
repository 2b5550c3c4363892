"""A converted network with weights in 8 bits, its exits fitted again, and what that did to its answers."""

from dataclasses import replace

import torch

from seenn_convert.artifact.artifact import Artifact
from seenn_convert.artifact.provenance import overlap, used_data
from seenn_convert.data.adapters import SampleData, as_samples
from seenn_convert.data.samples import Samples
from seenn_convert.errors import CalibrationDataError, InputError
from seenn_convert.exits.tune import split_calibration
from seenn_convert.exporters.eight_bits import Rounding, rounded
from seenn_convert.ir.state import rows_together
from seenn_convert.progress import Progress
from seenn_convert.runtime.early_exit import ExitTrace, run_early_exit
from seenn_convert.workflows.convert.drawing import used_images
from seenn_convert.workflows.convert.options import Options, options_from_json
from seenn_convert.workflows.convert.run import recalibrate

KEPT = "exit thresholds and temperatures are those of the network before rounding"
NO_IMAGES = f"{KEPT}, since there are no images to fit them to"
PLANNED = f"{KEPT}, since its policy head was trained on that network"
UNCERTIFIED = "the certificate is about the network before rounding and is dropped"


def in_eight_bits(artifact: Artifact, data: SampleData | None, progress: Progress) -> tuple[Artifact, Rounding]:
    """Return the network with weights in 8 bits, and what that changed.

    Temperatures, exit thresholds and certificate are fitted again to a part of the images, as ``recalibrate`` does for
    exit images; the rest judges. Without images the exits stay as they are, and nothing is certified.

    Raises:
        InputError: The images do not fit the network, or calibrated it.
    """
    after = rounded(artifact)
    if data is None:
        return after, Rounding(exits="kept", notes=(NO_IMAGES, *_dropped(artifact)))
    options = options_from_json(artifact.provenance.options)
    images = as_samples(data, artifact.preprocessing, progress=progress, input_shape=artifact.snn.input_shape)
    images = used_images(images, options)
    if artifact.snn.policy_head is not None:
        notes = (PLANNED, *_dropped(artifact))
        return after, _judged(artifact, after, images, Rounding(exits="kept", notes=notes))
    _refuse_calibration_images(artifact, images)
    after, notes = _fitted(after, images, options, progress)
    split = split_calibration(len(images), options.seed)
    found = Rounding(exits="fitted", fitted_images=len(split.fitting), notes=notes)
    return after, _judged(artifact, after, images.subset(split.held_out), found)


def _dropped(artifact: Artifact) -> tuple[str, ...]:
    return () if artifact.certificate is None else (UNCERTIFIED,)


def _refuse_calibration_images(artifact: Artifact, images: Samples) -> None:
    calibration = artifact.provenance.calibration
    if calibration is not None and overlap(used_data(images), calibration):
        raise InputError(
            f"{images.name}: the exits of a rounded network are fitted to images that are used for nothing else, and "
            "some of these calibrated it; give others (--data), or none to keep the exits as they are"
        )


def _fitted(
    artifact: Artifact, images: Samples, options: Options, progress: Progress
) -> tuple[Artifact, tuple[str, ...]]:
    """Return the network with exits fitted to the images; if they are too few for its certificate, without one."""
    try:
        return recalibrate(artifact, exit_data=images, options=options, progress=progress), ()
    except CalibrationDataError as error:
        if options.certify is None:
            raise
        why = f"nothing is certified: {error}"
    options = replace(options, certify=None)
    return recalibrate(artifact, exit_data=images, options=options, progress=progress), (why,)


def _judged(before: Artifact, after: Artifact, images: Samples, found: Rounding) -> Rounding:
    """Return ``found`` with how the two networks compare on images that fitted nothing."""
    ours, theirs = _run(before, images), _run(after, images)
    right = None
    if images.labels is not None:
        one, other = ((trace.predictions == images.labels).double().mean().item() for trace in (ours, theirs))
        right = (one, other)
    return replace(
        found,
        judged_images=len(images),
        answers_changed=int((ours.predictions != theirs.predictions).sum()),
        exits_changed=int((ours.exit_step != theirs.exit_step).sum()),
        accuracy=right,
        average_timesteps=(ours.average_timesteps, theirs.average_timesteps),
    )


def _run(artifact: Artifact, images: Samples) -> ExitTrace:
    together = min(rows_together(artifact.snn, 128), len(images))
    with torch.no_grad():
        return run_early_exit(artifact.model(), (image for image, _ in images.batches(together)), together)
