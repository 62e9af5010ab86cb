"""The C program that writes a segment with known values (tests/lb/segment_writer.c)."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
Run = Callable[..., Path]


@pytest.fixture(scope="session")
def writer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("writer")
    generator = ROOT / "lb" / "devtools" / "gen_counters.py"
    header = subprocess.run(
        [sys.executable, generator, "--c-header"], check=True, capture_output=True
    )
    (out / "counters.h").write_bytes(header.stdout)
    binary = out / "segment-writer"
    base = ROOT / "lb/core/base"
    sources = [ROOT / "tests/lb/segment_writer.c", base / "mapped_file.c", *base.glob("segment*.c")]
    command = ["cc", "-std=gnu2x", "-O2", "-D_GNU_SOURCE", "-o", binary, *sources]
    includes = [f"-I{path}" for path in (ROOT / "lb", ROOT / "lb/core", out)]
    subprocess.run([*command, *includes, "-lpthread"], check=True)
    return binary


@pytest.fixture
def written(writer: Path, tmp_path: Path) -> Run:
    def run(*options: str) -> Path:
        done = subprocess.run(
            [writer, tmp_path, *options], check=True, capture_output=True, text=True, timeout=60
        )
        return Path(done.stdout.splitlines()[0])

    return run
