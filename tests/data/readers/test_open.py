"""Laws of ``open_dataset``: which reader for which path."""

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from seenn_convert.data import Preprocessing, open_dataset
from seenn_convert.errors import InputError

PLAIN = Preprocessing()
NORMALISE = Preprocessing(mean=(0.5,), std=(0.25,))


def test_npz_folder_and_idx_of_the_same_grey_pixels_are_the_same_data_set(tmp_path: Path) -> None:
    x = np.random.default_rng(0).integers(256, size=(3, 4, 4), dtype=np.uint8)
    for i, label in enumerate((0, 0, 1)):
        path = tmp_path / "folder" / f"class{label}" / f"{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(x[i]).save(path)
    idx = tmp_path / "a-images-idx3-ubyte.gz"
    idx.write_bytes(gzip.compress(struct.pack(">4I", 0x803, *x.shape) + x.tobytes()))
    (tmp_path / "a-labels-idx1-ubyte").write_bytes(struct.pack(">2I", 0x801, 3) + bytes([0, 0, 1]))
    np.savez(tmp_path / "data.npz", x=x, y=np.array([0, 0, 1]))
    paths = [tmp_path / "data.npz", tmp_path / "folder", idx]

    datasets = [open_dataset(path, NORMALISE, channels=1) for path in paths]

    for path, dataset in zip(paths, datasets, strict=True):
        assert dataset.name == str(path)
        assert len(dataset) == 3
        assert dataset.image_shape == (1, 4, 4)
        assert dataset.labels is not None
        assert dataset.labels.tolist() == [0, 0, 1]
        assert not dataset.preprocessed
        assert torch.equal(next(dataset.batches(3))[0], next(datasets[0].batches(3))[0])
        assert dataset.fingerprint() == datasets[0].fingerprint()
    assert datasets[1].class_names == ("class0", "class1")
    assert datasets[1].paths == ("class0/0.png", "class0/1.png", "class1/2.png")
    assert datasets[0].class_names is datasets[0].paths is None


@pytest.mark.parametrize("name", ["missing.npz", "missing", "missing/images-idx3-ubyte.gz", "a\0b", "n" * 300])
def test_a_missing_path_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match="does not exist|cannot be read"):
        open_dataset(tmp_path / name, PLAIN)


def test_a_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    (tmp_path / "data.csv").write_text("1,2,3")

    with pytest.raises(InputError, match=r"data\.csv: not a data set; give an image folder, an \.npz file or an IDX"):
        open_dataset(tmp_path / "data.csv", PLAIN)
