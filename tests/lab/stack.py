"""The services over the directors: exporters, the pipeline, Prometheus and Alertmanager."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from alerts.prometheus import Target
from tests.lab.alerting import Alerting, missing
from tests.lab.audit import SpoolCount
from tests.lab.errors import CommandError, ProcessError
from tests.lab.lab import Lab
from tests.lab.ports import HOST, Ports
from tests.lab.process import Process, wait_until
from tests.lab.sql import query
from tests.lab.webhook import Alert

POPSCOPE = str(Path(sys.executable).with_name("popscope"))
POP = "demo"
DRAIN_TRIES = 10


class Stack:
    """The pipeline, and an exporter a director (node = its name). Their data is in `lab.work`."""

    def __init__(self, lab: Lab, ports: Ports) -> None:
        self.lab = lab
        self.ports = ports
        self.pipeline = self._service("pipeline", ["pipeline", "run"], self._pipeline_config())
        self.exporters = {
            name: self._service(
                f"exporter-{name}", ["export", "run"], self._exporter_config(name, port)
            )
            for name, port in zip(lab.plan.directors, ports.exporters, strict=True)
        }
        self.alerting: Alerting | None = None
        self.spools = {name: SpoolCount(self.spool(name)) for name in lab.plan.directors}

    @property
    def services(self) -> list[Process]:
        """What must run all the time."""
        return [self.pipeline, *self.exporters.values()]

    def start(self) -> None:
        """Start all and wait until they answer."""
        self.launch()
        self.wait()

    def launch(self) -> None:
        """Start all; an exporter does not need the pipeline."""
        for process in self.services:
            process.start()

    def wait(self) -> None:
        """Wait until all answer."""
        self.wait_pipeline()
        for name in self.exporters:
            self.wait_exporter(name)

    def start_pipeline(self) -> None:
        """Start the pipeline and wait until it takes frames."""
        self.pipeline.start()
        self.wait_pipeline()

    def wait_pipeline(self) -> None:
        self.pipeline.wait_ready(lambda: answers(self.ports.pipeline, "/healthz"), 60)

    def start_exporter(self, name: str) -> None:
        self.exporters[name].start()

    def wait_exporter(self, name: str) -> None:
        """Wait until an exporter serves its metrics."""
        port = self.exporter_port(name)
        self.exporters[name].wait_ready(lambda: answers(port, "/metrics"), 60)

    def exporter_port(self, name: str) -> int:
        return self.ports.exporters[self.lab.plan.directors.index(name)]

    def spool(self, name: str) -> Path:
        return self.lab.work / "spool" / name

    def metrics(self, name: str) -> str:
        """The text of an exporter's /metrics."""
        return get(self.exporter_port(name), "/metrics")

    def rows_expected(self) -> int:
        """Rows in all frames that the exporters have spooled."""
        return sum(spool.poll() for spool in self.spools.values())

    def frames_expected(self) -> int:
        """Frames that the exporters have spooled."""
        self.rows_expected()
        return sum(len(spool.rows) for spool in self.spools.values())

    def frames_stored(self) -> int:
        """Frames that are in ClickHouse."""
        return int(query(self.ports.sql, "SELECT count() AS n FROM popscope.frames")[0]["n"])

    def finals_stored(self) -> int:
        """Boots whose last counts are in ClickHouse."""
        sql = "SELECT uniqExact(node, boot) AS n FROM popscope.instances WHERE final"
        return int(query(self.ports.sql, sql)[0]["n"])

    def drain(self, timeout_s: float = 30) -> None:
        """With all cores ended: wait for their last counts, end the exporters, see all stored.

        Raises ProcessError when something does not arrive.
        """
        boots = sum(len(d.segments()) for d in self.lab.directors.values())
        wait_until(
            lambda: self.finals_stored() >= boots, timeout_s, "the last counts of all cores in SQL"
        )
        for _ in range(DRAIN_TRIES):
            wait_until(self._all_stored, timeout_s, "every spooled frame in SQL")
            # An exporter that ends does not send its last frame any more; most often there is none.
            for exporter in self.exporters.values():
                exporter.signal(signal.SIGTERM)
            for exporter in self.exporters.values():
                exporter.wait(30)
            if self._all_stored():
                return
            for name in self.exporters:
                self.start_exporter(name)
        raise ProcessError("the exporters always ended with a frame that was not sent")

    def _all_stored(self) -> bool:
        return self.frames_stored() >= self.frames_expected()

    def start_alerting(self, say: Callable[[str], None]) -> None:
        """Start Prometheus and Alertmanager where they are installed; `say` what is not."""
        if packages := missing():
            say(f"no alerts: the Debian packages {', '.join(packages)} are not installed")
            return
        targets = tuple(
            Target(f"{HOST}:{self.exporter_port(name)}", POP, name) for name in self.exporters
        )
        ports = (self.ports.pipeline, self.ports.prometheus, self.ports.alertmanager)
        self.alerting = Alerting(self.lab, targets, *ports)
        self.alerting.start()

    @property
    def alerts(self) -> list[Alert]:
        """The alerts that were delivered."""
        return self.alerting.webhook.alerts if self.alerting else []

    def close(self) -> None:
        if self.alerting is not None:
            self.alerting.close()
        for spool in self.spools.values():
            spool.close()

    def ledger_verify(self) -> dict[str, Any]:
        """The report of `popscope ledger verify`, whether it proves the books or not.

        Raises CommandError when there is none.
        """
        url = f"http://{HOST}:{self.ports.sql}"
        argv = [POPSCOPE, "ledger", "verify", "--url", url, "--since", "1h", "--json"]
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
        if not done.stdout:
            raise CommandError(f"{' '.join(argv)}: {done.returncode}: {done.stderr.strip()}")
        report: dict[str, Any] = json.loads(done.stdout)
        return report

    def _service(self, name: str, argv: list[str], config: str) -> Process:
        path = self.lab.work / f"{name}.toml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(config)
        process = Process(
            name,
            [POPSCOPE, *argv, "--config", str(path)],
            self.lab.log(name),
            environment=self.lab.registry.environment,
        )
        return self.lab.own(process)

    def _pipeline_config(self) -> str:
        return toml(
            {
                "store": {"path": str(self.lab.work / "store")},
                "http": {"host": HOST, "port": self.ports.pipeline},
                "sql": {"host": HOST, "port": self.ports.sql},
            }
        )

    def _exporter_config(self, name: str, port: int) -> str:
        return toml(
            {
                "": {
                    "pop": POP,
                    "node": name,
                    "run_root": str(self.lab.directors[name].run_dir.parent),
                    "listen": f"{HOST}:{port}",
                },
                "spool": {"directory": str(self.spool(name))},
                "pipeline": {"url": f"http://{HOST}:{self.ports.pipeline}"},
            }
        )


