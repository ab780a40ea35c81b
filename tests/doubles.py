"""Stand-ins at the seams, by value: no mocks that repeat the code under test."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from cluster.command import Command, Result

#: A string is stdout with status 0; an exception is raised; a function is called.
Answer = Result | str | BaseException | Callable[[Command], Result]
#: A command's kind, or what it must fulfil.
Matcher = str | Callable[[Command], bool]
Script = Answer | Sequence[Answer]


def failed(status: int, stderr: str = "", stdout: str = "") -> Result:
    return Result(status, stdout, stderr)


class ScriptedChannel:
    """A running command with these `lines` (None: nothing for a while) that then ends with `result`.

    After `broken_after` sends, every other one raises `error`.
    """

    def __init__(
        self,
        lines: Iterable[str | None] = (),
        result: Result | None = None,
        broken_after: int | None = None,
        error: BaseException | None = None,
    ) -> None:
        self._lines = list(lines)
        self._result = result or Result(0, "", "")
        self._broken_after = broken_after
        self._error = error or ConnectionError("scripted")
        self.sent: list[bytes] = []
        self.closed = False

    def send(self, data: bytes) -> None:
        if self._broken_after is not None and len(self.sent) >= self._broken_after:
            raise self._error
        self.sent.append(data)

    def read_line(self, timeout: float) -> str | None:
        if not self._lines:
            raise EOFError
        return self._lines.pop(0)

    def result(self) -> Result:
        return self._result

    def close(self) -> None:
        self.closed = True


class ScriptedTransport:
    """Answers commands from a script and records them.

    `answers` maps a kind, or a predicate, to an answer, or to a list of answers: one after the other, the
    last for ever. The first that matches counts. A command without an answer is an `AssertionError`.
    """

    def __init__(
        self,
        answers: Mapping[str, Script] | Iterable[tuple[Matcher, Script]] = (),
        channels: Mapping[str, ScriptedChannel] | None = None,
    ) -> None:
        pairs = answers.items() if isinstance(answers, Mapping) else answers
        self._answers = [(matcher, _as_list(answer)) for matcher, answer in pairs]
        self._channels = dict(channels or {})
        self.executed: list[Command] = []
        self.closed = False

    @property
    def kinds(self) -> list[str]:
        """The kinds of all commands that were run and opened, in order."""
        return [command.kind for command in self.executed]

    def execute(self, command: Command, on_text: Callable[[str], object] | None = None) -> Result:
        self.executed.append(command)
        result = _resolve(self._next(command), command)
        if on_text:
            on_text(result.stdout)
        return result

    def open(self, command: Command) -> ScriptedChannel:
        self.executed.append(command)
        return self._channels[command.kind]

    def close(self) -> None:
        self.closed = True

    def _next(self, command: Command) -> Answer:
        for matcher, answers in self._answers:
            if matcher == command.kind or (callable(matcher) and matcher(command)):
                return answers.pop(0) if len(answers) > 1 else answers[0]
        raise AssertionError(f"no answer for {command.kind!r}: {command.shown()}")


def _as_list(answer: Script) -> list[Answer]:
    if isinstance(answer, Sequence) and not isinstance(answer, str):
        return list(answer)
    return [answer]


def _resolve(answer: Answer, command: Command) -> Result:
    if isinstance(answer, BaseException):
        raise answer
    if isinstance(answer, str):
        return Result(0, answer, "")
    return answer if isinstance(answer, Result) else answer(command)
