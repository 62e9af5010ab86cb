"""Commands that build the laboratory, and what they need."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path

from tests.lab.errors import CommandError, MissingError

REPOSITORY = Path(__file__).resolve().parents[2]
TOOLS = {
    "ip": "iproute2",
    "ss": "iproute2",
    "nft": "nftables",
    "ethtool": "ethtool",
    "setpriv": "util-linux",
    "ping": "iputils-ping",
}


def inside(namespace: str, argv: Sequence[str]) -> list[str]:
    """The command that runs `argv` in a network namespace, or `argv` itself for ""."""
    return ["ip", "netns", "exec", namespace, *argv] if namespace else list(argv)


def run(argv: Sequence[str], *, stdin: str = "", namespace: str = "") -> str:
    """Run a short command and return what it printed. Raises CommandError."""
    command = inside(namespace, argv)
    done = subprocess.run(
        command, input=stdin, capture_output=True, text=True, check=False, cwd=REPOSITORY
    )
    if done.returncode:
        said = (done.stderr or done.stdout).strip()
        raise CommandError(f"{' '.join(command)}: exit code {done.returncode}: {said}")
    return done.stdout


def ip_batch(lines: Iterable[str], namespace: str = "") -> None:
    """Run many `ip` commands in one process. Raises CommandError, naming the line."""
    place = ["-n", namespace] if namespace else []
    run(["ip", *place, "-batch", "-"], stdin="".join(f"{line}\n" for line in lines))


def require_machine() -> None:
    """Raise MissingError when the laboratory cannot be built here, naming all that is missing."""
    problems = [
        f"the program `{tool}` (Debian package {package})"
        for tool, package in TOOLS.items()
        if shutil.which(tool) is None
    ]
    if os.geteuid() != 0:
        problems.insert(0, "root (network namespaces, AF_PACKET): run it with sudo")
    if problems:
        raise MissingError("this machine lacks " + "; ".join(problems))
    try:
        run(["unshare", "--net", "true"])
    except CommandError as error:
        raise MissingError(
            f"this machine does not let us make network namespaces: {error}"
        ) from None
