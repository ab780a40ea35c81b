"""The content of the file, and the way from there to the models: defaults filled in, jumps resolved."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BeforeValidator, Discriminator, Field, Tag

from cluster.inventory import fields, models
from cluster.inventory.files import ExistingFile
from cluster.inventory.problems import Loc

#: pydantic's names for the two ways to write a jump, in the place of an error; the file has no such keys.
JUMP_TAGS = ("jump by name", "jump by spec")


def _jump_tag(value: object) -> str:
    return JUMP_TAGS[isinstance(value, dict)]


def _nothing_is_empty(value: object) -> object:
    """Treats a section as empty where all its lines are commented out."""
    return {} if value is None else value


Jump = Annotated[
    Annotated[fields.Word, Tag(JUMP_TAGS[0])] | Annotated["WrittenJump", Tag(JUMP_TAGS[1])],
    Discriminator(_jump_tag),
]
Environment = Annotated[dict[fields.VariableName, fields.Text], BeforeValidator(_nothing_is_empty)]


class WrittenJump(models.Frozen):
    """A jump host with its own spec; its own jump may be the name of a host again."""

    address: fields.Address
    user: fields.Word | None = None
    port: fields.Port | None = None
    identity_file: ExistingFile | None = None
    jump: Jump | None = None


class Defaults(models.Frozen):
    """The keys of one host that may also be a default for all hosts."""

    user: fields.Word | None = None
    port: fields.Port | None = None
    identity_file: ExistingFile | None = None
    jump: Jump | None = None
    gpus: fields.Gpus | None = None
    gpu_ids: fields.GpuIds | None = None
    min_gpu_memory_mib: fields.Mebibytes = 0
    environment: Environment = Field(default={}, repr=False)


class WrittenHost(Defaults):
    """A host as it is written. `cluster_address` may be left out where `address` is an IP address."""

    name: fields.HostName
    address: fields.Address
    cluster_address: fields.ClusterAddress | None = None
    role: fields.Role

    @property
    def reached_at(self) -> str | None:
        """Returns the cluster address, written or taken from the address; None when there is neither."""
        return self.cluster_address or (self.address if fields.is_ip(self.address) else None)


class InventoryFile(models.Frozen):
    """The whole file."""

    cluster: fields.ClusterName
    known_hosts: ExistingFile | None = None
    environment: Environment = Field(default={}, repr=False)
    defaults: Annotated[Defaults, BeforeValidator(_nothing_is_empty)] = Defaults()
    hosts: Annotated[tuple[WrittenHost, ...], Field(min_length=1)]
    model: models.ModelSpec
    serve: models.ServeSpec
    ray: Annotated[models.RaySpec, BeforeValidator(_nothing_is_empty)] = models.RaySpec()
    runtime: models.RuntimeSpec
    preflight: Annotated[models.PreflightSpec, BeforeValidator(_nothing_is_empty)] = models.PreflightSpec()


@dataclass(frozen=True)
class ResolvedInventory:
    """A file with its defaults filled into `hosts`, in the order of the file."""

    file: InventoryFile
    hosts: tuple[WrittenHost, ...]

    def loc(self, index: int, key: str) -> Loc:
        """Returns the place of a host's value: in its entry, or else in the defaults."""
        if key not in self.file.hosts[index].model_fields_set and key in self.file.defaults.model_fields_set:
            return ("defaults", key)
        return ("hosts", index, key)


def resolve(file: InventoryFile) -> ResolvedInventory:
    """Fills in the defaults. A key of a host counts first, also when it is null; environments are merged."""
    return ResolvedInventory(file, tuple(_with_defaults(host, file) for host in file.hosts))


def _with_defaults(host: WrittenHost, file: InventoryFile) -> WrittenHost:
    defaults = file.defaults
    update: dict[str, object] = {
        key: getattr(defaults, key) for key in defaults.model_fields_set - host.model_fields_set
    }
    update["environment"] = {**file.environment, **defaults.environment, **host.environment}
    return host.model_copy(update=update)


def build(resolved: ResolvedInventory) -> models.Inventory:
    """Returns the inventory. The file must have no problems."""
    file = resolved.file
    by_name = {host.name: host for host in resolved.hosts}
    return models.Inventory(
        cluster=file.cluster,
        known_hosts=file.known_hosts,
        model=file.model,
        serve=_serve(resolved),
        ray=file.ray,
        runtime=file.runtime,
        preflight=file.preflight,
        hosts=tuple(_host(host, by_name) for host in resolved.hosts),
    )


def _serve(resolved: ResolvedInventory) -> models.ServeSpec:
    """Returns the settings of vLLM. Where only IPv6 addresses lead to the head, an engine on IPv4 would be
    unreachable."""
    serve = resolved.file.serve
    head = next(host for host in resolved.hosts if host.role == "head")
    reached = (head.address, head.reached_at or "")
    if "host" in serve.model_fields_set or not all(map(fields.is_ipv6, reached)):
        return serve
    return serve.model_copy(update={"host": "::"})


def _host(host: WrittenHost, by_name: Mapping[str, WrittenHost]) -> models.HostSpec:
    values: dict[str, Any] = dict(host)
    values["cluster_address"] = host.reached_at
    values["jump"] = _jump(host.jump, by_name)
    values["environment"] = tuple(host.environment.items())
    return models.HostSpec(**values)


def _jump(jump: str | WrittenJump | None, by_name: Mapping[str, WrittenHost]) -> models.JumpSpec | None:
    if jump is None:
        return None
    through = by_name[jump] if isinstance(jump, str) else jump
    return models.JumpSpec(
        address=through.address,
        user=through.user,
        port=through.port,
        identity_file=through.identity_file,
        jump=_jump(through.jump, by_name),
    )
