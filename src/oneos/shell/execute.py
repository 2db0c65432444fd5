"""The executor: walks the syntax tree and does what it says.

Simple commands, functions, subshells and substitutions are here; control flow is in flow.py,
what a pipeline becomes in pipeline.py, what a word means in expand.py, `&` in background.py, the
builtins in builtins.py. The rules
are dash's: which errors end a script, where `set -e` looks away, what a subshell inherits.
tests/unit/shell compares the outcome with dash itself, script by script.
"""

import os
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from typing import Any

from oneos.errors import OneOSError
from oneos.limits import FUNCTION_DEPTH_MAX, STREAM_BUFFER_BYTES, SUBSTITUTION_BYTES_MAX
from oneos.shell import background, expand, flow, nodes, pipeline
from oneos.shell.builtins import BUILTINS, SPECIAL
from oneos.shell.control import (
    Break,
    Continue,
    Control,
    Exit,
    Interrupted,
    Killed,
    RedirectError,
    Return,
    ShellError,
)
from oneos.shell.descriptors import Descriptor, pipe
from oneos.shell.parse import Parser
from oneos.shell.redirect import Ends, applied, make_permanent
from oneos.shell.state import Shell, Variable, decode, explain

INTERRUPTED_STATUS = 130

_ALSO_PROGRAMS = frozenset({"[", "echo", "false", "kill", "printf", "pwd", "test", "true"})
"""Builtins that a tree may have as programs, too: those `on` can place."""


