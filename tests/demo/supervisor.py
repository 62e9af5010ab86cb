"""What a real site has and the demo's visitors may try: failure detection, and a supervisor.

A director that somebody kills is taken out of the router's ECMP group and comes back; a service
that somebody kills is started again. What ends in another way is a fault of ours and ends the demo.
"""

from __future__ import annotations

import signal
import time
from dataclasses import dataclass, field

from tests.demo.narrator import Narrator
from tests.lab.errors import LabError
from tests.lab.lab import Lab
from tests.lab.process import Process
from tests.lab.stack import Stack

DIRECTOR_BACK_S = 5.0
KILLED = -signal.SIGKILL


@dataclass(slots=True)
class Supervisor:
    """Looks after directors that are routed to, and services. `lost`: when a director was lost."""

    lab: Lab
    stack: Stack
    narrator: Narrator
    lost: dict[str, float] = field(default_factory=dict)

    def look(self) -> None:
        """Do what is to be done now. Raises LabError when something ended that nobody killed."""
        for name in list(self.lab.routed):
            process = self.lab.directors[name].process
            if not process.running:
                self._lose(name, process)
        for name, since in list(self.lost.items()):
            if time.monotonic() > since + DIRECTOR_BACK_S:
                self._bring_back(name)
        for process in self.stack.services:
            if not process.running:
                require_killed(process)
                process.start()
                text = f"{process.name} was killed; it is started again and goes on where it was"
                self.narrator.tell("service-lost", text)

    def _lose(self, name: str, process: Process) -> None:
        self.lab.route([other for other in self.lab.routed if other != name])
        require_killed(process)
        self.lost[name] = time.monotonic()
        self.narrator.tell(
            "director-lost", f"director {name} was killed; the router sends it nothing any more"
        )

    def _bring_back(self, name: str) -> None:
        del self.lost[name]
        self.lab.restart(name)
        self.lab.route([d for d in self.lab.plan.directors if d in (name, *self.lab.routed)])
        self.narrator.tell("director-back", f"director {name} is back and in the ECMP group again")


def require_killed(process: Process) -> None:
    """Raise LabError for a process that has ended, unless somebody killed it."""
    code = process.popen.returncode if process.popen else None
    if code != KILLED:
        raise LabError(f"{process.name} ended by itself, exit code {code}; see {process.log}")
