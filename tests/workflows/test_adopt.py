"""Adopting a network that was trained as a spiking one: it computes what it did, and everything else works on it."""

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import small_artifacts as small
import spiking_networks as nets
import torch
from click.testing import CliRunner
from torch import Tensor, nn

from seenn_convert.artifact.artifact import Artifact, load_artifact
from seenn_convert.cli.adopt import adopt as adopt_command
from seenn_convert.cli.compare import _text
from seenn_convert.cli.console import conversion_text, evaluation_text, policy_text
from seenn_convert.errors import InputError, PostconditionError
from seenn_convert.exits.certificates.certificate import Certify
from seenn_convert.exits.readouts import collect_readouts
from seenn_convert.exits.thresholds import ExitTarget
from seenn_convert.ir.operators import FirstSpikes
from seenn_convert.measure.compare import compare
from seenn_convert.neurons.layers import Neuron
from seenn_convert.report.render import comparison_page, report_page
from seenn_convert.training.planner.rewards import PricedReward
from seenn_convert.workflows.add_planner.options import PolicyOptions
from seenn_convert.workflows.add_planner.run import attach_policy
from seenn_convert.workflows.adopt.options import AdoptOptions
from seenn_convert.workflows.adopt.run import adopt
from seenn_convert.workflows.convert.run import recalibrate
from seenn_convert.workflows.evaluate import evaluate
from seenn_convert.workflows.finetune.options import FinetuneOptions
from seenn_convert.workflows.finetune.run import finetune
from seenn_convert.workflows.predict import predict

KINDS = (nets.SynapticNet, nets.RecurrentNet, nets.NestedNet)
STARTS = {nets.NestedNet: {"layers": (torch.full((1, 12), 0.5), torch.zeros(1, 3))}}


@cache
def adopted(kind: type[nn.Module] = nets.RecurrentNet, **options: Any) -> Artifact:
    settled = AdoptOptions(**{"timesteps": 4, "target": ExitTarget(drop=3.0), **options})
    return adopt(nets.network(kind), small.dataset(160), settled, start=STARTS.get(kind))


def mean_logits(artifact: Artifact, images: Tensor) -> Tensor:
    logits = collect_readouts(artifact.model(), [images], keep_logits=True).logits
    assert logits is not None
    return logits


def prefixes(values: Tensor) -> Tensor:
    return values.cumsum(0) / torch.arange(1, len(values) + 1).reshape(-1, 1, 1)


@pytest.mark.parametrize("kind", KINDS)
def test_every_prefix_has_the_mean_output_of_the_original(kind: type[nn.Module], tmp_path: Path) -> None:
    images = small.draw(40, 9)[0]
    expected = prefixes(nets.outputs(nets.network(kind), images, 4))
    found = mean_logits(adopted(kind), images)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6)
    adopted(kind).save(tmp_path / "adopted")
    assert torch.equal(mean_logits(load_artifact(tmp_path / "adopted"), images), found)


@pytest.mark.parametrize(("kind", "layers"), [(nets.SynapticNet, 1), (nets.RecurrentNet, 1), (nets.NestedNet, 2)])
def test_layers_of_neurons_are_found_whatever_their_law(kind: type[nn.Module], layers: int) -> None:
    artifact = adopted(kind)
    assert sum(isinstance(module, FirstSpikes) for _, module in artifact.ann.calls()) == layers
    neurons = [module for _, module in artifact.snn.calls() if isinstance(module, Neuron)]
    assert len(neurons) == layers and all(neuron.alphabet == (0, 1) for neuron in neurons)
    assert not any("not recognised" in note for note in artifact.provenance.model.notes)


class Watched(nn.Module):
    """Neurons whose membrane something else reads, too, so that they are no layer by themselves."""

    def __init__(self) -> None:
        super().__init__()
        self.inward, self.head, self.watch = nn.Linear(64, 12), nn.Linear(12, 3), nn.Linear(12, 3)

    def step(self, image: Tensor, v: Tensor | None) -> tuple[Tensor, Tensor]:
        current = self.inward(image.flatten(1))
        v = 0.9 * (torch.zeros_like(current) if v is None else v) + current
        spikes = (v > 0.2).float()
        return self.head(spikes) + self.watch(v), v - 0.2 * spikes


