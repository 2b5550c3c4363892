"""The sample that ships with the package: a small Fashion-MNIST network, images to calibrate and to test it."""

import json
from importlib.resources import files
from pathlib import Path

FOLDER = Path(str(files(__name__)))
MODEL = FOLDER / "fashion_mnist.onnx"
CALIBRATION = FOLDER / "calibration.npz"
"""1,000 labelled training images that the network was not trained on."""
TEST = FOLDER / "test.npz"
"""2,000 labelled test images."""

MEAN, STD = (0.2860,), (0.3530,)
"""The preprocessing that the network was trained with."""

ACCURACY: float = json.loads((FOLDER / "provenance.json").read_text(encoding="utf-8"))["results"]["held_out_accuracy"]
"""Share right of all training images that the network was not trained on."""

CLASS_NAMES = tuple((FOLDER / "class_names.txt").read_text(encoding="utf-8").splitlines())
