"""Help lists every option once, in groups, the most needed first."""

import ast
import re
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

import seenn_convert
from seenn_convert.cli.help import GROUPS, GroupedCommand, long_name
from seenn_convert.cli.main import cli

GROUPED = {name for names in GROUPS.values() for name in names.split()}


def help_of(command: click.Command) -> str:
    return CliRunner().invoke(command, ["--help"]).output


@pytest.mark.parametrize("name", cli.commands)
def test_every_option_is_in_a_group_and_listed_once(name: str) -> None:
    command, text = cli.commands[name], help_of(cli.commands[name])
    assert isinstance(command, GroupedCommand) and "Other:" not in text
    for option in command.params:
        if isinstance(option, click.Option):
            assert long_name(option) in GROUPED
            assert len(re.findall(rf"^  (-\w, )?--{long_name(option)}\b(?!-)", text, flags=re.MULTILINE)) == 1
    assert "\x1b" not in text


def test_convert_begins_with_the_five_options_that_most_people_need() -> None:
    text = help_of(cli.commands["convert"])
    titles = [line.removesuffix(":") for line in text.splitlines() if re.fullmatch(r"[A-Z][\w ]+:", line)]
    assert titles == ["Main options", "Model", "Data", "Network", "Calibration", "Exit", "Exploring", "Run"]
    main = text.split("Main options:")[1].split("Model:")[0]
    assert re.findall(r"^  .*?(--[\w-]+)", main, flags=re.MULTILINE) == [
        "--calibration-data", "--output", "--timesteps", "--calibration", "--target-drop",
    ]  # fmt: skip


def test_an_option_that_no_group_names_is_listed_last() -> None:
    @click.command(cls=GroupedCommand)
    @click.option("--new", help="It is new.")
    @click.option("--seed", help="It is known.")
    def command(new: str, seed: str) -> None: ...

    text = help_of(command)
    assert text.index("Run:") < text.index("--seed") < text.index("Other:") < text.index("--new")


@pytest.mark.parametrize(("written", "meant"), [
    ("--mean .5 .4 .3 --std 1,1,1", "--mean .5,.4,.3"), ("--input-shape 3, 8, 8", "--input-shape 3,8,8"),
])  # fmt: skip
def test_numbers_with_blanks_between_them_are_told_to_need_commas(written: str, meant: str) -> None:
    line = ["convert", "model.onnx", "--calibration-data", "x.npz", "-o", "out"]
    result = CliRunner().invoke(cli, [*line, *written.split()])
    assert result.exit_code == 2 and f"numbers of one option need commas, no blanks: {meant}" in result.output
    repaired = CliRunner().invoke(cli, [*line, *meant.split()])
    assert repaired.exit_code == 1 and "no such file" in str(repaired.exception)


def test_a_wrong_option_is_told_as_before() -> None:
    result = CliRunner().invoke(cli, ["convert", "model.onnx", "--calibration-data", "x", "-o", "out", "one", "two"])
    assert result.exit_code == 2 and "commas" not in result.output


def test_every_option_that_a_message_names_exists() -> None:
    """Advice such as "--target-drop" must work: the text of the package names no option that no command has."""
    params = [param for command in cli.commands.values() for param in command.params]
    known = {"--help", "--version"}.union(*((*param.opts, *param.secondary_opts) for param in params))
    sources = Path(seenn_convert.__file__).parent.rglob("*.py")
    ours = (file for file in sources if file.name != "run_seenn.py")  # a program of its own
    nodes = (node for file in ours for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))))
    texts = [node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    named = {option for text in texts for option in re.findall(r"(?<![\w-])--[a-z][\w-]*", text)}
    assert "--target-drop" in named and named - known == set()
