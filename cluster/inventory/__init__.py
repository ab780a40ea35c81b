"""inventory.yaml -> frozen models, or every reason why not, each with its line and key.

`load` is the whole story: `yaml_source` reads the YAML and knows the line of every key, `schema` is that of the
file, `rules` is what must hold between several keys, `models` is what the rest of the program reads.
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
