"""Every error the package raises on purpose, in one tree.

SeennConvertError
├─ InputError                    the user's model, data, options or files          exit code 1
│  ├─ UnsupportedOperatorError   lists every node, its source line and what to do
│  ├─ CalibrationDataError       empty, wrong shape, NaN, too few images
│  └─ ArtifactError              missing, truncated, wrong version, checksum
├─ PassError                     a pass found an invalid graph                       exit code 3
│  ├─ PreconditionError          the program handed to a pass is not of its kind
│  └─ PostconditionError         a pass broke its law: numbers or structure changed
└─ ExportError                   the target format cannot say it                    exit code 1

The command line turns any other exception into one sentence, too: exit code 3, or 1 where memory, a library or code of
the user's own is to blame (``cli/failures.py``).
"""

from collections.abc import Sequence


class SeennConvertError(Exception):
    """Root of the tree; ``exit_code`` is what the command line returns for it."""

    exit_code = 1


class InputError(SeennConvertError):
    """The user's model, data, options or files cannot be used as given."""


class UnsupportedOperatorError(InputError):
    """The model holds operators that have no conversion; every one is listed.

    Args:
        problems: One sentence per offending call site: node, operator, source line, what to do.
    """

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        count = len(self.problems)
        head = "1 operator cannot be converted" if count == 1 else f"{count} operators cannot be converted"
        super().__init__("\n".join([head + ":", *(f"  {problem}" for problem in self.problems)]))


class CalibrationDataError(InputError):
    """The calibration data is empty, mis-shaped, not finite, or too small for what was asked."""


class ArtifactError(InputError):
    """An artifact folder is missing, truncated, of another version, or was changed."""


class PassError(SeennConvertError):
    """A pass met a program it must not touch, or left one it must not leave: a defect of the compiler."""

    exit_code = 3


class PreconditionError(PassError):
    """The program handed to a pass does not satisfy what the pass requires."""


class PostconditionError(PassError):
    """A pass left a program that breaks its law."""


class ExportError(SeennConvertError):
    """The target format cannot express the program."""


def refuse(problems: Sequence[str]) -> None:
    """Raise InputError that lists the ``problems``, unless there are none."""
    if problems:
        raise InputError("; ".join(problems))


LONGEST_REASON = 200
NOT_FINITE = "its logits are NaN or infinite; check the images and the weights"
"""The message about a model that returns NaN or infinity, for any format."""


def reason_of(error: BaseException) -> str:
    """Return the first line of another library's exception, shortened if needed, or its class."""
    lines = str(error).strip().splitlines()
    reason = lines[0].strip() if lines else type(error).__name__
    return reason if len(reason) <= LONGEST_REASON else f"{reason[:LONGEST_REASON]}..."
