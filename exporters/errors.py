"""The errors of the package.

* ExporterError
  - ConfigError
  - SegmentError
    - SegmentNotReadyError
  - FrameError
    - FrameVersionError
  - SpoolError
    - SpoolBusyError
    - SpoolGoneError
"""

from __future__ import annotations


class ExporterError(Exception):
    """Base of every error that this package raises on purpose."""


class ConfigError(ExporterError):
    """The configuration is wrong; the text names the key, its place and what would be right."""


class SegmentError(ExporterError):
    """A file is not a segment that this exporter can read; the text says what is wrong where."""


class SegmentNotReadyError(SegmentError):
    """The core is still laying the segment out; try again later."""


class FrameError(ExporterError):
    """Bytes are not a whole, undamaged frame."""


class FrameVersionError(FrameError):
    """A whole, undamaged frame of a version that this program does not read."""


class SpoolError(ExporterError):
    """The spool cannot be read or written; the text names the file."""


class SpoolBusyError(SpoolError):
    """Another process has the spool open."""


class SpoolGoneError(SpoolError):
    """A file of the spool is not there any more."""
