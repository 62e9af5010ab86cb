"""The node as `popscope top` sees it: states, restarts, folders; and what it says is wrong."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from exporters.segment import State
from exporters.top.health import CRITICAL, NOTE, WARNING, problems
from exporters.top.watch import Node, NothingToShowError
from tests.unit.exporters_fakes import NO_PROCESS, FakeSegment


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def node(tmp_path: Path, clock: Clock) -> Node:
    return Node(tmp_path, clock=clock)


def configured(fake: FakeSegment) -> FakeSegment:
    """With all that makes an instance of two idle workers healthy."""
    fake.add("node", 0, config_generation=3, max_mbufs=100, used_mbufs=1)
    fake.add("port", 0, link_up=1)
    for row in range(2):
        fake.add("lcore", row, config_generation=3, max_connections=10, loop_iterations=1)
    fake.header["heartbeat_ns"] += 3600 * 10**9  # ahead of any clock: not yet old at a first look
    return fake


def beat(fake: FakeSegment) -> None:
    fake.header["heartbeat_ns"] += 1


def turn(fake: FakeSegment, busy: int = 1, idle: int = 9) -> None:
    """What a second of an idle core does."""
    for row in range(2):
        fake.add("lcore", row, loop_iterations=10, busy_cycles=busy, idle_cycles=idle)
    beat(fake)


def texts(node: Node) -> list[tuple[int, str]]:
    return [(p.level, p.text) for p in problems(node.look())]


def test_a_healthy_node_has_no_problem(node: Node, clock: Clock, tmp_path: Path) -> None:
    fake = configured(FakeSegment(tmp_path / "a"))
    node.look()
    clock.now += 1
    turn(fake)
    look = node.look()
    assert [(i.name, i.state) for i in look.instances] == [("a", "live")]
    assert look.interval_s == 1.0
    assert problems(look) == []


def test_a_heart_that_stands_still_is_dead_when_the_process_is_gone(
    node: Node, clock: Clock, tmp_path: Path
) -> None:
    configured(FakeSegment(tmp_path / "a", pid=NO_PROCESS))
    assert node.look().instances[0].state == "live"
    clock.now += 5
    look = node.look()
    assert look.instances[0].state == "dead"
    assert look.events[-1].text == "was live, is dead"
    (level, text), *_ = texts(node)
    assert level == CRITICAL
    assert text == f"DEAD: no heartbeat for 5.0 s, its process {NO_PROCESS} is gone"


def test_and_hung_when_the_process_is_there(node: Node, clock: Clock, tmp_path: Path) -> None:
    configured(FakeSegment(tmp_path / "a", pid=os.getpid()))
    node.look()
    clock.now += 5
    assert texts(node)[0] == (
        CRITICAL,
        f"HUNG: no heartbeat for 5.0 s, but its process {os.getpid()} is still there",
    )


def test_long_dead_is_seen_at_the_first_look(node: Node, tmp_path: Path) -> None:
    FakeSegment(tmp_path / "a", pid=NO_PROCESS).die()
    (instance,) = node.look().instances
    assert instance.state == "dead"
    assert instance.silent_s >= 60


def test_a_wall_clock_that_is_set_kills_nobody(node: Node, clock: Clock, tmp_path: Path) -> None:
    fake = configured(FakeSegment(tmp_path / "a"))
    node.look()
    clock.now += 1
    fake.header["heartbeat_ns"] -= 2 * 3600 * 10**9
    assert node.look().instances[0].state == "live"


def test_a_stopped_core_is_no_dead_core(node: Node, tmp_path: Path) -> None:
    configured(FakeSegment(tmp_path / "a")).stop()
    assert (WARNING, "was stopped in order; nothing is forwarded") in texts(node)


def test_a_new_boot_is_followed_and_told(node: Node, clock: Clock, tmp_path: Path) -> None:
    old = configured(FakeSegment(tmp_path / "a", boot=1, pid=NO_PROCESS))
    old.add("lcore", 0, rx_packets=1000, tx_packets=1000)
    node.look()
    new = configured(FakeSegment(tmp_path / "a", boot=2))
    new.header["start_time_ns"] = old.header["start_time_ns"] + 10**9
    new.add("lcore", 0, rx_packets=10, tx_packets=10)
    clock.now += 5
    look = node.look()
    (instance,) = look.instances
    assert instance.snapshot
    assert (instance.snapshot.boot, instance.earlier) == (2, ("dead",))
    assert np.isnan(instance.pace["lcore"].rate("rx_packets")).all()
    assert look.events[-1].text == (
        "restarted: boot 0000000000000001 (dead) is followed by 0000000000000002"
    )
    assert (NOTE, "an earlier boot (dead) waits for an exporter to read its end") in texts(node)
    new.add("lcore", 0, rx_packets=4, tx_packets=4)
    old.path.unlink()  # an exporter has read it
    clock.now += 2
    look = node.look()
    (instance,) = look.instances
    assert instance.pace["lcore"].rate("rx_packets").tolist() == [2, 0]
    assert (instance.earlier, instance.restarts) == ((), 1)


def test_a_core_whose_segment_was_read_to_its_end_stays_on_the_screen(
    node: Node, clock: Clock, tmp_path: Path
) -> None:
    fake = configured(FakeSegment(tmp_path / "a", boot=1, instance="edge"))
    node.look()
    fake.path.unlink()
    clock.now += 1
    look = node.look()
    assert [(i.name, i.state) for i in look.instances] == [("edge", "lost")]
    assert look.events[-1].text.startswith("was live; its segment is gone")
    (level, text), *_ = texts(node)
    assert level == CRITICAL
    assert text.startswith("LOST: live when last seen, its segment is gone; no core is at work in")
    assert len(node.look().events) == 1
    configured(FakeSegment(tmp_path / "a", boot=2, instance="edge"))
    look = node.look()
    assert look.instances[0].state == "live"
    assert look.events[-1].text.startswith("restarted: boot 0000000000000001 (live)")


def test_a_core_that_stopped_in_order_is_not_lost(node: Node, tmp_path: Path) -> None:
    fake = configured(FakeSegment(tmp_path / "a"))
    fake.stop()
    node.look()
    fake.path.unlink()
    assert node.look().instances[0].state == "gone"
    assert texts(node)[0][0] == WARNING


def test_a_folder_without_a_core_is_named_and_one_that_is_removed_forgotten(
    node: Node, tmp_path: Path
) -> None:
    configured(FakeSegment(tmp_path / "a"))
    (tmp_path / "b").mkdir()
    look = node.check()
    assert [(i.name, i.state) for i in look.instances] == [("a", "live"), ("b", "gone")]
    assert look.events == ()
    (tmp_path / "b").rmdir()
    look = node.look()
    assert [i.name for i in look.instances] == ["a"]
    assert look.events[-1].text.endswith("was removed")


def test_another_layout_is_unreadable_and_says_so(node: Node, tmp_path: Path) -> None:
    fake = FakeSegment(tmp_path / "a")
    fake.header["layout"] = 2
    configured(FakeSegment(tmp_path / "b", instance="b"))
    assert [i.state for i in node.look().instances] == ["unreadable", "live"]
    assert "layout 2, this exporter reads 1" in texts(node)[0][1]


def test_a_state_that_is_not_known_is_unreadable(node: Node, tmp_path: Path) -> None:
    fake = configured(FakeSegment(tmp_path / "a"))
    node.look()
    fake.header["state"] = 9
    (level, text), *_ = texts(node)
    assert level == CRITICAL
    assert text.endswith("state 9 is not known")


def test_a_core_that_starts_and_one_that_never_finishes(
    node: Node, clock: Clock, tmp_path: Path
) -> None:
    FakeSegment(tmp_path / "a", state=State.WRITING)
    assert texts(node) == [(NOTE, "is starting")]
    clock.now += 60
    node.look()
    level, text = texts(node)[0]
    assert level == CRITICAL
    assert text.startswith("did not finish starting")


def test_instances_of_one_name_are_told_apart(tmp_path: Path) -> None:
    for boot, folder in enumerate(("d1", "d2"), 1):
        configured(FakeSegment(tmp_path / folder / "lb", boot, instance="lb"))
    node = Node(tmp_path, [tmp_path / "d1" / "lb", tmp_path / "d2" / "lb"])
    assert [i.name for i in node.look().instances] == ["d1/lb", "d2/lb"]
    next((tmp_path / "d2" / "lb").iterdir()).unlink()
    assert [(i.name, i.state) for i in node.look().instances] == [
        ("d1/lb", "live"),
        ("d2/lb", "lost"),
    ]
    assert [i.name for i in node.look().instances] == ["d1/lb", "d2/lb"]


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda path: None, "does not exist: no core has run here"),
        (lambda path: path.mkdir(), "no core has a segment in"),
        (lambda path: path.write_text(""), "is not a folder"),
    ],
)
def test_nothing_to_look_at_is_an_error_that_says_what_to_do(
    tmp_path: Path, make: object, says: str
) -> None:
    root = tmp_path / "run"
    make(root)  # type: ignore[operator]
    with pytest.raises(NothingToShowError, match=says) as caught:
        Node(root).check()
    assert "--run-" in str(caught.value)


def test_an_instance_that_is_not_there_is_an_error_that_names_those_that_are(
    tmp_path: Path,
) -> None:
    FakeSegment(tmp_path / "a")
    with pytest.raises(NothingToShowError, match="no instance 'x'; there is 'a'"):
        Node(tmp_path).check("x")


def test_a_ledger_that_does_not_balance_comes_first(
    node: Node, clock: Clock, tmp_path: Path
) -> None:
    fake = configured(FakeSegment(tmp_path / "a"))
    fake.add("lcore", 1, rx_packets=13)
    fake.add("vip", 2, tx_packets=1)
    found = texts(node)
    assert found[0] == (CRITICAL, "ledger does not balance: lcore 1: 13 packets not accounted for")
    assert "vip web-2: 1 packet accounted for that never came" in found[1][1]


@pytest.mark.parametrize(
    ("scope", "counts", "says"),
    [
        ("lcore", {"loop_iterations": 0, "busy_cycles": 99}, "lcore 0 is saturated"),
        ("lcore", {"active_connections": 9}, "lcore 0 is nearly without room"),
        ("port", {"rx_missed_packets": 8}, "port 0 misses 4 pkt/s"),
        ("port", {"link_up": -1}, "port 0: link is down"),
        ("node", {"used_mbufs": 95}, "packet buffers: 96 of 100 in use"),
        ("node", {"rejected_configs": 1}, "a configuration was rejected"),
        ("node", {"config_generation": 1}, "lcores 0, 1 are not yet at configuration 4"),
        ("lcore", {"rx_packets": 4, "drop_no_backend": 4}, "drops 2 pkt/s (100% of rx): no_back"),
    ],
)
def test_what_is_wrong_is_said(
    node: Node, clock: Clock, tmp_path: Path, scope: str, counts: dict[str, int], says: str
) -> None:
    fake = configured(FakeSegment(tmp_path / "a"))
    node.look()
    turn(fake, busy=0, idle=1)
    fake.add(scope, 0, **counts)
    clock.now += 2
    assert [text for _, text in texts(node) if text.startswith(says)], says


def test_a_worker_that_does_not_turn_is_stuck(node: Node, clock: Clock, tmp_path: Path) -> None:
    fake = configured(FakeSegment(tmp_path / "a"))
    node.look()
    fake.add("lcore", 1, loop_iterations=5)
    beat(fake)
    clock.now += 1
    assert texts(node)[0] == (
        CRITICAL,
        "lcore 0 is stuck, or without a processor: no turn of the loop in 1.0 s",
    )


def test_a_few_drops_are_the_noise_of_the_network(node: Node, clock: Clock, tmp_path: Path) -> None:
    fake = configured(FakeSegment(tmp_path / "a"))
    node.look()
    turn(fake)
    fake.add("lcore", 0, rx_packets=10_000, tx_packets=9_999, drop_arp_not_for_us=1)
    clock.now += 1
    assert texts(node) == [(NOTE, "drops 1 pkt/s (<0.1% of rx): arp_not_for_us 1")]
    turn(fake)
    fake.add("lcore", 0, rx_packets=20_000_000, tx_packets=19_999_000, drop_arp_not_for_us=1000)
    clock.now += 1
    assert texts(node)[0] == (WARNING, "drops 1.00k pkt/s (<0.1% of rx): arp_not_for_us 1.00k")
