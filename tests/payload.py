"""What a file may hold to run code when it is unpickled; harmless, and it leaves a trace."""

from collections.abc import Callable
from pathlib import Path


class Payload:
    """Writes a file when it is unpickled."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return Path.write_text, (self.marker, "code ran")
