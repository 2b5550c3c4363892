"""The classifiers that the onnx package ships are read, whatever the shape of their logits."""

from pathlib import Path

import onnx
import pytest
import torch

from seenn_convert.frontend.load import read_model

FOLDER = Path(onnx.__file__).parent / "backend/test/data/light"


@pytest.mark.slow
@pytest.mark.parametrize("name", ["bvlc_alexnet", "densenet121", "shufflenet", "squeezenet"])
def test_they_are_read_with_a_thousand_classes(name: str) -> None:
    path = FOLDER / f"light_{name}.onnx"
    if not path.is_file():
        pytest.skip("this version of onnx does not ship the file")
    source = read_model(path)

    assert source.program(torch.zeros(1, 3, 224, 224)).shape == (1, 1000)
