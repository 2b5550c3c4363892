"""What of an exported graph's document passes on, and what is left out."""

import json
from typing import Any

import pytest

from seenn_convert.errors import InputError, UnsupportedOperatorError
from seenn_convert.frontend.torch.serialized import checked_document

Json = dict[str, Any]


def call(target: str, **more: Any) -> Json:
    return {"graph": {"nodes": [{"name": "y", "target": target, "inputs": [], "outputs": [], "metadata": {}, **more}]}}


TARGETS = [
    "torch.ops.aten.relu.default", "torch.ops.aten.add_.Tensor", "torch.ops.aten.sym_size.int", "_operator.floordiv",
    "torch.sym_max", "math.trunc", "torch.ops.prims.convert_element_type.default", "torch.ops.mine.twice.default",
]  # fmt: skip


@pytest.mark.parametrize("target", TARGETS)
def test_operators_that_pass(target: str) -> None:
    assert checked_document(call(target), {"mine::twice"})["graph"]["nodes"][0]["target"] == target


OTHERS = {
    "torch.hub.load": "is not an operator", "torch.ops.load_library": "is not an operator", "_operator.attrgetter": "is not",
    "math.__class__": "is not an operator", "torch.ops.aten.relu": "is not an operator", "#x:y": "is not an operator",
    "torch.ops.aten.from_file.default": "or to a file", "torch.ops.aten.add.out": "a tensor given from outside",
    "torch.ops.aten.save.default": "no such operator", "torch.ops.aten.nothing.default": "no such operator",
    "torch.ops.profiler._record_function_enter_new.default": "another library", "torch.ops.other.f.default": "extra_operators",
}  # fmt: skip


@pytest.mark.parametrize("target", OTHERS)
def test_operators_that_do_not(target: str) -> None:
    with pytest.raises(UnsupportedOperatorError, match=OTHERS[target]) as caught:
        checked_document(call(target), {"mine::twice"})
    assert len(caught.value.problems) == 1


def test_metadata_and_guards_that_nothing_needs_are_left_out() -> None:
    metadata = {"stack_trace": "File", "nn_module_stack": "a", "custom": "{}", "from_node": "[]", "source_fn_stack": "a,b"}
    found = checked_document({**call("torch.ops.aten.relu.default", metadata=metadata), "guards_code": ["print()"]})
    assert found["graph"]["nodes"][0]["metadata"] == {"stack_trace": "File", "nn_module_stack": "a"}
    assert found["guards_code"] == []


def spec(kind: str | None, context: Any, *children: Json) -> Json:
    return {"type": kind, "context": None if kind is None else json.dumps(context), "children_spec": list(children)}


LEAF = spec(None, None)


def test_plain_containers_stay_as_they_are() -> None:
    described = json.dumps([1, spec("builtins.tuple", None, spec("builtins.dict", ["a", "b"], LEAF, spec("builtins.list", None)))])
    assert json.loads(checked_document({"in_spec": described})["in_spec"]) == json.loads(described)
    outputs = json.dumps([1, spec("builtins.dict", ["any text", 3], LEAF, LEAF)])
    assert json.loads(checked_document({"out_spec": outputs})["out_spec"]) == json.loads(outputs)
    registered = json.dumps([1, {"type": "mine.Output", "context": "not json", "children_spec": []}])
    assert json.loads(checked_document({"out_spec": registered})["out_spec"]) == json.loads(registered)


@pytest.mark.parametrize("key", ["in_spec", "out_spec"])
@pytest.mark.parametrize(("kind", "context"), [
    ("builtins.dict", [{"__enum__": True, "fqn": "os:a", "name": "b"}]), ("builtins.dict", {"a": [{"__enum__": 1}]}),
    ("collections.defaultdict", {"default_factory_module": "os"}),
])  # fmt: skip
def test_containers_that_name_code_are_refused(key: str, kind: str, context: Any) -> None:
    with pytest.raises(InputError, match="names? code"):
        checked_document({key: json.dumps([1, spec("builtins.tuple", None, spec(kind, context, LEAF))])})


def test_keys_of_arguments_are_names() -> None:
    with pytest.raises(InputError, match="is not a name"):
        checked_document({"in_spec": json.dumps([1, spec("builtins.dict", ["x=print()"], LEAF)])})


@pytest.mark.parametrize("document", [
    [], {"range_constraints": {"u99999999999": {}}}, {"a": [{"name": "a b"}]}, {"a": {"as_name": 3}}, {"b": {"as_graph": {}}},
    {"custom_obj_values": {"a": {}}}, {"parameter_name": 'a"'}, {"forward_arg_names": ["x", "y="]},
])  # fmt: skip
def test_what_is_no_plain_data_is_refused(document: Any) -> None:
    with pytest.raises(InputError):
        checked_document(document)
