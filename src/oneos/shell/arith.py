"""Integer arithmetic of `$((...))`: C's operators on 64-bit numbers, variables by name.

The expression's own `$` expansions are done before (expand.py). Reading and assigning
variables is the caller's, by two functions.
"""

import re
from collections.abc import Callable

from oneos.shell.control import ShellError

_TOKEN = re.compile(
    r"\s*(?:(0[xX][0-9a-fA-F]+|\d+)|([A-Za-z_]\w*)"
    r"|(<<=|>>=|<<|>>|<=|>=|==|!=|&&|\|\||[-+*/%&|^]=|[-+*/%&|^~!<>=?:(),]))",
    re.ASCII,
)
_BINARY = [
    ("||",),
    ("&&",),
    ("|",),
    ("^",),
    ("&",),
    ("==", "!="),
    ("<", "<=", ">", ">="),
    ("<<", ">>"),
    ("+", "-"),
    ("*", "/", "%"),
]


def evaluate(expression: str, get: Callable[[str], str], assign: Callable[[str, str], None]) -> int:
    """The value of an expression.

    Args:
        expression: the text between the double parentheses.
        get: the value of a variable; empty where it is unset.
        assign: sets a variable.

    Raises:
        ShellError: the expression is none, or divides by zero.
    """
    return _Evaluation(expression, get, assign).value()


def wrap(number: int) -> int:
    """As a signed number of 64 bits, as the C of other shells computes."""
    return (number + (1 << 63)) % (1 << 64) - (1 << 63)


class _Evaluation:
    def __init__(
        self,
        expression: str,
        get: Callable[[str], str],
        assign: Callable[[str, str], None],
    ) -> None:
        self._expression = expression
        self._get = get
        self._assign = assign
        self._live = True  # false in the branch of ?:, && or || that is not taken
        self._tokens = self._tokenize()
        self._at = 0

    def value(self) -> int:
        if not self._tokens:
            return 0
        result = self._comma()
        if self._at < len(self._tokens):
            raise self._error("unexpected " + repr(self._tokens[self._at]))
        return result

    def _tokenize(self) -> list[str]:
        tokens, at, text = [], 0, self._expression
        while at < len(text.rstrip()):
            found = _TOKEN.match(text, at)
            if found is None:
                raise self._error("unexpected " + repr(text[at:].strip()[:1]))
            tokens.append(found[found.lastindex or 0])
            at = found.end()
        return tokens

    def _error(self, what: str) -> ShellError:
        return ShellError(f'arithmetic expression: {what}: "{self._expression}"')

    def _peek(self) -> str:
        return self._tokens[self._at] if self._at < len(self._tokens) else ""

    def _take(self, *wanted: str) -> str:
        token = self._peek()
        if token and token in wanted:
            self._at += 1
            return token
        return ""

    def _comma(self) -> int:
        result = self._assignment()
        while self._take(","):
            result = self._assignment()
        return result

    def _assignment(self) -> int:
        name = self._peek()
        operator = self._tokens[self._at + 1] if self._at + 1 < len(self._tokens) else ""
        if not (_is_name(name) and operator.endswith("=")) or operator in ("==", "!=", "<=", ">="):
            return self._ternary()
        self._at += 2
        right = self._assignment()
        if operator != "=":
            right = self._apply(operator[:-1], self._variable(name), right)
        if self._live:
            self._assign(name, str(right))
        return right

    def _ternary(self) -> int:
        condition = self._binary(0)
        if not self._take("?"):
            return condition
        live = self._live
        self._live = live and condition != 0
        then = self._assignment()
        if not self._take(":"):
            raise self._error("expecting ':'")
        self._live = live and condition == 0
        otherwise = self._assignment()
        self._live = live
        return then if condition else otherwise

    def _binary(self, level: int) -> int:
        if level == len(_BINARY):
            return self._unary()
        left = self._binary(level + 1)
        while operator := self._take(*_BINARY[level]):
            live = self._live
            if operator == "&&":
                self._live = live and left != 0
            elif operator == "||":
                self._live = live and left == 0
            right = self._binary(level + 1)
            self._live = live
            left = self._apply(operator, left, right)
        return left

    def _apply(self, operator: str, left: int, right: int) -> int:
        if operator in ("/", "%"):
            if right == 0:
                if not self._live:
                    return 0
                raise self._error("division by zero")
            quotient = abs(left) // abs(right) * (1 if (left < 0) == (right < 0) else -1)
            return wrap(quotient if operator == "/" else left - quotient * right)
        return wrap(_OPERATIONS[operator](left, right))

    def _unary(self) -> int:
        operator = self._take("-", "+", "!", "~")
        if not operator:
            return self._primary()
        operand = self._unary()
        if operator == "-":
            return wrap(-operand)
        if operator == "!":
            return int(not operand)
        return ~operand if operator == "~" else operand

    def _primary(self) -> int:
        token = self._peek()
        self._at += 1
        if token == "(":
            result = self._comma()
            if not self._take(")"):
                raise self._error("expecting ')'")
            return result
        if _is_name(token):
            return self._variable(token)
        if token[:1].isdigit():
            return self._number(token)
        raise self._error("expecting primary")

    def _number(self, token: str) -> int:
        try:
            if token[:2] in ("0x", "0X"):
                number = int(token, 16)
            else:
                number = int(token, 8 if token[0] == "0" and len(token) > 1 else 10)
        except ValueError:
            raise self._error(f"bad number {token!r}") from None
        # As strtoimax, which other shells read numbers with.
        return min(number, (1 << 63) - 1)

    def _variable(self, name: str) -> int:
        if not self._live:
            return 0
        text = self._get(name).strip()
        if not text:
            return 0
        if not re.fullmatch(r"[-+]?(0[xX][0-9a-fA-F]+|\d+)", text):
            raise ShellError(f"Illegal number: {text}")
        sign = -1 if text[0] == "-" else 1
        return wrap(sign * self._number(text.lstrip("+-")))


def _is_name(token: str) -> bool:
    return token[:1] == "_" or token[:1].isalpha()


_OPERATIONS: dict[str, Callable[[int, int], int]] = {
    "||": lambda a, b: int(bool(a) or bool(b)),
    "&&": lambda a, b: int(bool(a) and bool(b)),
    "|": lambda a, b: a | b,
    "^": lambda a, b: a ^ b,
    "&": lambda a, b: a & b,
    "==": lambda a, b: int(a == b),
    "!=": lambda a, b: int(a != b),
    "<": lambda a, b: int(a < b),
    "<=": lambda a, b: int(a <= b),
    ">": lambda a, b: int(a > b),
    ">=": lambda a, b: int(a >= b),
    # C leaves larger shifts open; the processors that sh runs on take the count modulo 64.
    "<<": lambda a, b: a << (b & 63),
    ">>": lambda a, b: a >> (b & 63),
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
}
