"""Everything that can go wrong, as the operator has to hear it.

ClusterError
├── UsageError              the command line, before any host is touched
├── InventoryError          the file, before any host is touched
├── HostError               one host: what we were doing, its output, the cause if known, what to do next
│   ├── Unreachable         no connection, or it broke
│   ├── CommandFailed       an exit status other than 0
│   ├── CommandTimedOut     the time limit of a command
│   ├── MalformedAnswer     an answer that cannot be read
│   │   └── TooMuchOutput   or that does not end
│   └── StateTaken          somebody else has the place of our folder, or may write in it
├── FleetError              several of these, one a host
├── PreflightFailed         findings that forbid a start
├── NotReady                what was wanted of the engine, or of Ray, did not come
│   ├── TimedOut            patience ended first, and nobody has found out why
│   └── EngineDied          the engine has ended, or cannot come up any more
├── LeaseHeld               somebody else works on this cluster
│   └── LeaseLost           and took the lease from us
├── InUse                   what somebody else launched would be stopped while it runs
└── NotReleased             what is left on the hosts after all was tried
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from cluster.command import Command
    from cluster.values import Finding, Lease, Leftover


class ClusterError(Exception):
    """The root. `cause` is what is known to be behind it, `cure` the next thing to do; both may be empty.

    Programs know an error by its `kind`: a class may be renamed, its kind may not.
    """

    kind: ClassVar[str] = "ClusterError"

    def __init__(self, message: str, *, cause: str = "", cure: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.cause = cause
        self.cure = cure


class UsageError(ClusterError):
    """The command itself cannot be carried out as it was given."""

    kind: ClassVar[str] = "UsageError"


class InventoryError(ClusterError):
    """An inventory that cannot be used. Each problem names the line and the key."""

    kind: ClassVar[str] = "InventoryError"

    def __init__(self, path: str, problems: Sequence[str], *, cure: str = "") -> None:
        super().__init__("\n".join(problems), cure=cure or f"correct {path}")
        self.path = path
        self.problems = tuple(problems)


class HostError(ClusterError):
    """Something on one host. `output` is all that the host said (the renderer cuts it)."""

    kind: ClassVar[str] = "HostError"

    def __init__(self, host: str, doing: str, output: str = "", *, cause: str = "", cure: str = "") -> None:
        super().__init__(f"{host}: {doing}", cause=cause, cure=cure)
        self.host = host
        self.doing = doing
        self.output = output

    @property
    def reason(self) -> str:
        """Why, as well as it is known: the cause, otherwise the last line of output, otherwise what did not work.

        A line of JSON is the answer of a program: it may hold a whole log.
        """
        last = self.output.strip().rpartition("\n")[2]
        return self.cause or ("" if last.startswith("{") else last) or f"could not {self.doing}"


class Unreachable(HostError):
    """No connection to the host, or the one there was broke."""

    kind: ClassVar[str] = "Unreachable"


def public_output(command: Command, stdout: str, stderr: str) -> str:
    """The output of a failed command that the operator may read: no secret, which may be on its stdout."""
    return stderr.strip() or ("" if command.secret else stdout.strip())


class CommandFailed(HostError):
    """A command on the host ended with `status` (negative: lost, the connection broke under it)."""

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
        cause = f"no answer within {command.timeout:g} s"
        super().__init__(
            host, command.title, output, cause=cause, cure=f"log in to {host} and see what hangs there"
        )
        self.command = command
        self.stderr = stderr


class MalformedAnswer(HostError):
    """The host answered, but not with what was asked for."""

    kind: ClassVar[str] = "Unintelligible"


class TooMuchOutput(MalformedAnswer):
    """A command that said more than it may: nobody has waited for its end."""

    def __init__(self, host: str, command: Command, most: int = 0) -> None:
        """`most` is in bytes, where it is not that of the command."""
        cure = f"log in to {host} and see what prints there: a start-up file of the shell, for instance"
        super().__init__(
            host, command.title, cause=f"it said more than {(most or command.most) >> 20} MiB", cure=cure
        )
        self.command = command


class StateTaken(HostError):
    """What has the path of our folder on a host is not ours alone: nothing in it is read, signalled or removed."""

    kind: ClassVar[str] = "StateTaken"


class FleetError(ClusterError):
    """Errors of several hosts, in host order; `errors` keeps each with its type."""

    kind: ClassVar[str] = "FleetError"

    def __init__(self, errors: Sequence[HostError]) -> None:
        super().__init__("\n".join(str(error) for error in errors))
        self.errors = tuple(errors)


class PreflightFailed(ClusterError):
    """At least one finding forbids a start; `findings` are all of them, of all hosts."""

    kind: ClassVar[str] = "PreflightFailed"

    def __init__(self, findings: Sequence[Finding]) -> None:
        blocking = [finding for finding in findings if finding.blocking]
        super().__init__(f"{len(blocking)} blocking finding{'s' if len(blocking) != 1 else ''}")
        self.findings = tuple(findings)


class NotReady(ClusterError):
    """`what` was wanted, and did not come: `last` is the last that was seen, `host` where to look. `waited` is in
    seconds, None where it was known at once."""

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
    """Patience ended before `what` came. Whoever finds out why raises a `NotReady` in its place."""

    waited: float

    def __init__(self, what: str, waited: float, last: str = "") -> None:
        super().__init__(what, waited, last)

    def explained(self, host: str, cause: str, cure: str, last: str = "") -> NotReady:
        """Returns the error for the operator; `last` in place of what the wait itself saw."""
        return NotReady(self.what, self.waited, last or self.last, host=host, cause=cause, cure=cure)


class EngineDied(NotReady):
    """The engine has ended, or will not come up any more; `last` is the end of what it said. `rank` names the rank
    that it died of, where it was one: `cause` begins with it then."""

    def __init__(self, host: str, cause: str, cure: str, last: str = "", *, rank: str = "") -> None:
        super().__init__("the engine", None, last, host=host, cause=cause, cure=cure)
        self.rank = rank


class LeaseHeld(ClusterError):
    """The lease on the head belongs to somebody else."""

    kind: ClassVar[str] = "Held"

    def __init__(self, cluster: str, lease: Lease) -> None:
        super().__init__(
            f"{cluster} is held by {lease.owner} on {lease.machine} since {lease.since}: {lease.reason}",
            cure="wait until they are done, or break the lease with `orchestrator unlock --reason WHY`",
        )
        self.lease = lease


class LeaseLost(LeaseHeld):
    """The lease was ours and is not any more: whoever took it may be at work, so nothing is taken back."""

    kind: ClassVar[str] = "LeaseLost"

    def __init__(self, cluster: str, lease: Lease) -> None:
        super().__init__(cluster, lease)
        self.message = f"the lease of {cluster} was taken by {lease.owner} on {lease.machine}: {lease.reason}"
        self.args = (self.message,)
        self.cure = "see what they do with `orchestrator status`, then run the same command again"


class InUse(ClusterError):
    """What somebody else launched runs, and would have been stopped: `whose` says what and by whom, `host` is the
    head, where it serves."""

    kind: ClassVar[str] = "InUse"

    def __init__(self, cluster: str, host: str, whose: str, differences: str) -> None:
        cure = "agree with them, then give the same command with `--yes`; nothing was stopped"
        super().__init__(f"{cluster} is in use: {whose}", cause=differences, cure=cure)
        self.host = host
        self.whose = whose


class NotReleased(ClusterError):
    """After everything that can be tried, these are still there; or could not be looked at."""

    kind: ClassVar[str] = "NotFreed"

    def __init__(self, leftovers: Sequence[Leftover]) -> None:
        super().__init__(f"{len(leftovers)} thing{'s' if len(leftovers) != 1 else ''} not proved gone")
        self.leftovers = tuple(leftovers)
