"""Reading a ``.pt2`` file runs nothing of it, whatever it holds; what PyTorch writes is read as before."""

import io
import json
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import harness
import pytest
import torch
import toys
from payload import Payload
from torch import Tensor, nn
from torch._export.serde.serialize import serialize

from seenn_convert.errors import InputError, UnsupportedOperatorError
from seenn_convert.frontend.load import read_model
from seenn_convert.frontend.torch.archive import plain_archive
from seenn_convert.frontend.torch.read import read_pt2

pytestmark = pytest.mark.slow  # `make test` runs it, `make check` does not

GRAPH, WEIGHTS = "models/model.json", "data/weights/model_weights_config.json"
Json = dict[str, Any]


@pytest.fixture
def model() -> nn.Module:
    return toys.residual()


@pytest.fixture
def path(tmp_path: Path, model: nn.Module) -> Path:
    batch = ({0: torch.export.Dim("batch")},)
    torch.export.save(torch.export.export(model, (torch.zeros(2, *toys.IMAGE),), dynamic_shapes=batch), tmp_path / "net.pt2")
    return tmp_path / "net.pt2"


@pytest.fixture
def marker(tmp_path: Path) -> Path:
    return tmp_path / "marker"


def edit(path: Path, change: Callable[[dict[str, bytes]], object], compression: int = zipfile.ZIP_STORED) -> None:
    """Rewrite an archive; ``change`` gets its entries, by name within its folder."""
    with zipfile.ZipFile(path) as archive:
        root = archive.namelist()[0].partition("/")[0]
        entries = {name.removeprefix(f"{root}/"): archive.read(name) for name in archive.namelist()}
    change(entries)
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in entries.items():
            archive.writestr(f"{root}/{name}", content)


def edit_json(path: Path, name: str, change: Callable[[Json], object]) -> None:
    def change_entry(entries: dict[str, bytes]) -> None:
        document = json.loads(entries[name])
        change(document)
        entries[name] = json.dumps(document).encode()

    edit(path, change_entry)


def old_form(path: Path, model: nn.Module, **replaced: bytes) -> None:
    """Write the archive as PyTorch 2.7 did."""
    batch = ({0: torch.export.Dim("batch")},)
    parts = serialize(torch.export.export(model, (torch.zeros(2, *toys.IMAGE),), dynamic_shapes=batch))
    content = {
        "serialized_exported_program.json": parts.exported_program, "serialized_state_dict.pt": parts.state_dict,
        "serialized_constants.pt": parts.constants, "serialized_example_inputs.pt": parts.example_inputs,
    }  # fmt: skip
    version = json.loads(parts.exported_program)["schema_version"]
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("version", f"{version['major']}.{version['minor']}")
        for name, data in content.items():
            archive.writestr(name, replaced.get(name.split(".")[0], data))


def nodes(document: Json) -> list[Json]:
    found: list[Json] = document["graph_module"]["graph"]["nodes"]
    return found


def image_sizes(document: Json) -> list[Json]:
    name = document["graph_module"]["graph"]["inputs"][-1]["as_tensor"]["name"]
    found: list[Json] = document["graph_module"]["graph"]["tensor_values"][name]["sizes"]
    return found


def pickled_with(payload: Payload) -> bytes:
    content = io.BytesIO()
    torch.save(payload, content)
    return content.getvalue()


def is_read(path: Path, model: nn.Module) -> bool:
    images = torch.randn(3, *toys.IMAGE)
    program = read_model(path).program
    with torch.no_grad():
        harness.assert_same(program(images), model(images))
    return True


@pytest.mark.parametrize("form", ["new", "old"])
def test_what_pytorch_writes_is_read(path: Path, model: nn.Module, form: str) -> None:
    if form == "old":
        old_form(path, model)
    assert is_read(path, model)
    assert read_model(path).program.source_of("stem").startswith("stem (toys.py:")


