"""The catalog under random changes, what nodes get of it, and the core's judgement of that."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lb.control.controller.catalog import Catalog
from lb.control.controller.changes import Wanted, from_file, stage
from lb.control.controller.documents import check_nodes
from lb.control.desired import Change, Desired, changed, difference, digest
from lb.control.errors import RefusedError, StateError
from popscope import main
from tests.unit.lb_controller_tools import FILE, as_file

NAMES = st.sampled_from(["a", "b", "c"])
SPECS: dict[str, st.SearchStrategy[dict[str, Any]]] = {
    "pop": st.builds(lambda d: {"description": d}, NAMES),
    "vlan": st.builds(lambda p: {"pop": p}, NAMES),
    "node": st.builds(
        lambda p, v: {"pop": p, "addresses": [{"vlan": v, "address": "10.0.0.1/24"}]}, NAMES, NAMES
    ),
    "vip": st.builds(lambda t: {"tenant": t, "address": "192.0.2.1"}, st.sampled_from(["", "x"])),
    "pool": st.just({}),
    "member": st.builds(
        lambda p, only: {"pool": p, "address": "10.0.0.9", **({"pop": only} if only else {})},
        NAMES,
        st.one_of(st.none(), NAMES),
    ),
    "instance": st.builds(lambda p: {"pops": sorted(p)}, st.sets(NAMES, min_size=1)),
    "listener": st.builds(
        lambda i, v, p: {"instance": i, "vip": v, "pool": p, "port": 80, "protocol": "tcp"},
        NAMES,
        NAMES,
        NAMES,
    ),
}
CHANGES = st.lists(
    st.sampled_from(sorted(SPECS)).flatmap(
        lambda kind: st.builds(
            Wanted, st.just(kind), NAMES, st.one_of(SPECS[kind], SPECS[kind], st.none())
        )
    ),
    max_size=60,
)


def catalog_of(resources: dict[str, dict[str, Any]]) -> Catalog:
    return stage(Catalog(), from_file(as_file(resources))).catalog


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(CHANGES)
def test_whatever_changes_the_catalog_stays_whole(changes: list[Wanted]) -> None:
    catalog = Catalog()
    for want in changes:
        try:
            staged = stage(catalog, [want])
        except RefusedError:
            continue
        before, catalog = catalog, staged.catalog
        assert catalog.revision == before.revision + 1
        nodes = {r.name: r.spec.pop for c in (before, catalog) for r in c.of("node")}
        for node, pop in nodes.items():
            if before.state_of(node) != catalog.state_of(node):
                assert pop in staged.pops, "who is not told must have nothing new"
    fresh = Catalog(list(catalog))
    for resource in catalog:
        assert catalog.named_by(resource.id) == fresh.named_by(resource.id)
        for target in resource.targets():
            assert catalog.get(target) is not None, "nothing dangles"
    for node in [r.name for r in catalog.of("node")]:
        Desired(node, catalog.state_of(node)).document(1, {})


def test_a_node_gets_what_concerns_it() -> None:
    other = {
        "pop/ams1": {},
        "member/only-ams": {"pool": "web", "address": "10.9.0.1", "pop": "ams1"},
        "instance/shop": {"tenant": "shop", "pops": ["ams1", "fra1"]},
        "instance/elsewhere": {"tenant": "shop", "pops": ["ams1"]},
        "vip/secret": {"tenant": "shop", "address": "192.0.2.77"},
        "listener/secret": {**FILE["listener/web-80"], "instance": "elsewhere", "vip": "secret"},
    }
    state = catalog_of({**FILE, **other}).state_of("d1")
    assert state.keys() == FILE.keys() - {"node/d2"}
    assert "ams1" not in json.dumps(state)


STATES = st.dictionaries(
    st.sampled_from(["pop/a", "pop/b", "vip/a", "vip/b"]),
    st.fixed_dictionaries({"x": st.integers(0, 2)}),
)


@settings(deadline=None)
@given(STATES, STATES)
def test_a_change_leads_from_one_state_to_the_other(
    before: dict[str, dict[str, Any]], after: dict[str, dict[str, Any]]
) -> None:
    change = difference(before, after)
    assert changed(before, change) == after
    assert bool(change) == (digest(before) != digest(after))
    assert digest(changed(before, change)) == digest(dict(reversed(after.items())))
    assert changed(after, Change({}, ())) == after


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        ({"rack/r1": {}}, "rack/r1: this version knows no 'rack': upgrade it"),
        ({"pop/a": {"colour": "red"}}, "pop/a: colour: Extra inputs are not permitted"),
    ],
)
def test_a_state_of_a_newer_version_is_refused(state: Any, expected: str) -> None:
    with pytest.raises(StateError) as refused:
        Desired("d1", state)
    assert str(refused.value) == expected


EVERYTHING: dict[str, dict[str, Any]] = {
    "list/l": {"deny": ["203.0.113.0/24"], "default": "allow"},
    "limits/l": {"connections": 100, "packets_per_s": 1000},
    "pool/t": {
        "mode": "gue",
        "gue_port": 6081,
        "gue_checksum": False,
        "scheduler": "maglev_source",
    },
    "member/t1": {
        "pool": "t",
        "address": "10.77.1.41",
        "weight": 0,
        "drain": {"deadline_s": 60, "then": "leave"},
        "limits": "l",
        "server_id": "0a0b",
    },
    "listener/q": {
        **FILE["listener/web-80"],
        "port": 443,
        "protocol": "udp",
        "pool": "t",
        "list": "l",
        "limits": "l",
        "timeouts": {"udp": 30},
        "quic": {"server_id_length": 2},
    },
    "listener/s": {
        **FILE["listener/web-80"],
        "port": 81,
        "tcp_sloppy": True,
        "max_half_open": 100,
        "half_open_excess": "untracked",
    },
}


def test_the_core_accepts_all_that_can_be_said() -> None:
    staged = stage(Catalog(), from_file(as_file({**FILE, **EVERYTHING})))
    assert staged.pops == {"fra1"}
    check_nodes(staged)
    desired = Desired("d1", staged.catalog.state_of("d1"))
    document = desired.document(5, {("web", "b1"): 0})
    weights = {b["name"]: b["weight"] for p in document["pools"] for b in p["backends"]}
    assert weights == {"b1": 0, "b2": 100, "t1": 0}
    assert document["generation"] == 5


def test_what_the_core_would_refuse_is_refused_by_name() -> None:
    twice = {"listener/other": FILE["listener/web-80"]}
    own = {"member/b9": {"pool": "web", "address": "10.77.1.11"}}
    staged = stage(Catalog(), from_file(as_file({**FILE, **twice, **own})))
    with pytest.raises(RefusedError) as refused:
        check_nodes(staged)
    said = str(refused.value)
    assert "listener 'web-80'" in said or "listener 'other'" in said
    assert "member 'b9': /address" in said
    assert "(node 'd1')" in said


def test_the_commands(tmp_path: Path) -> None:
    def run(*words: str, code: int = 0) -> str:
        environment = {"POPSCOPE_CONTROLLER_DATABASE": f"sqlite:///{tmp_path}/c.db"}
        done = CliRunner().invoke(main, ["lb", "controller", *words], env=environment)
        assert done.exit_code == code, done.output
        return done.output

    assert run("token", "ann", "--role", "operator").startswith("ps_")
    assert "already" in run("token", "ann", "--role", "viewer", code=1)
    assert "needs a node" in run("token", "d1", "--role", "node", code=1)
    run("revoke", "ann")
    assert "no token 'ann'" in run("revoke", "ann", code=1)
    assert run("run", "--check") == "the settings are good\n"
    (tmp_path / "c.toml").write_text("lisen = 'x'\n")
    assert "lisen: Extra inputs" in run("run", "--config", str(tmp_path / "c.toml"), code=2)
    (tmp_path / "c.toml").write_text("=")
    assert "c.toml: Invalid" in run("run", "--config", str(tmp_path / "c.toml"), code=2)
