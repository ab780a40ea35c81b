"""Programs that run on a host. Standard library only (the gate imports ray as well), nothing of this project.

Each is sent over the channel's stdin, after the parts it needs (`processes` first), and then reads one line of
JSON: its data. `cluster.command.program` puts them together. They run on whatever Python the host has from 3.9
on: what they import from each other is named in quotes. The imports under TYPE_CHECKING are for the linters alone.
"""
