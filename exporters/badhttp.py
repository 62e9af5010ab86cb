"""What comes to an HTTP port and is not HTTP: counted, not logged with a traceback each."""

from __future__ import annotations

import logging
from collections.abc import Callable

from aiohttp.http_exceptions import HttpProcessingError


def server_logger(count: Callable[[], object]) -> logging.Logger:
    """A logger for `aiohttp.web.AppRunner`, that calls `count` for each malformed request.

    The client has its answer (400 and the reason); a scanner of ports must not fill the log. What
    fails by our own fault goes on to aiohttp's logger.
    """

    def keep(record: logging.LogRecord) -> bool:
        if record.exc_info and isinstance(record.exc_info[1], HttpProcessingError):
            count()
            return False
        return True

    logger = logging.Logger("aiohttp.server")
    logger.parent = logging.getLogger("aiohttp.server")
    logger.addFilter(keep)
    return logger
