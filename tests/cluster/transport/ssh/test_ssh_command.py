"""Commands over a real sshd."""

from __future__ import annotations

import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from cluster.command import Command, Probe
from cluster.errors import CommandFailed, CommandTimedOut, TooMuchOutput, Unreachable
from cluster.transport.host import Host
from tests.cluster.transport.ssh.conftest import MakeHost, MakeSshd, Spec, SshServers
from tests.cluster.transport.ssh.sshd import Sshd, thaw
from tests.timing import Stopwatch, eventually

HOSTILE = (
    "two words", "it's", 'a "quote"', "$(touch /tmp/owned)", "`id`", "$HOME",
    "a\nb\n", "tab\there", "ünïcödé 漢字 🚀",
    "-rf", "--", "", "*", "~", "a;b|c&d", "back\\slash", "!history", "#comment", "{a,b}", "%s", "\x01",
)  # fmt: skip


def sh(script: str, *words: str, timeout: float = 10, stdin: bytes = b"") -> Command:
    return Command(("sh", "-c", script, "sh", *words), "run a script", stdin, timeout)


class Hurried(Command):
    """A command with less time between the two signals, which is all that a test would wait for."""

    def line(self) -> str:
        return super().line().replace("timeout -k 5", "timeout -k 0.2")


def gone(pid: int) -> bool:
    """Whether the process ends."""
    return eventually(lambda: not Path(f"/proc/{pid}").exists(), f"the end of {pid}")


def test_words_arrive_as_they_are(host: Host) -> None:
    output = host.run(sh(r'for word; do printf "%s\0" "$word"; done', *HOSTILE)).stdout
    assert output.split("\0")[:-1] == list(HOSTILE)


