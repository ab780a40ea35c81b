"""The accepted values of single keys. Every refusal is a ValueError without the value in it."""

from __future__ import annotations

import ipaddress
import re
from difflib import get_close_matches
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from cluster.inventory.interpolate import Replaced
from cluster.inventory.reserved import not_reserved_variable
from cluster.values.checks import CHECKS

#: Characters that must not be in a path that becomes part of PATH, of a shebang or of the name of a socket.
_PATH = re.compile(r"(/[A-Za-z0-9_@%+=,.-]+)+")


def is_ip(text: str) -> bool:
    """Returns whether `text` is an IPv4 or IPv6 address."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def is_ipv6(text: str) -> bool:
    return is_ip(text) and ipaddress.ip_address(text).version == 6


def _number(value: object) -> object:
    whole = isinstance(value, Replaced) and re.fullmatch(r"-?[0-9]{1,18}", value)
    return int(whole[0]) if whole else value


def _flag(value: object) -> object:
    return value == "true" if isinstance(value, Replaced) and value in ("true", "false") else value


def _word(text: str) -> str:
    if not text:
        raise ValueError("is empty")
    if text.startswith("-"):
        raise ValueError("must not begin with a dash: it would be read as an option")
    if any(letter.isspace() or not letter.isprintable() for letter in text):
        raise ValueError("must not contain spaces or control characters")
    return text


def _address(text: str) -> str:
    if "@" in text:
        raise ValueError('must not contain "@": the user has its own key')
    if any(letter in "/[]'\"\\" for letter in text):
        raise ValueError("must be a bare name or IP address, without brackets, slashes or quotes")
    if ":" in text and not is_ip(text):
        raise ValueError('contains ":" but is not an IPv6 address: the port has its own key')
    return text


def _cluster_address(text: str) -> str:
    if not is_ip(text) or "%" in text:
        raise ValueError("must be an IP address (Ray and NCCL do not look up names)")
    address = ipaddress.ip_address(text)
    if address.is_unspecified or address.is_multicast:
        raise ValueError("must be the address of one interface of this host")
    return str(address)


def _matching(pattern: str, wanted: str) -> AfterValidator:
    expression = re.compile(pattern)

    def check(text: str) -> str:
        if not expression.fullmatch(text):
            raise ValueError(f"must be {wanted}")
        return text

    return AfterValidator(check)


def _path(text: str) -> str:
    path = text.rstrip("/")
    if not _PATH.fullmatch(path):
        raise ValueError("must be an absolute path of letters, digits and @ % + = , . _ -")
    if {".", ".."} & set(path.split("/")):
        raise ValueError('must not contain "." or ".." as a folder')
    return path


def _model(text: str) -> str:
    if text.startswith("/"):
        return _path(text)
    if not re.fullmatch(r"\w[\w.-]*(/\w[\w.-]*)?", text, re.ASCII):
        raise ValueError("must be a repository id (owner/name) or an absolute path")
    return text


def _distinct(numbers: tuple[int, ...]) -> tuple[int, ...]:
    if len(set(numbers)) != len(numbers):
        raise ValueError("names a GPU twice")
    return numbers


def _check(name: str) -> str:
    if name not in CHECKS:
        near = get_close_matches(name.lower(), CHECKS, 1)
        raise ValueError(f"is not a check{f' (did you mean {near[0]}?)' if near else ''}")
    return name


def _reason(text: str) -> str:
    if not text.strip():
        raise ValueError("is empty: write why this is acceptable")
    return text


def _without_nul(text: str) -> str:
    if "\0" in text:
        raise ValueError("must not contain NUL")
    return text


Number = Annotated[int, BeforeValidator(_number)]
Count = Annotated[Number, Field(ge=1)]
#: The limit for one host: servers have at most 16 today, so a larger number is a mistake.
Gpus = Annotated[Number, Field(ge=1, le=64)]
Port = Annotated[Number, Field(ge=1, le=65535)]
Mebibytes = Annotated[Number, Field(ge=0)]
Flag = Annotated[bool, BeforeValidator(_flag)]
Role = Literal["head", "worker"]
GpuIds = Annotated[tuple[Annotated[Number, Field(ge=0)], ...], AfterValidator(_distinct)]

Word = Annotated[str, AfterValidator(_word)]
Address = Annotated[Word, AfterValidator(_address)]
ClusterAddress = Annotated[str, AfterValidator(_cluster_address)]
HostName = Annotated[
    str, _matching(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}", "a name of at most 63 letters, digits and . _ -")
]
ClusterName = Annotated[
    str, _matching(r"[a-z0-9][a-z0-9-]{0,40}", "a name of at most 41 small letters, digits and dashes")
]
HostPath = Annotated[str, AfterValidator(_path)]
#: Ray's sockets are below it, and the path of a socket has at most 107 bytes.
ShortHostPath = Annotated[HostPath, _matching(r".{1,40}", "at most 40 characters long")]
ModelId = Annotated[Word, AfterValidator(_model)]
Text = Annotated[str, AfterValidator(_without_nul)]
CheckName = Annotated[str, AfterValidator(_check)]
Reason = Annotated[Text, AfterValidator(_reason)]
VariableName = Annotated[
    str, _matching(r"[A-Za-z_][A-Za-z0-9_]*", "the name of an environment variable"), not_reserved_variable
]
