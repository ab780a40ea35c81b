"""This machine as a host."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest

from cluster.command import Command, Probe
from cluster.errors import CommandFailed, TooMuchOutput, Unreachable
from cluster.transport.conversation import Channel
from cluster.transport.host import Host
from cluster.transport.local import LocalTransport
from tests.timing import LIMIT

HERE = Host("this machine", LocalTransport())


def command(script: str, stdin: bytes = b"") -> Command:
    return Command(("/bin/sh", "-c", script), "try", stdin)


def test_a_command_to_its_end() -> None:
    heard: list[str] = []
    result = HERE.run(command("cat; echo there >&2", b"a\nb\n"), heard.append)
    assert (result.stdout, result.stderr, heard) == ("a\nb\n", "there\n", ["a\nb\n"])


def test_a_command_that_fails() -> None:
    with pytest.raises(CommandFailed) as caught:
        HERE.ask(Probe(command("echo why >&2; exit 3"), str))
    assert (caught.value.status, caught.value.output) == (3, "why")


def test_a_command_whose_stdin_stays_open() -> None:
    channel = HERE.open(
        command("read line; echo got $line; read more; echo got $more; echo why >&2; exit 4", b"one\n")
    )
    assert channel.read_line(5) == "got one"
    assert channel.read_line(0.01) is None
    channel.send(b"two\n")
    assert channel.read_line(5) == "got two"
    with pytest.raises(EOFError):
        channel.read_line(5)
    assert (channel.result().status, channel.result().stderr) == (4, "why\n")
    with pytest.raises(Unreachable):
        channel.send(b"three\n")
    channel.close()


@pytest.mark.parametrize("stream", ["1", "2"])
def test_a_command_that_never_stops_talking(stream: str) -> None:
    with pytest.raises(TooMuchOutput, match="this machine: try"):
        HERE.run(command(f"exec tr '\\0' x < /dev/zero >&{stream}"))


def test_a_line_without_an_end_comes_in_pieces() -> None:
    channel = HERE.open(command("tr '\\0' x < /dev/zero | head -c 3000000; echo; echo end; read line"))
    pieces = []
    while (line := channel.read_line(LIMIT)) != "end":
        assert line is not None
        pieces.append(line)
    assert len(pieces) > 2
    assert sum(map(len, pieces)) == 3_000_000
    channel.close()


def test_hanging_up_ends_it() -> None:
    channel = HERE.open(command("cat; exit 5"))
    channel.close()
    with pytest.raises(Unreachable):
        channel.send(b"more\n")
    with pytest.raises(EOFError):
        channel.read_line(5)


def test_hanging_up_while_another_thread_listens() -> None:
    channel = HERE.open(command("while sleep 0.01; do echo line; done & read end; kill $!"))
    with ThreadPoolExecutor() as pool:
        listening = pool.submit(to_the_end, channel)
        channel.close()
        assert listening.exception(LIMIT) is None


def to_the_end(channel: Channel) -> None:
    with suppress(EOFError):
        while True:
            channel.read_line(0.01)
