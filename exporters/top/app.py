"""Looks, draws, and does what the keys say, until it is to end."""

from __future__ import annotations

import time
from dataclasses import replace

from exporters.top.screen import draw, page
from exporters.top.state import State, press
from exporters.top.terminal import Terminal
from exporters.top.watch import Look, Node

FIRST_S = 0.25  # so that rates come soon


def run(node: Node, first: Look, state: State, interval_s: float) -> None:
    """Watch a node until `q`, a signal, or the end of the input."""
    look = shown = first
    due = time.monotonic() + min(FIRST_S, interval_s)
    with Terminal() as terminal:
        while not (state.quit or terminal.ended):
            size = terminal.size
            terminal.draw(draw(shown, state, size, interval_s))
            for key in terminal.keys(max(0.0, due - time.monotonic())):
                if key == "redraw":
                    terminal.redraw()
                names = [i.name for i in shown.instances]
                state = press(state, key, names, page(shown, state, size))
            now = time.monotonic()
            if now >= due:
                look = node.look()
                due += interval_s * (1 + (now - due) // interval_s)
            shown = shown if state.paused else look
            if state.instance and state.instance not in [i.name for i in shown.instances]:
                state = replace(state, instance="")
