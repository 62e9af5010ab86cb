"""The demo's story, without a laboratory."""

from __future__ import annotations

import re
from io import StringIO
from unittest.mock import Mock

from rich.console import Console

from tests.demo.narrator import Narrator
from tests.demo.story import Story
from tests.demo.supervisor import Supervisor
from tests.demo.watch import Sight, Watch
from tests.lab.lab import Lab
from tests.lab.stack import Stack
from tests.lab.traffic import Load


def test_spools_are_read_while_time_passes() -> None:
    # A file that was sent is removed after ten minutes: at the end it would be too late.
    lab, stack, load, watch = (Mock(spec=kind) for kind in (Lab, Stack, Load, Watch))
    lab.routed, stack.alerts, load.report = ["d1"], [], {}
    watch.look.return_value = Sight(rx=1, tx=1, drops=0, picked_up=0, residual=0)
    story = Story(
        lab, stack, Mock(spec=Narrator), load, 0, lambda: False, watch, Mock(spec=Supervisor)
    )
    story.show(0)
    story.show(0)
    assert stack.rows_expected.call_count == 2


def test_the_status_on_a_terminal_begins_where_events_do() -> None:
    out = StringIO()
    console = Console(file=out, force_terminal=True, color_system=None, width=80, highlight=False)
    with Narrator(console) as narrator:
        narrator.tell("event", "an event")
        narrator.status("one", "two")
    lines = re.sub(r"\x1b\[[?0-9;]*[A-Za-z]", "", out.getvalue()).replace("\r", "\n").splitlines()
    places = {
        word: line.index(word)
        for word in ("an event", "one", "two")
        for line in lines
        if word in line
    }
    assert places == {"an event": 10, "one": 10, "two": 10}
