"""The file to look at is a valid ONNX of the ANN, in which every call site can be found with what becomes of it."""

from pathlib import Path

import onnx
import onnxruntime
import pytest
import small_artifacts as small
import torch
import toys

from seenn_convert.analysis.coverage import call_sites
from seenn_convert.cli.main import main
from seenn_convert.errors import InputError
from seenn_convert.frontend.torch.read import from_torch
from seenn_convert.passes.base import run_passes
from seenn_convert.passes.sequence import ANN_PASSES
from seenn_convert.workflows.check import check
from seenn_convert.workflows.picture import write_picture


def nodes_of(file: Path) -> dict[str, dict[str, str]]:
    """Return call site -> what its first node says."""
    found: dict[str, dict[str, str]] = {}
    for node in onnx.load(file).graph.node:
        place = node.name.partition(".")[0]
        found.setdefault(place, {"name": node.name} | {one.key: one.value for one in node.metadata_props})
    return found


def test_every_call_site_says_its_treatment(tmp_path: Path) -> None:
    """As ``inspect`` lists it; and the file still computes what the ANN does."""
    artifact, file = small.artifact(), tmp_path / "net.onnx"
    write_picture(artifact, file)
    found, images = nodes_of(file), small.draw(8, 3)[0]

    for site in call_sites(artifact.ann):
        assert found[site.name]["treatment"] == site.treatment
        assert found[site.name]["name"].endswith(f"[{site.treatment}]")
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    logits = torch.from_numpy(session.run(None, {"image": images.numpy()})[0])
    torch.testing.assert_close(logits, artifact.ann(images), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("target", ["speck2f", "xylo"])
def test_with_a_target_it_says_what_does_not_fit(target: str, tmp_path: Path) -> None:
    """As ``check`` says it, with the reasons."""
    file = tmp_path / "net.onnx"
    write_picture(small.artifact(), file, target)
    found, fit = nodes_of(file), check(small.artifact(), target)

    assert {one.name: found[one.name]["fit"] for one in fit.sites} == {one.name: one.verdict for one in fit.sites}
    for one in fit.refused:
        assert one.findings[0].reason in found[one.name]["finding 1"]
    notes = {one.key: one.value for one in onnx.load(file).metadata_props}
    assert notes["target"] == fit.title and notes["fits"] == ("yes" if fit.fits else "no")


def test_what_onnx_cannot_express_is_a_node_of_its_own(tmp_path: Path) -> None:
    """Nothing is left out, and nothing is refused: this is to look at."""
    ann, file = run_passes(from_torch(toys.gamma(), toys.IMAGE), ANN_PASSES), tmp_path / "net.onnx"
    write_picture(ann, file)
    strangers = [node for node in onnx.load(file).graph.node if node.domain]

    assert {node.name.partition(".")[0] for node in onnx.load(file).graph.node} >= {
        node.name for node, _ in ann.calls()
    }
    assert [node.op_type for node in strangers] == ["lgamma"]


def test_a_file_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be written .*; name another file"):
        write_picture(small.artifact(), tmp_path / "no" / "net.onnx")


def test_the_command_writes_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    small.artifact().save(tmp_path / "net")
    main(["inspect", str(tmp_path / "net"), "--netron", str(tmp_path / "n.onnx"), "--target", "nir", "--json"])
    out, err = capsys.readouterr()
    assert out.startswith("{") and err == f"wrote {tmp_path / 'n.onnx'}\n" and (tmp_path / "n.onnx").is_file()
    with pytest.raises(SystemExit) as end:
        main(["inspect", str(tmp_path / "net"), "--target", "nir"])
    assert end.value.code == 2 and "give --netron FILE.onnx, or use check --target" in capsys.readouterr().err