def test_two_megabytes_through_stdin_and_back_on_both_streams(host: Host) -> None:
    data = bytes(range(32, 127)) * (2_000_000 // 95)
    result = host.run(sh("tee /dev/stderr", stdin=data, timeout=20))
    assert result.stdout.encode() == data
    assert result.stderr.encode() == data


def test_stdin_that_nobody_reads_is_no_error(host: Host) -> None:
    assert host.run(sh("echo done", stdin=b"x" * 5_000_000)).stdout == "done\n"


def test_a_status_comes_with_all_that_was_said(host: Host) -> None:
    with pytest.raises(CommandFailed) as failure:
        host.run(sh("echo out; echo err >&2; exit 7"))
    assert (failure.value.status, failure.value.stdout, failure.value.stderr) == (7, "out\n", "err\n")


def test_lines_are_told_as_they_come(host: Host) -> None:
    """The script goes on only when its first line was heard here."""
    lines: list[str] = []
    channel = host.open(sh("echo one; read go; echo two; printf three"))
    assert channel.read_line(5) == "one"
    assert channel.read_line(0) is None
    channel.send(b"go\n")
    assert [channel.read_line(5), channel.read_line(5)] == ["two", "three"]
    with pytest.raises(EOFError):
        channel.read_line(5)
    assert channel.result().status == 0
    channel.close()
    host.run(sh(r"printf 'a\n\nb\377\nc'"), lines.append)
    assert "".join(lines) == "a\n\nb�\nc"


@pytest.mark.parametrize("stream", ["1", "2"])
def test_one_that_never_stops_talking_is_hung_up_on(host: Host, stream: str) -> None:
    endless = sh(f"exec tr '\\0' x < /dev/zero >&{stream}", timeout=60)
    host.run(sh("echo well"))  # connects
    tracemalloc.start()
    with pytest.raises(TooMuchOutput) as failure:
        host.run(endless)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (failure.value.host, failure.value.kind, failure.value.output) == ("gpu-1", "Unintelligible", "")
    assert failure.value.cause == "the output is larger than 4 MiB"
    assert failure.value.cure.startswith("log in to gpu-1 and find what prints so much")
    assert peak < 6 << 20
    assert host.run(sh("echo well")).stdout == "well\n"


def test_nor_may_one_whose_stdin_stays_open(host: Host) -> None:
    with pytest.raises(TooMuchOutput):
        host.attend(Probe(sh("exec tr '\\0' x < /dev/zero", timeout=60), str))
    with pytest.raises(TooMuchOutput):
        host.attend(Probe(sh("exec yes ''", timeout=60), str))


def test_one_that_may_say_more_is_heard_to_its_end(host: Host) -> None:
    texts: list[str] = []
    command = replace(sh("head -c 20000000 /dev/zero | tr '\\0' x; echo why >&2", timeout=60), most=1 << 30)
    result = host.run(command, texts.append)
    assert sum(map(len, texts)) == 20_000_000
    assert (len(result.stdout), result.stderr) == (1 << 20, "why\n")


def test_a_line_is_told_while_the_command_runs(host: Host, tmp_path: Path) -> None:
    flag = tmp_path / "heard"
    result = host.run(
        sh('echo here; until test -e "$1"; do :; done; echo there', str(flag)), lambda _: flag.touch()
    )
    assert result.stdout == "here\nthere\n"


def test_of_what_is_followed_only_the_end_is_kept(host: Host) -> None:
    """It may go on for weeks; every line is told all the same."""
    channel = host.open(sh("seq 600000; seq 300000 >&2; read go"))
    lines = [channel.read_line(10) for _ in range(600_000)]
    assert lines == [str(number) for number in range(1, 600_001)]
    channel.send(b"go\n")
    with pytest.raises(EOFError):
        channel.read_line(5)
    result = channel.result()
    channel.close()
    assert result.stdout.endswith("599999\n600000\n")
    assert result.stderr.endswith("299999\n300000\n")
    assert len(result.stdout) == len(result.stderr) == 1 << 20


def test_a_line_without_an_end_is_told_in_pieces(host: Host) -> None:
    channel = host.open(sh("head -c 3000000 /dev/zero | tr '\\0' x; read go"))
    pieces = ""
    while len(pieces) < 1_500_000:
        pieces += channel.read_line(10) or ""
    assert set(pieces) == {"x"}
    channel.close()


def test_closing_a_channel_ends_the_stdin_of_its_command(host: Host) -> None:
    channel = host.open(sh("echo $$; cat"))
    pid = int(channel.read_line(5) or 0)
    channel.close()
    assert gone(pid)


def test_sending_to_what_has_ended_is_refused(host: Host) -> None:
    channel = host.open(sh("exit 3"))
    with pytest.raises(EOFError):
        channel.read_line(5)
    assert channel.result().status == 3
    with pytest.raises(Unreachable):
        channel.send(b"x")
    channel.close()


def test_the_limit_ends_the_process_on_the_host(host: Host) -> None:
    pids: list[str] = []
    with Stopwatch() as watch, pytest.raises(CommandTimedOut):
        host.run(sh("echo $$; exec sleep 1000", timeout=0.3), pids.append)
    assert watch.seconds < 3
    assert gone(int(pids[0]))


def test_a_process_that_ignores_the_limit_is_killed(host: Host) -> None:
    """SSH has no status for what a signal ended, which must not be taken for a lost connection."""
    pids: list[str] = []
    command = sh("trap '' TERM; echo $$; while :; do sleep 0.1; done", timeout=0.2)
    with pytest.raises(CommandTimedOut):
        host.run(Hurried(command.argv, command.title, timeout=command.timeout), pids.append)
    assert gone(int(pids[0]))


def test_killed_before_its_limit_is_no_timeout(host: Host) -> None:
    with pytest.raises(CommandFailed) as failure:
        host.run(sh("kill -KILL $$"))
    assert failure.value.status == 137


def test_a_probe_over_the_wire(host: Host) -> None:
    assert host.ask(Probe(sh("cat", stdin=b"42"), int)) == 42


def test_twelve_commands_at_once_on_one_connection(servers: SshServers, host: Host) -> None:
    """More than sshd's MaxSessions allows; all of them see the same connection."""
    echo = 'echo $1 "$SSH_CONNECTION"'
    with ThreadPoolExecutor(12) as pool:
        lines = list(pool.map(lambda number: host.run(sh(echo, str(number))).stdout.split(), range(12)))
    assert [int(line[0]) for line in lines] == list(range(12))
    assert len({tuple(line[1:]) for line in lines}) == 1
    assert lines[0][4] == str(servers.near.port)


@pytest.fixture
def own(servers: SshServers, make_host: MakeHost, make_sshd: MakeSshd) -> tuple[Sshd, Host]:
    """An sshd that may be broken, and a host on it."""
    sshd = make_sshd()
    return sshd, make_host(Spec(sshd.address, sshd.port, identity_file=servers.key), patience=2)


def test_a_connection_that_breaks_is_noticed_and_made_again(own: tuple[Sshd, Host]) -> None:
    sshd, host = own
    with Stopwatch() as watch:
        with pytest.raises(Unreachable) as failure:
            host.run(sh("echo here; exec sleep 60", timeout=60), lambda _: sshd.stop())
        assert "broke while the command ran" in failure.value.cause
    assert watch.seconds < 10
    with pytest.raises(Unreachable) as failure:
        host.run(sh("true"))
    assert "no process listens" in failure.value.cause
    sshd.start()
    assert host.run(sh("echo back")).stdout == "back\n"


def test_a_frozen_sshd_costs_no_more_than_our_patience(own: tuple[Sshd, Host]) -> None:
    sshd, host = own
    host.run(sh("true"))
    frozen = sshd.freeze()
    with Stopwatch() as watch, pytest.raises(Unreachable, match="run a script"):
        host.run(sh("true"))
    assert watch.seconds < 8
    thaw(frozen)


def test_hung_up_is_for_good(host: Host) -> None:
    host.run(sh("true"))
    host.close()
    with pytest.raises(Unreachable) as failure:
        host.run(sh("true"))
    assert "already closed" in failure.value.cause
