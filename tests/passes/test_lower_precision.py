"""Lower precision: convolutions and linear layers are rounded, everything that is summed in time stays."""

from dataclasses import replace

import pytest
import small_artifacts as small
import torch
import toys
from torch import nn

from seenn_convert.artifact.artifact import Artifact, load_artifact
from seenn_convert.choices import PRECISION_NAMES
from seenn_convert.errors import ExportError, InputError
from seenn_convert.exits.readouts import collect_readouts
from seenn_convert.ir.operators import Cast
from seenn_convert.measure.instruments import CountingModel
from seenn_convert.neurons.layers import Neuron
from seenn_convert.passes.lower_precision import LowerPrecision, in_precision
from seenn_convert.runtime.policies import FixedPolicy
from seenn_convert.runtime.spiking_model import SpikingModel
from seenn_convert.workflows.convert.options import Options, options_from_json
from seenn_convert.workflows.convert.run import convert, recalibrate
from seenn_convert.workflows.export import export


@pytest.fixture(scope="module")
def artifact() -> Artifact:
    toy = toys.residual()
    pixels = torch.rand(120, *toy.input_shape, generator=torch.Generator().manual_seed(5))
    return convert(toy, small.as_dataset(pixels, None), Options(timesteps=4, front="none", calibration="fast"))


def test_layers_compute_in_few_bits_and_state_in_many(artifact: Artifact) -> None:
    lowered = LowerPrecision(torch.bfloat16)(artifact.snn)
    seen: dict[str, set[torch.dtype]] = {"layers": set(), "neurons": set()}
    for node, module in lowered.calls():
        if isinstance(module, nn.Conv2d):
            assert module.weight.dtype == torch.bfloat16
            exact = artifact.snn.graph_module.get_submodule(str(node.target)).get_parameter("weight")
            assert exact.dtype == torch.float32  # the program that was given is untouched
            assert torch.equal(module.weight, exact.bfloat16())
            module.register_forward_hook(lambda m, i, o: seen["layers"].update({i[0].dtype, o.dtype}))
        elif isinstance(module, Neuron):
            module.register_forward_hook(lambda m, i, o: seen["neurons"].update({*(x.dtype for x in (*i, *o))}))
    model = SpikingModel(lowered, 4, FixedPolicy(4))
    trace = model(torch.rand(3, *lowered.input_shape))
    assert seen == {"layers": {torch.bfloat16}, "neurons": {torch.float32}}
    assert trace.logits.dtype == trace.confidence.dtype == torch.float32


def test_rounding_of_eight_bits_moves_answers_little(artifact: Artifact) -> None:
    images = torch.rand(64, *artifact.snn.input_shape, generator=torch.Generator().manual_seed(6))
    exact, rounded = (
        collect_readouts(artifact.model(precision), [images], keep_logits=True).logits for precision in PRECISION_NAMES
    )
    assert exact is not None and rounded is not None and float((exact - rounded).abs().max()) > 0
    assert float((exact - rounded).abs().mean()) < 2**-4 * float(exact.abs().mean())


def test_the_head_stays_as_it_is(artifact: Artifact) -> None:
    program = artifact.snn
    head = [node for node, module in program.calls() if isinstance(module, nn.Linear)][-1]
    lowered = LowerPrecision(torch.bfloat16)(program)
    kept = lowered.graph_module.get_submodule(str(head.target))
    assert kept.get_parameter("weight").dtype == torch.float32


def test_an_artifact_keeps_the_precision_that_its_exits_were_fitted_for(artifact: Artifact, tmp_path: object) -> None:
    fresh = torch.rand(90, *artifact.snn.input_shape, generator=torch.Generator().manual_seed(7))
    options = options_from_json(artifact.provenance.options, precision="bfloat16")
    fitted = recalibrate(artifact, options=options, exit_data=small.as_dataset(fresh, None))
    fitted.save(f"{tmp_path}/out")
    loaded = load_artifact(f"{tmp_path}/out")
    assert (artifact.precision, loaded.precision) == ("float32", "bfloat16")
    casts = [module for module in loaded.model().step_graph.modules() if isinstance(module, Cast)]
    assert casts and not any(isinstance(module, Cast) for module in loaded.snn.graph_module.modules())
    assert not any(isinstance(module, Cast) for module in loaded.model("float32").step_graph.modules())
    with pytest.raises(ExportError, match="fitted for bfloat16"):
        export(loaded, "onnx", f"{tmp_path}/exported")


def test_double_precision_is_left_alone(artifact: Artifact) -> None:
    with pytest.raises(InputError, match="computes in float64"):
        in_precision(replace(artifact.snn, input_dtype=torch.float64), "bfloat16")
    assert in_precision(artifact.snn, "float32") is artifact.snn


def test_spikes_drive_the_layers_as_before(artifact: Artifact) -> None:
    """Casts around a layer hand on spikes: its operations stay accumulates."""
    images = torch.rand(4, *artifact.snn.input_shape, generator=torch.Generator().manual_seed(8))
    counted = {}
    for precision in PRECISION_NAMES:
        model = CountingModel(artifact.model(precision))
        with torch.no_grad():
            model.step(model.drive(images), model.initial_state(4))
        counted[precision] = (model.graded, {name: found.tolist() for name, found in model.operations.items()})
    assert counted["float32"][1] and counted["bfloat16"] == counted["float32"]


def test_a_model_of_two_types_is_not_cast_to_one(artifact: Artifact) -> None:
    for cast in (torch.float32, torch.float64, torch.bfloat16):
        with pytest.raises(InputError, match="bfloat16 and float32 and cannot be cast to one type"):
            artifact.model("bfloat16").to(cast)
    model = artifact.model("bfloat16").to("cpu")
    assert len(model(torch.rand(2, *artifact.snn.input_shape))) == 2
