"""What all answers of the stand-in for Grafana have in common."""

from __future__ import annotations

import re
from typing import Any

from aiohttp import web

Json = dict[str, Any]
_UID = re.compile(r"[A-Za-z0-9_-]+")


def message(status: int, text: str) -> web.Response:
    """An error, or a deed, as Grafana tells it."""
    return web.json_response({"message": text}, status=status)


def uid_problem(uid: str) -> str:
    """What Grafana says of a uid that it does not take; "" when it does."""
    if len(uid) > 40:
        return "uid too long, max 40 characters"
    return "" if _UID.fullmatch(uid) else "uid contains illegal characters"
