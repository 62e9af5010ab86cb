"""A node as Prometheus sees it: recorded series, so that a dashboard costs little."""

from __future__ import annotations

from dashboards.model import ANY_IS_BAD, OK, Heat, Lines, Panel, Stat, Threshold

CHOSEN = 'pop=~"$pop", node=~"$node"'
LOSS = (OK, Threshold(0.0001, "orange"), Threshold(0.01, "red"))


def _panel(
    number: int, title: str, question: str, queries: dict[str, str], draw: Lines | Stat | Heat,
    unit: str = "short", width: int = 12, height: int = 8,
) -> Panel:  # fmt: skip
    chosen = {legend: expr.replace("{}", f"{{{CHOSEN}}}") for legend, expr in queries.items()}
    return Panel(
        id=number, title=title, question=question, sql="", promql=tuple(chosen.items()),
        draw=draw, unit=unit, width=width, height=height,
    )  # fmt: skip


def alive() -> Panel:
    return _panel(
        1000, "Cores not live", "How many cores are dead, as their exporters see them?",
        {"dead": "count(popscope_instance_up{} == 0) or vector(0)"},
        Stat(ANY_IS_BAD), width=6, height=4,
    )  # fmt: skip


def heartbeat() -> Panel:
    return _panel(
        1001, "Oldest heartbeat", "How long ago did the quietest core give a sign?",
        {"age": "max(popscope_instance_heartbeat_age_seconds{})"},
        Stat((OK, Threshold(5, "orange"), Threshold(30, "red"))), "s", 6, 4,
    )  # fmt: skip


def residual() -> Panel:
    return _panel(
        1002, "Ledger residual", "Is there a packet whose fate no lcore can tell?",
        {"residual": "max(abs(popscope_lcore_ledger_residual_packets{}))"},
        Stat(ANY_IS_BAD), width=6, height=4,
    )  # fmt: skip


def loss() -> Panel:
    return _panel(
        1003, "Loss", "What share of the received packets is dropped, on the worst node?",
        {"loss": "max(node:popscope_loss:ratio_rate1m{})"},
        Stat(LOSS), "percentunit", 6, 4,
    )  # fmt: skip


def packets() -> Panel:
    return _panel(
        1010, "Packets", "How many packets come in and go out? Sent is drawn below the axis.",
        {
            "{{node}} received": "node:popscope_rx_packets:rate1m{}",
            "{{node}} sent": "node:popscope_tx_packets:rate1m{}",
        },
        Lines(mirrored="/ sent$/"), "pps",
    )  # fmt: skip


def bits() -> Panel:
    return _panel(
        1011, "Bits", "How many bits come in and go out? Sent is drawn below the axis.",
        {
            "{{node}} received": "node:popscope_rx_bytes:rate1m{} * 8",
            "{{node}} sent": "node:popscope_tx_bytes:rate1m{} * 8",
        },
        Lines(mirrored="/ sent$/"), "bps",
    )  # fmt: skip


def drops() -> Panel:
    return _panel(
        1012, "Drops by reason", "Which reason takes packets, and since when?",
        {"{{reason}}": "sum by (reason) (node_reason:popscope_dropped_packets:rate1m{}) > 0"},
        Lines(stacked=True), "pps",
    )  # fmt: skip


def busy() -> Panel:
    return _panel(
        1013, "Busy share of each lcore", "Which lcore is short of time, and when?",
        {"{{node}} {{lcore}}": "lcore:popscope_busy:ratio_rate1m{}"},
        Lines(maximum=1), "percentunit",
    )  # fmt: skip


def connections() -> Panel:
    return _panel(
        1014, "Connections", "How many connections are tracked?",
        {"{{node}}": "node:popscope_connections:sum{}"}, Lines(stacked=True),
    )  # fmt: skip


def occupancy() -> Panel:
    return _panel(
        1015, "Occupancy of the fullest table", "How near is a worker's table to being full?",
        {"{{node}}": "node:popscope_connection_table:max_ratio{}"},
        Lines(maximum=1), "percentunit",
    )  # fmt: skip


def vips() -> Panel:
    return _panel(
        1016, "Packets received by VIP", "Which VIP's traffic rose or fell?",
        {"{{vip}}": "sum by (vip) (vip:popscope_rx_packets:rate1m{})"},
        Lines(stacked=True), "pps",
    )  # fmt: skip


def backends() -> Panel:
    return _panel(
        1017, "Packets sent by backend", "Did traffic move from one backend to another?",
        {"{{pool}} {{backend}}": "sum by (pool, backend) (backend:popscope_tx_packets:rate1m{})"},
        Lines(stacked=True), "pps",
    )  # fmt: skip


def queues() -> Panel:
    return _panel(
        1018, "Packets by queue", "Does the device spread packets evenly over its queues?",
        {"{{node}} {{port}} {{queue}}": "queue:popscope_rx_packets:rate1m{}"},
        Lines(), "pps",
    )  # fmt: skip


def spool() -> Panel:
    return _panel(
        1019, "Frames that wait in the spool", "Does the exporter get rid of its frames?",
        {"{{node}}": "sum by (pop, node) (popscope_exporter_spool_waiting_frames{})"},
        Lines(),
    )  # fmt: skip