class Interpreter:
    """Runs commands for one shell and its subshells; holds what they all share.

    Args:
        parser: turns text into syntax trees.
        number: what `$$` says.
    """

    def __init__(self, parser: Parser, number: int) -> None:
        # A call of a shell function takes about ten calls of ours.
        sys.setrecursionlimit(max(sys.getrecursionlimit(), 25 * FUNCTION_DEPTH_MAX))
        self.parser = parser
        self.number = number
        self.job_threads: list[threading.Thread] = []
        self._methods: dict[type, Callable[[Shell, Any, bool], int]] = {
            nodes.Simple: self._simple,
            nodes.Pipeline: self._pipeline,
            nodes.Redirected: self._redirected,
            nodes.Subshell: self._subshell,
            nodes.Background: self._background,
            nodes.AndOr: flow.and_or,
            nodes.Not: flow.not_,
            nodes.Sequence: flow.sequence,
            nodes.If: flow.if_,
            nodes.While: flow.while_,
            nodes.For: flow.for_,
            nodes.Case: flow.case,
            nodes.Function: self._function,
        }

    # --- entry points ------------------------------------------------------------------------

    def run(self, shell: Shell, node: nodes.Node, tested: bool = False) -> int:
        """Run one node of the tree.

        Args:
            shell: the state it runs in.
            node: the command.
            tested: it stands in a condition, so `set -e` lets it fail.

        Raises:
            Control: something ended it early; a ShellError's message has been printed.
        """
        self._checkpoint(shell)
        shell.tested = tested
        try:
            status = self._methods[type(node)](shell, node, tested)
        except ShellError as error:
            raise self._reported(shell, error) from None
        except OneOSError as error:
            raise self._reported(shell, ShellError(explain(error), 1)) from error
        except RecursionError:
            raise self._reported(shell, ShellError("commands are nested too deeply")) from None
        except KeyboardInterrupt:
            if not shell.pending_signals:
                raise Interrupted from None
            status = INTERRUPTED_STATUS
        shell.status = status
        if shell.pending_signals:
            self._run_traps(shell)
        checked = isinstance(node, nodes.Simple | nodes.Pipeline | nodes.Subshell)
        if status and checked and not tested and "e" in shell.options:
            raise Exit(status)
        return status

    def run_text(self, shell: Shell, text: str, tested: bool = False) -> int:
        """Run all commands of a text, as `eval` does; the last one's status.

        Raises:
            Control: as `run`; a syntax error is a ShellError of status 2.
        """
        with shell.foreground.unbroken():
            script = self.parser.parse(text)
        status = 0
        for command in script.commands:
            status = self.run(shell, command.node, tested)
        if script.error:
            raise ShellError(f"{script.error_line}: {script.error}")
        return status

    def run_subshell(self, inner: Shell, node: nodes.Node, tested: bool = False) -> int:
        """Run a node in a state made by `copy`, to its end, with its EXIT trap."""
        try:
            status = self.run(inner, node, tested)
        except (Exit, Return, ShellError) as ended:
            status = ended.status
        except (Break, Continue):
            status = inner.status
        except Interrupted:
            if not inner.threaded:
                raise
            status = INTERRUPTED_STATUS
        return self.run_exit_trap(inner, status)

    def run_exit_trap(self, shell: Shell, status: int) -> int:
        """Run the EXIT trap, if one is set, once; the status to end with."""
        action = shell.traps.pop("EXIT", None)
        if not action:
            return status
        shell.status = status
        try:
            self.run_text(shell, action)
        except Exit as ended:
            return ended.status
        except ShellError as error:
            return self._reported(shell, error).status
        except Control:
            pass
        return status

    def substitute(self, shell: Shell, node: nodes.Node) -> str:
        """What a command prints, less the newlines at its end: `$(command)`.

        Raises:
            ShellError: it prints more than the shell may hold.
        """
        reading, writing = pipe()
        collected = _Collector(reading)
        collected.start()
        inner = shell.copy()
        try:
            if old := inner.descriptors.pop(1, None):
                inner.release([old])
            inner.descriptors[1] = writing
            status = self.run_subshell(inner, node)
        finally:
            inner.close()
            collected.join()
        if collected.overflow:
            raise ShellError(f"a command substitution of over {SUBSTITUTION_BYTES_MAX} bytes", 1)
        shell.substitution_status = status
        return decode(bytes(collected.data).replace(b"\0", b"").rstrip(b"\n"))

    # --- simple commands ---------------------------------------------------------------------

    def is_program(self, shell: Shell, name: str) -> bool:
        """Whether the name is neither a builtin nor a function."""
        return name not in BUILTINS and name not in shell.functions

    def assign(
        self, shell: Shell, assignments: Sequence[nodes.Assignment], *, exported: bool = False
    ) -> None:
        """Do assignments, in order; a later one sees the earlier."""
        for assignment in assignments:
            value = expand.single(shell, assignment.word, assignment=True)
            shell.set(assignment.name, value, exported=exported)

    def trace(
        self,
        shell: Shell,
        node: nodes.Simple | None,
        arguments: Sequence[str],
        constraints: Sequence[str] = (),
    ) -> None:
        """Print a command before it runs, under `set -x`."""
        if "x" not in shell.options:
            return
        words = [f"{a.name}={shell.get(a.name) or ''}" for a in (node.assignments if node else ())]
        if constraints:
            words += ["on", *constraints]
        prefix = shell.get("PS4")
        try:
            shell.write(2, ("+ " if prefix is None else prefix) + " ".join([*words, *arguments]))
            shell.write(2, "\n")
        except OSError:
            pass

    def _simple(self, shell: Shell, node: nodes.Simple, tested: bool) -> int:
        shell.line = node.line or shell.line
        shell.substitution_status = None
        arguments = expand.fields(shell, node.words)
        if not arguments:
            return self._assignments_only(shell, node)
        name = arguments[0]
        if name == "on":
            constraints, arguments = pipeline.split_on(arguments)
            if not self.is_program(shell, arguments[0]) and arguments[0] not in _ALSO_PROGRAMS:
                raise ShellError(f"on: {arguments[0]} is part of this shell and runs here only")
            return self._program(shell, node, arguments, constraints)
        if name not in SPECIAL and name in shell.functions:
            return self._call(shell, node, arguments, tested)
        if name in BUILTINS:
            return self._builtin(shell, node, arguments)
        return self._program(shell, node, arguments, [])

    def _assignments_only(self, shell: Shell, node: nodes.Simple) -> int:
        try:
            with applied(shell, node.redirections):
                self.assign(shell, node.assignments)
                self.trace(shell, node, [])
        except RedirectError as error:
            shell.complain(error.message)
            return error.status
        return shell.substitution_status or 0

    def _program(
        self, shell: Shell, node: nodes.Simple, arguments: list[str], constraints: list[str]
    ) -> int:
        saved = self._remember(shell, node)
        ends = Ends(shell)
        try:
            ends.apply(node.redirections)
            ends.check()
            self.assign(shell, node.assignments, exported=True)
            self.trace(shell, node, arguments, constraints)
            program = pipeline.Program(arguments, constraints, shell.environment(), shell.cwd, ends)
        except RedirectError as error:
            shell.complain(error.message)
            ends.release()
            return error.status
        except Control:
            ends.release()
            raise
        finally:
            self._forget(shell, saved)
        return self.after_wait(shell, pipeline.run_programs(shell, [program], node)[0])

    def run_arguments(self, shell: Shell, arguments: list[str]) -> int:
        """Run a builtin or a program, no function, with the shell's descriptors: `command`."""
        node = nodes.Simple(shell.line, [], [], [])
        if arguments[0] == "on":
            constraints, arguments = pipeline.split_on(arguments)
            return self._program(shell, node, arguments, constraints)
        if arguments[0] in BUILTINS:
            return BUILTINS[arguments[0]](shell, arguments[1:])
        return self._program(shell, node, arguments, [])

    def _builtin(self, shell: Shell, node: nodes.Simple, arguments: list[str]) -> int:
        name = arguments[0]
        special = name in SPECIAL
        if name == "exec":
            return self._exec(shell, node, arguments)
        saved = {} if special else self._remember(shell, node)
        try:
            with applied(shell, node.redirections):
                self.assign(shell, node.assignments)
                self.trace(shell, node, arguments)
                return BUILTINS[name](shell, arguments[1:])
        except RedirectError as error:
            if special:
                raise
            if error.message:
                shell.complain(error.message)
            return error.status
        except BrokenPipeError:
            raise Killed(signal.SIGPIPE) from None
        except OSError as error:
            shell.complain(f"{name}: {error.strerror or error}")
            return 1
        finally:
            self._forget(shell, saved)

    def _exec(self, shell: Shell, node: nodes.Simple, arguments: list[str]) -> int:
        make_permanent(shell, node.redirections)
        self.assign(shell, node.assignments, exported=len(arguments) > 1)
        self.trace(shell, node, arguments)
        if len(arguments) == 1:
            return 0
        # The program takes the shell's place: nothing of the script runs after it.
        raise Exit(self.run_arguments(shell, arguments[1:]))

    def _remember(self, shell: Shell, node: nodes.Simple) -> dict[str, Variable | None]:
        return {a.name: shell.variables.get(a.name) for a in node.assignments}

    def _forget(self, shell: Shell, saved: dict[str, Variable | None]) -> None:
        for name, variable in saved.items():
            if variable is None:
                shell.variables.pop(name, None)
            else:
                shell.variables[name] = variable

    def _call(self, shell: Shell, node: nodes.Simple, arguments: list[str], tested: bool) -> int:
        if shell.functions_depth >= FUNCTION_DEPTH_MAX:
            raise ShellError(f"{arguments[0]}: functions nested over {FUNCTION_DEPTH_MAX} deep")
        saved = self._remember(shell, node)
        outer = shell.parameters, shell.loops
        try:
            with applied(shell, node.redirections):
                self.assign(shell, node.assignments)
                self.trace(shell, node, arguments)
                shell.parameters, shell.loops = arguments[1:], 0
                shell.functions_depth += 1
                shell.locals_stack.append({})
                try:
                    return self.run(shell, shell.functions[arguments[0]], tested)
                except Return as returned:
                    return returned.status
                finally:
                    self._forget(shell, shell.locals_stack.pop())
                    shell.functions_depth -= 1
                    shell.parameters, shell.loops = outer
        except RedirectError as error:
            if error.message:
                self._reported(shell, error)
            return error.status
        finally:
            self._forget(shell, saved)

    # --- pipelines, subshells, background ----------------------------------------------------

    def _pipeline(self, shell: Shell, node: nodes.Pipeline, tested: bool) -> int:
        if node.background:
            return background.start_job(shell, node, list(node.stages))
        if len(node.stages) == 1:
            return self.run(shell, node.stages[0], tested)
        return self.after_wait(shell, pipeline.run(shell, node, tested))

    def after_wait(self, shell: Shell, status: int) -> int:
        """The status of programs that were waited for. Ctrl-C went to them: where it ended them, it
        ends the line or script too.

        Raises:
            Interrupted: it did.
        """
        if shell.foreground.interrupted and not shell.threaded:
            shell.foreground.interrupted = False
            if status == INTERRUPTED_STATUS:
                raise Interrupted
        return status

    def _redirected(self, shell: Shell, node: nodes.Redirected, tested: bool) -> int:
        try:
            with applied(shell, node.redirections):
                return self.run(shell, node.body, tested)
        except RedirectError as error:
            if error.message:
                self._reported(shell, error)
            return error.status

    def _subshell(self, shell: Shell, node: nodes.Subshell, tested: bool) -> int:
        inner = shell.copy()
        try:
            with applied(inner, node.redirections):
                return self.run_subshell(inner, node.body, tested)
        except RedirectError as error:
            if error.message:
                inner.complain(error.message)
            return error.status
        finally:
            inner.close()

    def _background(self, shell: Shell, node: nodes.Background, tested: bool) -> int:
        body = node.body
        if node.redirections:
            body = nodes.Redirected(body, node.redirections)
        return background.start_job(shell, body, [body])

    def _function(self, shell: Shell, node: nodes.Function, tested: bool) -> int:
        if node.name in SPECIAL:
            raise ShellError(f"{node.name}: a special builtin cannot be a function")
        shell.functions[node.name] = node.body
        return 0

    # --- between commands --------------------------------------------------------------------

    def _checkpoint(self, shell: Shell) -> None:
        if shell.foreground.interrupted:
            if not shell.threaded:
                shell.foreground.interrupted = False
            raise Interrupted
        if shell.pending_signals:
            self._run_traps(shell)

    def _run_traps(self, shell: Shell) -> None:
        while shell.pending_signals:
            action = shell.traps.get(shell.pending_signals.pop(0))
            if action:
                status = shell.status
                self.run_text(shell, action)
                shell.status = status

    def _reported(self, shell: Shell, error: ShellError) -> ShellError:
        if not error.reported:
            error.reported = True
            shell.complain(error.message)
        return error


class _Collector(threading.Thread):
    """Reads a pipe to its end."""

    def __init__(self, reading: Descriptor) -> None:
        super().__init__(name="substitution", daemon=True)
        self._reading = reading
        self.data = bytearray()
        self.overflow = False

    def run(self) -> None:
        while data := os.read(self._reading.fd, STREAM_BUFFER_BYTES):
            if len(self.data) + len(data) > SUBSTITUTION_BYTES_MAX:
                self.overflow = True
                break
            self.data += data
        self._reading.release()
