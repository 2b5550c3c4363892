"""Which networks can be fine-tuned, and how they are trained."""

from seenn_convert.errors import InputError
from seenn_convert.ir.operators import HeldState
from seenn_convert.ir.program import Program
from seenn_convert.neurons.layers import BinaryNeuron, Neuron
from seenn_convert.neurons.leaky import LeakyNeuron
from seenn_convert.neurons.traced import TracedNeuron
from seenn_convert.passes.base import run_passes
from seenn_convert.passes.let_leak import LetLeak
from seenn_convert.workflows.finetune.options import FinetuneOptions


def trainable(snn: Program, options: FinetuneOptions) -> Program:
    """Return the network as it is trained: its neurons leak if that is asked for.

    Raises:
        InputError: Its neurons cannot be trained, or not so.
    """
    neurons = [module for _, module in snn.calls() if isinstance(module, Neuron)]
    if any(isinstance(module, (TracedNeuron, HeldState)) for _, module in snn.calls()):
        raise InputError(
            "the network has neurons with a law of its own, which has no gradient here; train it where it was trained, "
            "and adopt it again"
        )
    if options.quantised_share and (options.leak or any(isinstance(neuron, LeakyNeuron) for neuron in neurons)):
        raise InputError(
            "neurons that leak do not compute a quantised activation; leave out --quantised-share (quantised_share)"
        )
    if not options.leak:
        return snn
    if not all(isinstance(neuron, BinaryNeuron) for neuron in neurons):
        raise InputError(
            "a leak is for binary neurons; convert the network with --neuron if, or leave out --leak (leak)"
        )
    return run_passes(snn, [LetLeak()])
