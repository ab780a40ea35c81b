"""What a person sees of an error, word by word."""

from __future__ import annotations

from cluster.errors import CommandFailed, HostError, NotReady, NotReleased
from cluster.values import Leftover
from orchestrator.render import failure
from orchestrator.render.text import ASCII
from tests.orchestrator.render import story


def test_a_command_that_failed() -> None:
    assert (
        failure.lines(story.failed, "Join Ray workers")
        == """\
✗ Join Ray workers: gpu-b: could not start the Ray worker (exit status 1)
  gpu-b said:
    2026-07-01 09:14:02,118 INFO scripts.py:1163 -- Local node IP: 10.20.0.2
    Traceback (most recent call last):
      File "/opt/vllm/lib/python3.11/site-packages/ray/scripts/scripts.py", line 2694, in main
        return cli()
    RuntimeError: Version mismatch: The cluster was started with:
        Ray: 2.60.0
        Python: 3.11.7
    This process on node 10.20.0.2 was started with:
        Ray: 2.59.1
        Python: 3.11.7
  cause  its Ray or Python differs from the head's
  next   install the same Ray and Python on every host
         then run `orchestrator up` again"""
    )


def test_of_much_the_last_lines() -> None:
    said = "".join(f"line {number}\n" for number in range(40))
    shown = failure.lines(CommandFailed("gpu-b", story.FACTS, 1, "", said)).splitlines()
    assert shown[1] == "  gpu-b said, the last 12 of 40 lines:"
    assert shown[2:] == [f"    line {number}" for number in range(28, 40)]


def test_a_long_line_is_cut() -> None:
    shown = failure.lines(HostError("gpu-a", "read its log", "x" * 5000), marks=ASCII).splitlines()[-1]
    assert shown == "    " + "x" * 400 + ".."


def test_escape_sequences_of_a_host_do_not_pass() -> None:
    said = "\x1b[2J\x1b]0;owned\x07\x1b[31mERROR\x1b[0m no space left\x07"
    shown = failure.lines(HostError("gpu-b", "write \x1b[31mits record", said))
    assert shown == "✗ gpu-b: could not write its record\n  gpu-b said:\n    ERROR no space left\\x07"


def test_unreachable() -> None:
    assert (
        failure.lines(story.unreachable)
        == """\
✗ gpu-b: could not connect (unreachable)
  ssh said:
    timed out
  cause  nothing answers at 10.0.0.2:22
  next   ssh -p 22 root@10.0.0.2 true"""
    )


def test_a_connection_that_broke_under_a_command() -> None:
    lost = CommandFailed("gpu-b", story.FACTS, -1, "", "")
    assert failure.lines(lost) == "✗ gpu-b: could not ask for its facts (the connection broke)"


def test_timed_out() -> None:
    assert (
        failure.lines(story.timed_out)
        == """\
✗ gpu-a: could not ask for its facts (timed out)
  cause  the command did not finish within 30 s
  next   log in to gpu-a and find the process that hangs"""
    )


def test_unintelligible() -> None:
    assert (
        failure.lines(story.unintelligible)
        == """\
✗ gpu-a: could not ask for its facts (the answer cannot be read)
  gpu-a said:
    Welcome to gpu-a!
    {
  cause  its .bashrc prints
  next   log in to gpu-a and find what prints there, for example a start-up file of the shell"""
    )


def test_a_line_of_a_host_is_cut() -> None:
    """In a cause, of a leftover, and in the one line of a phase that failed; a command is never cut."""
    longest, command = "x" * 100_000, "rm " + "y" * 1000
    left = NotReleased([Leftover("gpu-a", longest, command)])
    died = NotReady("the engine", host="gpu-a", cause=longest, cure=command)
    for error in (left, died):
        shown = failure.lines(error)
        assert "x" * 300 in shown
        assert command in shown
        assert len(shown) < 2000
    assert len(failure.brief(died)) < 600


def test_a_fleet_that_says_the_same_is_folded() -> None:
    assert (
        failure.lines(story.same, "Observe hosts")
        == """\
✗ Observe hosts: gpu-a, gpu-b: could not ask for its facts (timed out)
  cause  the command did not finish within 30 s
  next   log in to HOST and find the process that hangs"""
    )


def test_a_fleet_that_fails_in_different_ways() -> None:
    assert (
        failure.lines(story.several, "Observe hosts")
        == """\
✗ Observe hosts: failed on gpu-a, gpu-b, gpu-c
  ✗ gpu-a, gpu-c: could not ask for its facts (timed out)
    cause  the command did not finish within 30 s
    next   log in to HOST and find the process that hangs
  ✗ gpu-b: could not connect (unreachable)
    ssh said:
      timed out
    cause  nothing answers at 10.0.0.2:22
    next   ssh -p 22 root@10.0.0.2 true"""
    )


def test_preflight_worst_first() -> None:
    assert (
        failure.lines(story.preflight)
        == """\
✗ 3 findings forbid a start, 1 warning, 1 not checked
  blocking
    ✗ GPU count · gpu-b
        found   7 × NVIDIA H100 80GB HBM3
        wanted  8
        why     TP16 needs every GPU of both hosts
        cure    nvidia-smi -L on gpu-b shows which one is missing
    ✗ port 8000 · gpu-a, gpu-b
        found   taken by pid 4242 (nginx)
        wanted  free
        cure    stop nginx on HOST
  warnings
    ! /dev/shm · gpu-b
        found   4.0 GiB
        wanted  16.0 GiB
        why     vLLM broadcasts through it
        cure    mount -o remount,size=16G /dev/shm
  not checked
    ? libcuda · gpu-a
        found   no libcuda on this host"""
    )


def test_not_ready() -> None:
    assert (
        failure.lines(story.not_ready, "Ready")
        == """\
✗ Ready: gpu-a: waited 30 min 00 s for one token from http://10.0.0.1:8000
  last seen:
    (EngineCore pid=5120) No available shared memory broadcast block found in 60 seconds.
  cause  no rank has read a byte for 30 min
  next   orchestrator diagnose --to bundle.tar.gz"""
    )


def test_not_ready_without_a_host() -> None:
    assert failure.lines(NotReady("16 GPUs", 2)) == "✗ waited 2.0 s for 16 GPUs"
    assert failure.lines(NotReady("the engine", host="gpu-a")) == "✗ gpu-a: the engine did not become available"


def test_held() -> None:
    assert (
        failure.lines(story.held)
        == """\
✗ ernie is held by anna on laptop-7 since 2026-07-01T09:12:44+00:00: up
  next   wait until their run ends, or break the lease with `orchestrator unlock --reason WHY`"""
    )


def test_not_freed_lists_every_leftover() -> None:
    assert (
        failure.lines(story.not_freed)
        == """\
✗ 2 things may still be in use
  ✗ gpu-a: pid 5391 (VLLM::Worker_TP3) holds 71,204 MiB on GPU 3
    next   kill -9 5391 on gpu-a
  ✗ gpu-b: could not be inspected: unreachable
    next   run `orchestrator down` again once it is back"""
    )


def test_inventory() -> None:
    assert (
        failure.lines(story.inventory)
        == """\
✗ inventory.yaml cannot be used: 2 problems
  line 14: hosts[1].adress: unknown key; did you mean `address`?
  line 21: serve.port: 99999 is not a port
  next   correct inventory.yaml"""
    )
