"""Write the pages of the documentation that are made from the code: commands, modules, JSON Schemas."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
from typed_keys import key_tables

import seenn_convert
from seenn_convert.artifact.schema.comparison import Comparison
from seenn_convert.artifact.schema.manifest import Manifest
from seenn_convert.artifact.schema.report import Report
from seenn_convert.cli.main import cli

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "seenn_convert"
SCHEMAS = ROOT / "docs" / "schema"
WIDTH = 100
GROUPS = {
    "Convert": (
        "convert", "recalibrate", "Options", "ExitTarget", "ExitScore", "Certify", "attach_policy", "PolicyOptions",
        "finetune", "FinetuneOptions",
    ),
    "Data": ("open_dataset", "Preprocessing", "as_samples", "Samples", "Dataset"),
    "Run": ("load", "SpikingModel", "run_early_exit", "ExitTrace", "predict", "Prediction"),
    "Judge": ("evaluate", "compare", "write_report", "write_figures"),
    "Artifacts": ("Artifact", "load_artifact"),
}
"""Public names in the order in which people need them; the others follow."""

DOCUMENTS = {"report": Report, "comparison": Comparison, "manifest": Manifest}


def write(folder: Path) -> None:
    """Write all generated pages into ``folder``; files that would not change are left alone."""
    folder.mkdir(exist_ok=True)
    pages = {"api": _api(), "commands": _commands(), "modules": _modules(), "schemas": _schemas()}
    pages |= {f"{name}_keys": _keys(name, document) for name, document in DOCUMENTS.items()}
    for name, lines in pages.items():
        path, text = folder / f"{name}.md", "\n".join(lines) + "\n"
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")


def _api() -> Iterator[str]:
    """Yield every public name with its docstring, what people need first in front."""
    yield "# Functions and classes\n\nThe public names. [Use from Python](../reference/python.md)"
    yield "shows them at work.\n"
    names = [name for name in seenn_convert.__all__ if not name.startswith("_")]
    grouped = {name for group in GROUPS.values() for name in group}
    for title, group in {**GROUPS, "More": tuple(name for name in names if name not in grouped)}.items():
        present = [name for name in group if name in names]
        if present:
            yield f"## {title}\n\n```{{eval-rst}}\n.. currentmodule:: seenn_convert\n"
            for name in present:
                is_class = isinstance(getattr(seenn_convert, name), type)
                yield f".. autoclass:: {name}\n   :members:\n" if is_class else f".. autofunction:: {name}\n"
            yield "```\n"


def _commands() -> Iterator[str]:
    """Yield the help of every command, as the terminal shows it."""
    yield "# Commands\n\nThis is what `--help` prints, command by command.\n"
    yield "Exit codes: 0 done; 1 your model, data or options cannot be used; 2 wrong usage; 3 a defect of the compiler;"
    yield "130 interrupted.\n"
    for name, command in cli.commands.items():
        context = click.Context(command, info_name=f"seenn-convert {name}", terminal_width=WIDTH)
        yield f"## {name}\n\n```text\n{command.get_help(context)}\n```\n"


def _modules() -> Iterator[str]:
    """Yield every module with the first line of its docstring, folder by folder."""
    yield "# Modules\n\nEvery module with the first line of its docstring.\n"
    for folder in sorted({path.parent for path in PACKAGE.rglob("*.py")}):
        paths = [path for path in sorted(folder.glob("*.py")) if path.name != "__init__.py"]
        title = folder.relative_to(ROOT).as_posix()
        said = _first_line(folder / "__init__.py")
        if paths or said:
            yield f"## {title}\n\n{said}\n"
        if paths:
            yield "| module | what it is for |\n|---|---|"
            yield from (f"| `{path.name}` | {_first_line(path)} |" for path in paths)
            yield ""


def _first_line(path: Path) -> str:
    if not path.exists():
        return ""
    docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    paragraph = " ".join(docstring.partition("\n\n")[0].split())
    return paragraph.replace("``", "`").replace("|", "\\|").replace("<", "&lt;")


def _keys(name: str, document: type[Any]) -> Iterator[str]:
    """Yield the keys of a JSON document."""
    yield f"# Keys of `{name}.json`\n\nFrom the dataclasses that read and write it; `null` is what is not known.\n"
    yield from key_tables(document)


def _schemas() -> Iterator[str]:
    """Yield links to the JSON Schemas of the files that the package writes."""
    yield "# JSON Schemas\n\nThe JSON files that the package writes, as machine-readable schemas (draft 2020-12).\n"
    for path in sorted(SCHEMAS.glob("*.json")):
        yield f"- {{download}}`{path.name} <../schema/{path.name}>`"
