"""The script that changes the mathematics: what it changes, and what it says of the tests."""

import tomllib

import pytest

import mutate
from mutations import Finder

SOURCE = '''
"""Sums of 2 terms."""
HALF: float = 0.5


def mean(rows: "n 3", axis=0) -> "3":
    if rows.ndim != 2:
        raise ValueError(f"{1 + 1} axes")
    return HALF * -rows.sum(axis=0) if axis < 1 else where(rows, 1, β)


def summary(rows) -> str:
    return "1" * 3
'''
CHANGED = {
    ("number", "HALF: float = 1.0"),
    ("number", "HALF: float = 0.0"),
    ("number", "HALF: float = 500.0"),
    ("number", 'def mean(rows: "n 3", axis=1) -> "3":'),
    ("arithmetic", "return HALF / -rows.sum(axis=0) if axis < 1 else where(rows, 1, β)"),
    ("dropped term", "return (HALF) if axis < 1 else where(rows, 1, β)"),
    ("dropped term", "return (-rows.sum(axis=0)) if axis < 1 else where(rows, 1, β)"),
    ("sign", "return HALF * (rows.sum(axis=0)) if axis < 1 else where(rows, 1, β)"),
    ("function", "return HALF * -rows.mean(axis=0) if axis < 1 else where(rows, 1, β)"),
    ("axis", "return HALF * -rows.sum(axis=-1) if axis < 1 else where(rows, 1, β)"),
    ("comparison", "return HALF * -rows.sum(axis=0) if axis <= 1 else where(rows, 1, β)"),
    ("comparison", "return HALF * -rows.sum(axis=0) if axis > 1 else where(rows, 1, β)"),
    ("number", "return HALF * -rows.sum(axis=0) if axis < 2 else where(rows, 1, β)"),
    ("number", "return HALF * -rows.sum(axis=0) if axis < 0 else where(rows, 1, β)"),
    ("number", "return HALF * -rows.sum(axis=0) if axis < 1 else where(rows, 2, β)"),
    ("number", "return HALF * -rows.sum(axis=0) if axis < 1 else where(rows, 0, β)"),
    ("branches", "return (where(rows, 1, β) if axis < 1 else HALF * -rows.sum(axis=0))"),
    ("branches", "return HALF * -rows.sum(axis=0) if axis < 1 else where(rows, β, 1)"),
}


def test_every_change_is_one_of_the_mathematics():
    source = SOURCE.encode()
    changes = set()
    for mutant in Finder("mean.py", source).mutants:
        pairs = zip(SOURCE.splitlines(), mutant.applied(source).decode().splitlines(), strict=True)
        (after,) = (after for before, after in pairs if before != after)
        changes.add((mutant.kind, after.strip()))
    assert changes == CHANGED


def test_a_draw_is_one_of_its_seed_and_has_all_kinds():
    drawn = mutate.draw(100, 0)
    assert drawn == mutate.draw(100, 0)
    assert drawn != mutate.draw(100, 1)
    assert len({mutant.kind for mutant in drawn.values()}) == 9
    for mutant in drawn.values():
        before, after = mutate.changed_lines(mutant)
        assert before != after
        compile(mutant.applied((mutate.ROOT / mutant.path).read_bytes()), mutant.path, "exec")


@pytest.mark.parametrize("path", [p.relative_to(mutate.ROOT).as_posix() for p in mutate.sources()])
def test_every_file_of_the_mathematics_has_tests(path):
    first, *others = mutate.tests_of(path)
    assert (mutate.ROOT / first).exists()
    assert first not in others


@pytest.mark.parametrize(
    ("test", "end"),
    [
        ("assert double(0) == 0", "passed"),
        ("assert double(3) == 6", "failed"),
        ("while double(3) != 6: pass", "time"),
    ],
)
def test_a_change_is_judged_in_a_copy_that_is_then_as_before(tmp_path, test, end):
    source = b"def double(x):\n    return 2 * x\n"
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "double.py").write_bytes(source)
    (tmp_path / "test_double.py").write_text(
        f"from double import double\n\n\ndef test_double():\n    {test}\n", encoding="utf-8"
    )
    (tmp_path / "pyproject.toml").touch()
    mutants = Finder("src/double.py", source).mutants
    (mutant,) = (m for m in mutants if b"3 * x" in m.applied(source))
    assert mutate.judge(tmp_path, ["test_double.py"], 300, None)[0] == "passed"
    limit = 10 if end == "time" else 300
    assert mutate.judge(tmp_path, ["test_double.py"], limit, mutant)[0] == end
    assert (tmp_path / "src" / "double.py").read_bytes() == source


def test_changes_that_are_argued_to_make_no_difference_can_still_be_made():
    argued = tomllib.loads((mutate.ROOT / "tests/equivalent.toml").read_text(encoding="utf-8"))
    for mutant in argued["mutant"]:
        source = (mutate.ROOT / mutant["path"]).read_bytes()
        lines = {line.strip() for line in source.decode().splitlines()}
        assert mutant["before"] in lines
        assert len(mutant["why"]) > 20
