"""Who gets in: tokens of every kind of wrongness at every door, rotation, rates, TLS."""

from __future__ import annotations

import asyncio
import base64
import json
import ssl
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from click.testing import CliRunner

from exporters.config import PipelineConfig
from exporters.credentials import Credentials
from exporters.errors import ConfigError as ExporterConfigError
from exporters.frames import encode
from exporters.metrics import Sending
from exporters.sender import Sender
from exporters.spool import Limits, Spool
from pipeline.access import tokens
from pipeline.access.guard import Access, AccessOptions
from pipeline.access.tls import TlsOptions
from pipeline.cli import pipeline
from pipeline.errors import ConfigError
from pipeline.store.embedded import EmbeddedStore
from tests.unit.pipeline_serving import CONFIG, serving, until
from tests.unit.pipeline_stores import fresh_store
from tests.unit.pipeline_tools import Node, body

ROLE_OF = {"/v1/frames": "export", "/api/v1/write": "write", "/v1/metrics": "write"}
PROTOBUF = {"Content-Type": "application/x-protobuf"}
READ = ("/", "/metrics", "/status", "/live/history", "/live/static/main.js")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedStore]:
    opened = fresh_store(tmp_path_factory.mktemp("store"))
    yield opened
    opened.close()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "tokens.json"
    tokens.issue(path, "somebody", "read")
    return path


def _text(path: Path) -> str:
    return path.read_text()


def _write(path: Path, text: str) -> None:
    path.touch(0o600)
    path.write_text(text)


def config(file: Path, **more: Any) -> Any:
    return replace(CONFIG, access=AccessOptions(str(file)), **more)


async def test_every_door_asks_and_every_wrong_token_is_refused(
    store: EmbeddedStore, file: Path
) -> None:
    good = {role: tokens.issue(file, role, role) for role in tokens.ROLES}
    expired = {role: tokens.issue(file, f"old {role}", role, days=1e-9) for role in tokens.ROLES}
    revoked = {role: tokens.issue(file, f"gone {role}", role) for role in tokens.ROLES}
    for role in tokens.ROLES:
        tokens.revoke(file, f"gone {role}")
    forged = f"pops_{tokens.id_of(good['export'])}_{'x' * 43}"
    frames = body(Node(stream=1).frames(2))
    async with serving(store, config(file)) as client:
        sql = f"http://127.0.0.1:{client.running.sql_port}/?query=SELECT+1"

        async def ask(url: str, token: str, basic: bool = False) -> tuple[int, str]:
            role = ROLE_OF.get(url.removeprefix(client.url), "read")
            secret = base64.b64encode(f"anybody:{token}".encode()).decode()
            shown = f"Basic {secret}" if basic else f"Bearer {token}"
            headers = {"Authorization": shown} if token else {}
            headers |= PROTOBUF if role == "write" else {}
            method = "GET" if role == "read" else "POST"
            data = frames if role == "export" else None
            async with client.session.request(method, url, data=data, headers=headers) as answer:
                return answer.status, await answer.text()

        doors = [client.url + path for path in (*ROLE_OF, *READ)] + [sql]
        for url in doors:
            role = ROLE_OF.get(url.removeprefix(client.url), "read")
            assert (await ask(url, good[role]))[0] not in (401, 403), url
            for wrong in ("", "nonsense", "pops_", good[role] + "x", good[role][:-1], forged):
                assert (await ask(url, wrong))[0] == 401, (url, wrong)
            for wrong, why in ((expired[role], "expired"), (revoked[role], "revoked")):
                status, text = await ask(url, wrong)
                assert (status, why in text) == (401, True), url
            for other in set(tokens.ROLES) - {role}:
                assert (await ask(url, good[other]))[0] == 403, (url, other)
        for url in (client.url + "/status", sql):
            assert (await ask(url, good["read"], basic=True))[0] == 200
        async with client.session.get(f"{client.url}/healthz") as answer:
            assert answer.status == 200
        assert client.value("access_total", decision="granted") >= len(doors)
        assert client.value("access_total", decision="refused") >= 8 * len(doors)
        assert client.value("frames_total", outcome="committed") == 2
    assert good["export"] not in _text(file)


