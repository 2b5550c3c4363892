"""Class names as the command line is given them: names with commas between them, or a text file."""

import os
from pathlib import Path

import click

from seenn_convert.errors import InputError
from seenn_convert.regular_files import check_regular

WANTED = "give a different one for each class"


class ClassNames(click.ParamType[tuple[str, ...]]):
    """Names ``a,b,c``, or the path of a text file that holds them; raises InputError where they cannot be right."""

    name = "a,b,c or file"

    def convert(
        self, value: str | tuple[str, ...], param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, ...]:
        """Return the names that ``value`` says."""
        if isinstance(value, tuple):
            return value
        if "," not in value or os.path.exists(value):  # False for what is too long for a path, too
            return read_class_names(Path(value))
        return _checked("--class-names", value.split(","), "name", "with commas between the names")


class_names_option = click.option(
    "--class-names",
    type=ClassNames(),
    help="Names of the model's outputs, in order: cat,dog,fox, or a text file with one per line. Class folders are "
    "matched by name.",
)


def read_class_names(path: Path) -> tuple[str, ...]:
    """Return the names in a text file, one per line, or on a single line with commas between them.

    Raises:
        InputError: There is no such file, it cannot be read as text, a line is empty, or a name occurs twice.
    """
    if not os.path.exists(path):
        raise InputError(f"{path}: no such file; give one, or the names themselves with commas between them")
    check_regular(path)
    try:
        lines = path.read_text(encoding="utf-8-sig").rstrip().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(
            f"{path}: is not a text file ({reason}); give one class name per line, or the names themselves with commas "
            "between them"
        ) from error
    if len(lines) == 1:
        return _checked(str(path), lines[0].split(","), "name", "per line")
    return _checked(str(path), lines, "line", "per line")


def _checked(source: str, written: list[str], each: str, how: str) -> tuple[str, ...]:
    """Return the names without the blanks around them; ``each`` is what one stands for in messages."""
    names = [name.strip() for name in written]
    twice = sorted({name for name in names if name and names.count(name) > 1})
    if twice or not names or not all(names):
        empty = f"{each} {names.index('') + 1} is empty" if "" in names else "there is no name"
        problem = f"{', '.join(twice)} occurs twice" if twice else empty
        raise InputError(f"{source}: {problem}; {WANTED}, {how}")
    return tuple(names)
