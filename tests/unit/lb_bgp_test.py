"""What is announced, when, and how BIRD is told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lb.control.agent.bgp.bird import Bird
from lb.control.agent.bgp.config import render
from lb.control.agent.bgp.routes import Announcement, Standing, prefixes, step
from lb.control.desired import Desired
from lb.control.errors import BgpError
from lb.control.model.resources import Bgp
from tests.unit.lb_controller_tools import FILE

BGP: dict[str, Any] = {
    "asn": 65001,
    "router_id": "10.77.1.31",
    "source": "10.77.1.31",
    "next_hop": "10.77.1.11",
    "next_hop6": "2001:db8::11",
    "neighbors": [
        {"address": "10.77.1.1", "asn": 65000, "bfd": True},
        {"address": "10.77.2.1", "asn": 65001, "multihop": True, "hold_s": 30},
    ],
}
NETWORKS = [Announcement(f"198.51.100.{i}/32") for i in range(3)]


def test_prefixes_follow_the_health_of_their_vips() -> None:
    more = {
        "prefix/own": {
            "prefix": "203.0.113.0/24",
            "asn": 64999,
            "communities": ["65001:7", "65001:1:2"],
        },
        "vip/a": {"address": "203.0.113.1", "prefix": "own"},
        "vip/b": {"address": "203.0.113.2", "prefix": "own"},
        "vip/six": {"address": "2001:db8:5::1"},
    }
    state = {k: v for k, v in {**FILE, **more}.items() if k != "node/d2"}
    desired = Desired("d1", state)
    assert prefixes(desired, {}) == {}
    health = {"203.0.113.1": False, "203.0.113.2": True, "2001:db8:5::1": True}
    assert prefixes(desired, {**health, "198.51.100.1": False}) == {
        "2001:db8:5::1/128": Announcement("2001:db8:5::1/128"),
        "203.0.113.0/24": Announcement("203.0.113.0/24", 64999, ((65001, 7), (65001, 1, 2))),
    }


wanted = st.sets(st.sampled_from(NETWORKS)).map(lambda chosen: {a.prefix: a for a in chosen})


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(wanted, st.booleans(), st.booleans(), st.floats(0, 4)), max_size=30))
def test_who_leaves_goes_in_two_steps_and_who_is_dead_at_once(
    history: list[tuple[dict[str, Announcement], bool, bool, float]],
) -> None:
    standing, now, leaving_since = Standing({}), 0.0, None
    for wants, leave, dead, pause in history:
        now += pause
        before = standing
        standing = step(before, wants, leave=leave, dead=dead, now=now, grace_s=5)
        announced = standing.announced
        if dead:
            assert announced == {}
        elif not leave:
            assert announced == wants
        else:
            assert all(a.leaving for a in announced.values())
            assert announced.keys() <= before.announced.keys() & wants.keys(), "nothing new"
            leaving_since = now if leaving_since is None else leaving_since
            assert not announced or now - leaving_since < 5
        if dead or not leave:
            leaving_since = None


def test_the_configuration_says_it() -> None:
    leaving = Announcement("203.0.113.0/24", 64999, ((65001, 7), (65001, 1, 2)), leaving=True)
    text = render(Bgp.model_validate(BGP), {a.prefix: a for a in (*NETWORKS, leaving)})
    assert "route 198.51.100.0/32 blackhole {  };" in text
    (line,) = [line for line in text.splitlines() if "203.0.113.0/24" in line]
    assert line.index("prepend(64999)") < line.index("prepend(65001)")
    assert line.count("prepend(65001)") == 3
    assert "bgp_community.add((65535,0))" in line
    assert "bgp_large_community.add((65001,1,2))" in line
    assert "ipv6 { import none; next hop address 2001:db8::11;" in text


async def test_bird_takes_it_and_tells_of_its_sessions(tmp_path: Path) -> None:
    bgp = Bgp.model_validate({**BGP, "source": "127.0.0.1", "router_id": "127.0.0.1"})
    leaving = Announcement("2001:db8:5::/48", 64999, ((65001, 7), (65001, 1, 2)), leaving=True)
    texts = [render(bgp, {a.prefix: a for a in (*NETWORKS[:n], leaving)}) for n in (1, 3)]
    bird = Bird(tmp_path)
    with pytest.raises(BgpError, match=r"bird did not start: .*syntax error"):
        await bird.configure("protocol nonsense;")
    await bird.configure(texts[0])
    await bird.configure(texts[1])
    assert "198.51.100.2/32" in await bird.ask("show route")
    sessions = await bird.sessions()
    assert [s.name for s in sessions] == ["router0", "router1"]
    assert "Established" not in {s.state for s in sessions}
    with pytest.raises(BgpError, match="BIRD refuses `configure`"):
        await bird.configure("protocol nonsense;")
    await bird.stop()
    assert not bird.running
    with pytest.raises(BgpError, match="does not answer"):
        await bird.ask("show route")