async def test_a_pop_cannot_write_for_another_nor_a_tenant(
    store: EmbeddedStore, file: Path
) -> None:
    token = tokens.issue(file, "fra", "export", pop="fra1")
    writer = tokens.issue(file, "ours", "write", tenant="ours")
    mine, theirs = Node(pop="fra1", stream=11), Node(pop="ams1", stream=12)
    async with serving(store, config(file)) as client:
        head = {"Authorization": f"Bearer {token}"}
        status, answer = await client.post(body([*mine.frames(1), *theirs.frames(1)]), **head)
        assert status == 403
        assert "frame 0 is of PoP ams1, and the token fra is for fra1" in answer["error"]
        assert (await client.post(body(mine.frames(1)), **head))[0] == 200
        for tenant, expected in ((None, False), ("ours", False), ("theirs", True)):
            named = {"X-Scope-OrgID": tenant} if tenant else {}
            named |= PROTOBUF | {"Authorization": f"Bearer {writer}"}
            async with client.session.post(f"{client.url}/v1/metrics", headers=named) as sent:
                assert (sent.status == 403) == expected, await sent.text()
    assert store.query("SELECT DISTINCT pop FROM frames WHERE stream IN (11, 12)", "CSV") == (
        b'"fra1"\n'
    )


async def test_tokens_come_and_go_without_a_restart(store: EmbeddedStore, file: Path) -> None:
    async with serving(store, config(file)) as client:
        node = Node(stream=21)

        async def status(token: str) -> int:
            await asyncio.sleep(0.55)  # so often does it look at the file
            return (await client.post(body(node.frames(1)), Authorization=f"Bearer {token}"))[0]

        first = tokens.issue(file, "lb", "export")
        assert await status(first) == 200
        second = tokens.issue(file, "lb", "export")
        tokens.revoke(file, tokens.id_of(first))
        assert [await status(first), await status(second)] == [401, 200]
        good = _text(file)
        _write(file, "{")
        assert await status(second) == 200  # the last good file holds, and it is counted
        assert client.value("token_file_failures_total") == 1
        _write(file, good)
        assert await status(second) == 200


def test_a_rate_is_held_and_says_when_to_come_again(file: Path) -> None:
    now = [1000.0]
    slow = tokens.issue(file, "slow", "export", rate=2.0)
    usual = tokens.issue(file, "usual", "export")
    access = Access(AccessOptions(str(file), requests_per_second=5), clock=lambda: now[0])

    def let_in(token: str) -> int:
        return sum(_admitted(access, token) for _ in range(20))

    assert (let_in(slow), let_in(usual)) == (2, 5)
    with pytest.raises(web.HTTPTooManyRequests) as refused:
        access.admit(slow, "export")
    assert refused.value.headers["Retry-After"] == "1"
    now[0] += 0.5
    assert (let_in(slow), let_in(usual)) == (1, 2)
    now[0] -= 100.0  # a clock that was set back gives nothing away
    assert let_in(slow) == 0


def _admitted(access: Access, token: str) -> bool:
    try:
        access.admit(token, "export")
    except web.HTTPTooManyRequests:
        return False
    return True


def test_the_file_is_only_its_owners(file: Path) -> None:
    assert file.stat().st_mode & 0o777 == 0o600
    file.chmod(0o640)
    with pytest.raises(ConfigError, match="chmod 600"):
        tokens.read(file)
    assert "chmod 600" in AccessOptions(str(file)).problems()[0]
    file.chmod(0o600)
    file.write_text('{"tokens": [{"id": 1}]}')
    assert "no file of tokens" in AccessOptions(str(file)).problems()[0]
    assert "No such file" in AccessOptions(str(file) + "x").problems()[0]


