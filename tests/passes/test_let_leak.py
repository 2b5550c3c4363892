"""Leaky neurons in place of binary ones: nothing changes but the leak."""

from dataclasses import replace
from functools import cache

import pytest
import small_artifacts as small
import torch

from seenn_convert.artifact.artifact import Artifact
from seenn_convert.errors import PreconditionError
from seenn_convert.exits.readouts import collect_readouts
from seenn_convert.neurons.layers import Neuron
from seenn_convert.neurons.leaky import LeakyNeuron
from seenn_convert.passes import let_leak
from seenn_convert.passes.let_leak import LetLeak
from seenn_convert.workflows.convert.options import Options
from seenn_convert.workflows.convert.run import convert


@cache
def converted(neuron: str) -> Artifact:
    options = Options(timesteps=4, front="none", calibration="fast", neuron=neuron)  # type: ignore[arg-type]
    return convert(small.trained_net(), small.dataset(), options)


def test_without_a_leak_the_network_computes_what_it_did(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(let_leak, "LEAK", 1.0)
    before = converted("if")
    after = replace(before, snn=LetLeak()(before.snn))
    neurons = [module for _, module in after.snn.calls() if isinstance(module, Neuron)]
    assert neurons and all(isinstance(neuron, LeakyNeuron) for neuron in neurons)
    images = small.draw(64, 11)[0]
    found, wanted = (collect_readouts(one.model(), [images], keep_logits=True).logits for one in (after, before))
    assert wanted is not None and torch.equal(found, wanted)


def test_only_binary_neurons_are_taken() -> None:
    with pytest.raises(PreconditionError, match="got SignedNeuron"):
        LetLeak()(converted("signed").snn)
