"""`${VAR}` in a scalar, replaced only where it is written so."""

from __future__ import annotations

import re
from collections.abc import Mapping

_REFERENCE = re.compile(r"\$\$\{|\$\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)\}|(?P<broken>\$\{)")


class Replaced(str):
    """An unquoted scalar in which a variable was replaced: it alone may become a number or a flag."""


def replace(text: str, environ: Mapping[str, str]) -> str:
    """Returns `text` with each `${VAR}` replaced and `$${` made `${`. Inserted text is not replaced again.

    Raises ValueError when a variable is not set, or when the text after `${` is not a variable's name. The value
    of a variable is never part of the message.
    """
    return _REFERENCE.sub(lambda match: _replacement(match, environ), text)


def _replacement(match: re.Match[str], environ: Mapping[str, str]) -> str:
    if match["broken"]:
        raise ValueError('"${" must be followed by a variable\'s name and "}" (write "$${" for a plain "${")')
    name = match["name"]
    if name is None:
        return "${"
    if name not in environ:
        raise ValueError(f"the environment variable {name} is not set")
    return environ[name]
