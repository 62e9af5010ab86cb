"""A group of commands whose modules are imported when one of them is asked for."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

import click

# name: (module, attribute, what the overview says of it)
Lazy = Mapping[str, tuple[str, str, str]]


class LazyGroup(click.Group):
    """`lazy`: commands of modules that may need what is not installed everywhere."""

    def __init__(self, *args: Any, lazy: Lazy, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._lazy = lazy

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*super().list_commands(ctx), *self._lazy]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self._lazy:
            return super().get_command(ctx, cmd_name)
        module, attribute, _ = self._lazy[cmd_name]
        try:
            command: click.Command = getattr(importlib.import_module(module), attribute)
        except ModuleNotFoundError as error:
            raise click.ClickException(
                f"`{ctx.command_path} {cmd_name}` needs the module {error.name}, which is not "
                "installed here: install popscope[all], or run `make setup` in a checkout"
            ) from error
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        rows = [(name, text) for name, (_, _, text) in self._lazy.items()]
        for name in super().list_commands(ctx):
            command = super().get_command(ctx, name)
            if command is not None and not command.hidden:
                rows.append((name, command.get_short_help_str(60)))
        with formatter.section("Commands"):
            formatter.write_dl(rows)
