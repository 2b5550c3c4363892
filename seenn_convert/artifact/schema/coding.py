"""From a document to JSON and back; whatever does not fit its dataclass is an error."""

from typing import Any, TypeVar

import msgspec

from seenn_convert.errors import ArtifactError, SeennConvertError

T = TypeVar("T")


def to_plain(value: object) -> Any:
    """Return a document, or a part of one, as what JSON can hold: mappings, lists, text and numbers."""
    return msgspec.to_builtins(value, str_keys=True)


def from_plain(data: object, kind: type[T]) -> T:
    """Return the document that ``data`` holds.

    Raises:
        ArtifactError: A value is missing, of another kind, or makes no sense; says which.
    """
    try:
        return msgspec.convert(data, kind, str_keys=True)
    except (msgspec.ValidationError, SeennConvertError, RecursionError, ValueError) as error:
        raise ArtifactError(str(error)) from error
