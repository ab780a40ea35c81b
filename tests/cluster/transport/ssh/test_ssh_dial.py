"""Getting to a host through real sshds, and what is said when there is no way."""

from __future__ import annotations

import shlex
import socket
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from cluster.transport.fleet import Fleet
from tests.cluster.transport.ssh.asking import port_reached, refusal, spec_of
from tests.cluster.transport.ssh.conftest import Reach, Serve, Spec, World
from tests.cluster.transport.ssh.sshd import free_port, make_key
from tests.timing import Stopwatch


def answer(server: socket.socket, banner: bytes, hang_up: bool = False) -> None:
    """Take one connection, say `banner`, and no more until the other side hangs up."""

    def run() -> None:
        connection, _ = server.accept()
        with connection:
            connection.sendall(banner)
            while not hang_up and connection.recv(4096):
                pass

    threading.Thread(target=run, daemon=True).start()


def test_one_jump(world: World, reach: Reach) -> None:
    jump = spec_of(world.near, world.key)
    assert port_reached(reach(spec_of(world.middle, world.key, jump))) == world.middle.port


def test_two_jumps_of_the_inventory(world: World, reach: Reach) -> None:
    """Only `near` may forward to `middle`, and only `middle` to `far`: no other order gets there."""
    jump = spec_of(world.middle, world.key, spec_of(world.near, world.key))
    assert port_reached(reach(spec_of(world.far, world.key, jump))) == world.far.port


def test_an_alias_with_two_jumps_in_the_configuration(world: World, reach: Reach, known_hosts: Path) -> None:
    near, middle, far = world.all
    config = f"""
        Host node
          HostName {far.address}
          Port {far.port}
          ProxyJump {near.address}:{near.port},second
        Host second
          HostName {middle.address}
          Port {middle.port}
        Host *
          User root
          IdentityFile {world.key}
          IdentitiesOnly yes
          UserKnownHostsFile {known_hosts}
    """
    assert port_reached(reach(Spec("node"), known=None, config=config)) == far.port


def test_a_proxy_command(world: World, reach: Reach) -> None:
    relay = (
        "import os,socket,sys,threading as t; s=socket.create_connection((sys.argv[1],int(sys.argv[2])))\n"
        "def up():\n while d:=os.read(0,65536): s.sendall(d)\n s.shutdown(1)\n"
        "t.Thread(target=up,daemon=True).start()\nwhile d:=s.recv(65536): os.write(1,d)"
    )
    script = world.folder / "relay.py"
    script.write_text(relay)
    config = f"Host {world.near.address}\n ProxyCommand python3 {script} %h %p\n"
    assert port_reached(reach(spec_of(world.near, world.key), config=config)) == world.near.port


def test_a_proxy_command_that_fails_is_named(world: World, reach: Reach) -> None:
    host = reach(spec_of(world.near, world.key), config="Host *\n ProxyCommand false --way\n")
    with Stopwatch() as watch:
        assert "ProxyCommand false --way" in refusal(host).cause
    assert watch.seconds < 3


def test_a_port_where_nothing_listens(reach: Reach) -> None:
    port = free_port("127.0.0.1")
    assert f"nothing listens on 127.0.0.1 port {port}" in refusal(reach(Spec("127.0.0.1", port))).cause


def test_a_name_that_does_not_resolve(reach: Reach) -> None:
    assert "cannot be resolved" in refusal(reach(Spec("no-such-host.invalid"))).cause


@pytest.mark.parametrize(
    ("banner", "cause"),
    [
        (b"", "no SSH server spoke within 1 s"),
        (b"SSH-2.0-test\r\n", "did not finish agreeing on keys within 1 s"),
    ],
)
def test_a_listener_that_falls_silent_costs_our_patience(reach: Reach, banner: bytes, cause: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        answer(server, banner)
        host = reach(Spec("127.0.0.1", server.getsockname()[1]), patience=1)
        with Stopwatch() as watch:
            assert cause in refusal(host).cause
        assert watch.seconds < 5


def test_a_listener_that_is_no_sshd(reach: Reach) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        answer(server, b"HTTP/1.1 400 Bad Request\r\n\r\n", hang_up=True)
        error = refusal(reach(Spec("127.0.0.1", server.getsockname()[1])))
    assert "is no SSH server or turns us away" in error.cause


def test_a_full_queue_of_a_listener_costs_our_patience(reach: Reach) -> None:
    """The kernel drops what does not fit a backlog: no answer at all, as from a host that is off."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as server:
        port = server.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)):
            with Stopwatch() as watch:
                error = refusal(reach(Spec("127.0.0.1", port), patience=1))
                assert f"no answer from 127.0.0.1 port {port} within 1 s" in error.cause
            assert watch.seconds < 5


def test_a_jump_host_that_may_not_forward(world: World, reach: Reach) -> None:
    error = refusal(reach(spec_of(world.near, world.key, spec_of(world.far, world.key))))
    assert f"the jump host {world.far.address} refuses to forward to {world.near.address}" in error.cause
    assert shlex.split(error.cure.partition("try: ")[2])[0] == "ssh"


def test_a_jump_host_that_gets_no_connection(world: World, reach: Reach) -> None:
    jump = spec_of(world.middle, world.key)
    error = refusal(reach(Spec(world.far.address, 1, identity_file=world.key, jump=jump)))
    assert f"the jump host {world.middle.address} gets no connection to {world.far.address} port 1" in error.cause


def test_a_jump_host_that_is_down(world: World, reach: Reach) -> None:
    port = free_port("127.0.0.1")
    error = refusal(reach(spec_of(world.near, world.key, Spec("127.0.0.1", port))))
    assert "its jump host" in str(error)
    assert f"nothing listens on 127.0.0.1 port {port}" in error.cause


def test_nothing_is_written_to_stderr(
    world: World, reach: Reach, home: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    refusal(reach(spec_of(world.near, make_key(home / "wrong"))))
    refusal(reach(spec_of(world.near, world.key), known=home / "none"))
    assert capfd.readouterr() == ("", "")


def test_sixteen_hosts_behind_one_door(world: World, reach: Reach, serve: Serve) -> None:
    """An sshd with no more than ten logins under way at a time turns nobody away."""
    sshd = serve(more="MaxStartups 10:100:10")
    specs = [replace(spec_of(sshd, world.key), name=f"gpu-{number}") for number in range(16)]
    fleet = Fleet([reach(spec, patience=20) for spec in specs])
    assert set(fleet.all(port_reached).values()) == {sshd.port}
