"""The screen: who is looked at, what is wrong with it, and one view of it."""

from __future__ import annotations

import platform
import time
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from rich.cells import cell_len
from rich.text import Text

from exporters.top.figures import duration, packets, share, short
from exporters.top.health import Problem, problems, state_text
from exporters.top.help import HELP
from exporters.top.paint import ACCENT, ALARM, DIM, HEAD, WARN
from exporters.top.state import VIEWS, State
from exporters.top.summary import Totals, residual, totals, uptime_s
from exporters.top.views import Size, body, problem_line, wrapped
from exporters.top.watch import WRONG, Instance, Look

MARKS = {"live": "+", "stopped": ".", "gone": ".", "starting": "~"}
INSTANCE_LINES, PROBLEM_LINES = 3, 3


def draw(look: Look, state: State, size: Size, interval_s: float) -> list[Text]:
    """All lines of the screen, not more than its height, none wider than it."""
    if state.help:
        return _cut([Text(line) for line in HELP.splitlines()], Text(), size)
    chosen = selected(look, state)
    found = problems(chosen)
    head = [_title(look, state, size, interval_s), *_instances(chosen), _sums(chosen, state)]
    head += [_ledger(chosen), *_problems(found, size, len(look.instances) > 1), _tabs(state)]
    room = max(1, size.height - len(head) - 1)
    inner = body(chosen, state, found, Size(size.width, room))
    return _cut([*head, *inner], _foot(state), size)


def _cut(lines: list[Text], foot: Text, size: Size) -> list[Text]:
    """As many lines as there is room for, filled up, and the last one."""
    rows = size.height - 1
    shown = [*lines[:rows], *[Text()] * (rows - len(lines)), foot]
    for line in shown:
        line.truncate(size.width)
    return shown


def page(look: Look, state: State, size: Size) -> int:
    """About how many rows of a table are on the screen."""
    return max(1, size.height - 8 - min(len(look.instances), INSTANCE_LINES))


def selected(look: Look, state: State) -> Look:
    """What is left of a look when one instance is chosen."""
    if not state.instance:
        return look
    return replace(look, instances=tuple(i for i in look.instances if i.name == state.instance))


def _title(look: Look, state: State, size: Size, interval_s: float) -> Text:
    clock = time.strftime("%H:%M:%SZ", time.gmtime(look.time_ns / 1e9))
    who = f"instance {state.instance}" if state.instance else f"{len(look.instances)} instance"
    who += "s" if not state.instance and len(look.instances) != 1 else ""
    left = f"popscope top  {platform.node()}  {clock}  every {interval_s:g} s  {who}"
    right = "PAUSED" if state.paused else ""
    line = Text(left, HEAD)
    line.append(" " * max(2, size.width - cell_len(left) - len(right)))
    return line.append(right, ALARM)


def _instances(look: Look) -> list[Text]:
    """A line an instance, those in trouble first."""
    order = sorted(look.instances, key=lambda i: i.state not in WRONG)
    found = [_instance(i) for i in order[:INSTANCE_LINES]]
    if len(order) > INSTANCE_LINES:
        found[-1].append(f"  (and {len(order) - INSTANCE_LINES} more: key 7)", DIM)
    return found


def _instance(i: Instance) -> Text:
    wrong = i.state in WRONG
    line = Text().append("! " if wrong else MARKS[i.state] + " ", ALARM if wrong else ACCENT)
    line.append(i.name, HEAD).append(" ")
    if wrong or i.snapshot is None:
        return line.append(state_text(i), ALARM if wrong else "")
    line.append(i.state)
    node = i.pace.get("node")
    generation = node.value("config_generation") if node and len(node.values) else [np.nan]
    line.append(f", heartbeat {duration(i.silent_s)} ago, up {duration(uptime_s(i))}")
    line.append(f", config {short(generation[0])}, boot {i.snapshot.boot:016x}")
    return line


def _sums(look: Look, state: State) -> Text:
    each = [totals(i) for i in look.instances] or [Totals()]
    rx, tx = (
        _sum([t.rx for t in each], [t.rx_bits for t in each], state),
        _sum([t.tx for t in each], [t.tx_bits for t in each], state),
    )
    drop = _known([t.drop for t in each])
    line = Text(f"rx {rx}  tx {tx}  ")
    line.append(f"drop {short(drop)} pkt/s", WARN if drop > 0 else "")
    line.append(f"  conn {short(_known([t.connections for t in each]))}")
    name, top = max(
        zip([i.name for i in look.instances] or [""], each, strict=True),
        key=lambda pair: float(np.nan_to_num(pair[1].busiest, nan=-1.0)),
    )
    if not np.isnan(top.busiest):
        who = f" of {name}" if len(each) > 1 else ""
        line.append(f"  busiest: lcore {top.busiest_lcore}{who}, {share(top.busiest)}")
    return line


def _sum(rates: Sequence[float], bits: Sequence[float], state: State) -> str:
    of_bits = state.units == "bits"
    return f"{short(_known(bits if of_bits else rates))} {'bit/s' if of_bits else 'pkt/s'}"


def _known(values: Sequence[float]) -> float:
    known = [v for v in values if not np.isnan(v)]
    return sum(known) if known else float("nan")


def _ledger(look: Look) -> Text:
    read = [i for i in look.instances if i.snapshot]
    left = [r for i in read for r in residual(i).values()]
    if not read:
        return Text("ledger: nothing can be read", WARN)
    rows = sum(len(i.pace[s].values) for i in read for s in ("lcore", "vip") if s in i.pace)
    if not left:
        return Text(f"ledger: balanced, residual 0 packets in all {rows} rows (lcores and VIPs)")
    text = f"LEDGER DOES NOT BALANCE: {packets(sum(map(abs, left)))} in {len(left)} of {rows} rows"
    return Text(text, ALARM)


def _problems(found: Sequence[Problem], size: Size, several: bool) -> list[Text]:
    """The worst ones, a line each."""
    room = PROBLEM_LINES if size.height < 40 else 2 * PROBLEM_LINES
    told = any(p.is_state for p in found)
    found = [p for p in found if not p.is_state]  # the lines of the instances tell these
    shown, told_of = list[Text](), 0
    for p in found:
        lines = wrapped(problem_line(p, several), size.width)
        if shown and len(shown) + len(lines) > room:
            break
        shown, told_of = shown + lines, told_of + 1
    if len(found) > told_of:
        left = f"  (and {len(found) - told_of} more: key 7)"
        shown[-1].truncate(max(0, size.width - len(left)))
        shown[-1].append(left, DIM)
    return shown or [Text("nothing else is wrong" if told else "no problem found", DIM)]


def _tabs(state: State) -> Text:
    line = Text()
    for number, (name, title) in enumerate(VIEWS.items(), 1):
        chosen = name == state.view
        line.append(f"[{number} {title}]" if chosen else f" {number} {title} ", _tab(chosen))
    return line


def _tab(chosen: bool) -> str:
    return ACCENT if chosen else ""


def _foot(state: State) -> Text:
    if state.typing:
        return Text(f"filter: {state.filter}_", ACCENT).append(
            "  Enter keeps it, Esc clears it", DIM
        )
    if state.filter:
        line = Text(f'only rows with "{state.filter}"', ACCENT)
        return line.append("  / changes the filter, Esc clears it, q quits, ? help", DIM)
    return Text(
        "q quit  Tab 1-7 view  / filter  s r sort  u units  i instance  p pause  ? help", DIM
    )
