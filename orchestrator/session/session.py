"""One command on one cluster: its inventory, its connections, and everything that receives its events."""

from __future__ import annotations

import math
import os
import shlex
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

from cluster.errors import InUse, UsageError
from cluster.inventory import Inventory, load
from cluster.transport.fleet import Fleet
from cluster.transport.host import Host
from cluster.values import Launcher, Presence
from cluster.views import Observed
from orchestrator.events import Event, RunStarted, Sink
from orchestrator.local import last_inventory, operator
from orchestrator.local.local_state import LocalState
from orchestrator.local.settings import Output, Patience, Settings
from orchestrator.render import jsonl, plain
from orchestrator.run.consent import Consent
from orchestrator.run.engine import Engine
from orchestrator.run.interrupts import Interrupted, Interrupts
from orchestrator.run.phase import Phase
from orchestrator.session.confirm import Paused, confirm
from orchestrator.session.invocation import Invocation
from orchestrator.session.journal import Journal
from orchestrator.session.support_bundle import SupportBundle, after_failure


def _stamp() -> str:
    """The current time as a part of a file's name."""
    return datetime.now(UTC).strftime("%Y%m%dT%H%M%S")


@dataclass(frozen=True)
class Session:
    """`events` are all events so far, in order."""

    invocation: Invocation
    inventory: Inventory
    fleet: Fleet
    sink: Sink
    interrupts: Interrupts
    events: list[Event] = field(default_factory=list)
    stamp: str = field(default_factory=_stamp)
    paused: Paused = field(default_factory=lambda: lambda: nullcontext(sys.stderr))

    @property
    def settings(self) -> Settings:
        return self.invocation.settings

    @property
    def runs(self) -> Path:
        """The folder with the journals of this cluster's runs, and the bundles of failed runs."""
        return self.settings.state / self.inventory.cluster

    def chosen(self, hosts: Sequence[str]) -> Fleet:
        """The hosts that were asked for. Raises UsageError for a host that the cluster does not have."""
        unknown = [name for name in hosts if name not in self.fleet.names]
        if unknown:
            has = f"its hosts are {', '.join(self.fleet.names)}"
            raise UsageError(f"{self.inventory.cluster} has no host {', '.join(unknown)}", cure=has)
        return self.fleet.subset(hosts or self.fleet.names)

    @property
    def cleaning(self) -> str:
        """The command that takes this cluster down."""
        path = self.invocation.path
        which = shlex.quote(str(path)) if path else f"--cluster {self.inventory.cluster}"
        return f"orchestrator down {which}"

    def connect(self, inventory: Inventory) -> Fleet:
        """Connects to hosts of another inventory; the caller closes the connection."""
        return connected(inventory, self.settings)

    @property
    def local_state(self) -> LocalState:
        return LocalState(self.settings.state, self.inventory, self.sink)

    @property
    def launcher(self) -> Launcher:
        """The operator, as records name the launcher."""
        return operator.launcher(self.settings.state)

    def consent(self, yes: bool) -> Consent:
        """Asks before a unit of another operator is stopped. The local record of the cluster is read now."""
        return Consent(self.launcher, self.local_state.knows, confirm(yes, self.invocation.output, self.paused))

    @property
    def diagnosis(self) -> SupportBundle:
        return SupportBundle(self.inventory, self.fleet, self.runs)

    def run(
        self, phases: Sequence[Phase], *, wait: bool = False, keep: bool = False, skip: Sequence[str] = ()
    ) -> None:
        """Raises what ended the run early. An interrupted `down` names the next command."""
        knew = self.local_state.knows
        keep_evidence = after_failure(self.diagnosis, self.runs / f"{self.stamp}-up.tar.gz", self.sink)
        engine = Engine(
            self.inventory,
            self.fleet,
            self.sink,
            Patience(lease=math.inf) if wait else Patience(),
            reason=f"{self.invocation.command} {self.inventory.cluster}",
            cleaning=self.cleaning,
            keep=keep,
            skip=tuple(skip),
            launcher=self.launcher,
            interrupts=self.interrupts,
            failed=keep_evidence if self.invocation.command == "up" else lambda *_: None,
            rolled_back=lambda seen: None if knew or _runs(seen) else self.local_state.forget(),
        )
        try:
            engine.run(phases)
        except InUse:
            if not knew:  # refused, we know no more of the cluster than before
                self.local_state.forget()
            raise
        except Interrupted as error:
            if self.invocation.command == "down":
                error.cure = f"`{self.cleaning}` continues"
            raise


def _runs(seen: Observed) -> bool:
    """Whether a host held something of the cluster, or may have."""
    absent = Presence.ABSENT
    return any(not view.facts or {view.ray.presence, view.vllm.presence} != {absent} for view in seen.values())


def inventory_of(invocation: Invocation) -> Inventory:
    """Raises InventoryError or UsageError before any host is touched."""
    if invocation.path is not None and invocation.cluster is not None:
        cure = "leave out one of the two"
        raise UsageError("--cluster and an inventory file were both given", cure=cure)
    if invocation.path is not None:
        return load(invocation.path, os.environ)
    path, base = last_inventory.recall(invocation.settings.state, invocation.cluster)
    return load(path, os.environ, base)


@contextmanager
def session(invocation: Invocation, journaled: bool = True) -> Iterator[Session]:
    """Opens no connection yet: a host gets one at its first command. `journaled` events are shown and saved."""
    inventory, settings = inventory_of(invocation), invocation.settings
    with ExitStack() as stack:
        interrupts = stack.enter_context(Interrupts())
        events: list[Event] = []
        stamp = _stamp()
        journal = settings.state / inventory.cluster / f"{stamp}-{invocation.command}.jsonl"
        screen = _screen(invocation.output, sys.stderr, stack) if journaled else events.append
        sink = _fan_out(screen, journal, events) if journaled else screen
        fleet = connected(inventory, settings)
        stack.callback(lambda: None if interrupts.leaving else fleet.close())
        sink(RunStarted(invocation.command, inventory.cluster, fleet.names))
        paused: Paused = getattr(screen, "paused", lambda: nullcontext(sys.stderr))
        yield Session(invocation, inventory, fleet, sink, interrupts, events, stamp, paused)


def connected(inventory: Inventory, settings: Settings) -> Fleet:
    from cluster.transport.ssh import connect

    known_hosts = Path(inventory.known_hosts) if inventory.known_hosts else None
    patience = Patience().connect
    return Fleet(
        [Host(spec.name, connect(spec, known_hosts, patience, settings.ssh_config)) for spec in inventory.hosts]
    )


def _fan_out(screen: Sink, path: Path, events: list[Event]) -> Sink:
    """Returns a sink that passes an event to the record of this run, the screen, and the journal at `path`."""
    journal = Journal(path, screen)

    def sink(event: Event) -> None:
        events.append(event)
        screen(event)
        journal(event)

    return sink


def _screen(output: Output, stream: TextIO, stack: ExitStack) -> Sink:
    if output == "json":
        return jsonl.sink(stream)
    if output != "plain":
        from orchestrator.render.live import LiveScreen, fits

        # Where there is no terminal, its escape sequences would be all that somebody reads.
        if fits(stream, os.environ.get("TERM", "")):
            return stack.enter_context(LiveScreen(stream))
    return plain.sink(stream)
