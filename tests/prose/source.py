"""Messages and docstrings of a Python file."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from pathlib import Path

from tests.prose.passage import CODE, Passage, passages, without_code

#: Shorter literals are names and keys rather than messages.
_WORDS = 2
#: These match what other programs print.
_PATTERN = re.compile(r"\(\?|\\[sdw(.\[]|\w\|\w")
_MATCHERS = {"compile", "search", "match", "fullmatch", "findall", "finditer", "sub"}


def docstrings(path: Path) -> Iterator[Passage]:
    for node in ast.walk(ast.parse(path.read_text())):
        match node:
            case ast.Expr(value=ast.Constant(value=str(text))):
                yield from passages(path, node.lineno, "docstring", inspect.cleandoc(text))


def messages(path: Path) -> Iterator[Passage]:
    """Yields the string literals that are prose, with "{}" for what an f-string puts in."""
    tree = ast.parse(path.read_text())
    parts = set(_others(tree))
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr | ast.Constant) and node not in parts and (text := _text(node)):
            for line in text.splitlines():
                if _is_prose(line):
                    yield Passage(path, node.lineno, "message", " ".join(without_code(line).split()))


def _others(tree: ast.AST) -> Iterator[ast.expr]:
    """Yields literals that are no messages by themselves: docstrings, parts of f-strings, patterns."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr):
            yield node.value
        elif isinstance(node, ast.JoinedStr):
            for part in node.values:
                yield from (one for one in ast.walk(part) if isinstance(one, ast.Constant) and one is part)
                if isinstance(part, ast.FormattedValue) and part.format_spec:
                    yield part.format_spec
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _MATCHERS:
            yield from (one for given in node.args for one in ast.walk(given) if isinstance(one, ast.expr))


def _text(node: ast.JoinedStr | ast.Constant) -> str:
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else ""
    return "".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values)


def _is_prose(text: str) -> bool:
    if _PATTERN.search(text):
        return False
    words = re.findall(r"(?<![\w{-])[A-Za-z][a-z']+(?![\w}=(])", text.replace(CODE, " "))
    return len(text.split()) >= _WORDS and len(words) >= _WORDS - 1