def test_the_commands(file: Path) -> None:
    def run(*argv: str) -> tuple[int, str]:
        done = CliRunner().invoke(pipeline, ["token", *argv, "--file", str(file)])
        return done.exit_code, done.output

    code, text = run("add", "jkt-3", "--role", "export", "--pop", "JKT-3", "--days", "30")
    assert code == 0
    listed = json.loads(run("list", "--json")[1])
    (ours,) = [entry for entry in listed if entry["name"] == "jkt-3"]
    assert (ours["id"], ours["pop"], ours["state"]) == (tokens.id_of(text), "JKT-3", "valid")
    assert "hash" not in ours
    assert "JKT-3" in run("list")[1]
    assert run("add", "jkt-3", "--role", "read")[0] == 1
    assert run("add", "x", "--role", "read", "--pop", "JKT-3")[0] == 2
    out = file.with_name("token")
    assert run("add", "jkt-4", "--role", "export", "--out", str(out)) == (0, "")
    assert Credentials(PipelineConfig(token_file=str(out))).headers()
    assert run("revoke", "jkt-3")[0] == 0
    assert run("revoke", "jkt-3")[0] == 1


def make_certificates(folder: Path) -> None:
    """An authority, and certificates of a server and of a client."""
    run = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    run += ["-nodes", "-days", "2"]

    def make(name: str, *more: str) -> None:
        files = ["-keyout", f"{name}.key", "-out", f"{name}.pem"]
        argv = [*run, "-subj", f"/CN={name}", *files, *more]
        subprocess.run(argv, cwd=folder, check=True, capture_output=True)

    authority = ("-CA", "ca.pem", "-CAkey", "ca.key")
    make("ca")
    make("other")
    make("server", *authority, "-addext", "subjectAltName=IP:127.0.0.1")
    make("client", *authority)


async def test_tls_with_certificates_of_clients(
    store: EmbeddedStore, file: Path, tmp_path: Path
) -> None:
    make_certificates(tmp_path)
    names = ("ca", "other", "server", "client")
    paths = {n + end: str(tmp_path / (n + end)) for n in names for end in (".pem", ".key")}
    tls = TlsOptions(paths["server.pem"], paths["server.key"], paths["ca.pem"])
    token_file = tmp_path / "token"
    _write(token_file, tokens.issue(file, "lb", "export") + "\n")
    async with serving(store, config(file, tls=tls)) as client:
        url = client.url.replace("http:", "https:")
        nobody = ssl.create_default_context(cafile=paths["ca.pem"])
        stranger = ssl.create_default_context(cafile=paths["ca.pem"])
        stranger.load_cert_chain(paths["other.pem"], paths["other.key"])
        for context in (nobody, stranger):
            with pytest.raises(aiohttp.ClientError):
                await client.session.get(f"{url}/healthz", ssl=context)
        with pytest.raises(aiohttp.ClientError):
            await client.session.get(f"{client.url}/healthz")
        spool = Spool(tmp_path / "spool", Limits())
        node = Node(stream=spool.stream)
        for frame in node.frames(3):
            spool.append(encode(frame), frame.header)
        settings = PipelineConfig(
            url=url,
            token_file=str(token_file),
            ca=paths["ca.pem"],
            certificate=paths["client.pem"],
            key=paths["client.key"],
        )
        with ThreadPoolExecutor(1) as executor:
            sending = Sending()
            sender = asyncio.create_task(Sender(spool, settings, sending, executor).run())
            await until(lambda: sending.acked == 3)
            sender.cancel()
            await asyncio.wait([sender])
        spool.close()
    assert "[tls] client_ca: is without effect" in TlsOptions(client_ca="x").problems()[0]
    assert TlsOptions(paths["server.pem"], paths["client.key"]).problems()


def test_the_exporter_wants_its_token_for_itself(tmp_path: Path) -> None:
    path = tmp_path / "token"
    credentials = Credentials(PipelineConfig(token="other", token_file=str(path)))
    with pytest.raises(ExporterConfigError, match="cannot be read: No such file"):
        credentials.headers()
    path.write_text("pops_a_b\n")
    path.chmod(0o644)
    with pytest.raises(ExporterConfigError, match="chmod 600"):
        credentials.headers()
    path.chmod(0o600)
    assert credentials.headers() == {"Authorization": "Bearer pops_a_b"}
    path.write_text("pops_a_cc\n")
    assert credentials.headers() == {"Authorization": "Bearer pops_a_cc"}
    path.write_text("two words\n")
    with pytest.raises(ExporterConfigError, match="holds no token"):
        credentials.headers()
    with pytest.raises(ExporterConfigError, match="ca, certificate, key"):
        Credentials(PipelineConfig(ca=str(path))).tls()
