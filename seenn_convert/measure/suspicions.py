"""What the ANN's answers on labelled images say against how it was read and what it was given."""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from seenn_convert.analysis.last_call import row_shapes, squashed_logits
from seenn_convert.artifact.schema.shared import NETWORK_WORDS, Caution
from seenn_convert.data.samples import Samples
from seenn_convert.ir.program import Program
from seenn_convert.measure.class_order import class_order_caution
from seenn_convert.measure.preprocessing_trials import preprocessing_caution

SUM_TOLERANCE = 1e-3
"""How far the sum of a row of probabilities may be from 1."""

LEAST_IMAGES = 20
"""Images from which one answer for all of them is no accident."""


def output_cautions(ann: Program, logits: Tensor) -> Iterator[Caution]:
    """Return an iterator over warnings about what the ANN ends in; ``logits`` ``(N, K)`` are its outputs."""
    found = squashed_logits(ann, row_shapes(ann))
    if found is not None and found[1] == "sigmoid":
        yield Caution(
            "sigmoid_per_class",
            "the model ends in a sigmoid per class, as models do that find several classes in one image; the spiking "
            "network answers with one, the largest, and its confidence is the softmax of these values; if an image is "
            "of one class, convert the model without the sigmoid",
        )
    elif bool((logits >= 0).all() and ((logits.sum(dim=-1) - 1).abs() < SUM_TOLERANCE).all()):
        yield Caution(
            "probabilities",
            "the outputs of the model are probabilities, not logits, so confidence and exits are too cautious; let the "
            "model return their logarithm, or what they are made of",
        )


def suspicions(ann: Program | None, data: Samples, logits: Tensor, among: Sequence[int]) -> Iterator[Caution]:
    """Return an iterator over warnings about the classes and the preprocessing.

    Args:
        ann: The ANN; None if the network was trained as a spiking one, on which no preprocessing is tried.
        data: Images that it was run on, with labels if there are any.
        logits: ``(N, K)``, the ANN's, or those after all timesteps.
        among: Positions of the images to try another preprocessing on.
    """
    network = NETWORK_WORDS["full_run" if ann is None else "ann"]
    labels, answers = data.labels, logits.argmax(dim=-1)
    given = LEAST_IMAGES if labels is None else len(torch.unique(labels))
    if len(answers) >= LEAST_IMAGES and given > 1 and len(torch.unique(answers)) == 1:
        yield Caution(
            "one_answer",
            f"{network} gives the same answer, class {int(answers[0])}, for all {len(answers)} images; check the "
            "preprocessing (mean, std, resize) and the weights, and give images of every class",
        )
    if labels is None:
        return
    found = (
        None if ann is None else preprocessing_caution(ann, data, answers, among),
        class_order_caution(answers, labels, logits.shape[-1], data.class_names, network),
    )
    explained = [one for one in found if one is not None]
    if explained:
        yield max(explained, key=lambda one: one[0])[1]  # the first of two alike: other pixels mix answers up, too
