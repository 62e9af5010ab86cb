"""Rejections in words: which, why, and what to do."""

from __future__ import annotations

from pipeline.foreign.native import Reason, Rejected
from pipeline.foreign.options import ForeignOptions


def explain(rejected: Rejected, options: ForeignOptions) -> str:
    """One sentence."""
    count, first = rejected.samples, rejected.example
    match rejected.reason:
        case Reason.BAD_LABELS:
            return f"{count} samples of {rejected.series} label sets that are no series: {first}"
        case Reason.TENANT_LIMIT:
            return (
                f"{count} samples of {rejected.series} new series, first {first}: the tenant has "
                f"{options.tenant_series} active series already; drop labels with many values, or "
                f"raise [foreign] tenant_series (a series is active for {options.idle_hours} h)"
            )
        case Reason.TABLE_LIMIT:
            return (
                f"{count} samples of {rejected.series} new series, first {first}: all tenants "
                f"together have {options.all_series} active series or {options.series_bytes} bytes "
                "of labels; drop labels, or raise [foreign] all_series, series_bytes"
            )
        case Reason.BAD_TIME:
            return (
                f"{count} samples out of time, first {first}; check the sender's clock, or "
                "set [foreign] oldest_days, newest_seconds"
            )
        case Reason.BAD_HISTOGRAM:
            return f"{count} histograms that are none: {first}"
        case Reason.NO_VALUE:
            return f"{count} points without a value: {first}"


def explain_all(rejected: tuple[Rejected, ...], options: ForeignOptions) -> str:
    """All of them; the rest of the request is stored."""
    return "not stored: " + "; ".join(explain(r, options) for r in rejected)