def test_a_pickled_weight_is_refused_and_nothing_of_it_runs(path: Path, marker: Path) -> None:
    def change(entries: dict[str, bytes]) -> None:
        config = json.loads(entries[WEIGHTS])
        next(iter(config["config"].values())).update(path_name="weight_0", use_pickle=True)
        entries.update({WEIGHTS: json.dumps(config).encode(), "data/weights/weight_0": pickled_with(Payload(marker))})

    edit(path, change)
    with pytest.raises(InputError, match=r"net\.pt2: it holds weights that are pickled, .* with plain tensors"):
        read_pt2(path)
    assert not marker.exists()


@pytest.mark.parametrize("part", ["serialized_state_dict", "serialized_constants"])
def test_a_pickle_in_a_file_of_an_older_version(path: Path, model: nn.Module, marker: Path, part: str) -> None:
    old_form(path, model, **{part: pickled_with(Payload(marker))})
    with pytest.raises(InputError, match="weights that are pickled"):
        read_pt2(path)
    assert not marker.exists()


@pytest.mark.parametrize("kind", ["custom_obj_0", "opaque_obj_0", "../weights/weight_0"])
def test_an_object_among_the_constants(path: Path, marker: Path, kind: str) -> None:
    def change(entries: dict[str, bytes]) -> None:
        weights = json.loads(entries[WEIGHTS])["config"]
        constant = {**next(iter(weights.values())), "path_name": kind}
        entries["data/constants/model_constants_config.json"] = json.dumps({"config": {"c": constant}}).encode()
        entries[f"data/constants/{kind}"] = pickle.dumps(Payload(marker))

    edit(path, change)
    with pytest.raises(InputError, match="pickled"):
        read_pt2(path)
    assert not marker.exists()


def test_example_inputs_are_left_out(path: Path, model: nn.Module, marker: Path) -> None:
    edit(path, lambda entries: entries.update({"data/sample_inputs/model.pt": pickled_with(Payload(marker))}))
    assert is_read(path, model) and not marker.exists()
    old_form(path, model, serialized_example_inputs=pickled_with(Payload(marker)))
    assert is_read(path, model) and not marker.exists()


def test_compiled_code_and_other_entries_are_left_out(path: Path, model: nn.Module) -> None:
    more = ("data/aotinductor/model/x.wrapper.so", "models/other.json", "extra/notes", "../outside", "data/weights/other")
    edit(path, lambda entries: entries.update(dict.fromkeys(more, b"\x7fELF")))
    with zipfile.ZipFile(plain_archive(path)) as plain:
        assert not any(b"ELF" in plain.read(name) for name in plain.namelist())
    assert is_read(path, model)


CODE = "__import__('pathlib').Path({!r}).write_text('code ran')"


def graph(document: Json) -> Json:
    found: Json = document["graph_module"]["graph"]
    return found


def rename(document: Json, name: str, new: str) -> None:
    document.update(json.loads(json.dumps(document).replace(json.dumps(name), json.dumps(new))))


def returned(document: Json, kind: str, context: object) -> None:
    spec = json.dumps([1, {"type": kind, "context": json.dumps(context), "children_spec": [{"type": None, "context": None,
                      "children_spec": []}]}])  # fmt: skip
    document["graph_module"]["module_call_graph"][0]["signature"]["out_spec"] = spec


