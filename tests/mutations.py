"""The changes that `mutate.py` makes: one wrong number, sign, axis or term at a time.

What is not mathematics is left alone: types, declarations of fields, texts, and what guards an
error. A change is one of the text, so that all else in the file stays as it is.
"""

import ast
import re
from dataclasses import dataclass

SWAPPED = {
    ast.Add: ("+", "-"),
    ast.Sub: ("-", "+"),
    ast.Mult: ("*", "/"),
    ast.Div: ("/", "*"),
    ast.FloorDiv: ("//", "%"),
    ast.Pow: ("**", "*"),
    ast.BitAnd: ("&", "|"),
    ast.BitOr: ("|", "&"),
}
COMPARED = {
    ast.Lt: ("<", "<=", ">"),
    ast.LtE: ("<=", "<", ">="),
    ast.Gt: (">", ">=", "<"),
    ast.GtE: (">=", ">", "<="),
    ast.Eq: ("==", "!="),
    ast.NotEq: ("!=", "=="),
}
OTHERS = [("min", "max"), ("sum", "mean"), ("any", "all"), ("floor", "ceil"), ("zeros", "ones")]
OTHERS += [("minimum", "maximum"), ("argmin", "argmax"), ("pmin", "pmax"), ("cummin", "cummax")]
OTHERS += [("exp", "expm1"), ("log", "log1p"), ("sin", "cos"), ("sqrt", "square")]
FUNCTIONS = {**dict(OTHERS), **{b: a for a, b in OTHERS}}
DROPPED = (ast.Add, ast.Sub, ast.Mult, ast.Div, ast.BitAnd, ast.BitOr)


@dataclass(frozen=True)
class Mutant:
    """One change: the bytes from `start` to `end` of a file are replaced by `new`."""

    path: str
    line: int
    kind: str
    start: int
    end: int
    new: str

    def applied(self, source: bytes) -> bytes:
        return source[: self.start] + self.new.encode() + source[self.end :]

    def compiles(self, source: bytes) -> bool:
        """Whether it is Python still: an operator may stand in a comment between its operands."""
        try:
            ast.parse(self.applied(source))
        except SyntaxError:
            return False
        return True


class Finder(ast.NodeVisitor):
    """Finds all changes that can be made to a file."""

    def __init__(self, path: str, source: bytes):
        self.path, self.source, self.mutants = path, source, []
        self.lines = [0]
        for line in source.splitlines(keepends=True):
            self.lines.append(self.lines[-1] + len(line))
        self.visit(ast.parse(source))

    def span(self, node):
        return (
            self.lines[node.lineno - 1] + node.col_offset,
            self.lines[node.end_lineno - 1] + node.end_col_offset,
        )

    def text(self, node):
        start, end = self.span(node)
        return self.source[start:end].decode()

    def add(self, kind, node, new, span=None):
        start, end = span or self.span(node)
        self.mutants.append(Mutant(self.path, node.lineno, kind, start, end, new))

    def between(self, kind, node, left, right, old, *new):
        """Replace the operator that stands between two operands."""
        start, end = self.span(left)[1], self.span(right)[0]
        place = self.source[start:end].find(old.encode())
        for one in new if place >= 0 else ():
            self.add(kind, node, one, (start + place, start + place + len(old)))

    # What is not mathematics: errors, texts, types, and how fields are declared.

    def visit_Raise(self, node):
        pass

    def visit_JoinedStr(self, node):
        pass

    def visit_If(self, node):
        guard = isinstance(node.body[-1], ast.Raise)
        for part in ([] if guard else [node.test, *node.body]) + node.orelse:
            self.visit(part)

    def visit_AnnAssign(self, node):
        if node.value is not None:
            self.visit(node.value)

    def visit_FunctionDef(self, node):
        if node.returns is not None and re.fullmatch(r"str( \| None)?", self.text(node.returns)):
            return
        defaults = [default for default in node.args.kw_defaults if default is not None]
        for part in [*node.args.defaults, *defaults, *node.body]:
            self.visit(part)

    def visit_ClassDef(self, node):
        for part in node.body:
            self.visit(part)

    # Changes.

    def visit_Constant(self, node):
        value = node.value
        if isinstance(value, bool):
            self.add("truth", node, str(not value))
        elif isinstance(value, int | float):
            others = [2 * value, 0.0] if isinstance(value, float) else [value + 1, value - 1]
            # A tolerance that is far too wide lets all pass.
            others.append(1000 * value if value not in (0, 1, 2) else 1 + value)
            for other in dict.fromkeys(others):
                if other != value and other >= 0:
                    self.add("number", node, repr(other))

    def visit_UnaryOp(self, node):
        if isinstance(node.op, ast.USub | ast.Not | ast.Invert):
            self.add("sign", node, f"({self.text(node.operand)})")
        self.visit(node.operand)

    def visit_BinOp(self, node):
        if type(node.op) in SWAPPED:
            self.between("arithmetic", node, node.left, node.right, *SWAPPED[type(node.op)])
        if isinstance(node.op, DROPPED):
            self.add("dropped term", node, f"({self.text(node.left)})")
            if not isinstance(node.op, ast.Sub | ast.Div):
                self.add("dropped term", node, f"({self.text(node.right)})")
        self.generic_visit(node)

    def visit_Compare(self, node):
        operands = [node.left, *node.comparators]
        for op, left, right in zip(node.ops, operands, operands[1:], strict=False):
            if type(op) in COMPARED:
                self.between("comparison", node, left, right, *COMPARED[type(op)])
        self.generic_visit(node)

    def visit_IfExp(self, node):
        yes, no = self.text(node.body), self.text(node.orelse)
        self.add("branches", node, f"({no} if {self.text(node.test)} else {yes})")
        self.generic_visit(node)

    def visit_Call(self, node):
        function, arguments = node.func, node.args
        name = getattr(function, "attr", getattr(function, "id", ""))
        if name == "field":
            return
        if name in FUNCTIONS:
            end = self.span(function)[1]
            self.add("function", node, FUNCTIONS[name], (end - len(name), end))
        if name == "where" and len(arguments) == 3:
            condition, yes, no = map(self.text, arguments)
            span = self.span(arguments[0])[0], self.span(arguments[2])[1]
            self.add("branches", node, f"{condition}, {no}, {yes}", span)
        self.generic_visit(node)

    def visit_keyword(self, node):
        if node.arg == "axis" and re.fullmatch(r"-?\d", axis := self.text(node.value)):
            self.add("axis", node.value, "-1" if axis == "0" else "0")
        elif node.arg != "strict":
            self.visit(node.value)
