"""Whether the machine is fit to be announced."""

from __future__ import annotations

import ctypes
import os
import re
from pathlib import Path

from lb.control.findings import Finding, judged
from lb.control.plan.topology import Topology, ranges, read
from lb.control.plan.verify import allowed, strangers

_UNSYNCHRONISED = 5  # TIME_ERROR of adjtimex(2)
_TIMEX_BYTES = 256
_DISK_LEAST = 64 << 20
_SHOWN = 5


def disk(folder: Path) -> Finding:
    """Whether the agent can keep its state."""
    found = os.statvfs(folder)
    free = found.f_bavail * found.f_frsize
    evidence = f"{folder}: {free >> 20} MB free"
    return judged("disk", free >= _DISK_LEAST, evidence, "free some space there")


def clock() -> Finding:
    """Whether the kernel believes its clock to be synchronised."""
    state = ctypes.CDLL(None).adjtimex(ctypes.create_string_buffer(_TIMEX_BYTES))
    good = state not in (-1, _UNSYNCHRONISED)
    evidence = "synchronised" if good else "the kernel says: not synchronised"
    return judged("clock", good, evidence, "run chrony or systemd-timesyncd", severity="warning")


def core_pid(lock: Path, locks: Path = Path("/proc/locks")) -> int:
    """The process that holds a core's lock; 0 for none."""
    try:
        inode = lock.stat().st_ino
        text = locks.read_text()
    except OSError:
        return 0
    found = re.search(rf"FLOCK\s+ADVISORY\s+WRITE (\d+) \S+:{inode} ", text)
    return int(found[1]) if found else 0


def hugepages(pid: int, root: Path = Path("/")) -> Finding:
    """Whether the core has any."""
    text = (root / f"proc/{pid}/status").read_text()
    found = re.search(r"^HugetlbPages:\s+(\d+) kB", text, re.MULTILINE)
    megabytes = int(found[1]) >> 10 if found else 0
    return judged(
        "hugepages",
        megabytes > 0,
        f"the core has {megabytes} MB in hugepages",
        "reserve some (`popscope lb plan`), and start the core with --hugepages on",
        severity="warning",
    )


def pinned(pid: int, root: Path = Path("/")) -> list[int]:
    """The CPUs of the core's lcores: threads that may run on one CPU only."""
    cpus = [allowed(task) for task in sorted((root / f"proc/{pid}/task").glob("[0-9]*"))]
    return [min(found) for found in cpus if len(found) == 1]


def cpus(pid: int, root: Path = Path("/")) -> list[Finding]:
    """Whether lcores have CPUs, and cores, of their own."""
    lcores = pinned(pid, root)
    own = frozenset(lcores)
    topology: Topology = read(root)
    siblings = [core.cpus for core in topology.cores if len(own & set(core.cpus)) > 1]
    shared = sorted({cpu for cpu in lcores if lcores.count(cpu) > 1})
    others = strangers(own, root, pid)
    more = f" and {len(others) - _SHOWN} more" if len(others) > _SHOWN else ""
    plan = "`popscope lb plan --write /` chooses CPUs and holds everything else off them"
    return [
        judged(
            "isolation",
            bool(own) and not others and not shared,
            f"lcores on CPUs {ranges(own) or 'unpinned'}"
            + (f"; several on {ranges(frozenset(shared))}" if shared else "")
            + (f"; also there: {'; '.join(others[:_SHOWN])}{more}" if others else ""),
            plan,
            severity="warning",
        ),
        judged(
            "hyper_threads",
            not siblings,
            f"lcores share cores: {siblings}" if siblings else "each lcore has a core",
            plan,
            severity="warning",
        ),
    ]


def link(device: str, root: Path = Path("/")) -> Finding:
    """Whether the kernel's device on the backends' link is up."""
    if not device:
        return Finding(
            "link",
            "warning",
            "no check_device is set: nothing on the link is checked",
            "give the agent a kernel interface on the backends' link",
        )
    file = root / "sys/class/net" / device / "operstate"
    state = file.read_text().strip() if file.exists() else "not there"
    return judged("link", state == "up", f"{device} is {state}", f"ip link set {device} up")
