"""Questions to the pipeline's ClickHouse HTTP interface."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import Any

from tests.lab.errors import LabError

TIMEOUT_S = 30


def query(port: int, sql: str) -> list[dict[str, Any]]:
    """Run a query and return its rows. Raises LabError with what the server said."""
    url = f"http://127.0.0.1:{port}/"
    request = urllib.request.Request(url, data=f"{sql} FORMAT JSONEachRow".encode())
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:
            text = answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            said = error.read().decode(errors="replace").strip()
        raise LabError(f"{sql}: {said}") from None
    except OSError as error:
        raise LabError(f"{url}: {error}") from error
    return [json.loads(line) for line in text.splitlines() if line]
