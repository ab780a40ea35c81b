"""What every fact has in common."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Fact(BaseModel):
    """Part of what a program on a host brings; an unknown or missing key is an unintelligible answer."""

    model_config = ConfigDict(frozen=True, extra="forbid")
