"""Whom a network in training follows: its ANN, or itself as it was."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from seenn_convert.analysis.memory import images_together
from seenn_convert.artifact.artifact import Artifact
from seenn_convert.data.samples import Samples
from seenn_convert.ir.program import Program
from seenn_convert.measure.ann import run_ann
from seenn_convert.training.unrolled import Unrolled
from seenn_convert.workflows.convert.inputs import Model
from seenn_convert.workflows.other_ann import other_ann


class Teacher(ABC):
    """Gives the answers that a network in training follows."""

    @property
    @abstractmethod
    def module(self) -> nn.Module:
        """What has its weights."""

    @abstractmethod
    def __call__(self, images: Tensor) -> Tensor:
        """Return the logits ``(B, K)`` of ``images`` ``(B, *input_shape)``, without gradients."""

    @abstractmethod
    def answers(self, data: Samples, batch_size: int) -> Tensor:
        """Return the logits ``(N, K)`` of all of ``data``, on the CPU."""


@dataclass(frozen=True)
class AnnTeacher(Teacher):
    """The ANN of the network, or a better one."""

    ann: Program

    @property
    def module(self) -> nn.Module:
        """The graph of the ANN."""
        return self.ann.graph_module

    def __call__(self, images: Tensor) -> Tensor:
        """Return the logits of the ANN."""
        with torch.no_grad():
            return self.ann(images.to(self.ann.input_dtype))

    def answers(self, data: Samples, batch_size: int) -> Tensor:
        """Return the logits of the ANN for all of ``data``."""
        with torch.no_grad():
            return run_ann(self.ann, data, images_together(self.ann, batch_size))


@dataclass(frozen=True)
class FullRunTeacher(Teacher):
    """The network itself before the training, after all timesteps: whom to follow if there is no ANN."""

    network: Unrolled
    timesteps: int

    @property
    def module(self) -> nn.Module:
        """The network as it was."""
        return self.network

    def __call__(self, images: Tensor) -> Tensor:
        """Return the mean logits after all timesteps."""
        with torch.no_grad():
            means, _ = self.network(images.to(self.network.program.input_dtype), self.timesteps)
        last: Tensor = means[-1]
        return last

    def answers(self, data: Samples, batch_size: int) -> Tensor:
        """Return the mean logits after all timesteps for all of ``data``."""
        device = next(self.network.parameters()).device
        return torch.cat([self(images.to(device)).cpu() for images, _ in data.batches(batch_size)])


def teacher_of(artifact: Artifact, teacher: Program | Model | None, timesteps: int) -> Teacher:
    """Return whom to follow: what is given, the artifact's ANN, or the adopted network's own full run."""
    if teacher is not None:
        return AnnTeacher(other_ann(teacher, artifact, "give a teacher of the same input and classes"))
    if artifact.reference is not None:
        return AnnTeacher(artifact.reference)
    return FullRunTeacher(Unrolled(artifact.snn).requires_grad_(False), timesteps)