ATTACKS: dict[str, Callable[[Json, str, str], object]] = {
    "size": lambda d, code, _: image_sizes(d)[0]["as_expr"].update(expr_str=code),
    "name of a node": lambda d, code, _: nodes(d)[0]["outputs"][0]["as_tensor"].update(name=f"a={code}"),
    "name of a call": lambda d, code, _: nodes(d)[0].update(name=f"a={code}"),
    "name of an input": lambda d, code, _: rename(d, graph(d)["inputs"][-1]["as_tensor"]["name"], f"x={code}"),
    "name of a parameter": lambda d, code, _: d["graph_module"]["signature"]["input_specs"][0]["parameter"].update(
        parameter_name=f'a"),{code},("'),
    "name of an argument": lambda d, code, _: d["graph_module"]["module_call_graph"][0]["signature"].update(
        forward_arg_names=[f"x={code}"]),
    "guard": lambda d, code, _: d.update(guards_code=[code]),
    "operator": lambda d, code, _: nodes(d)[0].update(target="torch.serialization.os.system"),
    "operator of a file": lambda d, code, path: graph(d)["tensor_values"].update(
        made=next(iter(graph(d)["tensor_values"].values()))) or nodes(d).insert(0, {
        "target": "torch.ops.aten.from_file.default", "metadata": {}, "name": "made", "is_hop_single_tensor_return": None,
        "inputs": [{"name": "filename", "arg": {"as_string": path}, "kind": 1},
                   {"name": "shared", "arg": {"as_bool": True}, "kind": 1},
                   {"name": "size", "arg": {"as_int": 64}, "kind": 1}],
        "outputs": [{"as_tensor": {"name": "made"}}]}),
    "operator that is given": lambda d, code, _: nodes(d)[0]["inputs"].append(
        {"name": "f", "arg": {"as_operator": "torch.serialization.os.system"}, "kind": 1}),
    "keys of an enumeration": lambda d, code, _: returned(
        d, "builtins.dict", [{"__enum__": True, "fqn": "evil:Kind", "name": "A"}]),
    "a default": lambda d, code, _: returned(
        d, "collections.defaultdict", {"default_factory_module": "evil", "default_factory_name": "A", "dict_context": []}),
}  # fmt: skip


