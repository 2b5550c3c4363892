"""The group of commands: starts fast, turns library errors into one line and an exit code."""

import sys
from collections.abc import Sequence

import click

from seenn_convert import __version__
from seenn_convert.cli.adopt import adopt
from seenn_convert.cli.attach_policy import attach_policy
from seenn_convert.cli.bench import bench
from seenn_convert.cli.calibrate import calibrate
from seenn_convert.cli.check import check
from seenn_convert.cli.compare import compare
from seenn_convert.cli.convert import convert
from seenn_convert.cli.demo import demo
from seenn_convert.cli.evaluate import evaluate
from seenn_convert.cli.export import export
from seenn_convert.cli.failures import (
    debug_option,
    escaped,
    failure,
    printable_streams,
    report_words,
    show_traceback,
    wants_traceback,
)
from seenn_convert.cli.finetune import finetune
from seenn_convert.cli.inspect import inspect
from seenn_convert.cli.interrupt import INTERRUPTED, MESSAGE, leaving_at_once_from_imports
from seenn_convert.cli.predict import predict
from seenn_convert.errors import PassError, SeennConvertError


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="seenn-convert")
def cli() -> None:
    """Turn a pretrained classifier into a spiking network with early exit (SEENN).

    Convert a model with sample images, evaluate the result on other images, and open its report.html.
    """


COMMANDS = (
    convert, adopt, calibrate, finetune, attach_policy, evaluate, compare, predict, bench, export, check, inspect, demo,
)  # fmt: skip

for command in COMMANDS:
    cli.add_command(command)
cli.params.append(debug_option)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit.

    Exit codes: 0 done, 1 the user's model, data or options, 2 wrong usage, 3 a defect of the compiler, 130 interrupted.
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    printable_streams()
    try:
        with leaving_at_once_from_imports():
            cli.main(arguments, prog_name="seenn-convert", standalone_mode=False)
    except click.exceptions.Exit as exit_:
        sys.exit(exit_.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        click.echo(MESSAGE, err=True)
        sys.exit(INTERRUPTED)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(1)
    except Exception as error:
        if wants_traceback(arguments):
            show_traceback(error)
        message, code = _said(error, arguments)
        click.echo(f"error: {escaped(message)}", err=True)
        sys.exit(code)


def _said(error: Exception, arguments: Sequence[str]) -> tuple[str, int]:
    """Return what to say about an error, and the exit code."""
    if isinstance(error, PassError):
        return f"{error}; {report_words(arguments)}", error.exit_code
    if isinstance(error, SeennConvertError):
        return str(error), error.exit_code
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror, 1
    return failure(error, arguments)


if __name__ == "__main__":
    main()
