"""The agent's settings."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from lb.control.model.base import Name, Spec
from lb.core_client import RUN_ROOT

ENVIRONMENT = "POPSCOPE_AGENT"


class Settings(Spec):
    """Of one agent: of one node and its core.

    `controller` is the API's URL, "" for none: then the agent works from its cache for ever.
    `check_device` is a kernel interface on the backends' link, for checks of VIPs; "" for none:
    then checks go to the backends' own addresses. `leave_s` is how long routes are announced as the
    last choice before they are withdrawn. `metrics_listen` is where /metrics is, "" for nowhere.
    """

    node: Name
    instance: Name = "lb"
    run_root: Path = RUN_ROOT
    state_directory: Path = Path("/var/lib/popscope/agent")
    controller: str = ""
    token_file: Path | None = None
    ca_file: Path | None = None
    certificate: Path | None = None
    private_key: Path | None = None
    check_device: str = ""
    check_ipv6: bool = True
    scripts: Path = Path("/etc/popscope/checks")
    metrics_listen: str = "127.0.0.1:9110"
    leave_s: float = Field(default=5, ge=0, le=600)
    events_bytes: int = Field(default=16 << 20, ge=1 << 16)

    @property
    def run_dir(self) -> Path:
        """The core's own folder; the agent's socket is in it, too."""
        return self.run_root / self.instance
