"""The conditions between several keys of a file, one function for each."""

from __future__ import annotations

import ipaddress
import itertools
import re
from collections.abc import Hashable, Iterator, Mapping

from cluster.inventory.explain import did_you_mean
from cluster.inventory.problems import Problem, quoted
from cluster.inventory.schema import ResolvedInventory, WrittenHost
from cluster.model.heads import attention_heads


def problems(resolved: ResolvedInventory) -> Iterator[Problem]:
    """Yields all problems between the keys."""
    yield from _repeated(resolved, "name", [host.name for host in resolved.hosts])
    yield from _repeated(resolved, "address", [(host.address.lower(), host.port or 22) for host in resolved.hosts])
    for rule in (_cluster_addresses, _roles, _gpus, _jumps, _layout, _heads, _ports, _grpc, _source, _accepted):
        yield from rule(resolved)


def _repeated(resolved: ResolvedInventory, key: str, values: list[Hashable]) -> Iterator[Problem]:
    """Yields a problem for each value that an earlier host has as well; None does not count."""
    for index, value in enumerate(values):
        first = values.index(value)
        if value is not None and first < index:
            other = quoted(resolved.hosts[first].name)
            yield Problem(("hosts", index, key), f"hosts[{first}] ({other}) has the same {key.replace('_', ' ')}")


def _cluster_addresses(resolved: ResolvedInventory) -> Iterator[Problem]:
    addresses = [host.reached_at for host in resolved.hosts]
    yield from _repeated(resolved, "cluster_address", list(addresses))
    for index, (host, address) in enumerate(zip(resolved.hosts, addresses, strict=True)):
        loc = ("hosts", index, "cluster_address")
        if address is None:
            yield Problem(loc, f"is missing, and address {quoted(host.address)} is not an IP address")
        elif len(addresses) > 1 and ipaddress.ip_address(address).is_loopback:
            yield Problem(loc, f"the other hosts cannot reach {address}")


def _roles(resolved: ResolvedInventory) -> Iterator[Problem]:
    heads = [index for index, host in enumerate(resolved.hosts) if host.role == "head"]
    if not heads:
        yield Problem(("hosts",), 'one host must have "role: head"')
    for index in heads[1:]:
        first = resolved.hosts[heads[0]].name
        yield Problem(
            ("hosts", index, "role"), f"is a second head: hosts[{heads[0]}] ({quoted(first)}) is already the head"
        )


def _gpus(resolved: ResolvedInventory) -> Iterator[Problem]:
    for index, host in enumerate(resolved.hosts):
        if host.gpus is None:
            yield Problem(("hosts", index, "gpus"), "is missing, here and in the defaults")
        elif host.gpu_ids is not None and len(host.gpu_ids) != host.gpus:
            reason = f"names {len(host.gpu_ids)} GPUs, but gpus of {quoted(host.name)} is {host.gpus}"
            yield Problem(resolved.loc(index, "gpu_ids"), reason)


def _jumps(resolved: ResolvedInventory) -> Iterator[Problem]:
    by_name = {host.name: host for host in resolved.hosts}
    for index, host in enumerate(resolved.hosts):
        hops = tuple(itertools.islice(_hops(host, by_name), len(by_name)))
        if hops and hops[0] not in by_name:
            guess = did_you_mean(hops[0], by_name)
            reason = (
                f'{quoted(hops[0])} is not a host of this file{guess}; a jump host outside it needs "address: ..."'
            )
            yield Problem(resolved.loc(index, "jump"), reason)
        if host.name in hops:
            circle = " -> ".join((host.name, *hops[: hops.index(host.name) + 1]))
            reason = f'forms a circle: {circle} (write "jump: null" for a host without a jump)'
            yield Problem(resolved.loc(index, "jump"), reason)


