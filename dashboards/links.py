"""Names and addresses of dashboards, as links use them."""

from __future__ import annotations

from collections.abc import Sequence

NODE_UID = "popscope-node"


def narrowed(keys: Sequence[str]) -> str:
    """A link from a row of a table to the node dashboard, its variables set to the row's values."""
    chosen = "".join(f"&var-{key}=${{__data.fields.{key}}}" for key in keys)
    return f"/d/{NODE_UID}?${{__url_time_range}}{chosen}"
