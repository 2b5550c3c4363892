"""The stages of a conversion that read the calibration data: thresholds, timestep biases, the exit."""

from collections.abc import Iterator

import torch
from torch import Tensor

from seenn_convert.calibration.calibration import Calibration, calibrate
from seenn_convert.calibration.observe import check_images
from seenn_convert.calibration.timestep_bias import fit_timestep_bias
from seenn_convert.data.dataset import Dataset
from seenn_convert.options import Options
from seenn_convert.passes.base import run_passes
from seenn_convert.passes.sequence import probe_pass
from seenn_convert.program import Program
from seenn_convert.progress import Counter, Progress
from seenn_convert.report.ann import run_ann
from seenn_convert.report.user_data import checked_labels
from seenn_convert.runtime.all_timesteps import run_all_timesteps
from seenn_convert.runtime.policies import SCORE_POLICIES
from seenn_convert.runtime.spiking_model import SpikingModel
from seenn_convert.tuning.exit_threshold import NEVER
from seenn_convert.tuning.tune import ExitTuning, Split, tune_exit

BIAS_UPDATES, BIAS_IMAGES = 16, 128


def calibrate_thresholds(
    ann: Program, data: Dataset, split: Split, options: Options, progress: Progress
) -> Calibration:
    """Choose the thresholds on the fitting part."""
    counter = Counter(progress, "calibrating", len(split.fitting))

    def images() -> Iterator[Tensor]:
        for image, _ in data.batches(options.batch_size, split.fitting):
            check_images(image, ann.input_shape, split.fitting[counter.done : counter.done + len(image)])
            yield image
            counter.add(len(image))

    return calibrate(ann, images(), options.rule, options.per_channel)


def fit_bias(
    ann: Program, spiking: Program, data: Dataset, split: Split, options: Options, progress: Progress
) -> dict[str, Tensor]:
    """Fit timestep biases on the fitting part, in updates of a fixed number of images: the same for any batch size."""
    order = torch.randperm(len(split.fitting), generator=torch.Generator().manual_seed(options.seed))
    size = min(BIAS_IMAGES, len(order))
    chosen = [split.fitting[int(order[i % len(order)])] for i in range(BIAS_UPDATES * size)]
    counter = Counter(progress, "timestep bias", len(chosen))

    def images() -> Iterator[Tensor]:
        for image, _ in data.batches(size, chosen):
            yield image.to(options.device, ann.input_dtype)
            counter.add(len(image))

    return fit_timestep_bias(ann, spiking, options.timesteps, images())


def tune(
    ann: Program, spiking: Program, data: Dataset, split: Split, options: Options, progress: Progress
) -> ExitTuning:
    """Run the calibration set through all timesteps once and fit the exit decision to it."""
    probed = run_passes(spiking, [probe_pass(ann, options.score, torch.ones(options.timesteps, dtype=ann.input_dtype))])
    model = SpikingModel(probed, options.timesteps, SCORE_POLICIES[options.score]((NEVER,)))
    model.to(options.device)
    with torch.no_grad():
        ann_logits = run_ann(ann, data, options.batch_size, progress)
        counter = Counter(progress, "tuning the exit", len(data))
        images = (image for image, _ in data.batches(options.batch_size))
        run = run_all_timesteps(model, images, keep_logits=True, progress=counter.add)
    labels = None if data.labels is None else checked_labels(data, ann_logits.shape[-1])
    return tune_exit(run, ann_logits, labels, split, options.target, options.score)
