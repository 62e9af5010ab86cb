"""What `popscope pipeline` says to a person: mistakes by name, and a status that can be read."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from click.testing import CliRunner, Result

from pipeline.cli import pipeline


def run(*args: str, **variables: str) -> Result:
    return CliRunner().invoke(pipeline, args, env=variables)


def test_every_mistake_is_named_with_its_section(tmp_path: Path) -> None:
    path = tmp_path / "pipeline.toml"
    path.write_text('[http]\nport = "x"\n[sql]\nconcurrency = -1\n[stor]\npath = "s"\n')
    found = run("check", "--config", str(path))
    assert found.exit_code == 2
    said = found.stderr.splitlines()
    assert said[0].startswith(f"error: {path}: there is no section [stor]; there are store, http")
    assert said[1:] == [
        "error: [http] port: must be a number, not 'x'",
        "error: [sql] concurrency: must be a whole number from 0 on, not -1",
    ]


def test_a_misspelt_variable_is_not_without_effect() -> None:
    found = run("check", POPSCOPE_PIPELINE_HTPP_PORT="80", POPSCOPE_PIPELINE_HTTP_PORT="81")
    assert found.exit_code == 2
    assert found.stderr.startswith("error: POPSCOPE_PIPELINE_HTPP_PORT: there is no such key")
    assert "POPSCOPE_PIPELINE_HTTP_PORT" not in found.stderr


def test_a_file_that_is_not_there_is_named_once(tmp_path: Path) -> None:
    found = run("check", "--config", str(tmp_path / "none.toml"))
    assert (found.exit_code, found.stderr) == (
        2,
        f"error: {tmp_path / 'none.toml'}: No such file or directory\n",
    )


def test_two_services_cannot_have_one_port() -> None:
    ports = {f"POPSCOPE_PIPELINE_{name}_PORT": "8080" for name in ("HTTP", "SQL")}
    found = run("check", **ports)
    assert found.exit_code == 2
    assert found.stderr == (
        "error: [sql] port: 8080 is the port of [http] too; each needs its own\n"
    )
    assert run("check", **dict.fromkeys(ports, "0")).exit_code == 0


@pytest.mark.parametrize("command", ["run", "migrate"])
def test_a_folder_that_cannot_be_made_is_an_error_not_a_traceback(
    tmp_path: Path, command: str
) -> None:
    (tmp_path / "file").touch()
    for _ in range(2):  # the failure leaves nothing locked
        found = run(command, "--store", str(tmp_path / "file" / "store"))
        assert found.exit_code == 1
        assert found.stderr == (
            f"Error: {tmp_path / 'file' / 'store'}: Not a directory: the store needs a folder that "
            "this user may write; `--store` or `[store] path` names it\n"
        )


def test_status_says_that_nobody_answers_and_what_to_do() -> None:
    found = run("status", "--url", "http://127.0.0.1:9")
    assert found.exit_code == 1
    assert found.stderr == (
        "Error: http://127.0.0.1:9 does not answer: [Errno 111] Connection refused: "
        "is `popscope pipeline run` running there?\n"
    )


FIGURES = {
    "ready": False,
    "samples": 61135.0,
    "rollup_lag_seconds": 1.0e-05,
    "newest_frame": 1_700_000_000.0,
}


async def test_status_is_for_people_and_as_json_for_programs() -> None:
    async def answer(request: web.Request) -> web.Response:
        return web.json_response(FIGURES)

    app = web.Application()
    app.router.add_get("/status", answer)
    async with TestServer(app) as server:
        url = str(server.make_url("/"))
        read = await _elsewhere("status", "--url", url)
        machine = await _elsewhere("status", "--url", url, "--json")
    assert read.exit_code == machine.exit_code == 1  # not ready
    words = [line.split(None, 1) for line in read.stdout.splitlines()]
    assert words[:3] == [["ready", "no"], ["samples", "61,135"], ["rollup_lag_seconds", "0.0"]]
    assert words[3][1].startswith("2023-11-14T22:13:20Z, ")
    assert json.loads(machine.stdout) == FIGURES


async def _elsewhere(*args: str) -> Result:
    return await asyncio.to_thread(run, *args)