def test_what_is_no_layer_of_neurons_runs_as_well_and_is_told() -> None:
    net, images = nets.network(Watched), small.draw(30, 9)[0]
    artifact = adopt(net, small.dataset(60), AdoptOptions(timesteps=3))
    expected = prefixes(nets.outputs(net, images, 3))
    torch.testing.assert_close(mean_logits(artifact, images), expected, rtol=1e-5, atol=1e-6)
    assert "not recognised as a layer of neurons: " in artifact.provenance.model.notes[-1]
    assert "is read by others, too" in artifact.provenance.model.notes[-1]
    with pytest.raises(InputError, match="train it where it was trained"):
        finetune(artifact, small.dataset(60, 3), FinetuneOptions(epochs=1))
    assert not artifact.model().layers and evaluate(artifact, small.dataset(40, 5)).operations.spikes.all_timesteps == 0


def test_layers_that_read_spikes_of_the_timestep_before_are_driven_by_spikes() -> None:
    from seenn_convert.analysis.coverage import call_sites

    driven = {site.name: site.driven_by for site in call_sites(adopted().ann) if site.macs}
    assert driven == {"module_inward": "image", "module_back": "spikes", "module_head": "spikes"}
    found = evaluate(adopted(), small.dataset(60, 5))
    assert found.operations.graded_operations.all_timesteps == 0
    spikes = found.operations.spikes.all_timesteps  # each causes 3 additions in the head, and 20 a timestep later
    assert 3 * spikes < found.operations.synaptic_operations.all_timesteps < 23 * spikes


def test_the_last_output_can_be_the_readout() -> None:
    images = small.draw(20, 9)[0]
    expected = nets.outputs(nets.network(nets.SynapticNet), images, 4)
    found = mean_logits(adopted(nets.SynapticNet, readout="last"), images)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)


def test_the_membrane_of_the_last_neurons_can_be_the_readout() -> None:
    images, net = small.draw(20, 9)[0], nets.network(nets.NestedNet)
    state, membranes = None, []
    with torch.no_grad():
        for _ in range(4):
            _, state = net.step(images, state)
            membranes.append(state["layers"][1])
    found = mean_logits(adopted(nets.NestedNet, readout="membrane"), images)
    torch.testing.assert_close(found, torch.stack(membranes), rtol=1e-5, atol=1e-5)


def test_a_network_that_does_not_end_in_neurons_has_no_membrane_to_read() -> None:
    with pytest.raises(InputError, match="does not end in a layer of neurons"):
        adopted(nets.RecurrentNet, readout="membrane")


def test_the_first_spikes_of_a_program_are_the_first_timestep() -> None:
    images = small.draw(20, 9)[0]
    expected = nets.outputs(nets.network(nets.SynapticNet), images, 1)[0]
    torch.testing.assert_close(adopted(nets.SynapticNet).ann(images), expected, rtol=1e-5, atol=1e-6)


def test_all_timesteps_take_the_place_of_the_ann() -> None:
    artifact = adopted()
    assert artifact.reference is None and artifact.facts.reference == "full_run"
    found = evaluate(artifact, small.dataset(120, 5))
    assert found.ann_accuracy is None and found.energy.nanojoule_per_image.ann is None
    assert found.reference_accuracy == found.full_accuracy
    assert found.points_lost == pytest.approx(100 * (found.full_accuracy - found.early_exit.accuracy))
    assert found.target is not None and found.differs_from_hindsight == 0
    assert all(layer.rate_error is None and layer.firing_rate is not None for layer in found.layers)


def test_mixed_up_classes_are_told_of_the_network() -> None:
    pixels, labels = small.draw(160, 12)
    answers = mean_logits(adopted(), pixels)[-1].argmax(-1)
    shuffled = small.as_dataset(pixels, torch.tensor([1, 2, 0])[answers])
    found = evaluate(adopted(), shuffled)
    said = next(warning.text for warning in found.warnings if warning.code == "class_order")
    assert said.startswith("the network is right on 0.0% of these images, and on 100.0% if ")


def test_another_model_can_be_compared_with() -> None:
    found = evaluate(adopted(), small.dataset(60, 5), against=small.trained_net())
    assert found.ann_accuracy is not None and found.reference == "ann"
    assert found.points_lost == pytest.approx(100 * (found.ann_accuracy - found.early_exit.accuracy))


def test_nothing_speaks_of_an_ann_that_is_not_there() -> None:
    from dataclasses import replace

    data, artifact = small.dataset(120, 5), adopted()
    found = evaluate(artifact, data)
    said = [conversion_text(artifact.report), evaluation_text(found), repr(found)]
    said.append(report_page(replace(artifact.report, evaluation=found)))
    comparison = compare(artifact, data, small.dataset(80, 6))
    said += [_text(comparison), comparison_page(comparison)]
    assert comparison.reference == "full_run"
    for words in said:
        assert "ANN" not in words.replace("ANNOTATION", "")


