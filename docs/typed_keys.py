"""Write the keys of a JSON document from its dataclasses: names, kinds, and the meanings that the docstrings give."""

import inspect
import re
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from typing import Any, get_args, get_type_hints


def key_tables(root: type[Any]) -> Iterator[str]:
    """Yield a table for ``root`` and for each dataclass below it, with the path of keys that leads there."""
    waiting, seen = [("", root)], set()
    while waiting:
        path, kind = waiting.pop(0)
        if kind in seen:
            continue
        seen.add(kind)
        title = f"`{path}`" if path else "Top level"
        yield f"## {title}\n\n{_summary(kind)}\n\n| key | kind | meaning |\n|---|---|---|"
        meanings, hints = _meanings(kind), get_type_hints(kind)
        for field in fields(kind):
            yield f"| `{field.name}` | {_kind(hints[field.name])} | {meanings.get(field.name, '')} |"
            below = path + ("." if path else "") + field.name
            waiting += [(below + suffix, found) for found, suffix in _dataclasses(hints[field.name])]
        yield ""


def _dataclasses(hint: Any, suffix: str = "") -> Iterator[tuple[type[Any], str]]:
    """Yield the dataclasses in a type hint, with what an index or a key adds to the path."""
    if is_dataclass(hint) and isinstance(hint, type):
        yield hint, suffix
    name = getattr(getattr(hint, "__origin__", None), "__name__", "")
    inner = {"tuple": "[]", "list": "[]", "Mapping": "{}", "dict": "{}"}.get(name, "")
    for argument in get_args(hint):
        yield from _dataclasses(argument, suffix + inner)


def _kind(hint: Any) -> str:
    """Return a type hint in words of JSON."""
    plain = {str: "text", float: "number", int: "whole number", bool: "true or false", type(None): "null", Any: "any"}
    if is_dataclass(hint):
        return "object"
    if hint in plain:
        return plain[hint]
    arguments, name = get_args(hint), getattr(getattr(hint, "__origin__", None), "__name__", "")
    if name in ("tuple", "list"):
        return f"list of {_kind(arguments[0])}"
    if name in ("Mapping", "dict"):
        return f"object: {_kind(arguments[0])} to {_kind(arguments[1])}"
    if all(isinstance(argument, str) for argument in arguments) and arguments:
        return ", ".join(f"`{argument}`" for argument in arguments)
    return " or ".join(dict.fromkeys(_kind(argument) for argument in arguments)) or "any"


def _summary(kind: type[Any]) -> str:
    return _one_line((inspect.getdoc(kind) or "").partition("Attributes:")[0])


def _meanings(kind: type[Any]) -> dict[str, str]:
    """Return the meaning of each attribute, from the docstrings of the class and of those it inherits from."""
    found: dict[str, str] = {}
    for base in reversed(kind.__mro__):
        section = (base.__doc__ or "").partition("Attributes:\n")[2]
        section = re.split(r"\n\s*\n|\n\s*(?:Raises|Args|Returns):", section)[0]
        lines = [line for line in section.splitlines() if line.strip()]
        indent = min((len(line) - len(line.lstrip()) for line in lines), default=0)
        name = ""
        for line in lines:
            start = re.match(r"(\w+): (.*)", line[indent:])
            name = start.group(1) if start else name
            found[name] = start.group(2) if start else f"{found.get(name, '')} {line.strip()}"
    return {name: _one_line(text) for name, text in found.items()}


def _one_line(text: str) -> str:
    text = " ".join(text.split())
    for old, new in (("``", "`"), ("|", "\\|"), ("<", "&lt;"), ("95 %", "95%"), ("None", "null")):
        text = text.replace(old, new)
    return text
