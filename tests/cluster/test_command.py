"""Commands as data: quoting proved in a real shell, answers read among greetings."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import suppress

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from cluster.command import Command, Hint, json_lines, last_json, program, remote_source
from tests.timing import LIMIT

WORD = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=30)
SAY = (sys.executable, "-c", "import json, os, sys; sys.stdout.write(json.dumps(sys.argv[1:]))")


def in_a_shell(command: Command, shell: str = "/bin/sh") -> str:
    """What a login shell makes of the line, as sshd hands it over."""
    done = subprocess.run([shell, "-c", command.line()], input=command.stdin, capture_output=True, check=True)
    return done.stdout.decode()


@settings(max_examples=25)
@given(st.lists(WORD, max_size=5))
@example(["a b", "'", '"', "$HOME", "`id`", "$(id)", "\\", "!!", "*", "~", "\n", "", "-x", "; echo INJECTED", "é"])
def test_every_word_arrives_as_it_is(words: list[str]) -> None:
    assert json.loads(in_a_shell(Command((*SAY, *words), "say"))) == words


def test_the_time_limit_is_kept_on_the_host() -> None:
    line = Command(("sleep", "60"), "sleep", timeout=0.1).line()
    assert subprocess.run(["/bin/sh", "-c", line], timeout=LIMIT).returncode == 124


def test_one_that_ignores_the_limit_is_killed() -> None:
    assert " -k 5 " in Command(("true",), "do nothing").line()


@pytest.mark.parametrize(("length", "cut"), [(100, False), (500, True)])
def test_shown_fits_a_screen(length: int, cut: bool) -> None:
    shown = Command(("echo", "x" * length), "say").shown()
    assert len(shown) <= 160
    assert shown.endswith("...") is cut


def test_what_is_shown_never_holds_stdin() -> None:
    command = program("units.ray_token", {"token": "hush"}, title="t", venv="/nowhere")
    assert b"hush" in command.stdin
    assert "hush" not in command.shown() + command.line()


@pytest.mark.parametrize(("said", "fits"), [("x Permission denied y", True), ("all is well", False)])
def test_a_hint_fits_by_its_pattern(said: str, fits: bool) -> None:
    assert Hint(r"[Pp]ermission", "cause", "cure").fits(said) is fits


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ('{"a": 1}', {"a": 1}),
        ('Welcome!\n{"a": 1}\n', {"a": 1}),
        ('{"a": 1}\n{"a": 2}\nlogout', {"a": 2}),
        ('{"a": 1}\n{ this is no JSON }', {"a": 1}),
        ('[1]\n{"a": 1}\n[2]', {"a": 1}),
    ],
)
def test_the_last_object_counts(said: str, found: object) -> None:
    assert last_json(said) == found


@pytest.mark.parametrize(
    "said", ["", "hello", "[1, 2]", "{", '"{}"', "null", ' {"indented": 1}', '{"a":' * 20_000]
)
def test_no_object_is_a_value_error(said: str) -> None:
    with pytest.raises(ValueError, match="no JSON"):
        last_json(said)


@settings(max_examples=50)
@given(st.text() | st.text('{}[]",:1a\n'))
def test_arbitrary_answers_are_read_or_refused(said: str) -> None:
    assert all(isinstance(one, dict) for one in json_lines(said))
    with suppress(ValueError):
        assert isinstance(last_json(said), dict)


def test_a_program_is_text_in_utf_8_whatever_the_locale() -> None:
    """On the machine of somebody who has set LC_ALL=C: some of ours have a word that is not ASCII."""
    code = "from cluster.command import remote_source; print(len(remote_source('trials.venv_check')))"
    argv = [sys.executable, "-X", "utf8=0", "-c", code]
    plain = {**os.environ, "LC_ALL": "C", "PYTHONCOERCECLOCALE": "0"}
    done = subprocess.run(argv, env=plain, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, f"{len(remote_source('trials.venv_check'))}\n"), done.stderr


ECHO = """
if False:
    from cluster.remote.common.processes import payload
main_data = payload()
print(json.dumps([main_data, sys.argv[2:]]))
"""


def test_a_program_gets_its_data_by_stdin(monkeypatch: pytest.MonkeyPatch) -> None:
    sources = {"common.processes": remote_source("common.processes"), "echo": ECHO}
    monkeypatch.setattr("cluster.command.remote_source", sources.__getitem__)
    data = {"text": "é'\"\n$HOME", "number": 1, "list": [None, True]}
    command = program("echo", data, title="echo", venv="/nowhere")
    assert json.loads(in_a_shell(command)) == [data, ["echo"]]


def test_a_kind_is_the_program_and_what_it_acts_on() -> None:
    token = program("units.ray_token", {}, title="t", venv="/nowhere")
    stop = program("units.stop", {}, title="t", venv="/nowhere", unit="ray")
    assert (token.kind, stop.kind, Command(("ls",), "run ls").kind) == ("ray_token", "stop ray", "execute")


def test_the_rest_of_stdin_is_left_to_the_program(monkeypatch: pytest.MonkeyPatch) -> None:
    source = "import sys; print(sys.stdin.buffer.readline(), sys.stdin.buffer.readline())"
    monkeypatch.setattr("cluster.command.remote_source", {"rest": source}.__getitem__)
    command = program("rest", {}, title="rest", venv="/nowhere")
    done = subprocess.run(["/bin/sh", "-c", command.line()], input=command.stdin + b"beat\n", capture_output=True)
    assert done.stdout == b"b'{}\\n' b'beat\\n'\n"


def test_the_venv_is_preferred(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    venv = tmp_path_factory.mktemp("a venv with 'quotes'")
    (venv / "bin").mkdir()
    python = venv / "bin" / "python"
    python.write_text("#!/bin/sh\ncat > /dev/null; echo ours\n")
    python.chmod(0o755)
    assert in_a_shell(program("common.processes", {}, title="t", venv=str(venv))) == "ours\n"


def test_texts_of_an_answer_can_be_encoded_and_kept() -> None:
    (message,) = json_lines('{"a": "\\ud800x\\ud83d\\ude80", "\\udfff": [1]}')
    assert message == {"a": "?x🚀", "?": [1]}
    assert last_json('{"a": 1}\n{"b": 2}\n{"c": ' + "[" * 100_000) == {"b": 2}
