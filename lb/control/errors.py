"""The errors of the control plane.

* LbError
  - PlaneError
    - BgpError
    - RefusedError
    - SettingsError
    - StateError
    - StoreError
    - TargetError
    - TopologyError
"""

from __future__ import annotations

from lb.errors import LbError, Problem


class PlaneError(LbError):
    """Base of every error that the control plane raises on purpose."""


class BgpError(PlaneError):
    """The BGP daemon does not run or does not obey; the text says what it said."""


class RefusedError(PlaneError):
    """The controller refuses a request; `problems` are all that it found, `status` is HTTP's."""

    def __init__(self, status: int, problems: list[Problem]) -> None:
        self.status = status
        self.problems = problems
        super().__init__("; ".join(f"{p.path}: {p.message}" for p in problems))


class SettingsError(PlaneError):
    """The settings of a service are wrong; the text names each key."""


class StateError(PlaneError):
    """A node's desired state cannot be understood or kept; the text says where and why."""


class StoreError(PlaneError):
    """The controller's data base cannot be used; the text says why, and what to do."""


class TargetError(PlaneError):
    """A check cannot be made on this machine as it is; the text says what is missing."""


class TopologyError(PlaneError):
    """A machine's topology cannot be read, or does not carry the plan; the text says why."""
