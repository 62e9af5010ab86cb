"""The errors of the control plane.

* LbError
  - PlaneError
    - TargetError
    - TopologyError
"""

from __future__ import annotations

from lb.errors import LbError


class PlaneError(LbError):
    """Base of every error that the control plane raises on purpose."""


class TargetError(PlaneError):
    """A check cannot be made on this machine as it is; the text says what is missing."""


class TopologyError(PlaneError):
    """A machine's topology cannot be read, or does not carry the plan; the text says why."""
