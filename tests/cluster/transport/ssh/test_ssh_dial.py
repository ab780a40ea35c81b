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
from tests.cluster.transport.ssh.conftest import MakeHost, MakeSshd, Spec, SshServers
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


def test_one_jump(servers: SshServers, make_host: MakeHost) -> None:
    jump = spec_of(servers.near, servers.key)
    assert port_reached(make_host(spec_of(servers.middle, servers.key, jump))) == servers.middle.port


def test_two_jumps_of_the_inventory(servers: SshServers, make_host: MakeHost) -> None:
    """Only `near` may forward to `middle`, and only `middle` to `far`: no other order gets there."""
    jump = spec_of(servers.middle, servers.key, spec_of(servers.near, servers.key))
    assert port_reached(make_host(spec_of(servers.far, servers.key, jump))) == servers.far.port


def test_an_alias_with_two_jumps_in_the_configuration(
    servers: SshServers, make_host: MakeHost, known_hosts: Path
) -> None:
    near, middle, far = servers.all
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
          IdentityFile {servers.key}
          IdentitiesOnly yes
          UserKnownHostsFile {known_hosts}
    """
    assert port_reached(make_host(Spec("node"), known=None, config=config)) == far.port


def test_a_proxy_command(servers: SshServers, make_host: MakeHost) -> None:
    relay = (
        "import os,socket,sys,threading as t; s=socket.create_connection((sys.argv[1],int(sys.argv[2])))\n"
        "def up():\n while d:=os.read(0,65536): s.sendall(d)\n s.shutdown(1)\n"
        "t.Thread(target=up,daemon=True).start()\nwhile d:=s.recv(65536): os.write(1,d)"
    )
    script = servers.folder / "relay.py"
    script.write_text(relay)
    config = f"Host {servers.near.address}\n ProxyCommand python3 {script} %h %p\n"
    assert port_reached(make_host(spec_of(servers.near, servers.key), config=config)) == servers.near.port


def test_a_proxy_command_that_fails_is_named(servers: SshServers, make_host: MakeHost) -> None:
    host = make_host(spec_of(servers.near, servers.key), config="Host *\n ProxyCommand false --way\n")
    with Stopwatch() as watch:
        assert "ProxyCommand false --way" in refusal(host).cause
    assert watch.seconds < 3


def test_a_port_where_nothing_listens(make_host: MakeHost) -> None:
    port = free_port("127.0.0.1")
    assert f"no process listens on 127.0.0.1 port {port}" in refusal(make_host(Spec("127.0.0.1", port))).cause


def test_a_name_that_does_not_resolve(make_host: MakeHost) -> None:
    assert "does not resolve" in refusal(make_host(Spec("no-such-host.invalid"))).cause


@pytest.mark.parametrize(
    ("banner", "cause"),
    [
        (b"", "no SSH server answered within 1 s"),
        (b"SSH-2.0-test\r\n", "did not finish agreeing on keys within 1 s"),
    ],
)
def test_a_listener_that_falls_silent_costs_our_patience(make_host: MakeHost, banner: bytes, cause: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        answer(server, banner)
        host = make_host(Spec("127.0.0.1", server.getsockname()[1]), patience=1)
        with Stopwatch() as watch:
            assert cause in refusal(host).cause
        assert watch.seconds < 5


def test_a_listener_that_is_no_sshd(make_host: MakeHost) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        answer(server, b"HTTP/1.1 400 Bad Request\r\n\r\n", hang_up=True)
        error = refusal(make_host(Spec("127.0.0.1", server.getsockname()[1])))
    assert "it is not an SSH server, or it refuses this client" in error.cause


def test_a_full_queue_of_a_listener_costs_our_patience(make_host: MakeHost) -> None:
    """The kernel drops what does not fit a backlog: no answer at all, as from a host that is off."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as server:
        port = server.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)):
            with Stopwatch() as watch:
                error = refusal(make_host(Spec("127.0.0.1", port), patience=1))
                assert f"127.0.0.1 port {port} did not answer within 1 s" in error.cause
            assert watch.seconds < 5


def test_a_jump_host_that_may_not_forward(servers: SshServers, make_host: MakeHost) -> None:
    error = refusal(make_host(spec_of(servers.near, servers.key, spec_of(servers.far, servers.key))))
    assert f"the jump host {servers.far.address} refuses to forward to {servers.near.address}" in error.cause
    assert shlex.split(error.cure.partition("try: ")[2])[0] == "ssh"


def test_a_jump_host_that_gets_no_connection(servers: SshServers, make_host: MakeHost) -> None:
    jump = spec_of(servers.middle, servers.key)
    error = refusal(make_host(Spec(servers.far.address, 1, identity_file=servers.key, jump=jump)))
    assert f"the jump host {servers.middle.address} cannot connect to {servers.far.address} port 1" in error.cause


def test_a_jump_host_that_is_down(servers: SshServers, make_host: MakeHost) -> None:
    port = free_port("127.0.0.1")
    error = refusal(make_host(spec_of(servers.near, servers.key, Spec("127.0.0.1", port))))
    assert "its jump host" in str(error)
    assert f"no process listens on 127.0.0.1 port {port}" in error.cause


def test_nothing_is_written_to_stderr(
    servers: SshServers, make_host: MakeHost, home: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    refusal(make_host(spec_of(servers.near, make_key(home / "wrong"))))
    refusal(make_host(spec_of(servers.near, servers.key), known=home / "none"))
    assert capfd.readouterr() == ("", "")


def test_sixteen_hosts_behind_one_door(servers: SshServers, make_host: MakeHost, make_sshd: MakeSshd) -> None:
    """An sshd with no more than ten logins under way at a time turns nobody away."""
    sshd = make_sshd(more="MaxStartups 10:100:10")
    specs = [replace(spec_of(sshd, servers.key), name=f"gpu-{number}") for number in range(16)]
    fleet = Fleet([make_host(spec, patience=20) for spec in specs])
    assert set(fleet.all(port_reached).values()) == {sshd.port}
