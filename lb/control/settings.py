"""Settings of the services: a TOML file, and environment variables that win over it."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from lb.control.errors import SettingsError
from lb.control.model.base import Spec

S = TypeVar("S", bound=Spec)


def load(
    model: type[S], path: Path | None, prefix: str, environment: Mapping[str, str] = os.environ
) -> S:
    """Read settings; `PREFIX_KEY` sets a key of the first level. Raises SettingsError."""
    document: dict[str, Any] = {}
    if path is not None:
        try:
            document = tomllib.loads(path.read_text())
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise SettingsError(f"{path}: {error}") from error
    for name, value in environment.items():
        if name.startswith(prefix + "_"):
            document[name.removeprefix(prefix + "_").lower()] = value
    try:
        return model.model_validate(document)
    except ValidationError as error:
        raise SettingsError(
            "; ".join(
                f"{'.'.join(map(str, e['loc'])) or 'settings'}: {e['msg']}" for e in error.errors()
            )
        ) from error
