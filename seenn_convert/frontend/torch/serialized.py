"""The graph in a ``.pt2`` file, as JSON: only what PyTorch reads without running anything of the file passes on.

PyTorch writes Python source from the names in the document, evaluates its sizes, looks its operators up by name and
imports the modules that its containers name. So names are checked, sizes are arithmetic, operators are those of ATen
or of the user's own, and containers are plain; what is not needed is left out.
"""

import json
import re
from collections.abc import Callable, Collection, Iterator
from typing import Any

import torch

from seenn_convert.errors import InputError, UnsupportedOperatorError
from seenn_convert.frontend.torch.size_expressions import check_expression, check_symbol

LIBRARIES = ("aten", "prims")
TOUCHES_FILES = ("from_file",)
"""Operators of ATen that read or write a file."""

_METADATA = ("stack_trace", "nn_module_stack")
_BY_NODE = ("tensor_values", "sym_int_values", "sym_float_values", "sym_bool_values")
"""Tables by the name of a node, which may be any word."""
_NUMBERS = re.compile(
    r"_operator\.(eq|ne|le|ge|lt|gt|neg|pos|mul|add|sub|floordiv|truediv|mod|pow|and_|or_|getitem)|"
    r"math\.(trunc|ceil|floor)|torch\.sym_(not|int|float|ite|max|min|sqrt|sum)"
)
_OPERATOR = re.compile(r"torch\.ops\.(\w+)\.(\w+)\.(\w+)")
_PATH = re.compile(r'[^"\'\\\x00-\x1f]*')
_OF_OTHERS = "it holds an object of another library, which could run code; export the model without it"
_INNER_GRAPH = (
    "it holds a graph within its graph (a no_grad or autocast block, torch.cond or a loop in the model's code); export "
    "the model inside 'with torch.no_grad():', and without torch.autocast and control flow"
)
_FORBIDDEN = {
    "as_operator": _INNER_GRAPH, "as_graph": _INNER_GRAPH, "as_custom_obj": _OF_OTHERS, "custom_obj": _OF_OTHERS,
}  # fmt: skip


def checked_document(document: object, own: Collection[str] = ()) -> dict[str, Any]:
    """Return the document of an exported program without what is not needed to read it.

    Args:
        document: Parsed JSON.
        own: Names of operators of the user's own, as ``"mylib::swish"``.

    Raises:
        InputError: It holds what is not plain data.
        UnsupportedOperatorError: It calls an operator of another library; lists every call.
    """
    if not isinstance(document, dict):
        raise InputError("its graph is not a JSON object")
    for name in document.get("range_constraints") or {}:
        check_symbol(name)
    checked: dict[str, Any] = {**_checked(document), "guards_code": []}
    problems = list(_foreign(checked, own))
    if problems:
        raise UnsupportedOperatorError(problems)
    return checked


def _checked(value: Any, key: str = "") -> Any:
    if key in _BY_NODE:
        return {name: _checked(part) for name, part in value.items()}
    if isinstance(value, dict):
        return {name: _entry(name, part) for name, part in value.items() if key != "metadata" or name in _METADATA}
    if isinstance(value, list):
        return [_entry(key, part) if isinstance(part, str) else _checked(part) for part in value]
    return value


def _entry(key: str, value: Any) -> Any:
    if key in _FORBIDDEN or (key == "custom_obj_values" and value):
        raise InputError(_FORBIDDEN.get(key, _OF_OTHERS))
    check = _CHECKS.get(key)
    if check is not None and value is not None:
        if not isinstance(value, (str, list)):
            raise InputError(f"its entry {key!r} is not text")
        for text in [value] if isinstance(value, str) else value:
            check(text)
    if key in ("in_spec", "out_spec"):
        return json.dumps(_containers(json.loads(value), key == "in_spec"))
    if key.endswith("_name") and isinstance(value, str) and not _PATH.fullmatch(value):
        raise InputError(f"{value[:60]!r} is not a name")
    return _checked(value, key)


def _check_name(name: object) -> None:
    if not isinstance(name, str) or not (name == "" or name.isidentifier()):
        raise InputError(f"{str(name)[:60]!r} is not a name, and would be run as code")


_CHECKS: dict[str, Callable[[str], None]] = {
    "name": _check_name, "as_name": _check_name, "forward_arg_names": _check_name, "expr_str": check_expression,
}  # fmt: skip


def _containers(spec: Any, are_arguments: bool) -> Any:
    """Return the description of nested containers, where no entry names a module that PyTorch would import."""
    if isinstance(spec, list):
        return [_containers(part, are_arguments) for part in spec]
    if not isinstance(spec, dict):
        return spec
    kind, context = spec.get("type"), spec.get("context")
    if kind == "collections.defaultdict":
        raise InputError("it takes or returns a defaultdict, which names code; return a dict")
    if isinstance(context, str) and kind is not None:
        _check_context(context, are_arguments)
    return {**spec, "children_spec": _containers(spec.get("children_spec", []), are_arguments)}


def _check_context(context: str, are_arguments: bool) -> None:
    try:
        found = json.loads(context)
    except ValueError:
        return  # a class that the user registered, which reads it in its own way
    if any("__enum__" in entry for entry in _objects(found)):
        raise InputError("it takes or returns a dict whose keys are enum members, which name code; use text")
    for name in found if are_arguments and isinstance(found, list) else ():
        _check_name(name)


def _objects(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
    for part in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _objects(part)


def _foreign(value: Any, own: Collection[str]) -> Iterator[str]:
    """Yield a sentence for each call of an operator that is not of ATen, not of the user's own, or touches files."""
    registered = frozenset(torch._C._dispatch_get_all_op_names())
    for node in _objects(value):
        if "target" in node and "inputs" in node:
            reason = _refusal(str(node["target"]), own, registered)
            if reason is not None:
                yield f"{node.get('name') or 'a call'} ({str(node['target'])[:60]}): {reason}"


def _refusal(target: str, own: Collection[str], registered: Collection[str]) -> str | None:
    if _NUMBERS.fullmatch(target):
        return None
    found = _OPERATOR.fullmatch(target)
    if found is None:
        return "it is not an operator; export the model again"
    library, name, overload = found.groups()
    if f"{library}::{name.rstrip('_')}" in own:
        return None
    if library not in LIBRARIES:
        return f"{library}::{name} belongs to another library; define its conversion with extra_operators"
    if f"{library}::{name}{'' if overload == 'default' else f'.{overload}'}" not in registered:
        return "this version of PyTorch has no such operator; export the model with this version"
    schema = getattr(getattr(getattr(torch.ops, library), name), overload)._schema
    if name in TOUCHES_FILES or any(argument.is_out for argument in schema.arguments):
        return "it writes to a tensor given from outside, or to a file; export the model without it"
    return None
