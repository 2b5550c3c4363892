"""Classes that are named by numbers: some folders of a large data set then say which outputs of the model they are."""

from collections.abc import Sequence


def numbered_names(names: Sequence[str], classes: int) -> tuple[str, ...] | None:
    """Return a name for each of a model's outputs if the classes are named by numbers of outputs, else None.

    Args:
        names: Of the classes that are there, such as ``0003`` and ``0027``.
        classes: Number of the model's outputs, which count from 0.

    Returns:
        The names that are there, each at its number, and between them numbers written with as many digits.
    """
    written = {int(name): name for name in names if name.isascii() and name.isdigit()}
    if not names or len(written) < len(names) or max(written) >= classes:
        return None
    digits = len(names[0]) if len({len(name) for name in names}) == 1 else 1
    return tuple(written.get(number, f"{number:0{digits}d}") for number in range(classes))


def number_notes(names: Sequence[str] | None, classes: int) -> tuple[str, ...]:
    """Return a sentence for the user if names of classes stand for the outputs with their numbers."""
    if names is None or len(names) == classes or numbered_names(names, classes) is None:
        return ()
    return (
        f"the {len(names):,} class folders are named by numbers, which are read as positions of the model's "
        f"{classes:,} outputs, counted from 0",
    )
