"""The files and variables on this machine that an inventory names: files beside it, variables, the API key."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, SecretStr, ValidationInfo

from cluster.inventory.problems import Problem, UnreadableInventory, quoted

_LARGEST = 256 * 1024
_HOW_TO_GIVE_A_KEY = 'write "file: PATH" or "environment: VARIABLE" under it'
_RIGHT_PATH = "check the path"
_READABLE = f"{_RIGHT_PATH} and your permission to read the file"
_KEY = re.compile(r"[!-~]{1,4096}")


@dataclass(frozen=True)
class Surroundings:
    """The place where an inventory is read: its folder, and the environment for its variables."""

    folder: Path
    environ: Mapping[str, str]

    def path(self, written: str) -> Path:
        """Returns a path as the file means it: `~/` is the home folder, a relative path starts at the file's own
        folder."""
        if written.startswith("~"):
            return self._home(written) / written[2:]
        return self.folder / written

    def _home(self, written: str) -> Path:
        if not written.startswith("~/"):
            raise ValueError('"~" means only your own home folder, as in ~/.ssh/id_ed25519')
        if not self.environ.get("HOME"):
            raise ValueError('"~" cannot be replaced: the environment variable HOME is not set')
        return Path(self.environ["HOME"])


def read_text(path: Path) -> str:
    """Returns the text of an inventory. Raises UnreadableInventory with the reason when it cannot be read."""
    try:
        if path.is_dir():
            raise UnreadableInventory(Problem((), "this is a folder, not a file"), cure=_RIGHT_PATH)
        with path.open("rb") as file:
            data = file.read(_LARGEST + 1)
    except FileNotFoundError:
        raise UnreadableInventory(Problem((), "no such file"), cure=_RIGHT_PATH) from None
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise UnreadableInventory(Problem((), f"cannot be read: {why}"), cure=_READABLE) from None
    if len(data) > _LARGEST:
        raise UnreadableInventory(
            Problem((), f"larger than {_LARGEST // 1024} KiB: this is not an inventory"), cure=_RIGHT_PATH
        )
    return _decoded(data)


def _decoded(data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise UnreadableInventory(Problem((), "this is not text in UTF-8", line)) from None


def surroundings(info: ValidationInfo) -> Surroundings:
    """Returns the surroundings of the validation. Raises TypeError when there are none."""
    if not isinstance(info.context, Surroundings):
        raise TypeError("this part of an inventory is only read by cluster.inventory.load")
    return info.context


def _existing(written: str, info: ValidationInfo) -> str:
    path = surroundings(info).path(written)
    # Unlike Path.is_file, this returns False for a name that is too long, and for a folder without permission.
    if not os.path.isfile(path):
        raise ValueError(f"no such file: {quoted(str(path))}" if written else "is empty")
    if not os.access(path, os.R_OK):
        raise ValueError(f"no permission to read {quoted(str(path))}")
    return str(path)


ExistingFile = Annotated[str, AfterValidator(_existing)]


def read_api_key(written: object, info: ValidationInfo) -> object:
    """Returns the key from `file` or `environment`. No message repeats the written value: it may be the key."""
    match written:
        case None | SecretStr():
            return written
        case str():
            raise ValueError(f"do not write the key itself in this file; {_HOW_TO_GIVE_A_KEY}")
        case {"file": str(path), **rest} if not rest:
            return _key(_key_of_file(path, surroundings(info)), "the file named here")
        case {"environment": str(name), **rest} if not rest:
            return _key(_key_of_variable(name, surroundings(info)), "the variable named here")
    raise ValueError(_HOW_TO_GIVE_A_KEY)


def _key_of_file(written: str, around: Surroundings) -> str:
    try:
        with around.path(written).open("rb") as file:
            return file.read(_LARGEST).decode("ascii").strip()
    except FileNotFoundError:
        hint = f"relative paths start at {around.folder}"
        raise ValueError(f"the file named here does not exist ({hint})") from None
    except UnicodeDecodeError:
        raise ValueError("the file named here contains no key") from None
    except OSError as error:
        raise ValueError(f"the file named here cannot be read: {error.strerror}") from None


def _key_of_variable(name: str, around: Surroundings) -> str:
    if name not in around.environ:
        raise ValueError("the environment variable named here is not set")
    return around.environ[name]


def _key(text: str, source: str) -> SecretStr:
    if not text:
        raise ValueError(f"{source} is empty")
    if not _KEY.fullmatch(text):
        raise ValueError(f"{source} contains no key: expected one line of ASCII without spaces")
    return SecretStr(text)