@pytest.mark.parametrize("form", ["new", "old"])
@pytest.mark.parametrize("attack", ATTACKS)
def test_nothing_of_a_graph_is_run_or_imported(
    path: Path, model: nn.Module, marker: Path, attack: str, form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A size, a name, an operator or a container that holds code: a sentence, or it is left out."""
    (path.parent / "evil.py").write_text(f"import pathlib; pathlib.Path({str(marker)!r}).write_text('code ran')")
    monkeypatch.syspath_prepend(path.parent)

    def change(document: Json) -> None:
        ATTACKS[attack](document, CODE.format(str(marker)), str(marker))

    if form == "new":
        edit_json(path, GRAPH, change)
    else:
        document = json.loads(serialize(torch.export.export(
            model, (torch.zeros(2, *toys.IMAGE),), dynamic_shapes=({0: torch.export.Dim("batch")},)
        )).exported_program)  # fmt: skip
        change(document)
        old_form(path, model, serialized_exported_program=json.dumps(document).encode())
    if attack == "guard":
        assert is_read(path, model)
    else:
        with pytest.raises(InputError):
            read_model(path).check(torch.zeros(2, *toys.IMAGE))
    assert not marker.exists()


def test_an_operator_of_another_library_is_listed(path: Path) -> None:
    edit_json(path, GRAPH, lambda document: nodes(document)[0].update(target="torch.ops.elsewhere.swish.default"))
    with pytest.raises(UnsupportedOperatorError, match="elsewhere::swish belongs to another library; define .*extra_op"):
        read_pt2(path)


def test_a_bomb_is_refused_before_it_is_unpacked(path: Path) -> None:
    more = {"extra/zeros": bytes(80 * 2**20)}
    edit(path, lambda entries: entries.update(more), zipfile.ZIP_DEFLATED)
    assert path.stat().st_size < 2**20
    with pytest.raises(InputError, match=r"unpacks to .* bytes, far more than it takes"):
        read_pt2(path)


def test_a_compressed_archive_is_read(path: Path, model: nn.Module) -> None:
    edit(path, lambda entries: None, zipfile.ZIP_DEFLATED)
    assert is_read(path, model)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_entries_of_one_name_are_refused(path: Path) -> None:
    """Two readers of archives may take different ones."""
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(archive.namelist()[0], b"another")
    with pytest.raises(InputError, match="two of one name"):
        read_pt2(path)


def test_weights_without_numbers_take_no_memory(path: Path) -> None:
    def change(config: Json) -> None:
        payload = next(iter(config["config"].values()))
        payload["tensor_meta"]["sizes"] = [{"as_int": 2**40}]
        payload["path_name"] = "weight_99"

    edit_json(path, WEIGHTS, change)
    edit(path, lambda entries: entries.update({"data/weights/weight_99": b""}))
    with pytest.raises(InputError, match="lacks the numbers of"):
        read_pt2(path)


def test_an_operator_of_the_users_own_passes(tmp_path: Path) -> None:
    from seenn_convert.frontend.torch.aten import Operator
    from seenn_convert.frontend.torch.call import Lifted

    @torch.library.custom_op("of_the_user::twice", mutates_args=())
    def twice(x: Tensor) -> Tensor:
        return x * 2

    twice.register_fake(torch.empty_like)
    model = toys.toy(lambda m, x: torch.ops.of_the_user.twice(x).flatten(1))
    torch.export.save(torch.export.export(model, (torch.zeros(2, *toys.IMAGE),)), tmp_path / "net.pt2")
    own = Operator("of_the_user::twice", lambda call: Lifted(nn.Identity(), (call.tensor("x"),)))
    assert read_model(tmp_path / "net.pt2", extra_operators=[own]).program is not None


class WithoutGradients(nn.Module):
    """A block without gradients in the model's own code becomes a graph within the graph."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits."""
        with torch.no_grad():
            return self.linear(x)


def test_a_graph_within_the_graph_is_refused_with_advice_that_works(tmp_path: Path) -> None:
    model, path = WithoutGradients().eval(), tmp_path / "net.pt2"
    torch.export.save(torch.export.export(model, (torch.zeros(2, 4),)), path)
    with pytest.raises(InputError, match=r"graph within its graph .*; export the model inside 'with torch\.no_grad\(\):'"):
        read_model(path)
    with torch.no_grad():
        torch.export.save(torch.export.export(model, (torch.zeros(2, 4),)), path)
    torch.testing.assert_close(read_model(path).program(torch.ones(2, 4)), model(torch.ones(2, 4)))


ODD_NAMES = ("metadata", "name", "target", "in_spec", "tensor_values", "expr_str")


@pytest.mark.parametrize("name", ODD_NAMES)
def test_a_buffer_may_have_any_name(tmp_path: Path, name: str) -> None:
    """Names of the file's format are names like any other; outputs may be called anything."""
    model = toys.toy(lambda m, x: {name: m.head(x.flatten(1)) * getattr(m, name), "a/b": (x, [x + 1])}, head=nn.Linear(192, 5))
    model.register_buffer(name, torch.ones(5))
    torch.export.save(torch.export.export(model, (torch.zeros(2, *toys.IMAGE),)), tmp_path / "net.pt2")
    images = torch.randn(2, *toys.IMAGE)
    torch.testing.assert_close(read_model(tmp_path / "net.pt2", output_name=name).program(images), model(images)[name])


def test_sizes_that_follow_height_and_width_pass(tmp_path: Path) -> None:
    body = nn.Sequential(nn.Conv2d(1, 2, 3, 2, 1), nn.MaxPool2d(3, 2, 1), nn.Conv2d(2, 2, 3, 2), nn.AdaptiveAvgPool2d(1))
    model = nn.Sequential(body, nn.Flatten(), nn.Linear(2, 3)).eval()
    sizes = ({0: torch.export.Dim.AUTO, 2: torch.export.Dim.AUTO, 3: torch.export.Dim.AUTO},)
    torch.export.save(torch.export.export(model, (torch.zeros(2, 1, 40, 48),), dynamic_shapes=sizes), tmp_path / "net.pt2")
    assert read_pt2(tmp_path / "net.pt2") is not None
