"""Groups that import the module of a command when it is used."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from typing import Any

import click
from click.shell_completion import CompletionItem

from orchestrator.cli.command import Command
from orchestrator.cli.completion import files, starting


class LazyGroup(Command, click.Group):
    """`sections` are titles with the names of their commands, in the order of the help.

    A command is `command` in a module that has its name behind `prefix`.
    """

    def __init__(self, sections: Mapping[str, Sequence[str]], prefix: str = "", **more: Any) -> None:
        super().__init__(no_args_is_help=False, **more)
        self._sections = sections
        self._prefix = prefix

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [name for names in self._sections.values() for name in names]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.list_commands(ctx):
            return None
        command: click.Command = import_module(f"orchestrator.cli.{self._prefix}{cmd_name}").command
        return command

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        self.format_commands(ctx, formatter)
        click.Command.format_options(self, ctx, formatter)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for title, names in self._sections.items():
            with formatter.section(title):
                formatter.write_dl([row for name in names for row in self._rows(ctx, name)])

    def _rows(self, ctx: click.Context, name: str) -> Iterator[tuple[str, str]]:
        """Yields a command with its help, and the commands of the group that it is."""
        command = self.get_command(ctx, name)
        assert command is not None
        yield name, command.get_short_help_str(limit=200)
        if isinstance(command, LazyGroup):
            for inner in command.list_commands(ctx):
                yield from ((f"{name} {each}", text) for each, text in command._rows(ctx, inner))


class FallingGroup(LazyGroup):
    """A group that is the command `fallback` unless its first word names another one."""

    def __init__(self, fallback: click.Command, **more: Any) -> None:
        super().__init__(help=fallback.help, **more)
        self._fallback = fallback

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        named = bool(args) and args[0] in {name for names in self._sections.values() for name in names}
        # Before its first word is typed, a shell completes either.
        named |= not args and bool(parent and parent.resilient_parsing)
        make = super().make_context if named else self._fallback.make_context
        return make(info_name, args, parent, **extra)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem[str]]:
        """Completes a command of the group, an option of `fallback`, or the file that it takes."""
        context = self._fallback.make_context(ctx.info_name, [], ctx.parent, resilient_parsing=True)
        options = self._fallback.shell_complete(context, incomplete)
        return options or [*files(incomplete), *starting(incomplete, self.list_commands(ctx))]
