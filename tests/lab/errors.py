"""The errors of the laboratory.

* LabError
  - MissingError
  - CommandError
  - ProcessError
"""

from __future__ import annotations


class LabError(Exception):
    """Base of every error that the laboratory raises on purpose."""


class MissingError(LabError):
    """The machine lacks something (root, a tool, the built core); the text says what to do."""


class CommandError(LabError):
    """A set-up command failed; the text has the command and what it wrote."""


class ProcessError(LabError):
    """A process ended early, or did not become ready in time; the text ends with its log."""
