"""Judge an exported network on data: what early exit gives, without an ANN beside it."""

from collections.abc import Iterator
from dataclasses import dataclass
from time import perf_counter

import torch
from torch import Tensor

from seenn_convert.artifact.schema.evaluation import ConfidenceFacts, EarlyExit
from seenn_convert.data.samples import Samples
from seenn_convert.measure.evaluate import confidence_facts, early_exit_facts
from seenn_convert.progress import Counter, Progress
from seenn_convert.runtime.backends.backend import Backend


@dataclass(frozen=True, kw_only=True)
class ExportedEvaluation:
    """How good an exported network is on data.

    Attributes:
        images: How many images there were.
        early_exit: Accuracy and exits.
        confidence: How honest its probabilities are.
        milliseconds_per_image: Wall time, without reading the images.
    """

    images: int
    early_exit: EarlyExit
    confidence: ConfidenceFacts
    milliseconds_per_image: float


def judge_exported(
    backend: Backend, temperatures: Tensor, data: Samples, labels: Tensor, rows: int, progress: Progress
) -> ExportedEvaluation:
    """Run a network with early exit on ``data`` with the class indices ``labels`` ``(N,)``, ``rows`` at a time."""
    counter, reading = Counter(progress, "evaluating", len(data)), [0.0]

    def batches() -> Iterator[Tensor]:
        source = iter(data.batches(rows))
        while True:
            start = perf_counter()
            found = next(source, None)
            reading[0] += perf_counter() - start
            if found is None:
                return
            yield found[0]

    start = perf_counter()
    with torch.no_grad():
        trace = backend.run(batches(), rows, len(data), counter.add)
    seconds = perf_counter() - start - reading[0]
    return ExportedEvaluation(
        images=len(data),
        early_exit=early_exit_facts(trace, labels, len(temperatures)),
        confidence=confidence_facts(trace, temperatures, labels),
        milliseconds_per_image=1000 * seconds / len(data),
    )
