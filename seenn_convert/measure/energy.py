"""An energy estimate from operation counts, with its assumptions spelled out."""

MULTIPLY_ACCUMULATE_PJ = 4.6
ACCUMULATE_PJ = 0.9

ASSUMPTIONS = (
    f"45 nm CMOS, 32-bit floating point: {MULTIPLY_ACCUMULATE_PJ} pJ a multiply-accumulate, {ACCUMULATE_PJ} pJ an "
    "accumulate (Horowitz, ISSCC 2014)",
    "the stem, up to the first neurons, sees analog input: its multiply-accumulates are paid once for each image; so "
    "are those of a policy head, which chooses the timesteps before the run",
    "a nonzero input of a layer costs one accumulate for each connection it has on average",
    "a multi-level spike, a power of two, costs one accumulate of a shifted weight; the spike of a group costs as many "
    "accumulates as members fire",
    "sums and averages of spikes are counted as the spikes they are made of; behind a temporal difference, a layer "
    "without neurons or neurons with graded spikes, a nonzero input costs multiply-accumulates",
    "a convolution's multiply-accumulates include those with the zeros of padding, and so do accumulates",
    "pooling, neuron updates, memory access and control are not counted: on real hardware they can dominate",
)


def nanojoule(macs: float, accumulates: float = 0.0) -> float:
    """Return the estimated energy for one image in nJ, under ``ASSUMPTIONS``.

    Args:
        macs: Multiply-accumulates: of the whole ANN, or of a spiking network's stem and what graded values cause.
        accumulates: Synaptic operations caused by spikes, 0 for the ANN.
    """
    return (macs * MULTIPLY_ACCUMULATE_PJ + accumulates * ACCUMULATE_PJ) / 1000
