"""The values for the rest of the program: an inventory with its defaults filled in and its jumps resolved."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, field_serializer

from cluster.inventory import fields
from cluster.inventory.files import read_api_key
from cluster.inventory.reserved import not_reserved_argument
from cluster.remote.common.redact import IN_URLS

#: A pattern of the names of secrets, in any case.
SECRET_NAMES = (
    r"TOKEN(?!IZER)|SECRET|PASSW|PASSPHRASE|CREDENTIAL|(?:API|ACCESS|PRIVATE)_?KEY"
    r"|_(?:PASS|PWD|KEY|AUTH)(?![A-Z_])"
)
_SECRET = re.compile(SECRET_NAMES, re.IGNORECASE)


def is_secret(variable: str, value: str = "") -> bool:
    """Returns whether the value of this environment variable must not be shown: because of its name, or of a
    password in a URL."""
    return bool(_SECRET.search(variable) or IN_URLS.search(value))


class Frozen(BaseModel):
    """Part of an inventory: it refuses unknown keys, converts no value, and never changes."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, hide_input_in_errors=True)


class JumpSpec(Frozen):
    """A jump host on the way to a host. The user's SSH configuration decides about values that are None."""

    address: fields.Address
    user: fields.Word | None = None
    port: fields.Port | None = None
    identity_file: str | None = None
    jump: JumpSpec | None = None


class HostSpec(Frozen):
    """One GPU host. `address` is for SSH, `cluster_address` for Ray and NCCL (always an IP address).

    `environment` holds all variables of units on this host: those for all hosts, those of the defaults, and its
    own. `min_gpu_memory_mib` is in MiB as nvidia-smi counts; 0 sets no minimum.
    If `user`, `port`, `identity_file` or `jump` is None, SSH's configuration decides. If `gpu_ids` is None, all
    GPUs are used.
    """

    name: fields.HostName
    address: fields.Address
    cluster_address: fields.ClusterAddress
    role: fields.Role
    gpus: fields.Gpus
    user: fields.Word | None = None
    port: fields.Port | None = None
    identity_file: str | None = None
    jump: JumpSpec | None = None
    gpu_ids: fields.GpuIds | None = None
    min_gpu_memory_mib: fields.Mebibytes = 0
    environment: tuple[tuple[fields.VariableName, fields.Text], ...] = Field(default=(), repr=False)

    @field_serializer("environment")
    def _without_secrets(self, pairs: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
        return tuple((name, "**********" if is_secret(name, value) else value) for name, value in pairs)


class ModelSpec(Frozen):
    """The model: a repository id or an absolute path on every host. It is only downloaded with `download`."""

    id: fields.ModelId
    revision: fields.Word | None = None
    served_name: fields.Word = Field(default_factory=lambda known: known["id"])
    download: fields.Flag = False


class ServeSpec(Frozen):
    """The settings of vLLM. The head listens at `host` and `port`; `arguments` go to `vllm serve` unchanged.

    The default of `host` is for a head with an IPv4 address; `schema.build` has another for IPv6 alone.
    """

    tensor_parallel_size: fields.Count
    pipeline_parallel_size: fields.Count = 1
    host: fields.Address = "0.0.0.0"
    port: fields.Port = 8000
    arguments: tuple[Annotated[fields.Text, not_reserved_argument], ...] = ()
    api_key: Annotated[SecretStr | None, BeforeValidator(read_api_key)] = None
    refuse_socket_transport: fields.Flag = False
    prove_image: fields.Flag = False


class RaySpec(Frozen):
    """Ray's ports, which are fixed because of firewalls. `declare_gpus` is only for hosts where Ray cannot count
    GPUs."""

    port: fields.Port = 6379
    node_manager_port: fields.Port = 6380
    object_manager_port: fields.Port = 6381
    min_worker_port: fields.Port = 10002
    max_worker_port: fields.Port = 19999
    declare_gpus: fields.Flag = False


class RuntimeSpec(Frozen):
    """The places of files on every host, as absolute paths."""

    venv: fields.HostPath
    state_directory: fields.ShortHostPath = "/var/tmp"


class AcceptedFinding(Frozen):
    """A finding that the operator accepts; empty `hosts` means every host."""

    check: fields.CheckName
    reason: fields.Reason
    hosts: tuple[fields.HostName, ...] = ()


class FabricSpec(Frozen):
    """An all-reduce over all GPUs before the start; its bus bandwidth must reach the minimum, in GB/s."""

    min_gb_per_second: fields.Count


class PreflightSpec(Frozen):
    """The accepted findings of the hosts, and the additional checks."""

    accept: tuple[AcceptedFinding, ...] = ()
    fabric: FabricSpec | None = None


class Inventory(Frozen):
    """One cluster: one head, and exactly the GPUs of the layout. `known_hosts` None means the user's own file."""

    cluster: fields.ClusterName
    model: ModelSpec
    serve: ServeSpec
    runtime: RuntimeSpec
    hosts: tuple[HostSpec, ...]
    ray: RaySpec = RaySpec()
    preflight: PreflightSpec = PreflightSpec()
    known_hosts: str | None = None

    @property
    def head(self) -> HostSpec:
        return next(host for host in self.hosts if host.role == "head")

    @property
    def workers(self) -> tuple[HostSpec, ...]:
        return tuple(host for host in self.hosts if host.role == "worker")

    @property
    def gpus(self) -> int:
        """Returns the GPUs of all hosts together."""
        return sum(host.gpus for host in self.hosts)

    @property
    def uses_ray(self) -> bool:
        """Returns whether Ray is used. One host with all GPUs needs no Ray."""
        return len(self.hosts) > 1

    @property
    def tensor_parallel_over_hosts(self) -> bool:
        """Returns whether GPUs that share each layer are on several hosts. Ranks are assigned host by host."""
        return any(host.gpus % self.serve.tensor_parallel_size for host in self.hosts)

    def host(self, name: str) -> HostSpec:
        """Returns the host of this name. Raises KeyError."""
        for host in self.hosts:
            if host.name == name:
                return host
        raise KeyError(name)
