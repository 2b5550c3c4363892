"""From a document to what JSON can hold and back; whatever does not fit its dataclass is an error."""

import warnings
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from seenn_convert.errors import ArtifactError, SeennConvertError

T = TypeVar("T")


class PlainParts:
    """A document whose parts could be asked for by name, as plain data, before it had types."""

    def __getitem__(self, part: str) -> Any:
        """Return a part as mappings, lists, text and numbers, with its warnings as sentences."""
        if part not in {one.name for one in fields(self)}:  # type: ignore[arg-type]
            raise KeyError(part)
        kind = type(self).__name__.lower()
        warnings.warn(f"{kind}[{part!r}] is now {kind}.{part}", DeprecationWarning, stacklevel=2)
        plain = to_plain(getattr(self, part))
        if part == "warnings":
            return [warning["text"] for warning in plain]
        if isinstance(plain, dict) and "warnings" in plain:
            plain["warnings"] = [warning["text"] for warning in plain["warnings"]]
        return plain


def to_plain(value: object) -> Any:
    """Return a document, or a part of one, as mappings, lists, text and numbers."""
    return msgspec.to_builtins(value, str_keys=True)


def from_plain(data: object, kind: type[T], path: Path | None = None, remedy: str = "convert the model again") -> T:
    """Return the document that ``data``, read from JSON at ``path``, holds.

    Raises:
        ArtifactError: A value is missing, of another kind, or makes no sense; says which.
    """
    try:
        return msgspec.convert(data, kind, str_keys=True)
    except (msgspec.ValidationError, SeennConvertError, RecursionError, OverflowError) as error:
        raise ArtifactError(f"{path or kind.__name__} is damaged ({error}); {remedy}") from error
