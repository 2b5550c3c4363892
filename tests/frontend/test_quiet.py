"""Inside the block nothing is logged or printed beside an error, and afterwards all is as it was."""

import logging
import sys

import pytest

from seenn_convert.frontend.quiet import quiet


def test_loggers_are_silent_inside_and_as_before_outside(caplog: pytest.LogCaptureFixture) -> None:
    logger, before = logging.getLogger("torch.export"), logging.root.manager.disable
    with pytest.raises(ValueError, match="boom"), quiet():
        logger.critical("a traceback")
        raise ValueError("boom")
    assert logging.root.manager.disable == before
    logger.critical("after")
    assert caplog.messages == ["after"]


def test_nothing_is_printed_to_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    with quiet():
        print("a graph", file=sys.stderr)
    print("after", file=sys.stderr)
    assert capsys.readouterr().err == "after\n"
