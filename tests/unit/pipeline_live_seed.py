"""A store with a story in it, for tests of the live page: written with SQL alone.

Two nodes of two lcores each, three VIPs, three backends. `d1` restarts with a new configuration
RESTARTED seconds before the end; in the last DROPPING seconds its second lcore drops packets,
because the neighbour of backend `b3` does not resolve.
"""

from __future__ import annotations

from pipeline.migrate import migrate
from pipeline.store.embedded import EmbeddedStore

RESTARTED = 200
DROPPING = 60

_ROWS = """
WITH {end:Int64} - number AS second, {end:Int64} - second AS ago
SELECT fromUnixTimestamp64Milli(second * 1000 + 20, 'UTC') AS ts, 'ams' AS pop, node,
       'lb' AS instance, toUInt64(if(node = 'd1' AND ago < {restarted:Int64}, 20, 10)) AS boot,
       1000 AS interval_ms,
       toUInt64(if(node = 'd1' AND ago < {restarted:Int64}, 7, 6)) AS generation,
       toUInt64(900000 - ago) AS seq
FROM numbers({seconds:UInt32}) ARRAY JOIN ['d1', 'd2'] AS node
"""
_LCORES = f"""
INSERT INTO popscope.lcore_1s (ts, pop, node, instance, boot, interval_ms, seq, stream, commit,
  lcore, rx_packets, tx_packets, rx_bytes, tx_bytes, busy_cycles, idle_cycles, config_generation,
  drop_neighbour_unresolved, drop_arp_not_for_us, originated_arp_request, held_neighbour_queue,
  active_connections, max_connections)
WITH toUnixTimestamp(ts) AS second, {{end:Int64}} - second AS ago,
     cityHash64(second, node, lcore) % 900 AS jitter,
     toUInt64(20000 + 8000 * sin(second / 40) + 2000 * (lcore = '1') + jitter) AS rx,
     node = 'd1' AND lcore = '2' AND ago < {{dropping:Int64}} AS dropping,
     toUInt64(if(dropping, 800 + second % 50, 0)) AS lost,
     toUInt64(second % 30 = 0) AS noise,
     toUInt64(20 * (second % 10 = 0)) AS held, toInt64(20 * ((second - 1) % 10 = 0)) AS before,
     toUInt64(2e9) AS cycles, toUInt64(rx * 55000) AS busy
SELECT ts, pop, node, instance, boot, interval_ms, seq, 1, seq, lcore,
  rx, toUInt64(toInt64(rx) - lost - noise + 1 - (toInt64(held) - before)), rx * 700, rx * 690,
  least(busy, cycles), cycles - least(busy, cycles), generation, lost, noise, 1, held, 4000, 1048576
FROM ({_ROWS}) ARRAY JOIN ['1', '2'] AS lcore
"""
_VIPS = f"""
INSERT INTO popscope.vip_1s (ts, pop, node, instance, boot, interval_ms, seq, stream, commit,
  vip, address, port, protocol, rx_packets, rx_bytes, tx_packets, dropped_packets,
  created_connections, active_connections)
SELECT ts, pop, node, instance, boot, interval_ms, seq, 1, seq, v.1, v.2, v.3, 'tcp',
  9000 * v.4, 6300000 * v.4, 9000 * v.4, if(v.1 = 'web-443', 820, 0), 120 * v.4, 2000 * v.4
FROM ({_ROWS}) ARRAY JOIN [('web-80', '198.51.100.1', '80', 1),
  ('web-443', '198.51.100.1', '443', 3), ('dns-53', '198.51.100.2', '53', 2)] AS v
WHERE ts > fromUnixTimestamp64Milli(({{end:Int64}} - 30) * 1000, 'UTC')
"""
_BACKENDS = f"""
INSERT INTO popscope.backend_1s (ts, pop, node, instance, boot, interval_ms, seq, stream, commit,
  pool, backend, address, tx_packets, tx_bytes, dropped_packets, created_connections,
  active_connections)
SELECT ts, pop, node, instance, boot, interval_ms, seq, 1, seq, 'web', b.1, b.2,
  11000 * b.3, 7700000 * b.3, if(b.1 = 'b3', 820, 0), 150 * b.3, 2400 * b.3
FROM ({_ROWS}) ARRAY JOIN [('b1', '10.77.1.21', 2), ('b2', '10.77.1.22', 2),
  ('b3', '10.77.1.23', 1)] AS b
WHERE ts > fromUnixTimestamp64Milli(({{end:Int64}} - 30) * 1000, 'UTC')
"""
_NODES = f"""
INSERT INTO popscope.node_1s (ts, pop, node, instance, boot, interval_ms, seq, stream, commit,
  config_generation)
SELECT ts, pop, node, instance, boot, interval_ms, seq, 1, seq, generation FROM ({_ROWS})
"""
_INSTANCES = f"""
INSERT INTO popscope.instances (ts, pop, node, instance, boot, state, age_ms, start, seq,
  stream, commit)
SELECT ts, pop, node, instance, boot, 'live', 80,
  toDateTime64({{end:Int64}} - if(boot = 20, {{restarted:Int64}}, 90000), 3, 'UTC'), seq, 1, seq
FROM ({_ROWS})
"""
_FRAMES = f"""
INSERT INTO popscope.frames (stream, seq, exporter, pop, node, ts, interval_ms, commit)
SELECT cityHash64(node), seq, concat(pop, '/', node), pop, node, ts, interval_ms, seq FROM ({_ROWS})
"""

_EVENTS = """
INSERT INTO popscope.events (ts, pop, node, kind, subject, state, reason, detail)
SELECT fromUnixTimestamp64Milli(({end:Int64} - e.1) * 1000), 'ams', 'd1', e.2, e.3, e.4, e.5, e.6
FROM (SELECT arrayJoin([
  (90, 'health', 'web/b3', 'down', 'probe_timeout', 'no answer in 1 s, 3 times'),
  (80, 'health', 'web/b1', 'up', 'still', ''), (70, 'bgp', '192.0.2.1', 'established', 'still', ''),
  (60, 'alert', 'PopscopePacketsDropped lcore=2', 'firing', 'warning', 'd1 drops 800 packets/s'),
  (50, 'alert', 'PopscopeGone', 'resolved', 'warning', '')]) AS e)
"""


def seed(store: EmbeddedStore, end: int, seconds: int = 600) -> None:
    """Fill a store with the `seconds` up to Unix time `end`; the ledger law holds in every row."""
    migrate(store)
    parameters = {"end": str(end), "seconds": str(seconds), "restarted": str(RESTARTED)}
    parameters["dropping"] = str(DROPPING)
    told = (_EVENTS,) if seconds > DROPPING else ()
    for statement in (_LCORES, _VIPS, _BACKENDS, _NODES, _INSTANCES, _FRAMES, *told):
        store.query(statement, "Null", parameters)
