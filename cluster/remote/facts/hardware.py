"""The health of GPUs, driver and kernel."""

import glob
import os
import re
import shutil
import subprocess
import time
from typing import TYPE_CHECKING, Any, Iterator

if TYPE_CHECKING:
    from cluster.remote.facts.gpus import PATIENCE, _answer, _ask

#: nvidia-smi refuses a whole query for one unknown field: so there is one query for each age of drivers.
HEALTH_FIELDS = (
    "uuid,pci.bus_id,compute_cap,persistence_mode,mig.mode.current,ecc.errors.uncorrected.volatile.total,"
    "retired_pages.pending,remapped_rows.pending,remapped_rows.failure"
)
FABRIC_FIELDS = "uuid,fabric.state,fabric.status"
NEWER_FIELDS = "uuid,gpu_recovery_action,ecc.errors.uncorrected.aggregate.sram.thresholdExceeded"

XID = re.compile(
    r"NVRM: Xid \((?:PCI:)?([0-9a-fA-F]+:[0-9a-fA-F]+:[0-9a-fA-F]+)[^)]{0,80}\): (\d{1,9})(?:, *)?(.*)"
)
OF_THE_DRIVER = "NVRM: "
LOG_FILES = ("/var/log/kern.log", "/var/log/messages")
LOG_BYTES = 4 << 20
FLAGS = {"Enabled": True, "Yes": True, "Disabled": False, "No": False}


def hardware(data: dict[str, Any]) -> dict[str, Any]:
    end = time.monotonic() + PATIENCE
    queries = [_asked(fields) for fields in (HEALTH_FIELDS, FABRIC_FIELDS, NEWER_FIELDS)]
    switches = nvswitch()
    version = fabric_manager_version() if switches else ""
    failures = xids()
    rows, fabric, newer = [_told(query, end) for query in queries]
    return {
        "health": [
            {"uuid": uuid, **_health(row, fabric.get(uuid, []), newer.get(uuid, []))} for uuid, row in rows.items()
        ],
        "xids": failures,
        "nvswitch": switches,
        "fabric_manager": switches and fabric_manager_runs(),
        "fabric_manager_version": version,
    }


def _asked(fields: str) -> "subprocess.Popen[str] | None":
    try:
        return _ask("--query-gpu=" + fields)
    except OSError:
        return None


def _told(query: "subprocess.Popen[str] | None", end: float) -> dict[str, list[str]]:
    """Returns the fields of each GPU, by uuid; empty where the driver is too old for the query."""
    try:
        return {row[0]: row[1:] for row in _answer(query, end) if row} if query else {}
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return {}


def _health(row: list[str], fabric: list[str], newer: list[str]) -> dict[str, Any]:
    bus, capability, persistent, mig, uncorrected, pages, pending, failed = (row + [""] * 8)[:8]
    state, status = [_word(text) for text in (fabric + ["", ""])[:2]]
    recovery, exceeded = (newer + ["", ""])[:2]
    return {
        "bus": bus_address(bus),
        "capability": _word(capability),
        "persistent": FLAGS.get(persistent),
        "mig": FLAGS.get(mig),
        "uncorrected": int(uncorrected) if uncorrected.isdigit() else None,
        "pages_pending": FLAGS.get(pages),
        "rows_pending": FLAGS.get(pending),
        "rows_failed": FLAGS.get(failed),
        "sram_exceeded": FLAGS.get(exceeded),
        "fabric_state": state,
        "fabric_status": status,
        "recovery": _word(recovery),
    }


def _word(text: str) -> str:
    """Returns an empty text for N/A, [N/A], [Not Supported] and the like."""
    return "" if text.startswith("[") or text in ("N/A", "Not Supported", "Unknown Error") else text


