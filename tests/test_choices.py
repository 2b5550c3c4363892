"""Every word that the command line offers is one that the library knows, and it is listed without PyTorch."""

import subprocess
import sys

from seenn_convert.choices import NEURON_NAMES, SCORE_NAMES
from seenn_convert.ir.scores import SCORES
from seenn_convert.neurons.types import NEURON_TYPES


def test_each_name_has_its_value() -> None:
    assert [one.name for one in NEURON_TYPES.values()] == list(NEURON_NAMES)
    assert [one.name for one in SCORES] == list(SCORE_NAMES)


def test_the_names_are_known_without_pytorch() -> None:
    code = "import sys, seenn_convert.choices; assert not {'torch', 'numpy'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
