"""What the documents and the help texts tell people to type can be typed; links lead somewhere.

Commands are parsed, not run: names of commands and options, and required arguments.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from popscope import main
from tests.bench.cli import bench
from tests.contract.docs import ROOT, Claim, anchors, commands, links, paths, tracked

MAKEFILE = (ROOT / "Makefile").read_text()
TARGETS = set(re.findall(r"^([a-z][a-z%-]*):", MAKEFILE, re.MULTILINE))
VARIABLES = set(re.findall(r"^([A-Z_]+) [?:]?=", MAKEFILE, re.MULTILINE)) | {"V"}


def every_command(
    command: click.Command = main, path: tuple[str, ...] = ("popscope",)
) -> Iterator[tuple[str, click.Command]]:
    """All commands with their names, groups too."""
    yield " ".join(path), command
    if isinstance(command, click.Group):
        with click.Context(command) as context:
            for name in command.list_commands(context):
                child = command.get_command(context, name)
                assert child is not None
                yield from every_command(child, (*path, name))


def help_examples() -> Iterator[Claim]:
    """Lines of help texts that are command lines."""
    for name, command in every_command():
        for line in re.sub(r"\\\n\s*", "", command.help or "").splitlines():
            for part in re.split(r" && | \| ", line.strip()):
                if part.startswith("popscope "):
                    yield Claim(
                        f"{name} --help", re.split(r" >(?=\S)| #| {2,}", part)[0], whole=True
                    )


def problem(claim: Claim) -> str:
    """What is wrong with a command line of popscope; "" when nothing is."""
    words = shlex.split(claim.text.replace("[", "").replace("]", ""))[1:]
    command: click.Command = main
    with click.Context(main) as context:
        while isinstance(command, click.Group) and words and not words[0].startswith("-"):
            found = [command.get_command(context, name) for name in words[0].split("|")]
            if None in found:
                return f"there is no command {words[0]!r}"
            command, words = found[0] or main, words[1:]
        return _arguments(command, words, claim.whole)


def _arguments(command: click.Command, words: list[str], whole: bool) -> str:
    if isinstance(command, click.Group):
        return "" if not words or words == ["--help"] else f"{words} are no options of a group"
    try:
        command.parse_args(click.Context(command), [word for word in words if word != "--help"])
    except click.NoSuchOption as error:
        return error.format_message()
    except (click.BadParameter, click.BadOptionUsage) as error:
        # Prose names options without a value; files are those of the reader.
        message = error.format_message()
        return "" if not whole or "does not exist" in message else message
    except click.UsageError as error:
        return error.format_message()
    return ""


def test_documented_commands_of_popscope_exist() -> None:
    claims = [*commands("popscope"), *help_examples()]
    assert len(claims) > 60
    assert [f"{c.where}: `{c.text}`: {p}" for c in claims if (p := problem(c))] == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("popscope lb run --instance a --workers 2", ""),
        ("popscope lb start", "no command 'start'"),
        ("popscope lb show --jsn", "No such option"),
        ("popscope lb drain web", "Missing argument 'BACKEND'"),
        ("popscope sql 'select 1' 'select 2'", "unexpected extra argument"),
        ("popscope pipeline check|migrate|status", ""),
        ("popscope pipeline check|stop", "no command"),
        ("popscope lb weight web b1 many", "not a valid integer"),
    ],
)
def test_a_wrong_command_line_is_noticed(text: str, expected: str) -> None:
    assert expected in problem(Claim("", text, whole=True))
    assert bool(problem(Claim("", text, whole=True))) == bool(expected)


def test_documented_make_targets_exist() -> None:
    claims = list(commands("make"))
    assert len(claims) > 10
    for claim in claims:
        for word in shlex.split(claim.text)[1:]:
            name, equals, _ = word.partition("=")
            where = f"{claim.where}: `{claim.text}`"
            if equals:
                assert name in VARIABLES, where
            elif name.startswith("bench-"):
                assert name.removeprefix("bench-") in _benchmarks(), where
            elif name != "...":
                assert name in TARGETS, where


def _benchmarks() -> set[str]:
    return set(bench.commands)


def test_documented_modules_exist() -> None:
    for claim in commands("python"):
        if match := re.search(r"-m (tests\.[\w.]+)", claim.text):
            assert (ROOT / (match[1].replace(".", "/") + ".py")).exists(), claim


def test_links_between_documents_lead_somewhere() -> None:
    broken = []
    for claim in links():
        name, _, anchor = claim.text.partition("#")
        target = ROOT / (Path(claim.where).parent / name if name else claim.where)
        if not target.exists() or (anchor and anchor not in anchors(target)):
            broken.append(f"{claim.where}: {claim.text}")
    assert broken == []


def test_files_that_documents_name_exist() -> None:
    files = [str(path) for path in tracked()]
    lost = [c for c in paths() if not any(f"/{f}".endswith(f"/{c.text}") for f in files)]
    assert lost == []


def test_every_command_explains_itself() -> None:
    for name, command in every_command():
        assert command.help, name
        for parameter in command.params:
            if isinstance(parameter, click.Option):
                assert parameter.help, f"{name} {parameter.opts}: no help"


def test_every_command_has_an_example() -> None:
    leaves = [(n, c) for n, c in every_command() if not isinstance(c, click.Group)]
    silent = [name for name, command in leaves if name not in (command.help or "")]
    assert silent == []