def test_a_certificate_is_about_the_full_run_as_ever() -> None:
    artifact = adopted(certify=Certify(0.2, 0.1))
    assert artifact.certificate is not None and artifact.certificate.epsilon == 0.2
    found = evaluate(artifact, small.dataset(100, 5))
    assert found.certificate is not None and found.certificate.images == 100


def test_a_policy_head_can_be_attached() -> None:
    options = PolicyOptions(reward=PricedReward((0.01, 0.1)), epochs=5)
    fresh = attach_policy(adopted(), small.dataset(160, 8), options)
    assert fresh.snn.policy_head is not None and fresh.reference is None
    assert "ANN" not in policy_text(fresh.report)


def test_exits_can_be_fitted_again_and_nothing_else() -> None:
    with pytest.raises(InputError, match=r"nothing to calibrate; give images for the exits alone"):
        recalibrate(adopted(), small.dataset(60, 3))
    fresh = recalibrate(adopted(), exit_data=small.dataset(90, 3))
    assert fresh.reference is None and fresh.report.conversion is not None
    assert fresh.report.conversion.reference == "full_run" and fresh.provenance.options["readout"] == "mean"
    assert fresh.report.conversion.neuron == adopted().report.conversion.neuron
    with pytest.raises(InputError, match="train it where it was trained"):
        finetune(adopted(), small.dataset(60, 3), FinetuneOptions(epochs=1))


def test_predictions_are_those_of_the_network() -> None:
    images = small.draw(30, 9)[0]
    said = predict(adopted(nets.RecurrentNet, target=ExitTarget(timesteps=4.0)), images)
    expected = nets.outputs(nets.network(nets.RecurrentNet), images, 4).mean(0).argmax(-1)
    last = [one.timestep == 4 for one in said]
    assert any(last) and all(
        one.label == label for one, label, late in zip(said, expected.tolist(), last, strict=True) if late
    )


class InPlace(nn.Module):
    """Writes into its input, its membranes and its running output, which it returns."""

    def __init__(self) -> None:
        super().__init__()
        self.inward, self.head = nn.Linear(64, 12), nn.Linear(12, 3)

    def step(self, image: Tensor, state: dict[str, Tensor] | None) -> tuple[Tensor, dict[str, Tensor]]:
        current = self.inward(image.sub_(0.1).flatten(1))
        if state is None:
            state = {"v": torch.zeros_like(current), "sum": image.new_zeros(len(image), 3)}
        v = state["v"]
        v += current
        spikes = (v >= 0.2).to(v.dtype)
        v[:] = v - 0.2 * spikes
        state["sum"].mul_(0.5).add_(self.head(spikes))
        return state["sum"], state


def test_a_network_that_writes_into_its_state_is_adopted() -> None:
    net, data, state, outputs = nets.network(InPlace), small.dataset(60), None, []
    before, images = data[0][0].clone(), small.draw(30, 9)[0]
    artifact = adopt(net, data, AdoptOptions(timesteps=4))
    assert torch.equal(data[0][0], before) and len(artifact.model().layers) == 1
    with torch.no_grad():
        for _ in range(4):
            output, state = net.step(images.clone(), state)
            outputs.append(output.clone())
    torch.testing.assert_close(mean_logits(artifact, images), prefixes(torch.stack(outputs)), rtol=1e-5, atol=1e-6)


