"""What the documents claim that a machine can check: commands, make targets, links, files."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
_INDENTED = re.compile(r"(?<=\n\n)((?: {4}\S.*\n)+)")
_SPAN = re.compile(r"`([^`\n]+)`")
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
_SHELL = {"", "sh", "bash", "console"}
# Where a cell of a column of explanations, or the next command, begins.
_COLUMNS = re.compile(r" {2,}| && | \| |; ")
_SETTINGS = re.compile(r"^(?:[A-Z_]+=\S+ )+")


@dataclass(frozen=True, slots=True)
class Claim:
    """Something that a document says. `whole`: it is meant to be typed as it stands."""

    where: str
    text: str
    whole: bool = False


@cache
def tracked(pattern: str = "") -> tuple[Path, ...]:
    """Files of the repository, relative to its root."""
    argv = ["git", "-C", str(ROOT), "ls-files", *([pattern] if pattern else [])]
    done = subprocess.run(argv, capture_output=True, text=True, check=True)
    return tuple(Path(line) for line in done.stdout.splitlines() if (ROOT / line).exists())


def documents() -> tuple[Path, ...]:
    return tracked("*.md")


def _code(document: Path) -> Iterator[Claim]:
    """Lines of shell blocks, and what stands between backticks."""
    text = (ROOT / document).read_text()
    blocks = [body for language, body in _FENCE.findall(text) if language in _SHELL]
    prose = _FENCE.sub("", text)
    blocks += _INDENTED.findall(prose)
    for line in "".join(blocks).replace("\\\n", " ").splitlines():
        for part in _COLUMNS.split(line.split(" #")[0].strip()):
            yield Claim(str(document), _SETTINGS.sub("", part.strip()), whole=True)
    for span in _SPAN.findall(prose):
        yield Claim(str(document), _SETTINGS.sub("", span.strip()))


def commands(program: str) -> Iterator[Claim]:
    """Command lines of a program in all documents."""
    for document in documents():
        for claim in _code(document):
            text = claim.text.removeprefix(".venv/bin/")
            if text.split(" ")[0] == program:
                yield Claim(claim.where, text, claim.whole)


def links() -> Iterator[Claim]:
    """Links from a document to a place in the repository."""
    for document in documents():
        for target in _LINK.findall(_FENCE.sub("", (ROOT / document).read_text())):
            if "://" not in target:
                yield Claim(str(document), target)


def paths() -> Iterator[Claim]:
    """Names of files between backticks that are meant to be in the repository."""
    for document in documents():
        for span in _SPAN.findall(_FENCE.sub("", (ROOT / document).read_text())):
            relative = re.fullmatch(
                r"(?:[\w.-]+/)+[\w.-]+\.(?:py|c|h|toml|md|js|sql|yml|json)", span
            )
            if relative and not span.startswith("build/"):
                yield Claim(str(document), span)


def anchors(document: Path) -> set[str]:
    """Anchors of the headings of a document, as GitHub makes them."""
    headings = _HEADING.findall(_FENCE.sub("", document.read_text()))
    slugs = (re.sub(r"[^\w\- ]", "", heading.strip().lower()) for heading in headings)
    return {slug.replace(" ", "-") for slug in slugs}
