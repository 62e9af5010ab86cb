"""What the demo comes to: the figures of build/demo.json, and whether they are as they must be."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from lb.catalogue import load
from tests.demo.story import Story
from tests.lab import audit
from tests.lab.errors import LabError
from tests.lab.sql import query
from tests.lab.stack import Stack, findings

DROPS_ALERT = "PopscopePacketsDropped"
# Scrapes, rules and deliveries come once a second each; a busy machine needs more than that.
ALERT_WITHIN_S = 20


@dataclass(frozen=True, slots=True)
class Check:
    """Something that must hold, and what was found."""

    name: str
    holds: bool
    found: str


def figures(story: Story) -> dict[str, Any]:
    """Everything that is known when all has been stored."""
    snapshots = audit.last_snapshots(
        path for director in story.lab.directors.values() for path in director.segments()
    )
    counted = audit.segment_totals(snapshots)
    stored = audit.stored_totals(story.stack.ports.sql)
    load = story.load.report
    killed_at = story.killed_at
    survivors = [
        d for d in story.load.downloads if killed_at and d.started < killed_at < d.ended and d.whole
    ]
    return {
        "hugepages": story.lab.options.hugepages,
        "packets_rx": stored["lcore.rx_packets"],
        "packets_tx": stored["lcore.tx_packets"],
        "drops": audit.drops(stored),
        "injected": dict(story.injected),
        "ledger_residual": audit.ledger_residual(snapshots),
        "http_requests": load.get("requests", 0) + load.get("downloads", 0),
        "http_failures": load.get("failures", 0),
        "http_failure_reasons": load.get("reasons", {}),
        "http_skipped": load.get("skipped", 0),
        "http_latency_ms_p95": load.get("latency_ms_p95"),
        "http_bytes": load.get("bytes", 0),
        "backends": load.get("backends", {}),
        "long_downloads": load.get("downloads", 0),
        "downloads_in_flight_at_kill": story.in_flight_at_kill,
        "downloads_survived_kill": len(survivors),
        "connections_picked_up": stored["lcore.picked_up_connections"],
        "rows_stored": audit.rows_stored(story.stack.ports.sql),
        "rows_expected": story.stack.rows_expected(),
        "frames_stored": story.stack.frames_stored(),
        "frames_expected": story.stack.frames_expected(),
        "freshness_ms_p95": freshness(story.stack.ports.sql, story.started_at),
        "drop_to_sql_ms": story.drop_to_sql_ms,
        "drop_to_alert_ms": drop_to_alert_ms(story),
        "alerts": [asdict(a) for a in story.stack.alerts],
        "counters_compared": len(counted),
        "counter_differences": audit.differences(counted, stored),
        "boots": len(snapshots),
        "ledger_verify": ledger_verify(story.stack),
        "events": [asdict(e) for e in story.narrator.events],
    }


def freshness(sql_port: int, since: float) -> float:
    """95th percentile of the time from a snapshot to its commit, ms, since a unix time."""
    age = "toUnixTimestamp64Milli(stored_at) - toUnixTimestamp64Milli(ts)"
    sql = f"SELECT quantileExact(0.95)({age}) AS p95 FROM popscope.frames"
    where = f"WHERE toUnixTimestamp64Milli(ts) >= {since * 1e3:.0f}"
    return float(query(sql_port, f"{sql} {where}")[0]["p95"] or 0)


def drop_to_alert_ms(story: Story) -> int | None:
    """From the injection to the delivery of the alert about it."""
    at = story.injected_at
    received = [a.received for a in story.stack.alerts if a.name == DROPS_ALERT]
    return round((min(received) - at) * 1e3) if at and received else None


def ledger_verify(stack: Stack) -> dict[str, Any]:
    """What the pipeline's own proof says: whether it is proven, and what is wrong."""
    try:
        report = stack.ledger_verify()
    except LabError as error:
        return {"proven": False, "findings": [str(error)]}
    checks = {check["name"]: check["examined"] for check in report["checks"]}
    return {"proven": report["proven"], "examined": checks, "findings": findings(report)}


def checks(story: Story, found: dict[str, Any]) -> Iterator[Check]:
    """What must hold at the end of any demo, and of the scenes that were played."""
    yield Check(
        "every packet accounted for (ledger residual 0)",
        found["ledger_residual"] == 0,
        f"{found['ledger_residual']} packets unaccounted for",
    )
    yield Check(
        "the segments and ClickHouse agree in every counter",
        not found["counter_differences"],
        f"{found['counters_compared']} counters of {found['boots']} boots compared, "
        f"{len(found['counter_differences'])} differ {found['counter_differences'] or ''}",
    )
    yield Check(
        "`popscope ledger verify` proves it",
        found["ledger_verify"]["proven"],
        "; ".join(found["ledger_verify"]["findings"]) or "proven",
    )
    yield Check(
        "every row that was spooled is stored, once",
        found["rows_stored"] == found["rows_expected"],
        f"{found['rows_stored']:,} stored, {found['rows_expected']:,} expected",
    )
    yield Check(
        "no request failed",
        found["http_failures"] == 0 and found["http_requests"] > 0,
        f"{found['http_requests']:,} requests, {found['http_failures']} failed "
        f"{found['http_failure_reasons'] or ''}",
    )
    yield from _story_checks(story, found)


def _story_checks(story: Story, found: dict[str, Any]) -> Iterator[Check]:
    if story.injected:
        dropped = {reason: found["drops"].get(reason, 0) for reason in story.injected}
        yield Check(
            "injected packets are dropped under their reasons, all of them",
            dropped == dict(story.injected),
            ", ".join(f"{reason} {n}" for reason, n in sorted(dropped.items())),
        )
    if story.alert_due(ALERT_WITHIN_S):
        yield Check(
            "the alert about them was delivered",
            found["drop_to_alert_ms"] is not None,
            f"{found['drop_to_alert_ms']} ms after they were sent",
        )
    if story.killed_at is not None:
        yield Check(
            "downloads in flight survived the kill",
            found["downloads_survived_kill"] >= found["downloads_in_flight_at_kill"],
            f"{found['downloads_survived_kill']} of {found['downloads_in_flight_at_kill']}",
        )


def balance(found: dict[str, Any], story: Story) -> list[tuple[str, str]]:
    """The table that is printed at the end."""
    stored = audit.stored_totals(story.stack.ports.sql)
    terms = {
        term: sum(stored.get(f"lcore.{c.id}", 0) for c in load().ledger(term))
        for term in ("rx", "originated", "tx", "drop", "consumed")
    }
    drops = ", ".join(f"{reason} {n:,}" for reason, n in sorted(found["drops"].items()))
    return [
        ("received", f"{terms['rx']:,}"),
        ("originated (ARP, ICMP)", f"{terms['originated']:,}"),
        ("sent", f"{terms['tx']:,}"),
        ("consumed (ARP, ICMP)", f"{terms['consumed']:,}"),
        ("dropped", f"{terms['drop']:,}: {drops}"),
        ("unaccounted for", f"{found['ledger_residual']}"),
        ("HTTP", f"{found['http_requests']:,} requests, {found['http_failures']} failed"),
        ("long downloads", f"{found['long_downloads']}"),
        ("connections picked up", f"{found['connections_picked_up']:,}"),
        ("rows in ClickHouse", f"{found['rows_stored']:,}"),
        ("snapshot to commit, p95", f"{found['freshness_ms_p95']:.0f} ms"),
    ]
