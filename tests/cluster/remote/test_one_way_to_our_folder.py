"""No program on a host makes a path in the state directory: one module opens folders, and all else is relative."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from cluster import remote

_FOLDER = Path(remote.__file__).parent
#: Those that may: the one way, and what others have open, as /proc names it.
_ONE_WAY = "common/owned_folder.py"
_PROGRAMS = sorted(str(path.relative_to(_FOLDER)) for path in _FOLDER.glob("*/[a-z]*.py"))
#: What programs are sent that leads to a folder of ours, and who may be handed it.
_SENT = {"state", "folder", "path", "trees", "unit", "units"}
_OPENERS = {
    "cluster_folder", "unit_folder", "user_folder", "shared_folder", "split", "claiming", "take", "state",
    "nearest", "existing",
    # The model's own folder; the names of units; a port's owner, which opens it.
    "digest", "strangers", "listening_sockets",
}  # fmt: skip
#: What lies in our folders.
_OURS = {"record.json", "log", "lease", "lease.broken", "ray.token", "cache", "ray", "vllm", "modules", "ports"}


def joins(tree: ast.AST) -> list[int]:
    """Lines on which a path is put together out of a name of ours, or of our user's folder."""
    found = []
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Attribute(attr="join", value=ast.Attribute(attr="path")), args=parts):
                found += [node.lineno for part in parts if _is_ours(part)]
            case ast.BinOp(op=ast.Add() | ast.Div(), left=left, right=right):
                found += [node.lineno for part in (left, right) if _is_ours(part, "/")]
            case ast.JoinedStr(values=values):
                found += [node.lineno for part in values if _is_ours(part, "/") or _starts(part, "o-")]
    return found


def _is_ours(part: ast.AST, slash: str = "") -> bool:
    """The venv has a program of the name of a unit, and the kernel a folder of that of our ports."""
    names = {slash + name for name in _OURS} if slash else _OURS - {"vllm", "ports"}
    return isinstance(part, ast.Constant) and part.value in names


def _starts(part: ast.AST, text: str) -> bool:
    return (
        isinstance(part, ast.Constant) and isinstance(part.value, str) and part.value.endswith((text, f"/{text}"))
    )


def used(tree: ast.AST) -> list[str]:
    """Uses of what was sent of our folders, other than as what is handed to whoever opens them."""
    handed = {
        id(part)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and {_called(node), *map(_name, node.args)} & _OPENERS
        for part in ast.walk(node)
    }
    return [
        f"line {node.lineno}: {ast.unparse(node)}"
        for node in ast.walk(tree)
        if isinstance(node, ast.Subscript)
        and isinstance(node.value, ast.Name | ast.Call)
        and ast.unparse(node.value) in ("data", "payload()")
        and isinstance(node.slice, ast.Constant)
        and node.slice.value in _SENT - {"unit"}
        and id(node) not in handed
    ]


def _called(node: ast.Call) -> str:
    return _name(node.func) or getattr(node.func, "attr", "")


def _name(node: ast.AST) -> str:
    return node.id if isinstance(node, ast.Name) else ""


@pytest.mark.parametrize("name", [name for name in _PROGRAMS if name != _ONE_WAY])
def test_no_path_of_ours_is_put_together(name: str) -> None:
    tree = ast.parse((_FOLDER / name).read_text())
    assert joins(tree) == []
    assert used(tree) == []


@pytest.mark.parametrize(
    "line",
    [
        'os.path.join(folder, "record.json")',
        'f"{folder}/log"',
        'folder + "/lease"',
        'os.path.join(root, f"o-{os.getuid()}")',
        'f"{root}/o-{uid}/x"',
        'open(data["path"])',
        'os.listdir(payload()["state"])',
    ],
)
def test_what_the_rule_finds(line: str) -> None:
    tree = ast.parse(line)
    assert joins(tree) + used(tree)
