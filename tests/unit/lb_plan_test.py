"""Plans for known machines, the laws that any plan obeys, and the check of a running system."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lb.control.errors import TopologyError
from lb.control.plan.layout import Wish, choose, memory
from lb.control.plan.render import Node, files, run_arguments
from lb.control.plan.topology import Core, Topology, parse_ranges, ranges, read
from lb.control.plan.verify import verify
from popscope import main
from tests.unit.lb_plan_machines import NIC, Machine, put, put_process

EIGHT = Wish(forwarding=8)
XEON_6226R = Machine(sockets=2, cores=16, nic_node=1)


@pytest.mark.parametrize(
    ("machine", "wish", "lcores", "exception", "system"),
    [
        (
            XEON_6226R,  # dual Xeon Gold 6226R, NIC at the second socket
            EIGHT,
            "0@16,1@17,2@18,3@19,4@20,5@21,6@22,7@23,8@24",
            (25,),
            "0-15,26-31,32-47,58-63",
        ),
        (
            Machine(sockets=2, cores=16, nic_node=0),  # the same, NIC at the first socket
            EIGHT,
            "0@1,1@2,2@3,3@4,4@5,5@6,6@7,7@8,8@9",
            (10,),
            "0,11-15,16-31,32,43-47,48-63",
        ),
        (
            Machine(sockets=1, cores=32, nic_node=0),  # EPYC 7543P, one node a socket
            Wish(forwarding=4),
            "0@1,1@2,2@3,3@4,4@5",
            (6,),
            "0,7-31,32,39-63",
        ),
        (
            Machine(sockets=1, cores=32, nodes=4, nic_node=2),  # the same with NPS4
            Wish(forwarding=4),
            "0@16,1@17,2@18,3@19,4@20",
            (21,),
            "0-7,8-15,22-23,24-31,32-39,40-47,54-55,56-63",
        ),
        (
            Machine(sockets=2, cores=12, nic_node=1, numbering="turns"),  # dual Silver 4214, Dell
            Wish(forwarding=2),
            "0@1,1@3,2@5",
            (7,),
            "0,2,4,6,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,"
            "24,26,28,30,32,33,34,35,36,37,38,39,40,41,42,43,44,45,46,47",
        ),
        (
            Machine(sockets=1, cores=8, threads=1, nic_node=-1),  # a virtual machine
            Wish(forwarding=2, exception=0),
            "0@1,1@2,2@3",
            (),
            "0,4-7",
        ),
    ],
)
def test_known_machines(
    tmp_path: Path,
    machine: Machine,
    wish: Wish,
    lcores: str,
    exception: tuple[int, ...],
    system: str,
) -> None:
    topology = read(machine.write(tmp_path), (NIC,))
    layout = choose(topology, wish)
    assert (layout.lcores, layout.exception) == (lcores, exception)
    assert topology.ranges(layout.system) == system
    assert parse_ranges(system) == layout.system


def test_too_few_cores_and_wrong_nics_are_named(tmp_path: Path) -> None:
    root = Machine(sockets=2, cores=4, nic_node=1).write(tmp_path)
    topology = read(root, (NIC,))
    with pytest.raises(TopologyError, match=r"10 cores wanted .* node 1 has 4 beside"):
        choose(topology, EIGHT)
    with pytest.raises(TopologyError, match="eth9: neither a PCI address"):
        read(root, ("eth9",))
    put(root / "sys/bus/pci/devices/0000:af:00.0/numa_node", "0")
    with pytest.raises(TopologyError, match=r"several memory nodes \(0000:3b:00.0 on 1, 0000:af"):
        choose(read(root, (NIC, "0000:af:00.0")), Wish())
    put(root / "sys/devices/system/cpu/online", "0-x")
    with pytest.raises(TopologyError, match="online: not a list of CPUs"):
        read(root)


@st.composite
def topologies(draw: st.DrawFn) -> Topology:
    sockets, count = draw(st.integers(1, 4)), draw(st.integers(1, 24))
    threads = draw(st.integers(1, 4))
    cores = tuple(
        Core(tuple(t * sockets * count + s * count + c for t in range(threads)), s, s)
        for s in range(sockets)
        for c in range(count)
    )
    node = draw(st.integers(-1, sockets - 1))
    return Topology(cores, {NIC: node}, {})


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(topologies(), st.builds(Wish, st.integers(1, 16), st.integers(1, 2), st.integers(0, 2)))
def test_whatever_the_machine_every_cpu_has_one_use(topology: Topology, wish: Wish) -> None:
    wanted = wish.control + wish.forwarding + wish.exception
    homes = {topology.nics[NIC]} - {-1} or {core.node for core in topology.cores}
    most = max(sum(c.node == n and 0 not in c.cpus for c in topology.cores) for n in homes)
    if wanted > most:
        with pytest.raises(TopologyError, match="cores wanted"):
            choose(topology, wish)
        return
    layout = choose(topology, wish)
    taken = [*layout.control, *layout.forwarding, *layout.exception]
    parts = [frozenset(taken), layout.idle, layout.system]
    assert sum(map(len, parts)) == len(topology.cpus) == len(frozenset.union(*parts))
    assert (len(layout.control), len(layout.forwarding)) == (wish.control, wish.forwarding)
    home = {cpu: core for core in topology.cores for cpu in core.cpus}
    assert len({home[cpu] for cpu in taken}) == len(taken), "no core is taken twice"
    assert {home[cpu].node for cpu in taken} == {layout.node}
    assert layout.idle == {c for cpu in taken for c in home[cpu].cpus} - set(taken)
    assert 0 in layout.system
    assert layout.gigabyte_pages << 30 >= memory(wish, 1)


@settings(deadline=None)
@given(st.frozensets(st.integers(0, 300)))
def test_ranges_round_trip(cpus: frozenset[int]) -> None:
    assert parse_ranges(ranges(cpus)) == cpus


def test_the_files_hold_everything_else_off(tmp_path: Path) -> None:
    topology = read(XEON_6226R.write(tmp_path), (NIC,))
    layout = choose(topology, EIGHT)
    made = files(topology, layout, EIGHT, Node((NIC,), "d1"))
    units = {path.removeprefix("etc/systemd/system/"): text for path, text in made.items()}
    for other in ("init.scope", "system.slice", "user.slice", "machine.slice"):
        assert "AllowedCPUs=0-15,26-31,32-47,58-63\n" in units[f"{other}.d/50-popscope.conf"]
    assert "AllowedCPUs=16-24\nAllowedMemoryNodes=1\n" in units["popscope-core.slice"]
    assert "AllowedCPUs=25\n" in units["popscope-edge.slice"]
    assert "AllowedCPUs=16-25\n" in units["popscope.slice"]
    assert "echo 1 >/sys/devices/system/node/node1/hugepages" in units["popscope-hugepages.service"]
    assert "=16-25,48-57\n" in units["irqbalance.service.d/50-popscope.conf"]
    core = units["popscope-core-d1.service"]
    assert f"lb run --instance d1 --pci {NIC} --workers 8 --lcores {layout.lcores} " in core
    assert "--eal --socket-mem=0,1024" in core


def test_the_core_understands_its_arguments(tmp_path: Path) -> None:
    topology = read(XEON_6226R.write(tmp_path), (NIC,))
    layout = choose(topology, EIGHT)
    words = run_arguments(layout, EIGHT, Node((NIC,)))
    done = CliRunner().invoke(main, ["lb", "run", *words, "--print", "--json"])
    assert done.exit_code == 0, done.output
    argv = json.loads(done.output)
    assert argv[argv.index("--lcores") + 1] == layout.lcores
    assert "--socket-mem=0,1024" in argv


def prepared(root: Path) -> Path:
    """The machine as the plan wants it."""
    Machine(2, 16, nic_node=1, gigabyte_pages=2).write(root)
    group = root / "sys/fs/cgroup"
    put(group / "system.slice/cpuset.cpus.effective", "0-15,26-47,58-63")
    put(group / "popscope.slice/popscope-core.slice/cpuset.cpus.effective", "16-24")
    put_process(root, 1, "systemd", "0-15,26-47,58-63", "/init.scope")
    put_process(root, 2, "kthreadd", "0-63", "/", flags=0x208040)
    put_process(root, 900, "popscope-core", "16-24", "/popscope.slice/popscope-core.slice/x")
    return root


def test_a_running_system_is_checked(tmp_path: Path) -> None:
    root = prepared(tmp_path)

    def failures() -> dict[str, str]:
        topology = read(root, (NIC,))
        found = verify(topology, choose(topology, EIGHT), root)
        assert all(f.remedy for f in found if f.severity == "error")
        return {f.check: f.evidence for f in found if f.severity == "error"}

    assert failures() == {}
    put_process(root, 77, "cc1 (a) b", "0-63", "/system.slice/cron.service")
    assert failures() == {"strangers": "77 cc1 (a) b on 16-24,48-57"}
    put(root / "sys/fs/cgroup/system.slice/cpuset.cpus.effective", "0-63")
    assert failures()["slice system.slice"] == "CPUs 0-15,16-31,32-47,48-63"
    pages = "sys/devices/system/node/node1/hugepages/hugepages-1048576kB/nr_hugepages"
    put(root / pages, "0")
    assert failures()["hugepages"] == "node 1 has 0 of 1 pages of 1 GiB"
    (root / "sys/fs/cgroup/popscope.slice/popscope-core.slice/cpuset.cpus.effective").unlink()
    assert "is not there" in failures()["slice popscope-core.slice"]


def plan(*arguments: str) -> Any:
    return CliRunner().invoke(main, ["lb", "plan", *arguments])


def test_the_command(tmp_path: Path) -> None:
    root = str(prepared(tmp_path / "machine"))
    words = ["--root", root, "--pci", NIC, "--workers", "8"]
    shown = plan(*words, "--check")
    assert shown.exit_code == 0, shown.output
    assert "system          0-15,26-31,32-47,58-63\n" in shown.output
    out = tmp_path / "out"
    done = plan(*words, "--json", "--write", str(out))
    document = json.loads(done.output)
    assert document["forwarding"] == list(range(17, 25))
    for path, text in document["files"].items():
        assert (out / path).read_text() == text
    put_process(Path(root), 5, "sh", "16", "/user.slice")
    failed = plan(*words, "--check")
    assert failed.exit_code == 1
    assert "strangers: 5 sh on 16\n" in failed.output
    lost = plan("--root", root, "--pci", "0000:00:00.0")
    assert lost.exit_code == 1
    assert "neither a PCI address" in lost.output
    (tmp_path / "file").touch()
    assert plan(*words, "--write", str(tmp_path / "file" / "x")).exit_code == 1
