"""Fine-tuning in ``report.json`` and in the manifest: how a network was trained through time, and what came of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from seenn_convert.artifact.schema.shared import Environment, Share, UsedData


@dataclass(frozen=True, kw_only=True)
class Look:
    """What images that train nothing showed on the way.

    Attributes:
        update: Behind how many updates.
        loss: Mean finite loss of the updates since the look before; None if there is none.
        accuracy_at: Share right after timestep 1, 2, ...; without labels "right" means "as the ANN says".
        average_timesteps: Mean exit step with exits fitted to these images for at most 0.5 points lost against all
            timesteps.
        minutes: How long the training had taken by then, looks included; None where that was not noted.
        score: Mean of the accuracies, each prefix by the share of images that leaves there, less the penalty on spikes:
            what is kept has the best, if the ANN was not trained on the images that judge.
    """

    update: int
    loss: float | None
    accuracy_at: tuple[Share, ...]
    average_timesteps: float
    score: float
    minutes: float | None = None


@dataclass(frozen=True, kw_only=True)
class FinetuneFacts:
    """How the network was trained through time.

    Attributes:
        objective: What the answers of each prefix of a run were brought closer to.
        labelled: Whether labels were read.
        images: Images that trained.
        judging_images: Images that trained nothing and showed how good the network was on the way. If the ANN was not
            trained on them either, they said which state is kept; else the last one is.
        updates, batch_size, learning_rate: Of the training.
        quantised_updates: How many of the updates, the first ones, trained the ANN with its activations quantised to T
            levels; the others trained through time.
        left_out: Updates without a finite gradient, which changed nothing.
        minutes: How long the training took, all interruptions left out.
        ann_accuracy: Share of the judging images that the ANN gets right that was followed, 1 without labels.
        looks: What the judging images showed, before the first update and on the way.
        kept: Which of the looks is that of the network that was kept.
    """

    objective: str
    labelled: bool
    images: int
    judging_images: int
    updates: int
    batch_size: int
    learning_rate: float
    left_out: int
    minutes: float
    ann_accuracy: Share
    looks: tuple[Look, ...]
    kept: int
    quantised_updates: int = 0


@dataclass(frozen=True, kw_only=True)
class FinetuneOrigin(UsedData):
    """What a network was trained on, with which options, and where.

    Attributes:
        options: Those of the training.
        environment: Where it ran.
        chosen_by: The images that said which state of the training is kept; None if that is the last one.
    """

    options: Mapping[str, Any]
    environment: Environment
    chosen_by: UsedData | None = None