def _hops(host: WrittenHost, by_name: Mapping[str, WrittenHost]) -> Iterator[str]:
    """Yields the names that the jumps of a host lead through, its own first; endless where they form a circle."""
    jump = host.jump
    while jump is not None:
        if isinstance(jump, str):
            yield jump
        through = by_name.get(jump) if isinstance(jump, str) else jump
        jump = through.jump if through is not None else None


def _layout(resolved: ResolvedInventory) -> Iterator[Problem]:
    serve, counts = resolved.file.serve, [host.gpus for host in resolved.hosts]
    taken = serve.tensor_parallel_size * serve.pipeline_parallel_size
    declared = sum(count or 0 for count in counts)
    if None not in counts and taken != declared:
        each = " + ".join(f"{host.name} {host.gpus}" for host in resolved.hosts)
        product = f"{serve.tensor_parallel_size} x pipeline_parallel_size {serve.pipeline_parallel_size}"
        reason = f"{product} needs {taken} GPUs, but the hosts declare {declared} ({each})"
        yield Problem(("serve", "tensor_parallel_size"), reason)


def _heads(resolved: ResolvedInventory) -> Iterator[Problem]:
    model, size = resolved.file.model.id, resolved.file.serve.tensor_parallel_size
    heads = attention_heads(model)
    if heads is not None and not heads.divides(size):
        own = f"the {heads.query} attention heads ({heads.key_value} for keys and values) of {model}"
        rule = f"it must divide {heads.query}, and divide {heads.key_value} or be a multiple of it"
        yield Problem(("serve", "tensor_parallel_size"), f"{size} does not match {own}: {rule}")


def _ports(resolved: ResolvedInventory) -> Iterator[Problem]:
    ray, taken = resolved.file.ray, dict[int, str]()
    if ray.min_worker_port > ray.max_worker_port:
        yield Problem(("ray", "max_worker_port"), f"is below ray.min_worker_port ({ray.min_worker_port})")
    single = (
        ("ray", "port", ray.port),
        ("ray", "node_manager_port", ray.node_manager_port),
        ("ray", "object_manager_port", ray.object_manager_port),
        ("serve", "port", resolved.file.serve.port),
    )
    for section, key, port in single:
        if port in taken:
            yield Problem((section, key), f"{port} is {taken[port]} already")
        elif ray.min_worker_port <= port <= ray.max_worker_port:
            within = f"{ray.min_worker_port}-{ray.max_worker_port}"
            yield Problem((section, key), f"{port} is within Ray's worker ports ({within})")
        taken.setdefault(port, f"{section}.{key}")


def _grpc(resolved: ResolvedInventory) -> Iterator[Problem]:
    """Refuses a second port of vLLM where a key is set: over gRPC nothing asks for the key."""
    serve = resolved.file.serve
    for index, argument in enumerate(serve.arguments if serve.api_key else ()):
        name = re.split(r"[=.]", argument)[0].replace("_", "-")
        if name.startswith("--grpc"):
            reason = f"{name} is not allowed with serve.api_key: over gRPC vLLM asks for no key"
            yield Problem(("serve", "arguments", index), reason)


def _source(resolved: ResolvedInventory) -> Iterator[Problem]:
    model = resolved.file.model
    if model.id.startswith("/") and model.revision is not None:
        yield Problem(("model", "revision"), "a folder has no revisions: remove it, or use a repository id")
    if model.id.startswith("/") and model.download:
        yield Problem(("model", "download"), "a folder is not downloaded: remove it, or use a repository id")


def _accepted(resolved: ResolvedInventory) -> Iterator[Problem]:
    """Refuses accepted findings of hosts that do not exist."""
    names = [host.name for host in resolved.hosts]
    for index, accepted in enumerate(resolved.file.preflight.accept):
        for position, host in enumerate(accepted.hosts):
            if host not in names:
                loc = ("preflight", "accept", index, "hosts", position)
                yield Problem(loc, f"is not a host of this cluster{did_you_mean(host, names)}")
