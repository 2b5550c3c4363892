"""An artifact gives back the same bits, and whatever is damaged in it is an ArtifactError and nothing else."""

import contextlib
import json
import os
import pickle
import random
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import small_artifacts as small
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from small_operators import OUTSIDE

from seenn_convert.artifact import artifact as artifact_file
from seenn_convert.artifact.artifact import MANIFEST, PROGRAM, REPORT, WEIGHTS, Artifact, is_artifact, load_artifact
from seenn_convert.artifact.files import sha256_of, sha256_of_json
from seenn_convert.artifact.schema.manifest import ConversionFacts
from seenn_convert.artifact.schema.provenance import Provenance
from seenn_convert.artifact.schema.report import Report
from seenn_convert.artifact.schema.shared import PolicyFacts
from seenn_convert.data.preprocessing import Preprocessing
from seenn_convert.errors import ArtifactError, InputError
from seenn_convert.exits.certificates.certificate import Certify, make_certificate
from seenn_convert.ir.program import format_program
from seenn_convert.runtime.policies import FixedPolicy

IMAGES = small.draw(48, 31)[0]
Json = dict[str, Any]


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("artifact") / "net"
    small.artifact().save(path)
    return path


@pytest.fixture
def saved(original: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(original, tmp_path / "net"))


def same_bits(a: Artifact, b: Artifact) -> bool:
    one, other = a.model()(IMAGES), b.model()(IMAGES)
    fields = ("predictions", "logits", "exit_step", "confidence")
    equal = all(torch.equal(getattr(one, field), getattr(other, field)) for field in fields)
    return equal and torch.equal(a.ann(IMAGES), b.ann(IMAGES))


def reseal(path: Path) -> None:
    """Make the checksums right again, as one who edits an artifact on purpose could."""
    manifest = json.loads((path / MANIFEST).read_text())
    manifest.pop("checksum", None)
    manifest["files"] = {name: sha256_of(path / name) for name in (PROGRAM, WEIGHTS)}
    (path / MANIFEST).write_text(json.dumps({**manifest, "checksum": sha256_of_json(manifest)}))


def edit(path: Path, name: str, change: Callable[[Json], object]) -> None:
    data = json.loads((path / name).read_text())
    change(data)
    (path / name).write_text(json.dumps(data))


def test_save_load_run_gives_the_same_bits(saved: Path) -> None:
    given, read = small.artifact(), load_artifact(saved)
    assert same_bits(given, read)
    assert format_program(read.snn) == format_program(given.snn)
    assert format_program(read.ann) == format_program(given.ann)
    for name in ("timesteps", "policy", "preprocessing", "class_names", "provenance", "facts", "report"):
        assert getattr(read, name) == getattr(given, name), name
    assert read.snn.sources == given.snn.sources
    assert read.snn.states == given.snn.states
    assert read.ann.history == given.ann.history
    assert is_artifact(saved)


def test_a_model_is_a_copy_of_its_own() -> None:
    before = small.artifact().model()(IMAGES).logits
    small.artifact().model().to(torch.float64)
    assert torch.equal(small.artifact().model()(IMAGES).logits, before)


def test_all_files_may_be_read_by_whom_the_program_may(saved: Path) -> None:
    assert len({(saved / name).stat().st_mode for name in (MANIFEST, PROGRAM, WEIGHTS, REPORT)}) == 1


def test_everything_a_user_may_have_survives(tmp_path: Path) -> None:
    rich = replace(
        small.artifact(), policy=FixedPolicy(3), class_names=("Katze", "犬", "<b>"),
        preprocessing=Preprocessing(resize=9, crop=8, mean=(0.1,), std=(0.3,)), report=Report(),
        provenance=Provenance(options={"a": [1, None]}), facts=ConversionFacts(target_timesteps=2.5),
    )  # fmt: skip
    rich.save(tmp_path / "rich")
    read = load_artifact(tmp_path / "rich")
    assert (read.policy, read.class_names, read.preprocessing) == (rich.policy, rich.class_names, rich.preprocessing)
    assert (read.report, read.provenance, read.facts) == (rich.report, rich.provenance, rich.facts)
    assert not (tmp_path / "rich" / REPORT).exists()


def test_saved_twice_gives_the_same_files(saved: Path, tmp_path: Path) -> None:
    load_artifact(saved).save(tmp_path / "again")
    for name in (PROGRAM, WEIGHTS):
        assert (saved / name).read_bytes() == (tmp_path / "again" / name).read_bytes()