def toml(sections: Mapping[str, Mapping[str, object]]) -> str:
    """A TOML document; the section "" has the keys before all sections."""
    lines: list[str] = []
    for section, values in sections.items():
        if section:
            lines.append(f"[{section}]")
        # JSON's strings, numbers, booleans and arrays are TOML's.
        lines += [f"{key} = {json.dumps(value)}" for key, value in values.items()]
    return "\n".join(lines) + "\n"


def get(port: int, path: str) -> str:
    """The text of a page of a service. Raises OSError."""
    with urllib.request.urlopen(f"http://{HOST}:{port}{path}", timeout=10) as answer:
        text: str = answer.read().decode()
        return text


def answers(port: int, path: str) -> bool:
    """Whether a service answers there with success."""
    try:
        get(port, path)
    except OSError:
        return False
    return True


def findings(report: dict[str, Any]) -> list[str]:
    """What `popscope ledger verify` found wrong, and what it could not tell."""
    checks = report["checks"]
    wrong = [f"{c['title']}: {text}" for c in checks if c["failed"] for text in c["findings"]]
    lost = [f"{c['title']}: lost: {text}" for c in checks for text in c.get("losses", ())]
    unknown = [f"{c['title']}: cannot tell: {c['unknown']}" for c in checks if c["unknown"]]
    return wrong + lost + unknown
