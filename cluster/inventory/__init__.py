"""inventory.yaml -> frozen models, or every problem in it, each with its line and key.

`load` is the whole way. `yaml_source` reads the YAML and the line of every key. `schema` describes the file.
`rules` are conditions between several keys. `models` are the values for the rest of the program.
"""

from cluster.inventory.derived import is_of, single_host, with_layout
from cluster.inventory.load import load
from cluster.inventory.models import SECRET_NAMES, HostSpec, Inventory, is_secret
from cluster.inventory.ssh_command import ssh_command

__all__ = [
    "SECRET_NAMES",
    "HostSpec",
    "Inventory",
    "is_of",
    "is_secret",
    "load",
    "single_host",
    "ssh_command",
    "with_layout",
]
