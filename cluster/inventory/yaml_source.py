"""YAML text -> plain data, and the line of every key.

It accepts only the part of YAML with one clear meaning: mappings, lists, text, decimal numbers, true and false.
YAML reads some numbers in surprising ways (022 is 18, 1:30 is 90): these are refused as numbers.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import yaml

from cluster.inventory.interpolate import Replaced, replace
from cluster.inventory.problems import Loc, Problem, UnreadableInventory, quoted

_DEEPEST = 32
_DECIMAL = re.compile(r"-?(0|[1-9][0-9]{0,17})")
_TRUE = ("yes", "true", "on")
_ALIAS = "aliases, anchors and merge keys (&, *, <<) are refused: write the value in full, or use defaults"


@dataclass(frozen=True)
class UnsupportedScalar:
    """A scalar that no key of an inventory accepts; `kind` describes it."""

    kind: str


@dataclass(frozen=True)
class Document:
    """The content of the file: `data` (lists as tuples), the line of each key, and the problems so far."""

    data: object
    lines: Mapping[Loc, int]
    problems: tuple[Problem, ...]


def parse(text: str, environ: Mapping[str, str]) -> Document:
    """Returns the one document in `text`, with `${VAR}`s replaced. Raises UnreadableInventory when it cannot be
    read at all."""
    root = _compose(text)
    reader = _Reader(environ)
    reader.lines[()] = root.start_mark.line + 1
    data = reader.value(root, ())
    return Document(data, reader.lines, tuple(reader.problems))


def _compose(text: str) -> yaml.Node:
    try:
        problems = tuple(_forbidden(yaml.parse(text, Loader=yaml.SafeLoader)))
        root = None if problems else yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        raise UnreadableInventory(_syntax(error, text)) from None
    except (ValueError, OverflowError):
        # PyYAML raises these for numbers out of range, as in "\UFFFFFFFF".
        raise UnreadableInventory(Problem((), "this is not YAML: a number in it is out of range")) from None
    if root is None or root.tag == "tag:yaml.org,2002:null":
        raise UnreadableInventory(*problems or (Problem((), "the file is empty"),))
    if not isinstance(root, yaml.MappingNode):
        raise UnreadableInventory(Problem((), "expected a mapping (key: value)", root.start_mark.line + 1))
    return root


def _forbidden(events: Iterator[yaml.Event]) -> Iterator[Problem]:
    """Yields what to refuse before the document is built: aliases can repeat themselves, and depth can exhaust the
    stack."""
    documents = depth = 0
    for event in events:
        line = event.start_mark.line + 1 if event.start_mark else 0
        documents += isinstance(event, yaml.DocumentStartEvent)
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if documents > 1 or depth > _DEEPEST:
            reason = "a second document begins" if documents > 1 else "nested too deeply"
            yield Problem((), reason, line)
            return
        if isinstance(event, yaml.NodeEvent) and event.anchor:
            yield Problem((), _ALIAS, line)
        elif getattr(event, "tag", None):
            yield Problem((), 'tags (a word that begins with "!") are refused: write the text in quotes', line)


def _syntax(error: yaml.YAMLError, text: str) -> Problem:
    """Returns where and why, without the words around it, which may be secrets."""
    if isinstance(error, yaml.reader.ReaderError):
        line = text.count("\n", 0, error.position) + 1
        return Problem((), "this is not YAML: it contains a control character", line)
    mark = getattr(error, "problem_mark", None)
    line = mark.line + 1 if mark else 0
    variable = "${" in "".join(text.split("\n")[line - 1 : line])
    hint = ' (within { } or [ ] a "${VAR}" needs quotes)' if variable else ""
    return Problem((), f"this is not YAML: {getattr(error, 'problem', None) or 'it cannot be read'}{hint}", line)


class _Reader:
    """Walks through the document once, and collects lines and problems."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self.environ = environ
        self.lines: dict[Loc, int] = {}
        self.problems: list[Problem] = []

    def value(self, node: yaml.Node, loc: Loc) -> object:
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, loc)
        if isinstance(node, yaml.SequenceNode):
            return tuple(self._item(item, (*loc, index)) for index, item in enumerate(node.value))
        return self._scalar(node, loc)

    def _item(self, node: yaml.Node, loc: Loc) -> object:
        self.lines[loc] = node.start_mark.line + 1
        return self.value(node, loc)

    def _mapping(self, node: yaml.MappingNode, loc: Loc) -> dict[str, object]:
        data: dict[str, object] = {}
        for key, value in node.value:
            name = key.value if isinstance(key, yaml.ScalarNode) else None
            line = key.start_mark.line + 1
            if name is None or name in data or key.tag == "tag:yaml.org,2002:merge":
                self.problems.append(Problem(loc, self._key_reason(name, loc), line))
                continue
            self.lines[(*loc, name)] = line
            data[name] = self.value(value, (*loc, name))
        return data

    def _key_reason(self, name: str | None, loc: Loc) -> str:
        if name is None:
            return "a key must be plain text"
        if (*loc, name) in self.lines:
            return f"the key {quoted(name)} is here a second time (first on line {self.lines[(*loc, name)]})"
        return _ALIAS

    def _scalar(self, node: yaml.Node, loc: Loc) -> object:
        text, kind = str(node.value), node.tag.rpartition(":")[2]
        if kind == "int":
            return (
                int(text) if _DECIMAL.fullmatch(text) else UnsupportedScalar("a number that is not plain decimal")
            )
        if kind == "float":
            return UnsupportedScalar("a number with a fraction")
        if kind == "bool":
            return text.lower() in _TRUE
        return None if kind == "null" else self._text(text, loc, plain=getattr(node, "style", None) is None)

    def _text(self, text: str, loc: Loc, *, plain: bool) -> str:
        try:
            replaced = replace(text, self.environ)
        except ValueError as error:
            self.problems.append(Problem(loc, str(error)))
            return text
        return Replaced(replaced) if plain and replaced != text else replaced
