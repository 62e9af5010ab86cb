-- What the control plane decided or saw, one row a change: health of backends, BGP sessions, routes of
-- VIPs, drains, configurations. Annotations of dashboards and alerts read it.
--   kind      health | bgp | route | drain | config | alert
--   subject   what it is about: pool/backend, the peer's address, the VIP's prefix, a generation
--   state     up, down, draining, established, idle, advertised, withdrawn, applied, rejected, ...
--   reason    one word, for filters: probe_timeout, operator, hold_timer, ...; detail is for people
-- Whoever writes says a state again at least once an hour, with the reason `still`, so that the last
-- two hours hold the state of everything that exists.
CREATE TABLE IF NOT EXISTS popscope.events (
    ts DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
    pop LowCardinality(String),
    node LowCardinality(String),
    kind LowCardinality(String),
    subject String CODEC(ZSTD(1)),
    state LowCardinality(String),
    reason LowCardinality(String),
    detail String CODEC(ZSTD(1))
)
ENGINE = MergeTree
PARTITION BY toDate(ts)
ORDER BY (kind, pop, node, subject, ts)
TTL toDateTime(ts) + toIntervalDay(90)
SETTINGS ttl_only_drop_parts = 1;
