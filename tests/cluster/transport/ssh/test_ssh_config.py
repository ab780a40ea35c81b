"""Which hops the inventory and ~/.ssh/config ask for."""

from __future__ import annotations

from pathlib import Path

import pytest

from cluster.errors import Unreachable
from cluster.transport.ssh.config import resolve
from cluster.transport.ssh.hop import Hop
from tests.cluster.transport.ssh.conftest import Spec


def way(home: Path, config: str, spec: Spec, known: Path | None = None) -> list[Hop]:
    """The hops in the order in which they are connected."""
    (home / ".ssh/config").write_text(config)
    hops: list[Hop] = []
    hop: Hop | None = resolve(spec, known, None)
    while hop:
        hops.insert(0, hop)
        hop = hop.gateway
    return hops


def test_an_alias_brings_address_port_user_and_keys(home: Path) -> None:
    config = "Host node*\n HostName %h.example.com\n Port 2222\n User ops\n IdentityFile ~/.ssh/%r_key\n"
    (hop,) = way(home, config + " IdentitiesOnly yes\n HostKeyAlias farm\n", Spec("node7"))
    assert (hop.address, hop.port, hop.user) == ("node7.example.com", 2222, "ops")
    assert hop.identities == (home / ".ssh/ops_key",)
    assert hop.identities_only
    assert hop.known_as == "farm"


def test_the_inventory_wins(home: Path) -> None:
    config = "Host node7\n Port 2222\n User ops\n IdentityFile ~/.ssh/key\n UserKnownHostsFile ~/other\n"
    spec = Spec("node7", port=22, user="me", identity_file="~/mine")
    (hop,) = way(home, config, spec, known=Path("/inventory/known_hosts"))
    assert (hop.port, hop.user, hop.identities) == (22, "me", (home / "mine",))
    assert hop.known_hosts == (Path("/inventory/known_hosts"),)


def test_nothing_said_is_openssh_s_own(home: Path) -> None:
    (hop,) = way(home, "", Spec("10.0.0.1", user="me"))
    assert (hop.port, hop.identities, hop.known_as) == (22, None, "10.0.0.1")
    assert hop.known_hosts[0] == home / ".ssh/known_hosts"
    assert Path("/etc/ssh/ssh_known_hosts") in hop.known_hosts


def test_known_hosts_of_the_configuration(home: Path) -> None:
    (hop,) = way(
        home, 'Host *\n UserKnownHostsFile "~/a b" /c\n GlobalKnownHostsFile none\n', Spec("x", user="me")
    )
    assert hop.known_hosts == (home / "a b", Path("/c"))


@pytest.mark.parametrize("first", ["one,two", "ssh://one,two", "one, two"])
def test_the_left_jump_is_connected_first(home: Path, first: str) -> None:
    hops = way(home, f"Host far\n ProxyJump {first}\nHost two\n Port 2\n User second\n", Spec("far", user="me"))
    assert [hop.address for hop in hops] == ["one", "two", "far"]
    assert [hop.is_jump for hop in hops] == [True, True, False]
    assert (hops[1].port, hops[1].user) == (2, "second")


def test_jumps_with_all_their_parts(home: Path) -> None:
    hops = way(home, "Host far\n ProxyJump a@[::1]:2022,ssh://b@two:23\n", Spec("far", user="me"))
    assert [(hop.user, hop.address, hop.port) for hop in hops[:2]] == [("a", "::1", 2022), ("b", "two", 23)]
    assert hops[2].ssh("true") == "ssh -J 'a@[::1]:2022,b@two:23' me@far true"


def test_the_first_jump_has_its_own_jump_and_the_second_has_not(home: Path) -> None:
    config = "Host far\n ProxyJump one,two\nHost one\n ProxyJump zero\nHost two\n ProxyJump never\n"
    assert [hop.address for hop in way(home, config, Spec("far", user="me"))] == ["zero", "one", "two", "far"]


def test_the_jump_of_the_inventory_wins(home: Path) -> None:
    spec = Spec("far", user="me", jump=Spec("bastion", user="b", jump=Spec("door", user="d")))
    hops = way(home, "Host *\n ProxyJump other\n", spec)
    assert [hop.address for hop in hops] == ["other", "door", "bastion", "far"]


def test_a_jump_for_everybody_is_none_to_itself(home: Path) -> None:
    config = "Host *\n ProxyJump bastion\n"
    assert [hop.address for hop in way(home, config, Spec("far", user="me"))] == ["bastion", "far"]


def test_two_that_jump_over_each_other_end(home: Path) -> None:
    config = "Host a\n ProxyJump b\nHost b\n ProxyJump a\n"
    assert [hop.address for hop in way(home, config, Spec("a", user="me"))] == ["b", "a"]


@pytest.mark.parametrize(
    ("config", "command", "jumps"),
    [
        ("Host far\n ProxyCommand nc %h %p\nHost *\n ProxyJump other\n", "nc far 22", []),
        ("Host far\n ProxyJump other\nHost *\n ProxyCommand nc %h %p\n", "", ["other"]),
        ("Host far\n ProxyJump none\nHost *\n ProxyCommand nc\n", "", []),
        ("Host far\n ProxyCommand none\n", "", []),
    ],
)
def test_of_two_kinds_of_proxies_the_first_counts(home: Path, config: str, command: str, jumps: list[str]) -> None:
    hops = way(home, config, Spec("far", user="me"))
    assert hops[-1].proxy_command == command
    assert [hop.address for hop in hops[:-1]][-1:] == jumps


def test_a_proxy_command_is_told_what_the_inventory_says(home: Path) -> None:
    config = "Host far\n Port 1\n User nobody\n ProxyCommand connect %r %h %p\n"
    (hop,) = way(home, config, Spec("far", port=2200, user="me"))
    assert hop.proxy_command == "connect me far 2200"


def test_included_files_count_where_they_stand(home: Path) -> None:
    (home / ".ssh/conf.d").mkdir()
    (home / ".ssh/conf.d/a.conf").write_text("Host far\n Port 7\n")
    (home / ".ssh/conf.d/b.conf").write_text("Include late\nHost other\n User wrong\n")
    (home / ".ssh/late").write_text("Host far\n HostName late.example.com\n")
    (hop,) = way(home, "Include conf.d/*.conf\nUser ops\nHost far\n Port 8\n", Spec("far"))
    assert (hop.address, hop.port, hop.user) == ("late.example.com", 7, "ops")


@pytest.mark.parametrize("config", ["Host x\n Port many\n", "nonsense\n", "Host x\n ProxyJump a:b:c\n"])
def test_what_cannot_be_read_is_said_with_its_file(home: Path, config: str) -> None:
    with pytest.raises(Unreachable) as failure:
        way(home, config, Spec("x", user="me"))
    assert str(home / ".ssh/config") in failure.value.cause
    assert "ssh -G x" in failure.value.cure


def test_another_file_replaces_them_all(home: Path) -> None:
    (home / ".ssh/config").write_text("Host *\n Port 5\n")
    (home / "mine").write_text("Host *\n User ops\n")
    hop = resolve(Spec("x"), None, home / "mine")
    assert (hop.port, hop.user) == (22, "ops")
