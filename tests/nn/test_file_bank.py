"""Banks in files: the same reads, and never a wrong row when a write is cut off."""

import json
import re

import numpy as np
import pytest

from attrax.nn import Bank, FileBank
from attrax.separation import Softmax, TopK

RNG = np.random.default_rng(0)
H, M, Z, V = 2, 30, 4, 3


def normal(*shape):
    return RNG.normal(size=shape).astype(np.float32)


def pair(tmp_path, writes=(7, 0, 20, 9, 40, 11)):
    """The same rows in files and in memory."""
    files = FileBank(tmp_path / "rows", M, Z, V, heads=H, block=8)
    bank = Bank(M, Z, V, heads=H)
    for count in writes:
        keys, values = normal(H, count, Z), normal(H, count, V)
        files.write(keys, values)
        bank = bank.write(keys, values)
    return files, bank


@pytest.mark.parametrize("writes", [(), (7,), (7, 0, 20, 9, 40, 11)])
def test_it_reads_as_a_bank_in_memory_does(tmp_path, writes):
    files, bank = pair(tmp_path, writes)
    queries = normal(H, 5, Z)
    for separation in (None, Softmax(3.0), TopK(4, Softmax(3.0)), TopK(40, Softmax())):
        found, wanted = files.read(queries, separation), bank.read(queries, separation)
        np.testing.assert_allclose(found.value, wanted.value, atol=2e-6)
        np.testing.assert_allclose(found.potential, wanted.potential, atol=2e-6)
    places = [
        np.where(there, index, -1)
        for index, there in (part.nearest(queries, 4) for part in (files, bank))
    ]
    np.testing.assert_array_equal(places[0], places[1])
    loaded = files.load()
    np.testing.assert_array_equal(loaded.keys, bank.keys)
    np.testing.assert_array_equal(loaded.ages, bank.ages)


def test_what_was_written_is_there_when_it_is_opened_again(tmp_path):
    files, bank = pair(tmp_path)
    again, queries = FileBank(files.path, block=11), normal(H, 5, Z)
    np.testing.assert_allclose(again.read(queries).value, bank.read(queries).value, atol=2e-6)
    again.clear()
    assert FileBank(files.path).count == 0


class CutOff(RuntimeError):
    pass


@pytest.mark.parametrize("at", range(6))
def test_a_write_that_is_cut_off_leaves_whole_rows(tmp_path, monkeypatch, at):
    """Wherever it stops: what is read is pairs that were written together."""
    files = FileBank(tmp_path / "rows", M, 2, 2, heads=1)
    rows = np.arange(100, dtype=np.float32)[None, :, None].repeat(2, axis=2)
    files.write(rows[:, :25], -rows[:, :25])
    left, flush, commit = [at], type(files._keys).flush, FileBank._commit

    def step(function):
        def run(*args):
            if left[0] == 0:
                raise CutOff
            left[0] -= 1
            return function(*args)

        return run

    monkeypatch.setattr(FileBank, "_commit", step(commit))
    monkeypatch.setattr(type(files._keys), "flush", step(flush))
    try:
        files.write(rows[:, 25:37], -rows[:, 25:37])
    except CutOff:
        assert at < 4
    monkeypatch.undo()
    found = FileBank(files.path).load()
    there = np.asarray(found.filled)
    assert found.values is not None
    np.testing.assert_array_equal(found.keys[:, there], -found.values[:, there])
    whole = 30 if at >= 4 else 25 if at == 0 else 18
    assert there.sum() == whole
    newest = 36 if at >= 4 else 24
    ages = np.asarray(found.ages)[there]
    np.testing.assert_array_equal(found.keys[0, there, 0], newest - ages)


def test_a_folder_of_another_kind_is_refused(tmp_path):
    files, _ = pair(tmp_path)
    state = files.path / "bank.json"
    state.write_text(json.dumps({"place": 0}), encoding="utf-8")
    for damage in (lambda: None, lambda: state.unlink()):
        damage()
        with pytest.raises(Exception, match="is no folder of a bank"):
            FileBank(files.path)


SETTING = """
import numpy as np, tempfile, os
from attrax.nn import FileBank
from attrax.separation import Entmax
folder = os.path.join(tempfile.mkdtemp(), "rows")
bank = FileBank(folder, 8, 4, 3, heads=2)
k, v, q = np.ones((2, 5, 4)), np.ones((2, 5, 3)), np.ones((2, 6, 4))
"""
CASES = {
    "FileBank('nowhere')": "FileNotFoundError: There is no folder nowhere; give a `capacity`",
    "FileBank(folder + '1', 0, 4)": "ValueError: `capacity` must be a positive whole",
    "FileBank(folder + '2', 8, 4, dtype=int)": "ValueError: `dtype` must be float16",
    "FileBank(folder, 9)": "ValueError: `capacity` is 9, but the bank in .* has 8",
    "FileBank(folder, heads=1)": "ValueError: `heads` is 1, but the bank in .* has 2",
    "FileBank(folder, block=0)": "ValueError: `block`",
    "bank.write(k)": "ValueError: `values` must be given for a bank that has some",
    "bank.write(k, v[:, :2])": "ValueError: `values` must have one row a key, 5",
    "bank.write(k[:1], v)": r"ValueError: `keys` must have shape \(2, rows, 4\)",
    "bank.read(q[:, :, :2])": r"ValueError: `queries` must have shape \(2, queries, 4\)",
    "bank.read(q, Entmax(1.5))": "TypeError: `separation` of a FileBank must be a Softmax",
    "bank.nearest(q, 0)": "ValueError: `k` must be a positive whole",
}


@pytest.mark.plain(SETTING, CASES)
@pytest.mark.parametrize("call", CASES)
def test_wrong_calls_say_what_is_wrong(call, answers):
    kinds, text = answers[call]
    assert kinds, "no error"
    assert re.match(CASES[call], f"{kinds[0]}: {text}"), text
