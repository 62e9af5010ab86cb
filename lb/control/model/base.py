"""What all models of the control plane have in common: strict, frozen, and no unknown keys."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, StringConstraints

NAME_PATTERN = r"^[A-Za-z0-9._-]{1,63}$"
Name = Annotated[str, StringConstraints(pattern=NAME_PATTERN)]


class Spec(BaseModel):
    """A part of a document; a key that it does not know is an error that names it."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)
