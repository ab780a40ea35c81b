"""Lines as vLLM writes them: to stdout, each process with its prefix."""

import contextlib
import os
import sys
import time

_CYAN, _PLAIN = "\x1b[36m", "\x1b[0m"


def api_server(source: str, text: str, level: str = "INFO") -> None:
    _write(f"(APIServer pid={os.getpid()}) {level} {_now()} [{source}] ", text)


def engine_core(source: str, text: str, level: str = "INFO") -> None:
    """In vLLM this is a process of its own."""
    _write(f"(EngineCore pid={os.getpid() + 1}) {level} {_now()} [{source}] ", text)


def rank(number: int, pid: int, remote_ip: str, source: str, text: str) -> None:
    rank_output(pid, remote_ip, f"(Worker_TP{number} pid={pid}) INFO {_now()} [{source}] {text}")


def rank_output(pid: int, remote_ip: str, text: str) -> None:
    """Writes a line as Ray passes it on from an actor; the address only of an actor on another host."""
    where = f", ip={remote_ip}" if remote_ip else ""
    _write(f"{_CYAN}(RayWorkerProc pid={pid}{where}){_PLAIN} ", text)


def ray(source: str, text: str) -> None:
    _write("", f"{time.strftime('%Y-%m-%d %H:%M:%S')},000\tINFO {source} -- {text}")


def plain(text: str) -> None:
    _write("", text)


def _now() -> str:
    return time.strftime("%m-%d %H:%M:%S")


def _write(prefix: str, text: str) -> None:
    """A disk that is full costs the line, not the engine: so does Python's logging, which vLLM uses."""
    with contextlib.suppress(OSError):
        sys.stdout.write("".join(f"{prefix}{line}\n" for line in text.split("\n")))
        sys.stdout.flush()
