"""Networks that were trained as spiking ones are exported like converted ones."""

from pathlib import Path

import pytest
import small_artifacts as small
import spiking_networks as nets
import torch
from torch import nn

from seenn_convert.exits.thresholds import ExitTarget
from seenn_convert.exporters.exporter import check_exportable
from seenn_convert.exporters.onnx.loop import OnnxLoopExporter
from seenn_convert.exporters.onnx.sessions import onnx_network
from seenn_convert.exporters.onnx.split import OnnxExporter
from seenn_convert.runtime.early_exit import run_early_exit
from seenn_convert.runtime.policies import FixedPolicy
from seenn_convert.workflows.adopt.options import AdoptOptions
from seenn_convert.workflows.adopt.run import adopt

IMAGES = small.draw(24, 9)[0]
STARTS = {nets.NestedNet: {"layers": (torch.full((1, 12), 0.5), torch.zeros(1, 3))}}


@pytest.mark.parametrize("kind", [nets.SynapticNet, nets.RecurrentNet, nets.NestedNet])
def test_an_adopted_network_is_exported(kind: type[nn.Module], tmp_path: Path) -> None:
    """The export returns what the original network does, averaged over the timesteps."""
    network = nets.network(kind)
    options = AdoptOptions(timesteps=4, target=ExitTarget(drop=3.0))
    artifact = adopt(network, small.dataset(160), options, start=STARTS.get(kind))
    for exporter in (OnnxExporter(), OnnxLoopExporter()):
        folder = tmp_path / exporter.name
        folder.mkdir()
        check_exportable(exporter, artifact)
        exporter.write(artifact, folder)
        found = exporter.verify(folder, artifact, IMAGES)
        assert (found.answers_differ, found.exits_differ) == (0, 0)

    whole = run_early_exit(onnx_network(tmp_path / "onnx"), IMAGES, 24, FixedPolicy(4)).logits
    start = STARTS.get(kind)
    state = None if start is None else {"layers": tuple(part.expand(24, -1) for part in start["layers"])}
    step, wanted = getattr(network, "step", network), torch.zeros(24, 3)
    with torch.no_grad():
        for _ in range(4):
            output, state = step(IMAGES, state)
            wanted += output / 4
    torch.testing.assert_close(whole, wanted, atol=1e-5, rtol=1e-5)
