"""Programs that run on a host. They use the standard library only (`verify_gpus` also imports ray), and no other
part of this project.

Each is sent over the channel's stdin, after the parts that it needs (`processes` first). It then reads one line of
JSON: its data. `cluster.command.program` puts them together.
They run on the host's own Python, from 3.9 on. So types that they import from each other are named in quotes. The
imports under TYPE_CHECKING are only for the linters.
"""
