"""Networks of SpikingJelly layers fire as the library lets them fire, at every layer and timestep."""

from typing import Any

import pytest
import small_artifacts as small
import torch
from torch import Tensor, nn

from seenn_convert.errors import InputError, PostconditionError
from seenn_convert.exits.readouts import collect_readouts
from seenn_convert.exits.thresholds import ExitTarget
from seenn_convert.frontend.spiking import libraries
from seenn_convert.frontend.spiking.libraries import as_ours
from seenn_convert.frontend.spiking.record import record_network
from seenn_convert.workflows.adopt.options import AdoptOptions
from seenn_convert.workflows.adopt.run import adopt
from seenn_convert.workflows.finetune.options import FinetuneOptions
from seenn_convert.workflows.finetune.run import finetune

pytest.importorskip("loguru", reason="SpikingJelly is not installed")
pytest.importorskip("spikingjelly", reason="SpikingJelly is not installed")
from spikingjelly.activation_based import functional, layer, neuron, surrogate

TIMESTEPS = 6
NEURONS: dict[str, Any] = {
    "if, hard": lambda: neuron.IFNode(),
    "if, soft": lambda: neuron.IFNode(v_threshold=0.7, v_reset=None),
    "if, hard to a reset below zero": lambda: neuron.IFNode(v_threshold=0.5, v_reset=-0.25),
    "lif, decaying input": lambda: neuron.LIFNode(tau=2.0, v_threshold=0.4),
    "lif, input as it is, soft": lambda: neuron.LIFNode(tau=3.0, decay_input=False, v_reset=None),
    "lif, another reset": lambda: neuron.LIFNode(tau=1.7, v_threshold=0.3, v_reset=0.1),
    "parametric": lambda: neuron.ParametricLIFNode(init_tau=2.5, v_threshold=0.5, surrogate_function=surrogate.ATan()),
    "parametric, soft": lambda: neuron.ParametricLIFNode(init_tau=1.3, decay_input=False, v_reset=None),
}


def lone_spikes(module: Any, currents: Tensor) -> Tensor:
    functional.reset_net(module)
    with torch.no_grad():
        return torch.stack([module(current) for current in currents])


@pytest.mark.parametrize("name", NEURONS)
def test_a_layer_of_neurons_fires_alike(name: str) -> None:
    theirs = NEURONS[name]()
    currents = torch.randn(20, 64, 50, generator=torch.Generator().manual_seed(1)) * 0.8 + 0.2
    ours, sent = as_ours("it", theirs, torch.float32), []
    v = ours.v_initial.expand(64, 50)
    for current in currents:
        spikes, v = ours(current, v)
        sent.append(spikes)
    expected = lone_spikes(theirs, currents)
    assert 0.02 < float(expected.mean()) < 0.98
    assert torch.equal(torch.stack(sent), expected)


@pytest.mark.parametrize("current", [0.25, 0.5, 1.0])
def test_integrating_is_exact_at_the_threshold(current: float) -> None:
    """Powers of two add up without rounding, so the membrane meets the threshold exactly, and fires there."""
    currents = torch.full((8, 1, 1), current)
    theirs = neuron.IFNode(v_reset=None)
    ours, v, sent = as_ours("it", theirs, torch.float32), torch.zeros(1, 1), []
    for one in currents:
        spikes, v = ours(one, v)
        sent.append(spikes)
    assert torch.equal(torch.stack(sent), lone_spikes(theirs, currents)) and sum(sent).item() == 8 * current


def network(first: str = "if, hard", second: str = "lif, input as it is, soft") -> nn.Sequential:
    with torch.random.fork_rng():
        torch.manual_seed(2)
        made = nn.Sequential(
            layer.Conv2d(1, 4, 3, padding=1, bias=False), layer.BatchNorm2d(4), NEURONS[first](), layer.MaxPool2d(2),
            layer.Dropout(0.3), layer.Flatten(), layer.Linear(64, 20), NEURONS[second](), layer.Linear(20, 3),
        )  # fmt: skip
    made[1].running_var.fill_(0.2)
    return made.eval()


