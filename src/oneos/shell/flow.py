"""Control flow: lists, conditions, loops, `case`.

Each function runs one kind of node and returns its status; the parts of the node are run by the
interpreter. `tested` says that the node stands in a condition, where `set -e` lets it fail.
"""

from oneos.shell import expand, nodes
from oneos.shell import pattern as patterns
from oneos.shell.control import Break, Continue
from oneos.shell.state import Shell


def and_or(shell: Shell, node: nodes.AndOr, tested: bool) -> int:
    """`a && b`, `a || b`; the left side may fail under `set -e`."""
    status = shell.interpreter.run(shell, node.left, True)
    if (status == 0) != node.is_and:
        return status
    return shell.interpreter.run(shell, node.right, tested)


def not_(shell: Shell, node: nodes.Not, tested: bool) -> int:
    """`! a`."""
    return int(shell.interpreter.run(shell, node.body, True) == 0)


def sequence(shell: Shell, node: nodes.Sequence, tested: bool) -> int:
    """`a; b; c`."""
    status = 0
    for command in node.body:
        status = shell.interpreter.run(shell, command, tested)
    return status


def if_(shell: Shell, node: nodes.If, tested: bool) -> int:
    """`if`; the test may fail."""
    if shell.interpreter.run(shell, node.test, True) == 0:
        return shell.interpreter.run(shell, node.then, tested)
    return 0 if node.otherwise is None else shell.interpreter.run(shell, node.otherwise, tested)


def while_(shell: Shell, node: nodes.While, tested: bool) -> int:
    """`while` and `until`."""
    status = 0
    shell.loops += 1
    try:
        while True:
            try:
                if (shell.interpreter.run(shell, node.test, True) == 0) == node.until:
                    return status
                status = shell.interpreter.run(shell, node.body, tested)
            except Continue as again:
                if again.levels > 1:
                    raise Continue(again.levels - 1) from None
                status = 0
    except Break as out:
        if out.levels > 1:
            raise Break(out.levels - 1) from None
        return 0
    finally:
        shell.loops -= 1


def for_(shell: Shell, node: nodes.For, tested: bool) -> int:
    """`for name in words`."""
    values = expand.fields(shell, node.words)
    status = 0
    shell.loops += 1
    try:
        for value in values:
            shell.set(node.name, value)
            try:
                status = shell.interpreter.run(shell, node.body, tested)
            except Continue as again:
                if again.levels > 1:
                    raise Continue(again.levels - 1) from None
                status = 0
    except Break as out:
        if out.levels > 1:
            raise Break(out.levels - 1) from None
        return 0
    finally:
        shell.loops -= 1
    return status


def case(shell: Shell, node: nodes.Case, tested: bool) -> int:
    """`case word in patterns`."""
    subject = expand.single(shell, node.subject)
    for item in node.items:
        for wanted in item.patterns:
            if patterns.matches(expand.pattern(shell, wanted), subject):
                return 0 if item.body is None else shell.interpreter.run(shell, item.body, tested)
    return 0
