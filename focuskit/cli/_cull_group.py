"""A command that is also a group: words that it knows are sub-commands, all else its arguments."""

from __future__ import annotations

from typing import Any

from typer.core import TyperGroup

__all__ = ["CommandOrGroup"]


class CommandOrGroup(TyperGroup):
    """Runs a sub-command if the first word names one, else itself, with everything as given."""

    allow_interspersed_args = True
    allow_extra_args = False

    def __init__(self, **settings: Any) -> None:
        settings["invoke_without_command"] = True
        super().__init__(**settings)
        self.subcommand_metavar = "| COMMAND ..."

    def get_params(self, ctx: Any) -> list[Any]:
        """Return its parameters, of which the usage lines of sub-commands shall not speak."""
        return list(super().get_params(ctx)) if ctx.command is self else []

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Leave everything to the sub-command, or take everything."""
        if args and args[0] in self.commands:
            ctx.invoked_subcommand, ctx.args = args[0], args
            return args
        return list(super().parse_args(ctx, args))

    def invoke(self, ctx: Any) -> Any:
        """Run the sub-command without running the command itself, or the other way round."""
        name = ctx.invoked_subcommand
        if name is None:
            return super().invoke(ctx)
        with ctx:
            inner = self.commands[name].make_context(name, ctx.args[1:], parent=ctx)
            with inner:
                return inner.command.invoke(inner)