def test_weights_are_stored_once(saved: Path) -> None:
    store = load_file(saved / WEIGHTS)
    assert sum(name.endswith("conv2.weight") for name in store) == 1
    program = json.loads((saved / PROGRAM).read_text())
    ann, step = (program[part]["modules"]["conv2"]["tensors"] for part in ("ann", "step"))
    assert ann == step == {"weight": "ann.conv2.weight", "bias": "ann.conv2.bias"}
    assert program["stem"]["modules"]["conv1"]["tensors"] == program["ann"]["modules"]["conv1"]["tensors"]


def test_weights_that_are_parts_of_one_block_can_be_saved(tmp_path: Path) -> None:
    given = small.artifact()
    block = torch.cat([value.flatten() for value in given.ann.graph_module.parameters()])
    parts = iter(block.split([value.numel() for value in given.ann.graph_module.parameters()]))
    for parameter in given.ann.graph_module.parameters():
        values, part = parameter.detach().clone(memory_format=torch.preserve_format), next(parts)
        parameter.data = part.as_strided(values.shape, values.stride(), part.storage_offset()).copy_(values)
    given.save(tmp_path / "net")
    assert same_bits(given, load_artifact(tmp_path / "net"))


def test_no_pickle_is_involved(saved: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(*args: object, **kwargs: object) -> None:
        raise AssertionError("an artifact is data")

    for module, name in ((pickle, "load"), (pickle, "loads"), (pickle, "Unpickler"), (torch, "load"), (pickle, "dumps"),
                         (pickle, "dump"), (torch, "save")):  # fmt: skip
        monkeypatch.setattr(module, name, forbidden)
    load_artifact(saved).save(tmp_path / "again")
    assert sorted(os.listdir(saved)) == sorted([MANIFEST, PROGRAM, WEIGHTS, REPORT])
    assert all(b"\x80\x04" not in (saved / name).read_bytes() for name in (MANIFEST, PROGRAM, REPORT))


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
@pytest.mark.parametrize("at", ["write_json", "save_file", "sha256_of"])
def test_an_interrupted_save_leaves_the_old_artifact(
    saved: Path, monkeypatch: pytest.MonkeyPatch, error: type[BaseException], at: str
) -> None:
    before = {name: (saved / name).read_bytes() for name in os.listdir(saved)}

    def interrupted(*args: object) -> None:
        raise error

    monkeypatch.setattr(artifact_file, at, interrupted)
    with pytest.raises(error):
        replace(small.artifact(), timesteps=3, policy=FixedPolicy(3)).save(saved)
    assert {name: (saved / name).read_bytes() for name in os.listdir(saved)} == before
    assert os.listdir(saved.parent) == [saved.name]


def test_saving_over_an_artifact_replaces_it_whole(saved: Path) -> None:
    (saved / "report.html").write_text("of the old one")
    replace(small.artifact(), timesteps=3, policy=FixedPolicy(3)).save(saved)
    assert load_artifact(saved).timesteps == 3
    assert not (saved / "report.html").exists()


def test_a_folder_that_is_no_artifact_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(InputError, match="not an artifact"):
        small.artifact().save(tmp_path)
    assert os.listdir(tmp_path) == ["mine.txt"]


def test_what_is_not_there_or_no_artifact(tmp_path: Path) -> None:
    assert not is_artifact(tmp_path)
    (tmp_path / "file").write_text("")
    for path in (tmp_path, tmp_path / "none", tmp_path / "file"):
        with pytest.raises(ArtifactError):
            load_artifact(path)


@pytest.mark.parametrize("name", [MANIFEST, PROGRAM, WEIGHTS])
def test_a_missing_file_or_a_folder_in_its_place(saved: Path, name: str) -> None:
    (saved / name).unlink()
    with pytest.raises(ArtifactError, match="missing"):
        load_artifact(saved)
    (saved / name).mkdir()
    with pytest.raises(ArtifactError):
        load_artifact(saved)


@pytest.mark.slow
@pytest.mark.parametrize("name", [MANIFEST, PROGRAM, WEIGHTS])
@pytest.mark.parametrize("resealed", [False, True])
def test_flipped_bits(saved: Path, name: str, resealed: bool) -> None:
    """Any flipped bit is found. Resealed, it must be an ArtifactError or load: numbers may differ, nothing else."""
    content, generator = (saved / name).read_bytes(), random.Random(0)
    before = load_artifact(saved)
    for _ in range(60):
        damaged = bytearray(content)
        damaged[generator.randrange(len(content))] ^= 1 << generator.randrange(8)
        (saved / name).write_bytes(damaged)
        try:
            if resealed:
                reseal(saved)
        except (ValueError, TypeError, AttributeError):
            continue
        try:
            read = load_artifact(saved)
        except ArtifactError:
            continue
        assert resealed or (name == MANIFEST and same_bits(read, before))  # white space between values
        read.model()(IMAGES[:2])


@pytest.mark.parametrize("name", [MANIFEST, PROGRAM, WEIGHTS])
def test_truncated_and_extended_files(saved: Path, name: str) -> None:
    content, generator = (saved / name).read_bytes(), random.Random(1)
    last = len(content) - 1  # a manifest that lacks its last newline alone is whole
    for cut in [0, 1, 7, 8, 9, last - 1, *(generator.randrange(last) for _ in range(15))]:
        (saved / name).write_bytes(content[:cut])
        with pytest.raises(ArtifactError):
            load_artifact(saved)
        if name != MANIFEST:
            reseal(saved)
            with pytest.raises(ArtifactError):
                load_artifact(saved)
    (saved / name).write_bytes(content + b"\0")
    with pytest.raises(ArtifactError):
        load_artifact(saved)


@pytest.mark.slow
def test_a_damaged_report_is_found_or_harmless(saved: Path) -> None:
    content, generator = (saved / REPORT).read_bytes(), random.Random(2)
    before = load_artifact(saved)
    for cut in [generator.randrange(len(content)) for _ in range(20)]:
        (saved / REPORT).write_bytes(content[:cut])
        with pytest.raises(ArtifactError):
            load_artifact(saved)
    for _ in range(40):
        damaged = bytearray(content)
        damaged[generator.randrange(len(content))] ^= 1 << generator.randrange(8)
        (saved / REPORT).write_bytes(damaged)
        with contextlib.suppress(ArtifactError):
            assert same_bits(load_artifact(saved), before)


MANIFEST_DAMAGE: dict[str, Callable[[Json], object]] = {
    "format": lambda m: m.update(format="zip"),
    "no format": lambda m: m.pop("format"),
    "later version": lambda m: m.update(schema_version=3),
    "no version": lambda m: m.pop("schema_version"),
    "no timesteps": lambda m: m.pop("timesteps"),
    "timesteps of zero": lambda m: m.update(timesteps=0),
    "timesteps of text": lambda m: m.update(timesteps="8"),
    "timesteps of infinity": lambda m: m.update(timesteps=float("inf")),
    "timesteps of a flag": lambda m: m.update(timesteps=True),
    "no policy": lambda m: m.pop("policy"),
    "policy of text": lambda m: m.update(policy="confidence"),
    "unknown policy": lambda m: m["policy"].update(policy="certainty"),
    "a score that the probe lacks": lambda m: m["policy"].update(policy="patience"),
    "another score": lambda m: m["policy"].update(policy="entropy"),
    "thresholds without end": lambda m: m["policy"].update(thresholds=[float("inf")]),
    "huge threshold": lambda m: m["policy"].update(thresholds=[10**400]),
    "preprocessing of a list": lambda m: m.update(preprocessing=[1]),
    "unknown preprocessing": lambda m: m.update(preprocessing={"rotate": 3}),
    "bad preprocessing": lambda m: m.update(preprocessing={"std": [0.0]}),
    "class names of text": lambda m: m.update(class_names="abc"),
    "class names of a number": lambda m: m.update(class_names=3),
    "provenance of a list": lambda m: m.update(provenance=[]),
    "no provenance": lambda m: m.pop("provenance"),
    "options of a list": lambda m: m["provenance"].update(options=[]),
    "model of text": lambda m: m["provenance"].update(model="net"),
    "calibration of nothing": lambda m: m["provenance"].update(calibration={}),
    "versions of numbers": lambda m: m["provenance"]["environment"].update(versions={"torch": 2}),
    "fewer thresholds than timesteps": lambda m: m["policy"]["thresholds"].pop(),
    "a fixed exit after the end": lambda m: m.update(policy={"policy": "fixed", "timesteps": 9}),
    "fewer names than classes": lambda m: m.update(class_names=["a", "b"]),
    "more names than classes": lambda m: m.update(class_names=list("abcd")),
}


@pytest.mark.parametrize("damage", MANIFEST_DAMAGE)
def test_a_manifest_with_the_right_checksum_and_wrong_content(saved: Path, damage: str) -> None:
    edit(saved, MANIFEST, MANIFEST_DAMAGE[damage])
    with pytest.raises(ArtifactError):  # the checksum
        load_artifact(saved)
    reseal(saved)
    with pytest.raises(ArtifactError) as caught:
        load_artifact(saved)
    assert "checksum" not in str(caught.value)


FILES: dict[str, Callable[[Json], object]] = {
    "outside": lambda m: m["files"].update({"../../etc/passwd": "0"}),
    "absolute": lambda m: m.update(files={"/etc/passwd": "0", PROGRAM: m["files"][PROGRAM]}),
    "another": lambda m: m["files"].update({"more.json": "0"}),
    "fewer": lambda m: m["files"].pop(WEIGHTS),
    "a list": lambda m: m.update(files=[PROGRAM, WEIGHTS]),
    "nested lists": lambda m: m.update(files=[[PROGRAM]]),
    "a number": lambda m: m.update(files=5),
    "none": lambda m: m.pop("files"),
    "no hash": lambda m: m["files"].update({PROGRAM: None}),
}


@pytest.mark.parametrize("damage", FILES)
def test_the_manifest_names_its_two_files_and_no_other(
    saved: Path, damage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def change(manifest: Json) -> None:
        FILES[damage](manifest)
        manifest.pop("checksum")
        manifest["checksum"] = sha256_of_json(manifest)

    edit(saved, MANIFEST, change)
    hashed: list[Path] = []
    monkeypatch.setattr(artifact_file, "sha256_of", lambda path: (hashed.append(path), sha256_of(path))[1])
    with pytest.raises(ArtifactError):
        load_artifact(saved)
    assert all(path.parent == saved for path in hashed)


PROGRAM_DAMAGE: dict[str, Callable[[Json], object]] = {
    "no step": lambda p: p.pop("step"),
    "no stem": lambda p: p.pop("stem"),
    "no ann": lambda p: p.update(ann=None),
    "unknown operator": lambda p: p["step"]["modules"]["relu"].update(operator="PickleNeuron"),
    "dunder": lambda p: p["ann"]["modules"].update({"__class__": p["ann"]["modules"]["relu"]}),
    "a probe of another score": lambda p: p["step"]["modules"]["exit_probe"]["options"].update(score_name="margin"),
    "a probe without its state": lambda p: p["step"]["modules"]["exit_probe"]["options"].update(score_name="patience"),
    "dots": lambda p: p["ann"]["modules"].update({"a.b": p["ann"]["modules"]["relu"]}),
    "node called self": lambda p: p["ann"]["nodes"][1].update(name="self"),
    "cycle": lambda p: p["ann"]["nodes"][1].update(inputs=["relu"]),
    "input type of a function": lambda p: p.update(input_dtype="load"),
    "input type of whole numbers": lambda p: p.update(input_dtype="int64"),
    "input type of a module": lambda p: p.update(input_dtype="onnx"),
    "another input shape": lambda p: p.update(input_shape=[3, 8, 8]),
    "smaller input": lambda p: p.update(input_shape=[1, 6, 6]),
    "negative input": lambda p: p.update(input_shape=[1, -8, 8]),
    "input of text": lambda p: p.update(input_shape="188"),
    "results": lambda p: p.update(results=["current"]),
    "state missing": lambda p: p["states"].pop(),
    "states in another order": lambda p: p["states"].reverse(),
    "state of another shape": lambda p: p["states"][0].update(shape=[5, 4, 5]),
    "state that starts nowhere": lambda p: p["states"][0].update(initial="nowhere.v"),
    "state that starts in code": lambda p: p["states"][0].update(initial="__class__.__init__"),
    "states of nothing": lambda p: p.update(states=None),
    "passes of text": lambda p: p.update(ann_passes="abc"),
    "sources of a list": lambda p: p.update(sources=[]),
    "item out of range": lambda p: next(n for n in p["step"]["nodes"] if n["op"] == "item").update(index=7),
    "huge padding": lambda p: p["stem"]["modules"]["conv1"]["options"].update(padding=[10**9, 10**9]),
    "stride of zero": lambda p: p["stem"]["modules"]["conv1"]["options"].update(stride=[0, 0]),
    "empty ann": lambda p: p["ann"].update(nodes=[], modules={}),
    "fewer outputs": lambda p: p["step"]["nodes"][-1]["inputs"].pop(),
}


@pytest.mark.parametrize("damage", PROGRAM_DAMAGE)
def test_a_program_with_the_right_checksum_and_wrong_content(saved: Path, damage: str) -> None:
    edit(saved, PROGRAM, PROGRAM_DAMAGE[damage])
    reseal(saved)
    with pytest.raises(ArtifactError, match="is damaged"):
        load_artifact(saved)


@pytest.mark.parametrize("name", OUTSIDE)
def test_a_program_that_names_an_operator_outside_the_closed_list(saved: Path, name: str) -> None:
    """An artifact is data: it cannot reach what writes, draws random numbers or looks at other memory."""
    options = {"operator": name, "arguments": ["@0"], "keywords": []}

    def change(program: Json) -> None:
        module = next(m for m in program["ann"]["modules"].values() if m["operator"] == "ReLU")
        module.update(operator="AtenOperator", options=options)

    edit(saved, PROGRAM, change)
    reseal(saved)
    with pytest.raises(ArtifactError, match="is damaged"):
        load_artifact(saved)


@pytest.mark.parametrize("name", [PROGRAM, MANIFEST, REPORT])
@pytest.mark.parametrize("depth", [900, 100_000])
def test_deep_nesting(saved: Path, name: str, depth: int) -> None:
    text = (saved / name).read_text().rstrip()[:-1] + ', "x": ' + "[" * depth + "]" * depth + "}"
    (saved / name).write_text(text)
    try:
        if name == PROGRAM:
            reseal(saved)
        load_artifact(saved)
    except ArtifactError:
        return
    assert depth < 1000
    assert name != MANIFEST


def wrong(*path: str, value: object) -> Callable[[Json], object]:
    """Return a change that puts ``value`` where ``path`` leads."""

    def change(data: Json) -> None:
        for key in path[:-1]:
            data = data[key]
        data[path[-1]] = value

    return change


@pytest.mark.parametrize("change", [
    wrong("conversion", value=[]), wrong("conversion", "dead_channels", value=5),
    wrong("conversion", "dead_channels", value={"relu": "many"}), wrong("conversion", "passes", value="abc"),
    wrong("conversion", "passes", value=[{"declined": 7}]), wrong("conversion", "parity", value="small"),
    wrong("conversion", "parity", value=float("nan")), wrong("conversion", "timesteps", value=True),
    wrong("model", value=3), wrong("evaluation", value=[1]),
])  # fmt: skip
def test_a_report_of_wrong_kinds_is_refused(saved: Path, change: Callable[[Json], object]) -> None:
    edit(saved, REPORT, change)
    with pytest.raises(ArtifactError, match=r"report\.json is damaged"):
        load_artifact(saved)


@pytest.mark.parametrize("report", [None, {}, {"model": None, "conversion": None}, {"schema_version": 2}])
def test_a_report_may_be_missing_or_say_less(saved: Path, report: Json | None) -> None:
    (saved / REPORT).unlink()
    if report is not None:
        (saved / REPORT).write_text(json.dumps(report))
    assert load_artifact(saved).report == Report()


@pytest.mark.parametrize("version", [0, 2, None, "1"])
def test_a_program_of_another_version_is_refused(saved: Path, version: object) -> None:
    edit(saved, PROGRAM, lambda p: p.update(schema_version=version))
    reseal(saved)
    with pytest.raises(ArtifactError, match=r"program\.json has schema version .*, this program reads 1"):
        load_artifact(saved)


@pytest.mark.parametrize("unfit", [{"policy": FixedPolicy(9)}, {"timesteps": 7}, {"class_names": ("a", "b")}])
def test_what_could_not_be_loaded_is_not_written(tmp_path: Path, unfit: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        replace(small.artifact(), **unfit).save(tmp_path / "net")
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("error", [
    SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)"),
    OSError(28, "No space left on device"),
])  # fmt: skip
def test_a_full_disk_is_one_sentence_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def full(*args: object) -> None:
        raise error

    monkeypatch.setattr(artifact_file, "save_file", full)
    with pytest.raises(InputError, match=r"net cannot be written \(.*No space left on device") as caught:
        small.artifact().save(tmp_path / "net")
    assert len(str(caught.value).splitlines()) == 1
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("damage", ["shape", "type", "missing", "empty", "other name"])
def test_wrong_weights_with_the_right_checksum(saved: Path, damage: str) -> None:
    store = load_file(saved / WEIGHTS)
    key = "ann.conv2.weight"
    match damage:
        case "shape":
            store[key] = store[key][:, :2].contiguous()
        case "type":
            store[key] = store[key].to(torch.int32)
        case "missing":
            del store[key]
        case "empty":
            store.clear()
        case _:
            store["ann.conv2.weights"] = store.pop(key)
    save_file(store, saved / WEIGHTS)
    reseal(saved)
    with pytest.raises(ArtifactError, match="is damaged"):
        load_artifact(saved)


def certified(policy: Json | None = None) -> Artifact:
    """Return the artifact with a certificate, in the manifest and in the report."""
    request = Certify(0.1, 0.05)
    about = small.artifact().policy.to_json() if policy is None else policy
    certificate = make_certificate(request, torch.tensor([1] + [0] * 99), 2.5, 2.5, False, about)
    report = small.artifact().report
    report = replace(report, conversion=replace(report.conversion, certificate=certificate))
    return replace(small.artifact(), certificate=certificate, report=report)


def test_a_certificate_comes_back_and_without_one_there_is_none(saved: Path, tmp_path: Path) -> None:
    given = certified()
    given.save(tmp_path / "certified")
    read = load_artifact(tmp_path / "certified")
    assert read.certificate == given.certificate is not None
    assert read.report.conversion.certificate == given.certificate
    assert json.loads((saved / MANIFEST).read_text())["certificate"] is None
    assert load_artifact(saved).certificate is None


def test_another_policy_drops_the_certificate() -> None:
    changed = replace(certified(), policy=FixedPolicy(3))
    assert changed.certificate is None and changed.report.conversion.certificate is None
    assert replace(certified(), class_names=("a", "b", "c")).certificate is not None
    assert certified({"policy": "fixed", "timesteps": 2}).certificate is None


@pytest.mark.parametrize("change", [
    lambda m: m["certificate"].update(epsilon=2), lambda m: m["certificate"].pop("delta"),
    lambda m: m.update(certificate=[]), lambda m: m["certificate"]["policy"].update(thresholds=[0.5]),
])  # fmt: skip
def test_a_certificate_without_sense_or_of_another_policy_is_refused(
    tmp_path: Path, change: Callable[[Json], object]
) -> None:
    certified().save(tmp_path / "net")
    edit(tmp_path / "net", MANIFEST, change)
    reseal(tmp_path / "net")
    with pytest.raises(ArtifactError, match="certificate"):
        load_artifact(tmp_path / "net")


BEFORE = Path(__file__).parent / "written_before"


def test_an_artifact_written_before_gets_its_facts_from_its_report() -> None:
    """Version 1 had parity, held-out exits and the timesteps of a time target in the report only."""
    read, told = load_artifact(BEFORE), json.loads((BEFORE / REPORT).read_text())["conversion"]
    assert read.facts.parity == told["parity"] is not None
    assert read.facts.target_timesteps == told["exit"]["step_time"]["timesteps"]
    exits = read.facts.held_out_exits
    assert {str(t): n for t, n in exits.counts.items()} == told["exit"]["held_out"]["exit_counts"]
    assert exits.policy == PolicyFacts.of(read.policy.to_json())


def test_an_artifact_written_before_and_saved_again_is_of_this_version(tmp_path: Path) -> None:
    read = load_artifact(BEFORE)
    read.save(tmp_path / "net")
    again = load_artifact(tmp_path / "net")
    assert (again.facts, again.provenance, again.report) == (read.facts, read.provenance, read.report)
    assert same_bits(read, again)
    assert json.loads((tmp_path / "net" / MANIFEST).read_text())["schema_version"] == 2


def test_a_conversion_knows_what_later_commands_need(tmp_path: Path) -> None:
    facts, report = small.artifact().facts, small.artifact().report
    assert facts == ConversionFacts.of_report(report)
    (tmp_path / "net").mkdir()
    replace(small.artifact(), report=Report()).save(tmp_path / "net")
    assert load_artifact(tmp_path / "net").facts == facts  # the report is for readers only
