"""Convolution by computed weights: each row has its own, as if it were convolved alone."""

from typing import Any

import harness
import torch
import toys
from calibrating import calibrate
from torch import Tensor, nn
from torch.nn import functional as F

from seenn_convert.calibration.output_error import prefix_errors
from seenn_convert.calibration.rules import MaxRule
from seenn_convert.frontend.torch.read import from_torch
from seenn_convert.ir.operators import RowConvolution
from seenn_convert.neurons.types import Tracking
from seenn_convert.passes.base import run_passes
from seenn_convert.passes.sequence import ANN_PASSES, spiking_passes


def test_each_row_is_convolved_with_its_own_weights() -> None:
    x, weight = torch.randn(3, 4, 7, 7), torch.randn(3, 6, 2, 3, 3)
    rows = [F.conv2d(x[i : i + 1], weight[i], None, 2, 1, 1, 2) for i in range(3)]
    assert torch.allclose(RowConvolution((2, 2), (1, 1), (1, 1), 2)(x, weight), torch.cat(rows), atol=1e-5)


def conditional(m: Any, x: Tensor) -> Tensor:
    """A mixture of two kernels, weighted by a routing of the image (CondConv)."""
    x = torch.relu(m.stem(x))
    routing = torch.sigmoid(m.route(x.mean((2, 3))))
    kernels = (routing @ m.kernels.flatten(1)).reshape(-1, 4, 3, 3)
    rows = x.reshape(1, -1, 8, 8)
    x = F.conv2d(rows, kernels, None, 1, 1, 1, x.shape[0]).reshape(x.shape[0], 5, 8, 8)
    return m.head(torch.relu(x).flatten(1))


def network() -> toys.Toy:
    torch.manual_seed(0)
    net = toys.toy(conditional, stem=toys.conv(), route=nn.Linear(4, 2), head=nn.Linear(5 * 64, 3))
    net.kernels = nn.Parameter(torch.randn(2, 5, 4, 3, 3) / 4, requires_grad=False)
    return net


def test_a_conditional_convolution_is_read_for_any_batch() -> None:
    net = network()
    program = from_torch(net, toys.IMAGE)
    assert any(isinstance(module, RowConvolution) for _, module in program.calls())
    for rows in (1, 2, 5):
        batch = harness.images(program, rows)
        harness.assert_same(program(batch), net(batch))


def test_its_spiking_network_tends_to_it() -> None:
    ann = run_passes(from_torch(network(), toys.IMAGE), ANN_PASSES)
    batch = harness.images(ann, 4)
    thresholds = calibrate(ann, [batch], MaxRule()).v_thresholds()
    snn = run_passes(ann, spiking_passes(ann, thresholds, Tracking(32)))
    with torch.no_grad():
        early, late = prefix_errors(snn, batch, ann(batch), (4, 64))
    assert late < early / 8 and late < 0.01