class FrameNet(nn.Module):
    """Reads a frame of two channels at each timestep."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.head = nn.Conv2d(2, 3, 3), nn.Linear(48, 4)

    def step(self, frame: Tensor, v: Tensor | None) -> tuple[Tensor, Tensor]:
        current = self.conv(frame)
        v = 0.6 * (torch.zeros_like(current) if v is None else v) + current
        spikes = (v > 0.3).to(v.dtype)
        return self.head(spikes.flatten(1)), v - 0.3 * spikes


def test_recordings_are_read_frame_by_frame() -> None:
    recordings, net = torch.rand(60, 5, 2, 6, 6, generator=torch.Generator().manual_seed(2)), nets.network(FrameNet)
    artifact = adopt(net, recordings)
    assert artifact.timesteps == 5 and artifact.snn.input_shape == (5, 2, 6, 6)
    state, outputs = None, []
    with torch.no_grad():
        for t in range(5):
            output, state = net.step(recordings[:, t], state)
            outputs.append(output)
    torch.testing.assert_close(mean_logits(artifact, recordings), prefixes(torch.stack(outputs)), rtol=1e-5, atol=1e-6)
    assert adopt(net, recordings, AdoptOptions(timesteps=3)).timesteps == 3
    assert artifact.provenance.model.notes[0].startswith("each input is a recording of 5 frames")


class Restless(nn.Module):
    """Its threshold depends on the number of images, which was small where it was read."""

    def __init__(self) -> None:
        super().__init__()
        self.inward, self.head = nn.Linear(64, 12), nn.Linear(12, 3)

    def step(self, image: Tensor, state: Tensor | None) -> tuple[Tensor, Tensor]:
        v = image.new_zeros(len(image), 12) if state is None else state
        v = v + self.inward(image.flatten(1))
        spikes = (v >= (0.3 if len(image) < 10 else 0.9)).float()
        return self.head(spikes), v - 0.3 * spikes


def test_a_difference_stops_the_adoption_with_its_place_and_timestep() -> None:
    with pytest.raises(
        PostconditionError, match=r"state: the first that is not as in the original: at timestep \d, [\d,]+ of"
    ):
        adopt(Restless().eval(), small.dataset(60), AdoptOptions(timesteps=6))


class Wrong(nn.Module):
    def __init__(self, state: Any, output: Any = None) -> None:
        super().__init__()
        self.state, self.output, self.head = state, output, nn.Linear(64, 3)

    def step(self, image: Tensor, state: Any) -> tuple[Any, Any]:
        y = self.head(image.flatten(1))
        return y if self.output is None else self.output(y), self.state(image)


@pytest.mark.parametrize(("module", "words"), [
    (Wrong(lambda x: 3), "state of the network holds int"),
    (Wrong(lambda x: {"v": (torch.zeros(1),)}), r"state\.v\.0 of the network: a state is a tensor"),
    (Wrong(lambda x: ()), "the network keeps no state"),
    (Wrong(lambda x: x, lambda y: [y]), "returns list at a timestep"),
    (Wrong(lambda x: x, lambda y: y.unsqueeze(1)), r"returns \('B', 1, 3\) at each timestep"),
    (Wrong(lambda x: torch.ones_like(x)), "is a constant after the first timestep"),
    (nn.Sequential(nn.Flatten(), nn.Linear(64, 3)), "holds no neurons of SpikingJelly or snnTorch"),
    ("model.onnx", "files of networks that run in time are not read"),
])  # fmt: skip
def test_what_cannot_be_adopted_is_told(module: Any, words: str) -> None:
    module = module.eval() if isinstance(module, nn.Module) else module
    with pytest.raises(InputError, match=words):
        adopt(module, small.dataset(20), AdoptOptions(timesteps=2))


def test_a_start_that_is_not_zero_is_asked_for_and_checked() -> None:
    net, data = nets.network(nets.NestedNet), small.dataset(20)
    with pytest.raises(InputError, match=r"give the state of one row before the first timestep \(start=\.\.\.\)"):
        adopt(net, data, AdoptOptions(timesteps=2))
    with pytest.raises(
        InputError, match=r"state\.layers\.0 of the start has shape \(1, 5\); give that of one row, \(1, 12\)"
    ):
        adopt(net, data, AdoptOptions(timesteps=2), start={"layers": (torch.zeros(1, 5), torch.zeros(1, 3))})


@pytest.mark.parametrize(("options", "words"), [
    ({"timesteps": 0}, "timesteps"), ({"readout": "max"}, "readout"), ({"score": "loud"}, "score"),
])  # fmt: skip
def test_options_are_checked(options: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        AdoptOptions(**options)


def test_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import numpy as np

    images, labels = small.draw(80, 4)
    np.savez(tmp_path / "data.npz", x=images.numpy(), y=labels.numpy())
    (tmp_path / "trained.py").write_text(
        "import spiking_networks as nets\n\ndef make():\n    return nets.network(nets.RecurrentNet)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    arguments = [
        "trained:make",
        "--calibration-data",
        str(tmp_path / "data.npz"),
        "-T",
        "3",
        "-o",
        str(tmp_path / "out"),
    ]
    done = CliRunner().invoke(adopt_command, arguments, catch_exceptions=False)
    assert done.exit_code == 0 and "those of the original on 16 images and 3 timesteps" in done.output
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert report["conversion"]["reference"] == "full_run" and report["model"]["format"] == "spiking module"
    assert load_artifact(tmp_path / "out").reference is None