def adopted(net: nn.Module) -> Any:
    options = AdoptOptions(timesteps=TIMESTEPS, target=ExitTarget(drop=2.0))
    return adopt(net, small.dataset(60), options)


def mean_logits(artifact: Any, images: Tensor) -> Tensor:
    return collect_readouts(artifact.model(), [images], keep_logits=True).logits


@pytest.mark.parametrize("second", [name for name in NEURONS if name != "if, hard"])
def test_a_network_gives_the_mean_output_of_the_library(second: str) -> None:
    net, images = network(second=second), small.draw(40, 9)[0]
    artifact = adopted(net)
    assert "those of the original on 16 images" in artifact.provenance.model.notes[-1]
    functional.reset_net(net)
    with torch.no_grad():
        outputs = torch.stack([net(images) for _ in range(TIMESTEPS)])
    functional.reset_net(net)
    expected = outputs.cumsum(0) / torch.arange(1, TIMESTEPS + 1).reshape(-1, 1, 1)
    torch.testing.assert_close(mean_logits(artifact, images), expected, rtol=1e-5, atol=1e-5)


def test_a_network_is_trained_further_towards_labels() -> None:
    data = small.dataset(512, 7)
    options = FinetuneOptions(epochs=8, batch_size=32, held_out=128, learning_rate=0.01, objective="labels")
    before = adopt(network(), data.take(60), AdoptOptions(timesteps=3))
    after = finetune(before, data, options)
    facts = after.report.conversion.finetuning
    assert after.reference is None and facts.looks[facts.kept].accuracy_at[-1] > facts.looks[0].accuracy_at[-1] + 0.2


def test_a_network_for_all_timesteps_at_once_is_the_same() -> None:
    net, images = network(), small.draw(20, 9)[0]
    expected = mean_logits(adopted(net), images)
    functional.set_step_mode(net, "m")
    assert torch.equal(mean_logits(adopted(net), images), expected)
    assert all(child.step_mode == "m" for child in net.modules() if hasattr(child, "step_mode"))


def test_recordings_are_given_time_first_to_a_network_for_all_timesteps_at_once() -> None:
    net = network()
    recordings = torch.rand(40, 4, 1, 8, 8, generator=torch.Generator().manual_seed(6)) * 2
    functional.set_step_mode(net, "m")
    with torch.no_grad():
        outputs = net(recordings.transpose(0, 1))
    functional.reset_net(net)
    expected = outputs.cumsum(0) / torch.arange(1, 5).reshape(-1, 1, 1)
    artifact = adopt(net, recordings)
    assert artifact.timesteps == 4
    torch.testing.assert_close(mean_logits(artifact, recordings), expected, rtol=1e-5, atol=1e-5)


def test_containers_that_fold_time_are_read() -> None:
    plain = network()
    folded = nn.Sequential(
        layer.SeqToANNContainer(plain[0], plain[1]), NEURONS["if, hard"](),
        layer.SeqToANNContainer(*plain[3:7]), NEURONS["lif, input as it is, soft"](), layer.SeqToANNContainer(plain[8]),
    ).eval()  # fmt: skip
    for child in folded.modules():
        if isinstance(child, neuron.BaseNode):
            child.step_mode = "m"
    images = small.draw(20, 9)[0]
    assert torch.equal(mean_logits(adopted(folded), images), mean_logits(adopted(plain), images))


def test_the_users_network_keeps_its_state() -> None:
    net = network()
    with torch.no_grad():
        net(torch.rand(2, 1, 8, 8))
    before = net[2].v.clone()
    adopted(net)
    assert torch.equal(net[2].v, before)


class Darker(nn.Module):
    def forward(self, image: Tensor) -> Tensor:
        return image.sub_(0.1)


@pytest.mark.parametrize("mode", ["s", "m"])
def test_a_network_that_writes_into_its_input_sees_each_image_as_it_is(mode: str) -> None:
    plain, data = network(), small.dataset(60)
    net, before = nn.Sequential(Darker(), *plain).eval(), data[0][0].clone()
    functional.set_step_mode(net, mode)
    images = small.draw(20, 9)[0]
    torch.testing.assert_close(mean_logits(adopted(net), images), mean_logits(adopted(plain), images - 0.1))
    record_network(net, (given := data[0][0]).expand(3, 1, *given.shape), {})
    assert torch.equal(given, before)


