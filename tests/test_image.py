"""The image of a GPU host: its own steps, as far as they run without docker, in folders of their own."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from pathlib import Path

import pytest

from tests.timing import LIMIT

ROOT = Path(__file__).parents[1]
IMAGE = (ROOT / "Dockerfile").read_text()
STEPS = re.findall(r"^([A-Z]+) ((?:.*\\\n)*.*)$", IMAGE, re.MULTILINE)

#: What they write into is empty and theirs alone; their mounts end with them.
_FOLDERS = ("/etc/ssh", "/var/lib", "/run", "/usr/local/sbin")
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="mounts folders of its own")


def steps(kind: str) -> list[str]:
    return [words.replace("\\\n", " ") for each, words in STEPS if each == kind]


def inside(*commands: str) -> str:
    """What the commands say; the first that fails ends them."""
    script = "\n".join([*(f"mount -t tmpfs none {folder}" for folder in _FOLDERS), *commands])
    path = f"/usr/local/sbin:{os.environ['PATH']}"
    argv = ["env", f"PATH={path}", "unshare", "--mount", "--propagation", "private", "/bin/sh", "-euc", script]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, timeout=LIMIT, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def copied() -> list[str]:
    """The COPY steps, and the way that Ubuntu's own configuration takes them in."""
    words = [shlex.split(step.replace("--chmod=755", "")) for step in steps("COPY")]
    copies = [
        f"mkdir -p {Path(to).parent}; cp {source} {to}" for source, to in words if source.startswith("image/")
    ]
    return [
        *copies,
        "echo 'Include /etc/ssh/sshd_config.d/*.conf\nPasswordAuthentication yes' > /etc/ssh/sshd_config",
    ]


def test_the_base_is_named_by_its_digest_and_none_is_made_up() -> None:
    (base,), (argument,) = steps("FROM"), steps("ARG")
    assert base.endswith("@${DIGEST}")
    assert argument == "DIGEST"
    assert not re.search(r"sha256:[0-9a-f]", IMAGE)


@needs_root
def test_no_layer_holds_a_host_key() -> None:
    """The package's own installation makes them."""
    (install,) = [step for step in steps("RUN") if "openssh-server" in step]
    package = "/usr/local/sbin/apt-get"
    makes = f"printf '#!/bin/sh\\ntouch /etc/ssh/ssh_host_rsa_key /etc/ssh/ssh_host_rsa_key.pub\\n' > {package}"
    assert inside(makes, f"chmod +x {package}", install, "ls /etc/ssh") == ""


@pytest.fixture(scope="module")
def started() -> tuple[str, str]:
    """What the entry point says at its first start, and what its sshd goes by at the second."""
    (entry,) = steps("ENTRYPOINT")
    (start,) = re.findall(r'"(.*)"', entry)
    (volume,) = steps("VOLUME")
    keys = f"{volume}/etc/ssh"
    again = (f"cat {keys}/*.pub > /run/first", "echo again", f"{start} -T", f"cat {keys}/*.pub | cmp - /run/first")
    private = f"stat -c %a {keys}/ssh_host_ed25519_key"
    first, _, second = inside(*copied(), f"{start} -t", private, "ls /etc/ssh", *again).partition("again\n")
    return first, second


@needs_root
def test_host_keys_are_made_at_the_first_start_and_kept_in_the_volume(started: tuple[str, str]) -> None:
    first, _ = started
    assert re.search(r"^256 SHA256:\S+ .*\(ED25519\)$", first, re.MULTILINE)
    assert first.endswith("600\nsshd_config\nsshd_config.d\n")


@needs_root
def test_only_keys_log_in(started: tuple[str, str]) -> None:
    settings = started[1].splitlines()
    assert {"passwordauthentication no", "kbdinteractiveauthentication no"} <= set(settings)
    assert "permitrootlogin without-password" in settings, "as sshd calls prohibit-password"
    assert all("/var/lib/orchestrator/" in line for line in settings if line.startswith("hostkey "))
