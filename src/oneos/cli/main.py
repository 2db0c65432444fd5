"""The command `oneos`: one group, one file a verb.

A verb's module is imported only when the verb is used, so that `oneos --help` and completion stay
fast; what the help says in one line therefore stands here. Every error ends here too: a person
gets one line and a hint, never a traceback, unless `ONEOS_DEBUG=1` asks for it. Exit status: 0, 1
for what failed, 2 for wrong usage, 130 for Ctrl-C; a verb that returns a number ends with that.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from oneos.errors import InternalError, OneOSError, UserError

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

VERBS = {
    "up": "Start this host's Runtime; the first one makes the network.",
    "join": "Bring this host into a network and start its Runtime.",
    "down": "Stop this host's Runtime.",
    "node": "Run a Runtime in the foreground.",
    "cluster": "Run several Runtimes on this machine, for trying things out.",
    "sh": "A shell for all hosts; also runs scripts and commands.",
    "run": "Run one program in the network.",
    "start": "Start the programs of a graph file, and keep them running.",
    "cp": "Copy files between this host and the tree.",
    "mount": "Show the tree in a directory of this host.",
    "umount": "Take such a mount away.",
    "status": "Show the hosts of the network and what runs where.",
    "ps": "List the programs of the network.",
    "explain": "Say why a program is where it is.",
    "migrate": "Move a running program to another host, with its state.",
    "checkpoint": "Keep the state of a running program in a file.",
    "drain": "Take the programs off a host, and place no more there.",
    "kill": "Send a signal to programs, on whichever host they run.",
    "env": "Show or remove the packages installed for programs on this host.",
    "voters": "Show or change how many hosts carry the log.",
    "forget": "Strike a host that left or died off the list.",
    "collect": "Remove content that no file has any more, now.",
    "fsck": "Check that all content is there and undamaged; repair what can be.",
    "manifest": "Show the Initialization Manifest.",
    "token": "Make a join token for one more host.",
}


class Verbs(click.Group):
    """The group that imports `oneos.cli.VERB` when VERB is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in VERBS:
            return None
        module = importlib.import_module(f"oneos.cli.{cmd_name}")
        # A verb whose options need the word `command` names it after itself.
        command: click.Command = getattr(module, "command", None) or getattr(module, cmd_name)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if name not in VERBS and not name.startswith("-") and not ctx.resilient_parsing:
            import difflib  # As all imports inside functions here: 2 to 8 ms of each start.

            near = difflib.get_close_matches(name, VERBS, n=1)
            suggestion = f", did you mean {near[0]}?" if near else ""
            ctx.fail(f"no verb is called {name}{suggestion}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Verbs"):
            formatter.write_dl(list(VERBS.items()))

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        from click.shell_completion import CompletionItem

        if incomplete.startswith("-"):
            return super().shell_complete(ctx, incomplete)
        return [CompletionItem(v, help=h) for v, h in VERBS.items() if v.startswith(incomplete)]


def _print_version(ctx: click.Context, _param: click.Parameter, value: bool) -> None:
    if value and not ctx.resilient_parsing:
        from importlib.metadata import version  # 20 ms that only this option has to pay for.

        click.echo(f"oneos {version('oneos')}")
        ctx.exit()


@click.command(
    cls=Verbs,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    no_args_is_help=True,
    subcommand_metavar="VERB [ARGUMENT]...",
    epilog="Help on one verb, with an example: oneos VERB --help",
)
@click.option(
    "--version",
    is_flag=True,
    expose_value=False,
    is_eager=True,
    callback=_print_version,
    help="Show the version and exit.",
)
def group() -> None:
    """A network of computers presented as one: one file tree, one process table, one shell."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and end the process.

    Args:
        arguments: without the program's name; the process's own when None.
    """
    sys.exit(run(arguments))


def run(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Returns:
        the exit status; everything there is to say has been printed.
    """
    try:
        result = group.main(arguments, prog_name="oneos", standalone_mode=False)
        sys.stdout.flush()
        return result if isinstance(result, int) else 0
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        return 2
    except click.UsageError as error:
        return _complain(_usage(error), 2)
    except click.ClickException as error:
        return _complain(UserError(_one_line(error.format_message())), 1)
    except (click.Abort, KeyboardInterrupt):
        return 130
    except BrokenPipeError:
        # Whoever read the output has gone; a later flush must not complain either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except OneOSError as error:
        return _complain(error, 1)
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        return _complain(UserError(f"{where}{error.strerror or error}"), 1)
    except Exception as error:
        text = _one_line(f"{type(error).__name__}: {error}")
        hint = "this is a bug; ONEOS_DEBUG=1 shows where it is, for a report"
        return _complain(InternalError(text, hint=hint), 1)


def _complain(error: OneOSError, status: int) -> int:
    if os.environ.get("ONEOS_DEBUG") == "1":
        import traceback

        traceback.print_exc()
    print(error.lines(), file=sys.stderr)
    return status


def _usage(error: click.UsageError) -> UserError:
    path = error.ctx.command_path if error.ctx else "oneos"
    text = _one_line(error.format_message()).rstrip(".")
    verb = path.removeprefix("oneos").strip()
    where = f"{verb}: " if verb else ""
    return UserError(where + text[:1].lower() + text[1:], hint=f"see: {path} --help")


def _one_line(text: str) -> str:
    return " ".join(text.split())


if __name__ == "__main__":
    main()
