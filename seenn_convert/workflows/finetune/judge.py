"""How good a network is on its way through a training, on images that train nothing."""

from dataclasses import replace
from typing import Any

import torch

from seenn_convert.exits.readouts import Readouts, collect_readouts
from seenn_convert.exits.thresholds import ExitTarget
from seenn_convert.exits.tune import Split, tune_exit
from seenn_convert.ir.scores import ExitScore
from seenn_convert.ir.state import rows_together
from seenn_convert.runtime.policies import FixedPolicy
from seenn_convert.runtime.spiking_model import SpikingModel
from seenn_convert.training.objectives import shares_of
from seenn_convert.training.unrolled import Unrolled
from seenn_convert.workflows.finetune.images import Images
from seenn_convert.workflows.finetune.options import FinetuneOptions
from seenn_convert.workflows.finetune.teacher import Teacher


class Judge:
    """Says how good a network is on images that train nothing, and how many of them leave when.

    They leave as the exits will be fitted: by ``target``, where there is one that needs no clock.
    """

    def __init__(
        self, teacher: Teacher, images: Images, options: FinetuneOptions, target: ExitTarget | None = None
    ) -> None:
        data = images.judging
        self.target = target or ExitTarget(drop=0.5)
        self.data, self.options = data, options
        self.wanted = teacher.answers(data, options.batch_size)
        self.labels = data.labels if options.use_labels else None
        answers = self.wanted.argmax(dim=-1)
        self.teacher_right = float((answers == (answers if self.labels is None else self.labels)).double().mean())

    def readouts(self, network: Unrolled) -> tuple[Readouts, ExitScore]:
        """Return what all timesteps of the network show, and its exit score."""
        timesteps = self.options.timesteps
        assert timesteps is not None
        model = SpikingModel(network.settled(), timesteps, FixedPolicy(timesteps))
        batches = (image for image, _ in self.data.batches(rows_together(model.program, self.options.batch_size)))
        found = collect_readouts(model, batches, self.wanted, self.labels, keep_logits=True)
        return found, model.probe.score

    def __call__(self, network: Unrolled) -> dict[str, Any]:
        """Return what a look shows: how good the network is, what each prefix counts, and the accuracy at each t.

        Images leave as the target lets them, against the network's own answers after all timesteps.

        It is as good as the share of right answers, each prefix by the share of images that leaves after it, less the
        penalty on its spikes.
        """
        (readouts, score), every = self.readouts(network), tuple(range(len(self.data)))
        of_itself = replace(readouts, ann_logits=None).with_reference()  # else none leaves while the ANN is far off
        tuning = tune_exit(of_itself, Split(every, every), self.target, score)
        shares = shares_of(torch.tensor(tuning.exit_counts))
        right = readouts.right.double().mean(dim=1)
        return {
            "score": float((right * shares).sum()) - self.penalty(network),
            "shares": shares.to(self.options.device),
            "accuracy_at": right.tolist(),
            "average_timesteps": tuning.choice.average_timesteps,
        }

    def penalty(self, network: Unrolled) -> float:
        """Return what the spikes of the network count against it."""
        if not self.options.spike_penalty:
            return 0.0
        assert self.options.timesteps is not None
        spent = 0.0
        with torch.no_grad():
            for images, _ in self.data.batches(self.options.batch_size):
                given = images.to(self.options.device, network.program.input_dtype)
                spent += float(network(given, self.options.timesteps)[1].mean(dim=0).sum())
        return self.options.spike_penalty * spent / len(self.data)
