"""Keys, and the sshd of a host."""

import os
import subprocess
from pathlib import Path

from . import driver
from .layout import PATH, PORTS, HostLayout, Layout, home
from .network import tool

CLIENT_KEY = "client_key"
KNOWN_HOSTS = "known_hosts"
LOG = "/var/log/sshd.log"
_HOST_KEY = "/etc/ssh/ssh_host_ed25519_key"

# MaxStartups and MaxSessions, because a jump host may be asked for all others at once, over one connection.
_CONFIG = f"""\
{"".join(f"Port {port}{chr(10)}" for port in PORTS)}\
HostKey {_HOST_KEY}
PidFile none
LogLevel VERBOSE
UseDNS no
PermitRootLogin prohibit-password
PasswordAuthentication no
KbdInteractiveAuthentication no
MaxStartups 256
MaxSessions 256
PrintMotd no
PrintLastLog no
AllowTcpForwarding yes
Subsystem sftp internal-sftp
"""
# PAM, because sshd refuses an account whose password is locked, as root's often is.
_WITH_PAM = "UsePAM yes\n"


def make_keys(layout: Layout) -> None:
    folder = layout.order.folder
    _generate(folder / CLIENT_KEY, f"sandbox-{layout.order.name}")
    for host in layout.hosts:
        _generate(host_key(folder, host.name), host.name)
    (folder / KNOWN_HOSTS).write_text("".join(_known(layout)))


def host_key(folder: Path, host: str) -> Path:
    return folder / f"{host}_key"


def _known(layout: Layout) -> list[str]:
    """Every name by which a host may be reached: a jump host sees the cluster addresses, too."""
    lines = []
    for host in layout.hosts:
        kind, key, _ = host_key(layout.order.folder, host.name).with_suffix(".pub").read_text().split()
        for address in (host.address, host.cluster_address):
            names = [address if port == 22 else f"[{address}]:{port}" for port in PORTS]
            lines.append(f"{','.join(names)} {kind} {key}\n")
    return lines


def _generate(path: Path, comment: str) -> None:
    argv = [tool("ssh-keygen"), "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", str(path)]
    subprocess.run(argv, check=True, stdin=subprocess.DEVNULL)


def install(root: Path, layout: Layout, host: HostLayout) -> None:
    """The machine's own keys and configuration make way for the host's."""
    folder, ssh = layout.order.folder, root / "etc/ssh"
    ssh.mkdir(exist_ok=True)
    for outer in ssh.iterdir():
        if outer.is_file():
            outer.unlink()
    (ssh / "sshd_config").write_text(_CONFIG + (_without_pam(root) if layout.order.real else _WITH_PAM))
    _private(root / _HOST_KEY.lstrip("/"), host_key(folder, host.name).read_text())
    own = root / home().relative_to("/") / ".ssh"
    own.mkdir(mode=0o700)
    _private(own / "authorized_keys", (folder / f"{CLIENT_KEY}.pub").read_text())
    (root / "run/sshd").mkdir(mode=0o755)


def _without_pam(root: Path) -> str:
    """Returns settings for a machine without sshd's PAM service, such as one made for GPUs. root then has no
    password instead of a locked one. Each session gets the variables that find the driver."""
    shadow = root / "etc/shadow"
    lines = shadow.read_text().splitlines() if shadow.exists() else []
    _private(shadow, "".join(f"{unlocked(line)}\n" for line in lines))
    given = {"PATH": driver.path(os.environ, PATH), **driver.variables(os.environ)}
    return f"UsePAM no\nSetEnv {' '.join(f'{name}={value}' for name, value in given.items())}\n"


def unlocked(line: str) -> str:
    """Returns a line of /etc/shadow. root's has a password that matches nothing, and that sshd does not call
    locked."""
    name, *rest = line.split(":")
    return ":".join([name, "*", *rest[1:]]) if name == "root" and rest else line


def _private(path: Path, text: str) -> None:
    path.touch(mode=0o600)
    path.write_text(text)


def argv() -> list[str]:
    return [tool("sshd"), "-D", "-E", LOG]
