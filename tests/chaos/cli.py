"""`popscope bench chaos`: the chaos test for as long as one likes, with another order each time."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import click

ROOT = Path(__file__).resolve().parents[2]


def wreck(folder: Path, seed: int, steps: int) -> dict[str, Any]:
    """Run it in a mount namespace of its own. Raises RuntimeError when it does not end."""
    command = [sys.executable, "-m", "tests.chaos.run", str(folder)]
    command += ["--seed", str(seed), "--steps", str(steps)]
    done = subprocess.run(
        ["unshare", "--mount", *command], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(done.stderr[-3000:])
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def problems(found: dict[str, Any]) -> list[str]:
    """What is not as it must be: every frame once, every sum as counted, the books balanced."""
    wrong = [f"{found['frames_twice']} frames are stored twice"] if found["frames_twice"] else []
    wrong += found["findings"] + found["losses"]
    for number, node in enumerate(found["nodes"]):
        wrong += [
            f"node {number}: counted {node['counted']}, stored {node[level]} ({level})"
            for level in ("1s", "1m")
            if node[level] != node["counted"]
        ]
    return wrong


@click.command()
@click.option("--seed", default=1, show_default=True, help="Of the first round; each adds one.")
@click.option("--steps", default=20, show_default=True, help="Things that go wrong in a round.")
@click.option("--rounds", default=3, show_default=True, help="How often, each on a new store.")
@click.option("--json", "as_json", is_flag=True, help="One object a round.")
def chaos(seed: int, steps: int, rounds: int, as_json: bool) -> None:
    """Kill exporters and the ingest, fill disks, cut spools, and repeat, delay and lose requests.

    Two exporters, a proxy and the real ingest, as root (spools are on tmpfs). Afterwards every
    count must be stored once: sums as in the segments, each frame once, the ledger balanced.

    \b
    Example:
      popscope bench chaos --rounds 10 --steps 30
    Exits with 1 when a count is lost or is there twice.
    """
    failed = False
    for number in range(seed, seed + rounds):
        with tempfile.TemporaryDirectory(prefix="popscope-chaos-") as folder:
            try:
                found = wreck(Path(folder), number, steps)
            except RuntimeError as error:
                raise click.ClickException(f"seed {number}: {error}") from error
        wrong = problems(found)
        failed = failed or bool(wrong)
        if as_json:
            click.echo(json.dumps({"seed": number, "problems": wrong, **found}))
            continue
        click.echo(f"seed {number}: {found['frames']} frames, {found['actions']}, {found['fates']}")
        for text in wrong:
            click.echo(f"  {text}", err=True)
    if failed:
        raise click.exceptions.Exit(1)
