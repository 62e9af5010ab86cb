"""The part of Go's templates that the texts use, as Prometheus and Grafana fill it.

`{{ $labels.x }}`, `{{ $value }}`, and either piped into humanize, humanizePercentage,
humanizeDuration or urlquery. promtool's tests compare it with what Prometheus makes of the texts.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from urllib.parse import quote_plus

from alerts.errors import RuleError

_ACTION = re.compile(r"\{\{(.*?)\}\}")
_SOURCE = re.compile(r"\$value|\$labels\.([a-z_]+)")
_LARGE, _SMALL = ("", "k", "M", "G", "T", "P", "E"), ("", "m", "u", "n", "p")
_DAY, _HOUR, _MINUTE = 86_400, 3_600, 60


def rendered(text: str, labels: Mapping[str, str], value: float) -> str:
    """The text for an alert. Raises RuleError for anything that this does not know."""

    def action(match: re.Match[str]) -> str:
        first, *functions = (part.strip() for part in match[1].split("|"))
        source = _SOURCE.fullmatch(first)
        if source is None:
            raise RuleError(f"{match[0]}: only $value and $labels.NAME may stand in a text")
        filled: str | float = labels.get(source[1], "") if source[1] else value
        for name in functions:
            if name not in _FUNCTIONS:
                raise RuleError(f"{match[0]}: {name} is none of {', '.join(_FUNCTIONS)}")
            filled = _FUNCTIONS[name](filled)
        return filled if isinstance(filled, str) else plain(filled)

    return _ACTION.sub(action, text)


def plain(value: float) -> str:
    """A number as Go prints it."""
    return str(int(value)) if value == int(value) else repr(value)


def humanize(value: str | float) -> str:
    """1234.5 is 1.234k, with 4 digits and a prefix of a power of 1000."""
    number, step = float(value), 0
    if number == 0:
        return "0"
    if abs(number) >= 1:
        while abs(number) >= 1_000 and step < len(_LARGE) - 1:
            number, step = number / 1_000, step + 1
        return f"{_digits(number)}{_LARGE[step]}"
    while abs(number) < 1 and step < len(_SMALL) - 1:
        number, step = number * 1_000, step + 1
    return f"{_digits(number)}{_SMALL[step]}"


def humanize_percentage(value: str | float) -> str:
    """0.123 is 12.3%."""
    return f"{_digits(float(value) * 100)}%"


def humanize_duration(value: str | float) -> str:
    """Seconds: 3725 is 1h 2m 5s."""
    number = float(value)
    if abs(number) < _MINUTE:
        return f"{_digits(number)}s" if abs(number) >= 1 or number == 0 else f"{humanize(number)}s"
    whole, sign = int(abs(number)), "-" if number < 0 else ""
    parts = {
        "d": whole // _DAY,
        "h": whole // _HOUR % 24,
        "m": whole // _MINUTE % 60,
        "s": whole % _MINUTE,
    }
    while not next(iter(parts.values())):
        del parts[next(iter(parts))]
    return sign + " ".join(f"{n}{unit}" for unit, n in parts.items())


def _digits(number: float) -> str:
    """As Go's %.4g."""
    return f"{number:.4g}"


_FUNCTIONS: dict[str, Callable[[str | float], str]] = {
    "humanize": humanize,
    "humanizePercentage": humanize_percentage,
    "humanizeDuration": humanize_duration,
    "urlquery": lambda value: quote_plus(str(value)),
}