def bus_address(text: str) -> str:
    """Returns the address as in the kernel log (0000:65:00); nvidia-smi prints the same GPU as
    00000000:65:00.0."""
    domain, _, rest = text.partition(":")
    try:
        return f"{int(domain, 16):04x}:{rest.split('.')[0].lower()}"
    except ValueError:
        return ""


def xids() -> "list[dict[str, Any]] | None":
    lines = kernel_log()
    if lines is None:
        return None
    texts: dict[tuple[str, int], str] = {}
    for line in lines:
        match = XID.search(line)
        if match:
            texts[bus_address(match[1]), int(match[2])] = match[3].strip()[:200]
    return [{"bus": bus, "code": code, "text": text} for (bus, code), text in texts.items()]


def kernel_log(sign: str = OF_THE_DRIVER) -> "list[str] | None":
    """Returns the kernel's lines since the boot that hold `sign`; None where this user can read them nowhere."""
    for source in (_ring_buffer, _log_file, _journal):
        try:
            lines = source()
        except (OSError, subprocess.SubprocessError):
            continue
        if lines is not None:
            return [line for line in lines if re.search(sign, line)]
    return None


def _ring_buffer() -> "list[str] | None":
    descriptor = os.open("/dev/kmsg", os.O_RDONLY | os.O_NONBLOCK)
    try:
        return list(_records(descriptor))
    finally:
        os.close(descriptor)


def _records(descriptor: int) -> Iterator[str]:
    while True:
        try:
            record = os.read(descriptor, 8192)
        except BlockingIOError:
            return
        except BrokenPipeError:  # overwritten meanwhile: the next read continues with the oldest line that is left
            continue
        if not record:
            return
        yield record.decode(errors="replace")


def _log_file() -> "list[str] | None":
    """Returns the lines that syslog has stored. A file without a line since the boot does not help."""
    for path in LOG_FILES:
        if os.access(path, os.R_OK) and os.stat(path).st_mtime >= _booted():
            with open(path, "rb") as file:
                file.seek(max(0, os.stat(path).st_size - LOG_BYTES))
                lines = file.read().decode(errors="replace").splitlines()
            boots = [
                number for number, line in enumerate(lines) if re.search(r"kernel:.{0,80} Linux version ", line)
            ]
            return lines[boots[-1] if boots else 0 :]
    return None


def _booted() -> float:
    with open("/proc/uptime") as file:
        return time.time() - float(file.read().split()[0])


def _journal() -> "list[str] | None":
    """Returns the journal. It is empty for a user without permission, because a booted kernel has always logged a
    line."""
    if not any(map(os.path.isdir, ("/run/log/journal", "/var/log/journal"))):
        return None
    argv = ["journalctl", "-k", "-b", "-q", "--no-pager", "-o", "cat"]
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, timeout=5)
    lines = done.stdout.decode(errors="replace").splitlines()
    return lines if done.returncode == 0 and lines else None


def nvswitch() -> bool:
    """Returns whether there are switches: a driver without switches has an empty folder for them."""
    return bool(glob.glob("/dev/nvidia-nvswitch[0-9]*") or glob.glob("/proc/driver/nvidia-nvswitch/devices/*"))


def fabric_manager_runs() -> bool:
    return any(_is_fabric_manager(path) for path in glob.glob("/proc/[0-9]*/comm"))


def _is_fabric_manager(path: str) -> bool:
    try:
        with open(path) as file:
            return file.read().startswith("nv-fabricmanage")  # the kernel keeps 15 letters
    except OSError:
        return False


def fabric_manager_version() -> str:
    program = shutil.which("nv-fabricmanager", path=os.environ.get("PATH", "") + ":/usr/bin:/usr/local/bin")
    if not program:
        return ""
    try:
        done = subprocess.run([program, "--version"], stdin=subprocess.DEVNULL, capture_output=True, timeout=5)
    except (OSError, subprocess.SubprocessError):
        return ""
    version = re.search(rb"\d+\.\d+[.\d]*", done.stdout)
    return version[0].decode() if version else ""
