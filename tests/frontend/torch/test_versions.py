"""What differs between versions of PyTorch is behind functions that work in each."""

import pytest
import torch
import toys
from torch.export import Dim, export

from seenn_convert.frontend.torch.versions import runnable


@pytest.mark.parametrize("images", [1, 2, 5])
def test_an_exported_model_runs_for_any_batch_size(images: int) -> None:
    """It was traced with four images, and a guard on that number would refuse others."""
    model = toys.residual()
    exported = export(model, (torch.zeros(4, *toys.IMAGE),), dynamic_shapes=({0: Dim.AUTO},))
    batch = torch.randn(images, *toys.IMAGE)
    torch.testing.assert_close(runnable(exported)(batch), model(batch))
