"""Checks before traffic: what each of them sees, and what it says to do."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import pytest

from lb.control.agent.checks import instance, node, vlan
from lb.control.controller.api import disagreements
from lb.control.desired import Desired
from lb.control.findings import Finding
from lb.control.health.state import Health
from tests.unit.lb_controller_tools import FILE
from tests.unit.lb_plan_machines import Machine, put, put_process

PID = 900
STATE = {k: spec for k, spec in FILE.items() if k != "node/d2"}


def severities(found: list[Finding]) -> dict[str, str]:
    assert all(bool(f.remedy) == (f.severity != "ok") for f in found)
    return {f.check: f.severity for f in found}


def put_core(root: Path, lcores: dict[int, str], hugepages: int) -> None:
    """A core with its threads."""
    put_process(root, PID, "popscope-core", "0-7", "/popscope.slice/popscope-core.slice")
    put(root / f"proc/{PID}/status", f"Cpus_allowed_list:\t0-7\nHugetlbPages:\t{hugepages} kB")
    for thread, cpus in lcores.items():
        put(root / f"proc/{PID}/task/{thread}/status", f"Cpus_allowed_list:\t{cpus}")


def test_lcores_want_cpus_and_cores_of_their_own(tmp_path: Path) -> None:
    root = Machine(1, 4).write(tmp_path)
    put_core(root, {900: "1", 901: "2", 902: "0-7"}, 2 << 20)
    put_process(root, 1, "systemd", "0,3,4,7", "/init.scope")
    put_process(root, 2, "kthreadd", "0-7", "/", flags=0x208040)
    assert severities(node.cpus(PID, root)) == {"isolation": "ok", "hyper_threads": "ok"}
    assert node.hugepages(PID, root).evidence == "the core has 2048 MB in hugepages"
    put_process(root, 77, "cc1", "0-7", "/system.slice")
    put_core(root, {900: "1", 901: "5", 902: "5"}, 0)
    isolation, threads = node.cpus(PID, root)
    assert (isolation.severity, threads.severity) == ("warning", "warning")
    assert isolation.evidence == "lcores on CPUs 1,5; several on 5; also there: 77 cc1 on 1,5"
    assert "[(1, 5)]" in threads.evidence
    assert node.hugepages(PID, root).severity == "warning"


def test_links_disks_clocks_and_locks(tmp_path: Path) -> None:
    put(tmp_path / "sys/class/net/chk/operstate", "up")
    put(tmp_path / "sys/class/net/off/operstate", "lowerlayerdown")
    assert node.link("chk", tmp_path).severity == "ok"
    assert node.link("off", tmp_path).evidence == "off is lowerlayerdown"
    assert node.link("gone", tmp_path).evidence == "gone is not there"
    assert node.link("", tmp_path).severity == "warning"
    assert node.disk(tmp_path).check == "disk"
    assert node.clock().severity in ("ok", "warning")
    lock = tmp_path / "lock"
    lock.touch()
    text = f"1: FLOCK  ADVISORY  WRITE 4711 00:1b:{lock.stat().st_ino} 0 EOF\n"
    (tmp_path / "locks").write_text(text)
    assert node.core_pid(lock, tmp_path / "locks") == 4711
    (tmp_path / "locks").write_text(text.replace("FLOCK", "POSIX"))
    assert node.core_pid(lock, tmp_path / "locks") == 0
    assert node.core_pid(tmp_path / "none") == 0


def test_arp_replies_name_the_owner() -> None:
    mac = bytes.fromhex("02000000000a")
    request = vlan.probe(mac, "10.77.1.11")
    assert len(request) == 42
    assert request[:6] == b"\xff" * 6
    assert request[28:32] == bytes(4), "a probe claims no address"
    assert vlan.owner(request, "10.77.1.11") == ""
    body = struct.pack("!HHBBH6s4s6s4s", 1, 0x800, 6, 4, 2, mac, b"\x0a\x4d\x01\x0b", mac, bytes(4))
    reply = bytes(12) + b"\x08\x06" + body
    assert vlan.owner(reply, "10.77.1.11") == "02:00:00:00:00:0a"
    assert vlan.owner(reply, "10.77.1.12") == ""
    assert vlan.owner(reply[:30], "10.77.1.11") == ""


def test_an_address_has_one_owner() -> None:
    assert vlan.address("10.0.0.1", {"02:00:00:00:00:01"}, "lan").severity == "ok"
    nobody = vlan.address("10.0.0.1", set(), "lan")
    assert (nobody.severity, nobody.evidence) == ("error", "10.0.0.1: nobody")
    two = vlan.address("10.0.0.1", {"02:00:00:00:00:01", "02:00:00:00:00:02"}, "lan")
    assert two.severity == "error"
    assert "another machine has this address" in two.remedy


def test_neighbours_are_named() -> None:
    known: Any = [
        {"address": "10.0.0.1", "mac": "02:00:00:00:00:01"},
        {"address": "b", "mac": None},
    ]
    assert vlan.neighbours(["10.0.0.1"], known).severity == "ok"
    assert vlan.neighbours(["10.0.0.1", "b"], known).evidence == "not resolved: b"


@pytest.mark.parametrize(
    ("up", "severity", "evidence"),
    [
        ((True, True), "ok", "web: 2 of 2 up"),
        ((True, False), "warning", "web: 1 of 2 up (b2: refused)"),
        ((False, False), "error", "web: 0 of 2 up (b1: refused; b2: refused)"),
    ],
)
def test_members(up: tuple[bool, bool], severity: str, evidence: str) -> None:
    names = ("b1", "b2")
    health = {
        ("web", name): Health(up=good, reason="" if good else "refused")
        for name, good in zip(names, up, strict=True)
    }
    (found,) = instance.members(Desired("d1", STATE), health)
    assert (found.severity, found.evidence) == (severity, evidence)


def test_limits_and_lists_that_let_nobody_in() -> None:
    more = {
        "limits/bad": {"packets_per_s": 10, "new_connections_per_s": 100},
        "limits/good": {"packets_per_s": 1000, "new_connections_per_s": 100},
        "list/closed": {"default": "deny"},
        "list/open": {"deny": ["192.0.2.0/24"]},
    }
    found = instance.limits(Desired("d1", {**STATE, **more}))
    assert {f.subject: f.severity for f in found} == {
        "bad": "warning",
        "good": "ok",
        "closed": "warning",
        "open": "ok",
    }
    (unchecked,) = instance.members(Desired("d1", {**STATE, "pool/web": {"tenant": "shop"}}), {})
    assert "nobody checks its 2 members" in unchecked.evidence


def test_directors_with_other_tables_are_named() -> None:
    def reports(table: str, connected: bool = True) -> dict[str, Any]:
        return {"pop": "fra1", "connected": connected, "report": {"tables": {"web": table}}}

    same = {"d1": reports("aa"), "d2": reports("aa")}
    assert disagreements(same) == []
    assert disagreements({**same, "d3": reports("bb", connected=False)}) == []
    assert disagreements({**same, "d3": reports("bb")}) == [
        {"pop": "fra1", "pool": "web", "tables": {"aa": ["d1", "d2"], "bb": ["d3"]}}
    ]
