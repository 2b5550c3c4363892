"""Class names from a text file."""

from pathlib import Path

from seenn_convert.errors import InputError
from seenn_convert.regular_files import check_regular


def read_class_names(path: Path) -> tuple[str, ...]:
    """Return the names in a text file, one per line.

    Raises:
        InputError: The file cannot be read as text, a line is empty, or a name occurs twice.
    """
    check_regular(path)
    try:
        names = tuple(line.strip() for line in path.read_text(encoding="utf-8-sig").rstrip().splitlines())
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: is not a text file ({error}); give one class name per line") from error
    twice = sorted({name for name in names if name and names.count(name) > 1})
    if twice or not names or not all(names):
        problem = f"{', '.join(twice)} occurs twice" if twice else "a line is empty" if names else "there is no name"
        raise InputError(f"{path}: {problem}; give one class name per line, a different one for each class")
    return names