def test_neurons_that_are_not_known_are_refused_by_name() -> None:
    net = network()
    net[2] = neuron.QIFNode().eval()
    with pytest.raises(InputError, match=r"2 is a QIFNode, whose law is not known; of spikingjelly IFNode"):
        adopted(net)


def test_a_state_of_training_is_to_be_reset() -> None:
    net = network()
    net.train()
    net(torch.rand(2, 1, 8, 8))
    with pytest.raises(InputError, match=r"reset it first \(SpikingJelly: functional\.reset_net\(net\)"):
        adopted(net.eval())
    functional.reset_net(net)
    adopted(net)


def test_a_layer_called_twice_is_refused() -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.flat, self.head, self.neurons = nn.Flatten(), nn.Linear(64, 3), neuron.IFNode()

        def forward(self, image: Tensor) -> Tensor:
            return self.neurons(self.neurons(self.head(self.flat(image))))

    with pytest.raises(InputError, match="called several times in one timestep"):
        adopted(Twice().eval())
    one = neuron.IFNode()
    layers = layer.Flatten(), layer.Linear(64, 12), one, layer.Linear(12, 12), one, layer.Linear(12, 3)
    with pytest.raises(InputError, match="called several times in one timestep"):
        adopted(nn.Sequential(*layers).eval())


def test_a_layer_of_two_names_is_one() -> None:
    class Named(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layers = network()
            self.first = self.layers[2]

        def forward(self, image: Tensor) -> Tensor:
            return self.layers[3:](self.first(self.layers[:2](image)))

    images = small.draw(20, 9)[0]
    assert torch.equal(mean_logits(adopted(Named().eval()), images), mean_logits(adopted(network()), images))


class Looped(nn.Module):
    """Runs over time itself: in a loop, or as a network for all timesteps at once."""

    def __init__(self, how: str) -> None:
        super().__init__()
        self.layers, self.how = network(), how
        functional.set_step_mode(self, "m" if how == "at once" else "s")

    def forward(self, image: Tensor) -> Tensor:
        if self.how == "at once":
            return self.layers(image.expand(4, *image.shape)).mean(0)
        if self.how == "behind the first layer":
            current = self.layers[:2](image)
            return sum(self.layers[2:](current) for _ in range(4)) / 4
        return torch.stack([self.layers(image) for _ in range(4)])


@pytest.mark.parametrize("how", ["at once", "behind the first layer", "whole"])
def test_a_loop_over_time_is_to_be_taken_out(how: str) -> None:
    """One sentence, however often the loop runs; the layers in it, which are one timestep, are adopted."""
    with pytest.raises(InputError, match=r"^the network repeats its layers over time within forward; take the loop out"):
        adopted(Looped(how).eval())


def test_another_law_is_found_out_at_its_layer_and_timestep(monkeypatch: pytest.MonkeyPatch) -> None:
    known = dict(libraries._KNOWN)
    wrong = {**known, ("spikingjelly", "LIFNode"): known["spikingjelly", "IFNode"]}
    monkeypatch.setattr(libraries, "_KNOWN", wrong)
    with pytest.raises(PostconditionError, match=r"^7: the first that is not as in the original: at timestep \d"):
        adopted(network(second="lif, input as it is, soft"))


def test_the_recording_is_of_the_start_whatever_came_before() -> None:
    net, images = network(), torch.rand(3, 1, 8, 8)
    layers = {"first": "2", "second": "7"}
    one = record_network(net, images.expand(4, *images.shape), layers)
    with torch.no_grad():
        net(images)
    two = record_network(net, images.expand(4, *images.shape), layers)
    assert torch.equal(one.outputs, two.outputs) and one.seen["first"].shape == (4, 3, 4, 8, 8)
    assert all(torch.equal(one.seen[name], two.seen[name]) for name in layers)
