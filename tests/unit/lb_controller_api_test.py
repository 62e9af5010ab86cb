"""The controller's API, on SQLite and on PostgreSQL."""

from __future__ import annotations

import shutil
import signal
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import alembic.migration
import pytest
from alembic.autogenerate import compare_metadata

from lb.control.controller import store
from lb.control.controller.openapi import document
from lb.control.controller.tables import METADATA
from lb.control.errors import StoreError
from tests.unit.lb_controller_tools import FILE, Api, as_file

POSTGRES = next(iter(sorted(Path("/usr/lib/postgresql").glob("*/bin"))), None)


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a PostgreSQL of our own, on a unix socket."""
    if POSTGRES is None:
        pytest.fail("PostgreSQL is not installed: run `make setup-test`")
    folder = Path("/tmp") / f"popscope-pg-{time.monotonic_ns()}"
    folder.mkdir()
    shutil.chown(folder, "postgres", "postgres")
    as_user = ["setpriv", "--reuid", "postgres", "--regid", "postgres", "--clear-groups"]
    data = folder / "data"
    make = [str(POSTGRES / "initdb"), "-D", str(data), "-A", "trust", "-U", "postgres", "--no-sync"]
    subprocess.run([*as_user, *make], check=True, capture_output=True, cwd="/")
    options = ["-k", str(folder), "-c", "listen_addresses=", "-c", "fsync=off"]
    serve = [*as_user, str(POSTGRES / "postgres"), "-D", str(data), *options]
    server = subprocess.Popen(serve, cwd="/", stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    try:
        ready = [str(POSTGRES / "pg_isready"), "-h", str(folder)]
        for _ in range(200):
            if subprocess.run(ready, check=False, capture_output=True).returncode == 0:
                break
            time.sleep(0.05)
        yield f"postgresql+psycopg://postgres@/postgres?host={folder}"
    finally:
        server.send_signal(signal.SIGINT)  # without waiting for its clients
        server.wait(30)
        shutil.rmtree(folder)


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty data base."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/controller.db"
    found: str = request.getfixturevalue("postgres")
    db = store.engine(found)
    with store.transaction(db) as connection:
        connection.exec_driver_sql("DROP SCHEMA public CASCADE")
        connection.exec_driver_sql("CREATE SCHEMA public")
    db.dispose()
    return found


@pytest.fixture
async def api(url: str) -> AsyncIterator[Api]:
    async with Api(url) as api:
        await api.ask("POST /apply", as_file(FILE), Popscope_Reason="the beginning")
        yield api


async def test_a_resource_lives(api: Api) -> None:
    made = await api.ask("PUT /pops/ams1", {}, 201, If_None_Match="*")
    assert (made["version"], api.etag) == (1, '"1"')
    await api.errors("PUT /pops/ams1", 412, {}, If_None_Match="*")
    changed = await api.ask("PATCH /pops/ams1", {"description": "Amsterdam"}, If_Match='"1"')
    assert (changed["version"], changed["spec"]) == (2, {"description": "Amsterdam"})
    assert changed["revision"] == made["revision"] + 1
    (lost,) = await api.errors("PUT /pops/ams1", 412, {}, If_Match='"1"')
    assert "has version 2, not 1" in lost
    assert await api.ask("GET /pops/ams1") == changed
    await api.ask("GET /pops/ams1", status=304, If_None_Match='"2"')
    # What changes nothing is no change.
    again = await api.ask("PUT /pops/ams1", {"description": "Amsterdam"})
    assert again == changed
    await api.ask("DELETE /pops/ams1", If_Match='"2"')
    await api.errors("GET /pops/ams1", 404)
    await api.errors("DELETE /pops/ams1", 404)
    await api.errors("PATCH /pops/ams1", 404, {})


@pytest.mark.parametrize(
    ("what", "body", "status", "expected"),
    [
        ("PUT /listeners/x", {"port": 0}, 422, "/port: Input should be greater than or equal to 1"),
        ("PUT /listeners/x", {}, 422, "/pool: Field required"),
        ("PUT /pops/x", {"desc": ""}, 422, "/desc: Extra inputs are not permitted"),
        ("PUT /members/b3", {"pool": "w", "address": "10.0.0.1"}, 422, "/pool: there is no pool"),
        ("PUT /members/b3", {"pool": "web", "address": "x"}, 422, "/address: Value error"),
        ("DELETE /pools/web", None, 409, "is used by listener 'web-80', member 'b1', member 'b2'"),
        ("PUT /racks/r1", {}, 404, "'racks' is none of pops, vlans"),
        ("PUT /pops/a%20b", {}, 422, "name: must be 1 to 63 letters"),
        ("PUT /pops/x", [], 400, "the body must be an object"),
        ("GET /pops?limit=0", None, 400, "limit: must be a number from 1 to 1000"),
        ("POST /apply", {}, 400, "/resources: must be an array"),
        ("POST /apply", {"resources": [{"kind": "pop"}]}, 422, "/resources/0: must be an object"),
        ("POST /apply", as_file({"rack/r": {}}), 422, "/resources/0/kind: 'rack' is none of"),
        ("POST /apply", as_file({"pop/a b": {}}), 422, "/resources/0/name: must be"),
    ],
)
async def test_refusals_name_place_and_remedy(
    api: Api, what: str, body: Any, status: int, expected: str
) -> None:
    before = api.service.catalog
    assert expected in " | ".join(await api.errors(what, status, body))
    assert api.service.catalog is before


async def test_a_file_is_applied_as_a_whole(api: Api) -> None:
    more = {
        "pool/api": {"tenant": "shop"},
        "member/a1": {"pool": "api", "address": "10.77.1.31"},
        "member/b1": {"pool": "web", "address": "10.77.1.21", "weight": 7},
    }
    revision = api.service.catalog.revision
    dry = await api.ask("POST /apply?dry_run=true", as_file(more))
    assert [(c["action"], c["name"]) for c in dry["changes"]] == [
        ("create", "api"),
        ("create", "a1"),
        ("modify", "b1"),
    ]
    assert (dry["changes"][2]["before"]["weight"], dry["changes"][2]["after"]["weight"]) == (100, 7)
    await api.errors("GET /pools/api", 404)
    bad = {**more, "member/a2": {"pool": "none", "address": "10.77.1.32"}}
    (problem,) = await api.errors("POST /apply", 422, as_file(bad))
    assert problem.startswith("/resources/3/spec/pool: there is no pool 'none'")
    assert api.service.catalog.revision == revision
    assert (await api.ask("POST /apply", as_file(more)))["changes"] == dry["changes"]
    assert api.service.catalog.revision == revision + 1
    assert (await api.ask("POST /apply", as_file(more)))["changes"] == []
    assert api.service.catalog.revision == revision + 1
    pruned = await api.ask("POST /apply?prune=true", as_file(FILE), who="shop", status=403)
    assert "does not belong to the tenant 'shop'" in pruned["errors"][0]["message"]
    shop = {k: v for k, v in FILE.items() if k.split("/")[0] not in ("pop", "vlan", "node")}
    pruned = await api.ask("POST /apply?prune=true", as_file(shop), who="shop")
    actions = [(c["action"], c["name"]) for c in pruned["changes"]]
    assert sorted(actions) == [("delete", "a1"), ("delete", "api"), ("modify", "b1")]


async def test_a_repeated_request_is_made_once(api: Api) -> None:
    first = await api.ask("PUT /pops/ams1", {}, 201, Idempotency_Key="k1")
    await api.ask("PATCH /pops/ams1", {"description": "x"})
    assert await api.ask("PUT /pops/ams1", {}, 201, Idempotency_Key="k1") == first
    assert api.etag == '"1"'
    assert (await api.ask("GET /pops/ams1"))["version"] == 2
    (other,) = await api.errors("PUT /pops/ams2", 409, {}, Idempotency_Key="k1")
    assert "was used with another request" in other


async def test_tenants_and_roles_see_and_write_their_own(api: Api) -> None:
    await api.errors("PUT /pops/x", 403, {}, who="vic")
    await api.errors("PUT /pops/x", 403, {}, who="shop")
    await api.errors("DELETE /members/b1", 403, who="rival")
    await api.errors("PATCH /members/b1", 403, {"weight": 1}, who="rival")
    (stolen,) = await api.errors(
        "PUT /members/r1", 403, {"pool": "web", "address": "10.77.1.99"}, who="rival"
    )
    assert "does not belong to the tenant 'rival'" in stolen
    await api.ask("PUT /instances/rival", {"tenant": "rival", "pops": ["fra1"]}, 201, who="rival")
    listener = {**FILE["listener/web-80"], "instance": "rival", "port": 81}
    wrong = await api.errors("PUT /listeners/r", 422, listener, who="rival")
    assert wrong == ["/vip: vip 'web' is another tenant's", "/pool: pool 'web' is another tenant's"]
    await api.errors("GET /members/b1", 404, who="rival")
    assert (await api.ask("GET /members", who="rival"))["items"] == []
    assert len((await api.ask("GET /members", who="shop"))["items"]) == 2
    assert (await api.ask("GET /nodes", who="shop"))["items"] == []
    assert len((await api.ask("GET /pops", who="shop"))["items"]) == 1
    await api.ask("PATCH /members/b1", {"weight": 1}, who="shop")
    assert "d1" in (await api.ask("GET /fleet", who="vic"))["nodes"]
    await api.errors("GET /fleet", 403, who="shop")


async def test_a_node_reads_its_own_state_only(api: Api) -> None:
    state = (await api.ask("GET /nodes/d1/state", who="d1-agent"))["state"]
    assert state.keys() == FILE.keys() - {"node/d2"}
    await api.errors("GET /nodes/d2/state", 403, who="d1-agent")
    for path in ("pops", "nodes/d1", "members", "fleet", "audit"):
        await api.errors(f"GET /{path}", 403, who="d1-agent")
    await api.errors("PATCH /nodes/d1", 403, {}, who="d1-agent")
    assert (await api.ask("GET /nodes/d2/state", who="vic"))["state"]["node/d2"]
    await api.errors("GET /nodes/d9/state", 404)


async def test_tokens_are_needed_and_can_be_revoked(api: Api) -> None:
    for headers in ({}, {"Authorization": "Bearer x"}, {"Authorization": "Basic x"}):
        answer = await api.client.get("/v1/pops", headers=headers)
        assert answer.status == 401
        assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert (await api.client.get("/v1/ready")).status == 200


async def test_the_audit_says_who_what_and_why(api: Api) -> None:
    await api.ask("PATCH /members/b1", {"weight": 1}, who="shop", Popscope_Reason="too hot")
    await api.ask("DELETE /listeners/web-80")
    page = await api.ask("GET /audit?limit=2")
    deleted, changed = page["items"]
    assert (deleted["who"], deleted["action"], deleted["after"]) == ("ann", "delete", None)
    assert deleted["before"]["port"] == 80
    assert (changed["who"], changed["why"], changed["tenant"]) == ("shop", "too hot", "shop")
    assert (changed["before"]["weight"], changed["after"]["weight"]) == (100, 1)
    rest = await api.ask(f"GET /audit?before={page['next']}")
    assert len(rest["items"]) == len(FILE)
    assert {e["why"] for e in rest["items"]} == {"the beginning"}
    assert rest["items"][0]["at"].endswith("+00:00")
    assert [e["name"] for e in (await api.ask("GET /audit", who="shop"))["items"]] == ["b1"]


async def test_pages_have_everything_once(api: Api) -> None:
    await api.ask("POST /apply", as_file({f"pop/p{i:02}": {} for i in range(25)}))
    seen, after = [], ""
    while after is not None:
        page = await api.ask(f"GET /pops?limit=7&after={after}")
        seen += [item["name"] for item in page["items"]]
        after = page["next"]
    assert seen == sorted(["fra1", *(f"p{i:02}" for i in range(25))])


async def test_what_was_written_is_there_after_a_restart(api: Api, url: str) -> None:
    await api.ask("PATCH /members/b1", {"weight": 1})
    kept = {r.id: r for r in api.service.catalog}
    async with Api(url) as again:
        assert {r.id: r for r in again.service.catalog} == kept
        assert again.service.catalog.revision == api.service.catalog.revision
        # Both serve: each makes its changes to what the other one made.
        await again.ask("PATCH /members/b1", {"weight": 2}, If_Match='"2"')
        (lost,) = await api.errors("PATCH /members/b1", 412, {"weight": 3}, If_Match='"2"')
        assert "has version 3" in lost
        await api.ask("PATCH /members/b2", {"weight": 3})
        assert (await api.ask("GET /members/b1"))["spec"]["weight"] == 2


def test_migrations_make_the_tables(url: str) -> None:
    db = store.engine(url)
    store.migrate(db)
    store.migrate(db)
    with db.connect() as connection:
        context = alembic.migration.MigrationContext.configure(connection)
        assert compare_metadata(context, METADATA) == []
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
        connection.commit()
    with pytest.raises(StoreError, match="made by a newer version"):
        store.migrate(db)
    db.dispose()


def test_bad_data_bases_are_named(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="use sqlite:///FILE or postgresql"):
        store.engine("mongodb://x")
    secret = "postgresql+psycopg://ann:secret@127.0.0.1:1/x"
    with pytest.raises(StoreError) as refused:
        store.migrate(store.engine(secret))
    assert "secret" not in str(refused.value)
    (tmp_path / "text.db").write_text("no data base" * 200)
    with pytest.raises(StoreError, match="not a database"):
        store.migrate(store.engine(f"sqlite:///{tmp_path}/text.db"))


def test_the_document_describes_all_routes() -> None:
    operations = {(p, m) for p, ops in document()["paths"].items() for m in ops}
    assert ("/v1/listeners/{name}", "put") in operations
    assert len(operations) == 12 * 5 + 4
