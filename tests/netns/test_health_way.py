"""Checks of the VIP on one backend, among backends that all have it: each judged by itself."""

from __future__ import annotations

import json
import sys

from tests.lab.lab import Lab
from tests.lab.shell import ip_batch, run

# The check's side runs in the director's namespace, as the agent does.
CHECK = """
import asyncio, json, sys
from lb.control.health.probe import attempt
from lb.control.health.target import Target
from lb.control.health.way import Way
from lb.control.model.checker import Checker, Http

async def main(macs, vip, port):
    way = Way("chk", ipv6=False)
    await way.open()
    await way.update({way.mark(i): mac for i, mac in enumerate(macs)})
    checker = Checker(probe=Http(path="/"), timeout_s=0.5)
    jobs = [attempt(checker, Target(vip, port, "", way.mark(i))) for i in range(len(macs) + 1)]
    found = [outcome.reason for outcome in await asyncio.gather(*jobs)]
    await way.update({})
    found.append((await attempt(checker, Target(vip, port, "", way.mark(0)))).reason)
    await way.close()
    print(json.dumps(found))

macs, vip, port = json.loads(sys.argv[1])
asyncio.run(main(macs, vip, port))
"""


def test_each_backend_is_asked_for_the_vip(network_lab: Lab) -> None:
    lab = network_lab
    lab.start_backends()
    plan, network = lab.plan, lab.network
    director, switch = network.namespace("d1"), network.namespace("switch")
    # A device of the kernel beside the one that the core has.
    ip_batch(
        [f"link add name chk netns {director} type veth peer name d1chk netns {switch}"],
    )
    ip_batch(["link set d1chk master lan", "link set d1chk up"], switch)
    ip_batch([f"address add {plan.family.lan}31/{plan.family.bits} dev chk"], director)
    ip_batch(["link set chk up"], director)
    macs = [network.mac(name) for name in plan.backends]
    lab.backends["b2"].stop()
    argv = [sys.executable, "-c", CHECK, json.dumps([macs, plan.family.vip, 80])]
    found = json.loads(run(argv, namespace=director))
    unknown = "no answer in 0.5 s"
    assert found == ["", "connection refused", "", unknown, unknown]
    rules = run(["ip", "rule"], namespace=director)
    assert "50500" not in rules, "what was made is removed"
    assert run(["nft", "list", "tables"], namespace=director).count("popscope_checks") == 0
