"""A NIR file is read back and run; where a reader of NIR is installed, it sends the same spikes."""

import json
from importlib.util import find_spec
from pathlib import Path

import portable_networks as portable
import pytest
import torch

import seenn_convert as sc
from seenn_convert.choices import READER_NAMES, Reader
from seenn_convert.cli.export import verification_lines
from seenn_convert.errors import ExportError, InputError
from seenn_convert.exporters.exporter import Verification
from seenn_convert.exporters.nir import files
from seenn_convert.exporters.nir.files import read_graph, write_graph
from seenn_convert.exporters.nir.folding import folded
from seenn_convert.exporters.nir.forms import FORMS
from seenn_convert.exporters.nir.layers import layers_of

needs_nir = pytest.mark.skipif(find_spec("nir") is None, reason="nir is not installed")


@needs_nir
@pytest.mark.parametrize("reader", READER_NAMES)
def test_a_file_holds_the_graph(tmp_path: Path, reader: Reader) -> None:
    graph, _ = folded(layers_of(portable.artifact("chain"))[0], FORMS[reader])
    write_graph(graph, tmp_path / "network.nir")
    found = read_graph(tmp_path / "network.nir")

    assert (found.input_shape, found.output_shape, set(found.edges)) == (
        graph.input_shape, graph.output_shape, set(graph.edges),
    )  # fmt: skip
    for name, node in graph.nodes.items():
        ours, theirs = vars(node), vars(found.nodes[name])
        assert type(node) is type(found.nodes[name])
        for key, value in ours.items():
            same = (
                torch.equal(value, theirs[key])
                if isinstance(value, torch.Tensor)
                else value == pytest.approx(theirs[key])
            )
            assert same, (name, key)


@needs_nir
@pytest.mark.parametrize("reader", [reader for reader in READER_NAMES if reader != "primitives"])
@pytest.mark.parametrize("name", ["chain", "residual"])
def test_a_reader_sends_the_same_spikes(tmp_path: Path, name: str, reader: Reader) -> None:
    if find_spec(reader) is None:
        pytest.skip(f"{reader} is not installed")
    if (name, reader) == ("residual", "spyx"):
        pytest.skip("Spyx reads chains alone")
    made = sc.export(portable.artifact(name), "nir", tmp_path / "out", portable.images_of(name), reader=reader)
    found = made.verification

    assert found is not None and found.runtime.startswith(f"{reader} ")
    assert (found.spikes_differ, found.answers_differ, found.exits_differ) == (0, 0, 0)


@needs_nir
def test_what_is_written(tmp_path: Path) -> None:
    """The cycle says all; exits, preprocessing and class names lie beside it."""
    import nir

    made = sc.export(portable.artifact("flat"), "nir", tmp_path / "out", portable.images_of("flat"))
    document = json.loads((made.folder / "seenn.json").read_text())
    graph = nir.read(made.folder / "network.nir")

    assert {path.name for path in made.folder.iterdir()} == {"network.nir", "seenn.json", "verification.json"}
    assert (document["target"], document["reader"], document["policy"]["policy"]) == ("nir", "primitives", "confidence")
    assert {type(node) for node in graph.nodes.values()} == {
        nir.Input, nir.Affine, nir.I, nir.Threshold, nir.Scale, nir.Output,
    }  # fmt: skip
    assert made.verification is not None and made.verification.spikes_differ == 0


@needs_nir
def test_a_reader_that_is_missing_is_told(tmp_path: Path) -> None:
    missing = next((reader for reader in READER_NAMES[1:] if find_spec(reader) is None), None)
    if missing is None:
        pytest.skip("all readers are installed")
    made = sc.export(portable.artifact("flat"), "nir", tmp_path / "out", portable.images_of("flat"), reader=missing)
    assert made.verification is not None and made.verification.runtime.endswith(f"({missing} is not installed)")
    assert (made.folder / "load_network.py").is_file()


def test_without_nir_it_is_said_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "find_spec", lambda name: None)
    with pytest.raises(
        ExportError, match=r"needs the package nir, which is not installed; pip install 'seenn_convert\[nir\]'"
    ):
        sc.export(portable.artifact("flat"), "nir", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_differing_spikes_are_said() -> None:
    found = Verification(
        runtime="sinabs 3.1.3", images=4, made_up=False, largest_error=0.0, flipped_rows=1, compared_rows=4,
        answers_differ=0, exits_differ=0, spikes=1234567, spikes_differ=2,
    )  # fmt: skip
    assert "spikes that differ: 2, beside 1,234,567 that were sent" in verification_lines(found)


def test_other_targets_have_no_reader(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="a reader says what form a NIR file has; leave it out"):
        sc.export(portable.artifact("flat"), "onnx", tmp_path / "out", reader="sinabs")
    with pytest.raises(InputError, match="reader must be one of primitives, sinabs"):
        sc.export(portable.artifact("flat"), "nir", tmp_path / "out", reader="brian")  # type: ignore[arg-type]
