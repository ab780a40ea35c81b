"""What an inventory names on this machine: files beside it, variables, the API key."""

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
_RIGHT_PATH = "see whether the path is right"
_READABLE = f"{_RIGHT_PATH}, and whether you may read what is there"
_KEY = re.compile(r"[!-~]{1,4096}")


@dataclass(frozen=True)
class Surroundings:
    """Where an inventory is read: the folder it lies in, and the environment it may refer to."""

    folder: Path
    environ: Mapping[str, str]

    def path(self, written: str) -> Path:
        """A path as meant in the file: `~/` is the home folder, relative is to the file's own folder."""
        if written.startswith("~"):
            return self._home(written) / written[2:]
        return self.folder / written

    def _home(self, written: str) -> Path:
        if not written.startswith("~/"):
            raise ValueError('"~" stands for your own home folder only, as in ~/.ssh/id_ed25519')
        if not self.environ.get("HOME"):
            raise ValueError('"~" cannot be replaced: the environment variable HOME is not set')
        return Path(self.environ["HOME"])


def read_text(path: Path) -> str:
    """The text of an inventory. Raises UnreadableInventory with the reason when there is none to be had."""
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
            Problem((), f"larger than {_LARGEST // 1024} KiB: this is no inventory"), cure=_RIGHT_PATH
        )
    return _decoded(data)


def _decoded(data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise UnreadableInventory(Problem((), "this is not text in UTF-8", line)) from None


def surroundings(info: ValidationInfo) -> Surroundings:
    """The surroundings handed to the validation. Raises TypeError when there are none."""
    if not isinstance(info.context, Surroundings):
        raise TypeError("this part of an inventory is only read by cluster.inventory.load")
    return info.context


def _existing(written: str, info: ValidationInfo) -> str:
    path = surroundings(info).path(written)
    # Unlike Path.is_file, this one says no to a name too long and to a folder that may not be entered.
    if not os.path.isfile(path):
        raise ValueError(f"no such file: {quoted(str(path))}" if written else "is empty")
    if not os.access(path, os.R_OK):
        raise ValueError(f"no permission to read {quoted(str(path))}")
    return str(path)


ExistingFile = Annotated[str, AfterValidator(_existing)]


def read_api_key(written: object, info: ValidationInfo) -> object:
    """The key that `file` or `environment` leads to. No message repeats what was written: maybe the key."""
    match written:
        case None | SecretStr():
            return written
        case str():
            raise ValueError(f"the key itself does not belong in this file; {_HOW_TO_GIVE_A_KEY}")
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
        hint = f"relative paths begin at {around.folder}"
        raise ValueError(f"the file named here does not exist ({hint})") from None
    except UnicodeDecodeError:
        raise ValueError("the file named here holds no key") from None
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
        raise ValueError(f"{source} holds no key: one line of ASCII without spaces is expected")
    return SecretStr(text)
