"""The sample's record: provenance.json, README.md and the data set's licence notice."""

from __future__ import annotations

import hashlib
import json
import platform
import subprocess
from pathlib import Path
from typing import Any

import numpy
import onnx
import onnxruntime
import torch

PACKAGE = "dataset-fashion-mnist"

LICENSE = """\
Fashion-MNIST (https://github.com/zalandoresearch/fashion-mnist)

The images and labels in calibration.npz and test.npz are a part of Fashion-MNIST.

The MIT License (MIT)

Copyright (c) 2017 Zalando SE, https://tech.zalando.com

Permission is hereby granted, free of charge, to any person obtaining a copy
of this software and associated documentation files (the "Software"), to deal
in the Software without restriction, including without limitation the rights
to use, copy, modify, merge, publish, distribute, sublicense, and/or sell
copies of the Software, and to permit persons to whom the Software is
furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all
copies or substantial portions of the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR
IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY,
FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE
AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER
LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM,
OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE
SOFTWARE.
"""

README = """\
# Sample: Fashion-MNIST

A small residual network with batch norm and max pooling, trained as an ordinary ANN, together
with the images to calibrate and to test its conversion. `train.py` writes this file and every
figure in it; `provenance.json` holds the same figures and more.

| | |
|---|---|
| Accuracy, all {test_images:,} test images | {test_accuracy:.2%} |
| Accuracy, the {subset_images:,} test images in `test.npz` | {subset_accuracy:.2%} |
| Parameters | {parameters:,} |
| Multiply-accumulates for one image | {macs:,} |
| ReLU layers | {relus} |
| Seed | {seed} |
| Epochs | {epochs} |
| Training time, {threads} thread(s) | {minutes:.1f} minutes |
| Date | {date} |

## Files

| File | What it is |
|---|---|
| `fashion_mnist.onnx` | the network in ONNX, weights inside; input `image`, output `logits`, any batch size |
| `fashion_mnist.pt2` | the same network from `torch.export`, any batch size |
| `calibration.npz` | {calibration_images:,} images that training did not see, {calibration_per_class} of each class |
| `test.npz` | {subset_images:,} images of the test split, {test_per_class} of each class |
| `provenance.json` | source, recipe, versions, accuracy, and the SHA-256 of the model and data files |
| `class_names.txt` | the names of the classes 0 to 9, one a line |
| `LICENSE-fashion-mnist.txt` | the data set's licence |

`train.py` and the modules beside it, in the folder `sample/` of the repository, rebuild all of these files.

Both `.npz` files hold `x`, uint8 of shape (N, 28, 28, 1), and `y`, int64 of shape (N,). The
network takes float32 of shape (N, 1, 28, 28): `(x / 255 - {mean}) / {std}`, with the channel
axis moved to the front. It gives (N, 10) logits.

Classes, 0 to 9: T-shirt/top, Trouser, Pullover, Dress, Coat, Sandal, Shirt, Sneaker, Bag, Ankle boot.

## Network

Convolution 3 x 3 ({widths[0]} channels), batch norm, ReLU; max pool 2 x 2; residual block
({widths[0]} to {widths[1]} channels); max pool 2 x 2; residual block ({widths[1]} to {widths[2]}
channels); global average pool; linear layer to 10 classes. A residual block is two 3 x 3
convolutions with batch norm and a ReLU between them, plus a 1 x 1 convolution with batch norm as
the shortcut, then a ReLU after the sum. See `network.py`.

## Source and licence of the data

Fashion-MNIST by Zalando Research, <https://github.com/zalandoresearch/fashion-mnist>, under the
MIT licence, as packaged by Debian in `{package}` version `{package_version}`. The calibration
images come from the last 5,000 images of the training split, which are not trained on, and the test images
from the test split.

## Rebuild

```sh
apt-get install {package}
python sample/train.py --data /usr/share/datasets/fashion-mnist --output first
python sample/train.py --data /usr/share/datasets/fashion-mnist --output seenn_convert/sample \\
    --continue-from first/fashion_mnist.pt2 --epochs {epochs} --peak-learning-rate {rate} --dropout {dropout}
```

The second run lowers dropout and learning rate; `provenance.json` has both recipes.

It needs torch, onnx, onnxscript, onnxruntime and numpy (the versions used are in
`provenance.json`). Training uses the first 55,000 images of the training split and keeps the network of the last
epoch; the test split is read only after training. The seed fixes the order of the images, the
augmentation and the choice of the images in the `.npz` files. With the
versions in `provenance.json` the seed gives the same images; the weights can differ in detail on
another processor or torch version.
`--precision float32` avoids mixed precision where the processor has no fast bfloat16.
"""


def package_version() -> str:
    """Version of the Debian package that holds the data, or "unknown" where it is not installed."""
    command = ["dpkg-query", "--show", "--showformat=${Version}", PACKAGE]
    try:
        result = subprocess.run(command, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return result.stdout.strip()


def software_versions() -> dict[str, str]:
    """Versions of the software that decides the trained weights and the exported files."""
    return {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": numpy.__version__,
        "onnx": onnx.__version__,
        "onnxruntime": onnxruntime.__version__,
    }


def digests(folder: Path, names: list[str]) -> dict[str, dict[str, int | str]]:
    """Size in bytes and SHA-256 of each named file in the folder."""
    contents = {name: (folder / name).read_bytes() for name in names}
    return {name: {"bytes": len(c), "sha256": hashlib.sha256(c).hexdigest()} for name, c in contents.items()}


def write_json(path: Path, record: dict[str, Any]) -> None:
    """Write the record as indented JSON."""
    path.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
