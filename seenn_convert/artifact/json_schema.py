"""Write the JSON Schemas of the documents: ``python -m seenn_convert.artifact.json_schema FOLDER``."""

import re
import sys
from inspect import cleandoc
from pathlib import Path
from typing import Any

import msgspec

from seenn_convert.artifact.files import json_text, write_texts
from seenn_convert.artifact.schema.comparison import Comparison
from seenn_convert.artifact.schema.manifest import Manifest
from seenn_convert.artifact.schema.report import Report

DIALECT = "https://json-schema.org/draft/2020-12/schema"

ATTRIBUTE = re.compile(r"^ {4}([\w, ]+): (.*(?:\n {5,}.*)*)", re.MULTILINE)
"""An attribute of a docstring: its name, or several, and what it means."""


def schemas() -> dict[str, str]:
    """Return file name -> JSON Schema, as text, of each document."""
    documents = {"report": Report, "comparison": Comparison, "manifest": Manifest}
    return {f"{name}.schema.json": json_text(_schema(kind)) for name, kind in documents.items()}


def _schema(kind: type) -> dict[str, Any]:
    schema = msgspec.json.schema(kind)
    definitions = {name: _described(definition) for name, definition in schema["$defs"].items()}
    return {"$schema": DIALECT, **schema, "$defs": definitions}


def _described(definition: dict[str, Any]) -> dict[str, Any]:
    """Return a definition with what its docstring says of each attribute moved to that property."""
    summary, _, attributes = cleandoc(definition.get("description", "")).partition("\n\nAttributes:\n")
    meanings = {
        name: " ".join(meaning.split())
        for names, meaning in ATTRIBUTE.findall(attributes)
        for name in names.split(", ")
    }
    properties = {
        name: {**part, "description": meanings[name]} if name in meanings else part
        for name, part in definition.get("properties", {}).items()
    }
    described = {**definition, "description": summary.replace("\n", " ")}
    return {**described, "properties": properties} if properties else described


if __name__ == "__main__":
    write_texts(Path(sys.argv[1]), schemas())
