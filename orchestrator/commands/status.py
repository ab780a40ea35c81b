"""`status`: what runs where, and whether tokens come; with `--watch` again and again."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime

from cluster.state.status import status
from cluster.transport.wait import repeatedly
from orchestrator.outcome.output import print_result
from orchestrator.outcome.result import put
from orchestrator.render import status as shown
from orchestrator.render.json_text import to_json
from orchestrator.render.text import marks_for
from orchestrator.session.invocation import Invocation
from orchestrator.session.session import Session, session

#: Seconds between two looks: one asks every host for all of its facts, and an idle engine for a token.
_PAUSE = 5.0


def run(invocation: Invocation, *, watch: bool) -> None:
    with session(invocation, journaled=False) as opened:
        if watch:
            _watch(opened)
            return
        hosts, endpoint = status(opened.inventory, opened.fleet)
    marks = marks_for(sys.stdout)
    print_result(
        invocation.output, lambda: shown.table(hosts, endpoint, marks), lambda: shown.document(hosts, endpoint)
    )


def _watch(opened: Session) -> None:
    """Ends with Ctrl-C, which is its normal end, or when its reader has left."""
    with suppress(KeyboardInterrupt, BrokenPipeError), _view(opened) as show:
        for look in repeatedly(lambda: status(opened.inventory, opened.fleet), _PAUSE):
            show(look)


Show = Callable[[shown.StatusView], None]


@contextmanager
def _view(opened: Session) -> Iterator[Show]:
    """A table in place on a terminal; anywhere else what has changed: lines, or documents of one line each."""
    output = opened.invocation.output
    if output in ("auto", "live"):
        from orchestrator.render.live import LiveText, fits

        if fits(sys.stdout, os.environ.get("TERM", "")):
            with LiveText(sys.stdout) as screen:
                yield lambda look: setattr(screen, "text", _titled(opened.inventory.cluster, look))
            return
    yield _changes(_as_document if output == "json" else _as_lines)


def _titled(cluster: str, look: shown.StatusView) -> str:
    return f"{cluster}  {datetime.now():%H:%M:%S}\n\n{shown.table(*look, marks_for(sys.stdout))}"


def _changes(text: Callable[[shown.StatusView, list[str]], str]) -> Show:
    last: list[shown.StatusView | None] = [None]

    def show(look: shown.StatusView) -> None:
        changed = shown.changes(last[0], look, marks_for(sys.stdout))
        last[0] = look
        if changed and not put(text(look, changed)):
            raise BrokenPipeError

    return show


def _as_lines(look: shown.StatusView, changed: list[str]) -> str:
    return "".join(f"{datetime.now():%H:%M:%S}  {line}\n" for line in changed)


def _as_document(look: shown.StatusView, changed: list[str]) -> str:
    now = datetime.now().astimezone().isoformat(timespec="seconds")
    return to_json(shown.watched_document(now, look)) + "\n"
