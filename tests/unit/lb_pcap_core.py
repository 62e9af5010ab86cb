"""A real core that reads its packets from a capture file: no namespace, no privileges."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType

from lb.built import program
from lb.capture import Pcap
from tests.lab.packets import Target
from tests.unit.lb_fake_core import CONFIG

# net_pcap gives its first port this address.
TARGET = Target(mac=bytes.fromhex("027063617000"), own="10.77.1.11", vip="198.51.100.1", port=80)


class PcapCore:
    """Runs in a `with`, or until `kill`. `again`: the packets come again and again."""

    def __init__(self, folder: Path, packets: Iterable[bytes], again: bool = False) -> None:
        self.run_dir = folder / "core"
        self._prefix = f"pcapcore{os.getpid()}"
        config = folder / "lb.json"
        config.write_text(json.dumps(CONFIG))
        with (folder / "in.pcap").open("wb") as file:
            capture = Pcap(file)
            for packet in packets:
                capture.write(0, packet, len(packet), "", "")
        pcap = f"net_pcap0,rx_pcap={folder / 'in.pcap'},tx_pcap={folder / 'out.pcap'}"
        pcap += ",infinite_rx=1" if again else ""
        self._argv = [
            *(str(program("popscope-core")), "--instance", "pcap"),
            *("--run-dir", str(self.run_dir), "--config", str(config)),
            *("--idle-polls", "1", "--max-connections", "1024", "--", "--no-pci", "--no-huge"),
            *("-m", "96", f"--file-prefix={self._prefix}", "--no-telemetry", "--log-level=4"),
            *("--lcores", "(0-1)@(0)", f"--vdev={pcap}"),
        ]

    def __enter__(self) -> PcapCore:
        self._process = subprocess.Popen(self._argv, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout
        assert "ready" in self._process.stdout.readline()
        return self

    def kill(self) -> None:
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.kill()
        self._process.communicate()
        for root in ("/var/run", os.environ.get("XDG_RUNTIME_DIR", "/nonexistent")):
            shutil.rmtree(Path(root) / "dpdk" / self._prefix, ignore_errors=True)
