"""All errors, in the words that the operator reads.

```text
ClusterError
├── UsageError              a wrong command line; no host was touched
├── InventoryError          a wrong inventory file; no host was touched
├── HostError               one host: what we were doing, its output, the cause if known, the fix
│   ├── Unreachable         the connection failed or broke
│   ├── CommandFailed       the command exited with another status than 0
│   ├── CommandTimedOut     the command reached its time limit
│   ├── MalformedAnswer     the answer cannot be read
│   │   └── TooMuchOutput   the answer does not end
│   └── StateTaken          another user owns the path of our folder, or may write in it
├── FleetError              several of these errors, one for each host
├── PreflightFailed         blocking findings
├── NotReady                the engine or Ray did not become ready
│   ├── TimedOut            the timeout expired, and the cause is unknown
│   └── EngineDied          the engine exited, or can no longer become ready
├── LeaseHeld               another operator holds the lease of this cluster
│   └── LeaseLost           and took the lease from this run
├── InUse                   the command would stop units that another operator launched
└── NotReleased             resources that are still held on the hosts
```
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from cluster.command import Command
    from cluster.values import Finding, Lease, Leftover


class ClusterError(Exception):
    """The root of all errors. `cause` is the known reason, `cure` is the fix; both may be empty.

    Programs know an error by its `kind`: a class may be renamed, its kind may not.
    """

    kind: ClassVar[str] = "ClusterError"

    def __init__(self, message: str, *, cause: str = "", cure: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.cause = cause
        self.cure = cure


class UsageError(ClusterError):
    """A command that cannot be carried out as it was given."""

    kind: ClassVar[str] = "UsageError"


class InventoryError(ClusterError):
    """An inventory that cannot be used. Each problem names the line and the key."""

    kind: ClassVar[str] = "InventoryError"

    def __init__(self, path: str, problems: Sequence[str], *, cure: str = "") -> None:
        super().__init__("\n".join(problems), cure=cure or f"correct {path}")
        self.path = path
        self.problems = tuple(problems)


class HostError(ClusterError):
    """A failure on one host. `output` is the whole output of the host (the renderer cuts it)."""

    kind: ClassVar[str] = "HostError"

    def __init__(self, host: str, doing: str, output: str = "", *, cause: str = "", cure: str = "") -> None:
        super().__init__(f"{host}: {doing}", cause=cause, cure=cure)
        self.host = host
        self.doing = doing
        self.output = output

    @property
    def reason(self) -> str:
        """Returns the best known reason: the cause, else the last line of output, else what failed.

        A last line of JSON does not count: it is the answer of a program and may hold a whole log.
        """
        last = self.output.strip().rpartition("\n")[2]
        return self.cause or ("" if last.startswith("{") else last) or f"failed to {self.doing}"


class Unreachable(HostError):
    """The host cannot be reached, or the connection to it broke."""

    kind: ClassVar[str] = "Unreachable"


def public_output(command: Command, stdout: str, stderr: str) -> str:
    """Returns the output of a failed command that the operator may read. The stdout of a secret command is left
    out."""
    return stderr.strip() or ("" if command.secret else stdout.strip())


class CommandFailed(HostError):
    """A command on the host exited with `status` (negative: the connection broke while it ran)."""

    kind: ClassVar[str] = "CommandFailed"

    def __init__(self, host: str, command: Command, status: int, stdout: str, stderr: str) -> None:
        output = public_output(command, stdout, stderr)
        hint = next((h for h in command.hints if h.fits(stderr + "\n" + stdout)), None)
        cause, cure = (hint.cause, hint.cure) if hint else ("", "")
        super().__init__(host, command.title, output, cause=cause, cure=cure)
        self.command = command
        self.status = status
        self.stdout = stdout
        self.stderr = stderr


class CommandTimedOut(HostError):
    """A command was still running after its time limit, in seconds."""

    kind: ClassVar[str] = "CommandTimedOut"

    def __init__(self, host: str, command: Command, output: str = "", *, stderr: str = "") -> None:
        cause = f"the command did not finish within {command.timeout:g} s"
        super().__init__(
            host, command.title, output, cause=cause, cure=f"log in to {host} and find the process that hangs"
        )
        self.command = command
        self.stderr = stderr


class MalformedAnswer(HostError):
    """The host answered, but the answer has another form than expected."""

    kind: ClassVar[str] = "Unintelligible"

    def __init__(self, host: str, doing: str, output: str = "", *, cause: str = "", cure: str = "") -> None:
        general = f"log in to {host} and find what prints there, for example a start-up file of the shell"
        super().__init__(host, doing, output, cause=cause, cure=cure or general)


class TooMuchOutput(MalformedAnswer):
    """A command printed more than its limit. The connection was closed before the command ended."""

    def __init__(self, host: str, command: Command, most: int = 0) -> None:
        """Takes `most` in bytes, where it differs from the limit of the command."""
        cure = f"log in to {host} and find what prints so much, for example a start-up file of the shell"
        limit = most or command.most
        size = f"{limit >> 20} MiB" if limit >> 20 else f"{limit >> 10} KiB"
        super().__init__(host, command.title, cause=f"the output is larger than {size}", cure=cure)
        self.command = command


class StateTaken(HostError):
    """The path of our folder on a host does not belong to us alone. Nothing in it is read, signalled or
    removed."""

    kind: ClassVar[str] = "StateTaken"


class FleetError(ClusterError):
    """Errors of several hosts, in host order; `errors` keeps each with its type."""

    kind: ClassVar[str] = "FleetError"

    def __init__(self, errors: Sequence[HostError]) -> None:
        super().__init__("\n".join(str(error) for error in errors))
        self.errors = tuple(errors)


class PreflightFailed(ClusterError):
    """At least one finding is blocking; `findings` are all of them, of all hosts."""

    kind: ClassVar[str] = "PreflightFailed"

    def __init__(self, findings: Sequence[Finding]) -> None:
        blocking = [finding for finding in findings if finding.blocking]
        super().__init__(f"{len(blocking)} blocking finding{'s' if len(blocking) != 1 else ''}")
        self.findings = tuple(findings)


class NotReady(ClusterError):
    """`what` did not become ready.

    `last` is the last state that was seen, and `host` is where to look. `waited` is in seconds, or None where the
    failure was known at once.
    """

    kind: ClassVar[str] = "NotReady"

    def __init__(
        self,
        what: str,
        waited: float | None = None,
        last: str = "",
        *,
        host: str = "",
        cause: str = "",
        cure: str = "",
    ) -> None:
        super().__init__(what, cause=cause, cure=cure)
        self.what = what
        self.waited = waited
        self.last = last
        self.host = host


class TimedOut(NotReady):
    """The timeout expired before `what` was ready. The caller that finds the cause raises a `NotReady` instead."""

    waited: float

    def __init__(self, what: str, waited: float, last: str = "") -> None:
        super().__init__(what, waited, last)

    def explained(self, host: str, cause: str, cure: str, last: str = "") -> NotReady:
        """Returns the error for the operator. `last` replaces the state that the wait itself saw."""
        return NotReady(self.what, self.waited, last or self.last, host=host, cause=cause, cure=cure)


class EngineDied(NotReady):
    """The engine exited, or can no longer become ready.

    `last` is the end of its log. `rank` names the rank that crashed, if one did: `cause` then begins with it.
    """

    def __init__(self, host: str, cause: str, cure: str, last: str = "", *, rank: str = "") -> None:
        super().__init__("the engine", None, last, host=host, cause=cause, cure=cure)
        self.rank = rank


class LeaseHeld(ClusterError):
    """The lease on the head is held by another operator."""

    kind: ClassVar[str] = "Held"

    def __init__(self, cluster: str, lease: Lease) -> None:
        super().__init__(
            f"{cluster} is held by {lease.owner} on {lease.machine} since {lease.since}: {lease.reason}",
            cure="wait until their run ends, or break the lease with `orchestrator unlock --reason WHY`",
        )
        self.lease = lease


class LeaseLost(LeaseHeld):
    """Another operator took the lease from this run. The new holder may be at work, so nothing is rolled back."""

    kind: ClassVar[str] = "LeaseLost"

    def __init__(self, cluster: str, lease: Lease) -> None:
        super().__init__(cluster, lease)
        self.message = f"the lease of {cluster} was taken by {lease.owner} on {lease.machine}: {lease.reason}"
        self.args = (self.message,)
        self.cure = "run `orchestrator status` to see what they do, then run the same command again"


class InUse(ClusterError):
    """The command would stop running units that another operator launched.

    `whose` names the units and the operators. `host` is the head, where the engine serves.
    """

    kind: ClassVar[str] = "InUse"

    def __init__(self, cluster: str, host: str, whose: str, differences: str) -> None:
        cure = "nothing was stopped; ask them first, then run the same command with `--yes`"
        super().__init__(f"{cluster} is in use: {whose}", cause=differences, cure=cure)
        self.host = host
        self.whose = whose


class NotReleased(ClusterError):
    """Resources that are still held after every attempt to release them, or that could not be checked."""

    kind: ClassVar[str] = "NotFreed"

    def __init__(self, leftovers: Sequence[Leftover]) -> None:
        super().__init__(f"{len(leftovers)} resource{'s' if len(leftovers) != 1 else ''} may still be in use")
        self.leftovers = tuple(leftovers)
