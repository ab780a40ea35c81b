"""Keys, and the sshd of a host."""

import subprocess
from pathlib import Path

from .layout import PORTS, Layout, home
from .network import tool

CLIENT_KEY = "client_key"
KNOWN_HOSTS = "known_hosts"
LOG = "/var/log/sshd.log"
_HOST_KEY = "/etc/ssh/ssh_host_ed25519_key"

# PAM, because sshd refuses an account whose password is locked, as root's often is. MaxStartups and
# MaxSessions, because a jump host may be asked for all others at once, over one connection.
_CONFIG = f"""\
{"".join(f"Port {port}{chr(10)}" for port in PORTS)}\
HostKey {_HOST_KEY}
PidFile none
LogLevel VERBOSE
UsePAM yes
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


def install(root: Path, folder: Path, host: str) -> None:
    """The machine's own keys and configuration make way for the host's."""
    for outer in (root / "etc/ssh").iterdir():
        if outer.is_file():
            outer.unlink()
    (root / "etc/ssh/sshd_config").write_text(_CONFIG)
    _private(root / _HOST_KEY.lstrip("/"), host_key(folder, host).read_text())
    own = root / home().relative_to("/") / ".ssh"
    own.mkdir(mode=0o700)
    _private(own / "authorized_keys", (folder / f"{CLIENT_KEY}.pub").read_text())
    (root / "run/sshd").mkdir(mode=0o755)


def _private(path: Path, text: str) -> None:
    path.touch(mode=0o600)
    path.write_text(text)


def argv() -> list[str]:
    return [tool("sshd"), "-D", "-E", LOG]
