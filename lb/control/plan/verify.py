"""Whether a running system is as planned."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from lb.control.findings import Finding
from lb.control.plan.layout import Layout
from lb.control.plan.render import OTHERS
from lb.control.plan.topology import Topology, parse_ranges, ranges

_KERNEL_THREAD = 0x00200000  # PF_KTHREAD
_FLAGS_FIELD = 6  # of /proc/PID/stat, counted from behind the name
_SHOWN = 5


def verify(topology: Topology, layout: Layout, root: Path = Path("/")) -> list[Finding]:
    """Compare hugepages, slices, and what may run on forwarding CPUs with the plan."""
    return [_pages(topology, layout), *_slices(topology, layout, root), _strangers(layout, root)]


def _pages(topology: Topology, layout: Layout) -> Finding:
    if layout.node not in topology.gigabyte_pages:
        return Finding(
            "hugepages",
            "error",
            f"node {layout.node} offers no pages of 1 GiB",
            "the CPU (flag pdpe1gb) or the kernel does not support them: use 2 MiB pages",
        )
    there, wanted = topology.gigabyte_pages[layout.node], layout.gigabyte_pages
    seen = f"node {layout.node} has {there} of {wanted} pages of 1 GiB"
    if there >= wanted:
        return Finding("hugepages", "ok", seen)
    remedy = (
        "enable popscope-hugepages.service and reboot: later, memory is too fragmented; or boot "
        f"with hugepagesz=1G hugepages={layout.node}:{wanted}"
    )
    return Finding("hugepages", "error", seen, remedy)


def _slices(topology: Topology, layout: Layout, root: Path) -> Iterator[Finding]:
    wanted = {name: (layout.system, "within") for name in OTHERS}
    wanted["popscope.slice/popscope-core.slice"] = (layout.core, "equal")
    for name, (cpus, how) in wanted.items():
        file = root / "sys/fs/cgroup" / name / "cpuset.cpus.effective"
        check = f"slice {name.rpartition('/')[2]}"
        if not file.exists():
            # Without anything in it, a slice of others is not there, and takes no CPU.
            if how == "equal":
                yield Finding(
                    check, "error", f"{file} is not there", "install the slices, start the core"
                )
            continue
        found = parse_ranges(file.read_text())
        seen = f"CPUs {topology.ranges(found & topology.cpus)}"
        good = found <= cpus if how == "within" else found == cpus
        remedy = f"AllowedCPUs={topology.ranges(cpus)}, then systemctl daemon-reload"
        yield Finding(check, "ok" if good else "error", seen, "" if good else remedy)


def _strangers(layout: Layout, root: Path) -> Finding:
    found = strangers(layout.core | layout.idle, root)
    if not found:
        return Finding("strangers", "ok", "no other program may run on the core's CPUs")
    more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    remedy = "move them into system.slice or user.slice (AllowedCPUs), or end them"
    return Finding("strangers", "error", "; ".join(found[:_SHOWN]) + more, remedy)


def strangers(cpus: frozenset[int], root: Path, pid: int = 0) -> list[str]:
    """Programs that may run on these CPUs; not the kernel's, not the core's (`pid`, its slice)."""
    found = []
    for folder in sorted((root / "proc").glob("[0-9]*"), key=lambda path: int(path.name)):
        try:
            shared = cpus & allowed(folder)
            if shared and int(folder.name) != pid and not _excused(folder):
                name = (folder / "comm").read_text().strip()
                found.append(f"{folder.name} {name} on {ranges(shared)}")
        except OSError:  # it ended meanwhile
            continue
    return found


def allowed(folder: Path) -> frozenset[int]:
    """The CPUs that a process or thread, by its folder in /proc, may run on."""
    for line in (folder / "status").read_text().splitlines():
        if line.startswith("Cpus_allowed_list:"):
            return parse_ranges(line.partition(":")[2])
    return frozenset()


def _excused(folder: Path) -> bool:
    """Whether it is a thread of the kernel, or in the core's slice."""
    flags = int((folder / "stat").read_text().rpartition(")")[2].split()[_FLAGS_FIELD])
    return bool(flags & _KERNEL_THREAD) or "/popscope-core.slice" in (folder / "cgroup").read_text()
