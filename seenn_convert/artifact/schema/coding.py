"""From a document to what JSON can hold and back; whatever does not fit its dataclass is an error."""

from pathlib import Path
from typing import Any, TypeVar

import msgspec

from seenn_convert.errors import ArtifactError, SeennConvertError

T = TypeVar("T")


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
