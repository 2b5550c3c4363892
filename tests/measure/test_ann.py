"""The ANN runs over a whole data set, in order."""

import small_artifacts as small
import torch

from seenn_convert.measure.ann import run_ann


def test_logits_come_in_order_whatever_the_batches() -> None:
    data, told = small.dataset(40), []
    with torch.no_grad():
        wanted = small.trained_net()(data.source.images)
        for size in (40, 13):
            found = run_ann(small.ann_program(), data, size, lambda *what: told.append(what))
            assert torch.allclose(found, wanted, atol=1e-4)
    assert told[-1] == ("ANN", 40, 40)
