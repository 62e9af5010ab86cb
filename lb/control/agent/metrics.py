"""The agent's metrics, for Prometheus."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from aiohttp import web
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from lb.control.errors import SettingsError

_TYPE = "text/plain; version=0.0.4; charset=utf-8"
Rows = dict[tuple[str, ...], float]
_SEVERITY = {"ok": 0, "warning": 1, "error": 2}


class Collector:
    """Makes metrics from what the agent reports, when they are asked for."""

    def __init__(self, report: Callable[[], dict[str, Any]], events: Callable[[], dict[str, int]]):
        self._report = report
        self._events = events

    def collect(self) -> Iterable[Metric]:
        """All of them."""
        report = self._report()
        yield from _node(report)
        yield from _members(report)
        yield _counter("popscope_agent_checks", "Health checks.", ["outcome"], report["checks"])
        yield _counter("popscope_agent_events", "Events.", ["kind"], self._events())

    def describe(self) -> Iterable[Metric]:
        """Nothing: so that registering asks for no report."""
        return []


def _gauge(name: str, text: str, labels: list[str], rows: Rows) -> Metric:
    made = GaugeMetricFamily(name, text, labels=labels)
    for key, value in rows.items():
        made.add_metric(list(key), value)
    return made


def _counter(name: str, text: str, labels: list[str], rows: dict[str, int]) -> Metric:
    made = CounterMetricFamily(name, text, labels=labels)
    for key, value in rows.items():
        made.add_metric([key], value)
    return made


def _node(report: dict[str, Any]) -> Iterable[Metric]:
    connected = float(report["connected"])
    alive = float(report["core"] == "alive")
    yield _gauge("popscope_agent_connected", "1: to the controller.", [], {(): connected})
    yield _gauge("popscope_agent_core_alive", "1: a core holds its lock.", [], {(): alive})
    revision, generation = report["revision"], report["generation"]
    yield _gauge("popscope_agent_revision", "The controller's, followed.", [], {(): revision})
    yield _gauge("popscope_agent_generation", "The core's, in force.", [], {(): generation})
    blocked: Rows = {(reason,): 1.0 for reason in report["blocked"]}
    yield _gauge("popscope_agent_blocked", "Why nothing is announced.", ["reason"], blocked)
    up: Rows = {(peer,): float(state == "Established") for peer, state in report["bgp"].items()}
    yield _gauge("popscope_agent_bgp_established", "BGP sessions.", ["peer"], up)
    routes: Rows = {(p,): float(state == "advertised") for p, state in report["routes"].items()}
    text = "Prefixes announced: 1 as usual, 0 as the last choice."
    yield _gauge("popscope_agent_route_advertised", text, ["prefix"], routes)
    found: Rows = {}
    for finding in report["findings"]:
        key, value = (finding["level"], finding["check"]), _SEVERITY[finding["severity"]]
        found[key] = max(found.get(key, 0), value)
    text = "Checks that are not well: 1 warning, 2 error."
    yield _gauge("popscope_agent_finding", text, ["level", "check"], found)


def _members(report: dict[str, Any]) -> Iterable[Metric]:
    members = {tuple(key.split("/")): member for key, member in report["health"].items()}
    up: Rows = {key: float(bool(member["up"])) for key, member in members.items()}
    serving: Rows = {key: float(member["in_service"]) for key, member in members.items()}
    labels = ["pool", "backend"]
    yield _gauge("popscope_agent_member_up", "1: its checks pass.", labels, up)
    yield _gauge("popscope_agent_member_in_service", "1: it gets traffic.", labels, serving)


async def serve(listen: str, collector: Collector) -> web.AppRunner:
    """Serve /metrics; the runner is to be cleaned up. Raises SettingsError, OSError."""
    host, _, port = listen.rpartition(":")
    if not host or not port.isdigit():
        raise SettingsError(f"metrics_listen: {listen!r} is not ADDRESS:PORT")
    registry = CollectorRegistry(auto_describe=False)
    registry.register(collector)

    async def metrics(_: web.Request) -> web.Response:
        return web.Response(body=generate_latest(registry), headers={"Content-Type": _TYPE})

    app = web.Application()
    app.router.add_get("/metrics", metrics)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, host.strip("[]"), int(port)).start()
    return runner
