"""What the operator sees of an error: where, what we were doing, the output, the cause, what to do next.

The errors carry everything; this module alone decides how much of it is shown.
"""

from __future__ import annotations

from itertools import chain, repeat

from cluster import errors
from cluster.values import Leftover
from orchestrator.render import findings
from orchestrator.render.text import LONGEST, UNICODE, Block, Marks, clean, count, duration, fold, lines_of, short

#: Lines of the output of a host; the journal has them all.
_LINES = 12


def lines(error: errors.ClusterError, phase: str = "", marks: Marks = UNICODE) -> str:
    """The whole explanation; `phase` is the title of the phase that failed."""
    title, *rest = _block(error, marks)
    prefix = f"{phase}: " if phase else ""
    return "\n".join([f"{marks.failed} {prefix}{title}", *rest, *_notes(error)])


def headline(error: errors.ClusterError) -> str:
    """The explanation's first line: where, and what we were doing."""
    match error:
        case errors.HostError():
            return f"{clean(error.host)}: {_attempt(error)}"
        case errors.FleetError():
            hosts = list(dict.fromkeys(host_error.host for host_error in error.errors))
            return f"failed on {', '.join(clean(host) for host in hosts)}"
        case errors.InventoryError():
            return f"{clean(error.path)} cannot be used: {count(len(error.problems), 'problem')}"
        case errors.PreflightFailed():
            return findings.headline(error.findings)
        case errors.NotReady():
            place = f"{clean(error.host)}: " if error.host else ""
            if error.waited is None:
                return f"{place}{clean(error.what)} did not become available"
            return f"{place}waited {duration(error.waited)} for {clean(error.what)}"
        case errors.NotReleased():
            return f"{count(len(error.leftovers), 'thing')} may still be in use"
    return clean(error.message)


def _block(error: errors.ClusterError, marks: Marks) -> list[str]:
    """The explanation of one error, its title first."""
    body: list[str] = []
    match error:
        case errors.FleetError():
            return _fleet(error, marks)
        case errors.HostError():
            body = _host_output(error, marks)
        case errors.NotReady():
            body = _quoted("last seen", error.last, marks)
        case errors.InventoryError():
            body = [f"  {line}" for problem in error.problems for line in lines_of(problem)]
        case errors.PreflightFailed():
            body = findings.table(error.findings, marks)
        case errors.NotReleased():
            body = _leftovers(error.leftovers, marks)
    return [headline(error), *body, *_advice(error)]


def _fleet(error: errors.FleetError, marks: Marks) -> list[str]:
    folded = fold(_host_block(host_error, marks) for host_error in error.errors)
    blocks = [[f"{clean(hosts)}: {body[0]}", *body[1:]] for hosts, body in folded]
    if len(blocks) == 1:
        return [*blocks[0], *_advice(error)]
    shown = [f"  {line}" for title, *rest in blocks for line in (f"{marks.failed} {title}", *rest)]
    return [headline(error), *shown, *_advice(error)]


def _host_block(error: errors.HostError, marks: Marks) -> Block:
    """A block without the host's name in front, so that equal blocks can share one title."""
    return error.host, [_attempt(error), *_host_output(error, marks), *_advice(error), *_notes(error)]


def _attempt(error: errors.HostError) -> str:
    how = _how(error)
    return f"could not {clean(error.doing)}{f' ({how})' if how else ''}"


def _how(error: errors.HostError) -> str:
    match error:
        case errors.Unreachable():
            return "unreachable"
        case errors.CommandFailed():
            return "the connection broke" if error.status < 0 else f"exit status {error.status}"
        case errors.CommandTimedOut():
            return "timed out"
        case errors.MalformedAnswer():
            return "the answer cannot be read"
    return ""


def _host_output(error: errors.HostError, marks: Marks) -> list[str]:
    speaker = "ssh" if isinstance(error, errors.Unreachable) else clean(error.host)
    return _quoted(f"{speaker} said", error.output, marks)


def _quoted(label: str, text: str, marks: Marks) -> list[str]:
    """The last lines of a text, under a label; nothing where it has none."""
    lines = lines_of(text)
    if not lines:
        return []
    cut = f", the last {_LINES} of {len(lines)} lines" if len(lines) > _LINES else ""
    shown = (line if len(line) <= LONGEST else line[:LONGEST] + marks.ellipsis for line in lines[-_LINES:])
    return [f"  {label}{cut}:", *(f"    {line}" for line in shown)]


def _advice(error: errors.ClusterError) -> list[str]:
    """A host may have written the cause, so its lines are cut. A command to run next stays whole."""
    cause = "\n".join(map(short, error.cause.split("\n")))
    return [*_labelled("cause", cause), *_labelled("next", error.cure)]


def _labelled(label: str, text: str) -> list[str]:
    labels = chain([label], repeat(""))
    return [f"  {name:<6} {line}" for name, line in zip(labels, lines_of(text), strict=False)]


def _leftovers(leftovers: tuple[Leftover, ...], marks: Marks) -> list[str]:
    """Every one with its host: each is something to do by hand."""
    lines = []
    for leftover in leftovers:
        lines.append(f"  {marks.failed} {clean(leftover.host)}: {short(leftover.what)}")
        lines += [f"  {line}" for line in _labelled("next", leftover.cure)]
    return lines


def _notes(error: errors.ClusterError) -> list[str]:
    """What else failed on the way, such as a phase that could not be rolled back."""
    return [line for note in getattr(error, "__notes__", ()) for line in _labelled("also", note)]


def brief(error: errors.ClusterError) -> str:
    """The headline with the cause, on one line."""
    cause = short(error.cause)
    return f"{headline(error)}{f': {cause}' if cause else ''}"


def blamed(error: errors.ClusterError) -> list[str]:
    """The hosts that it is about."""
    match error:
        case errors.FleetError():
            return [host_error.host for host_error in error.errors]
        case errors.HostError() | errors.NotReady():
            return [error.host]
        case errors.PreflightFailed():
            return [finding.host for finding in error.findings if finding.blocking]
        case errors.NotReleased():
            return [leftover.host for leftover in error.leftovers]
    return []
