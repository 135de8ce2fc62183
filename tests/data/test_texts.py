"""Texts of a folder, and of the running Python."""

import re

import numpy as np
import pytest

from attrax import data


def test_the_library_of_python_is_a_corpus():
    found = data.texts()
    assert len(found) > 500
    assert b"class ABCMeta" in found["abc.py"].tobytes()
    assert not any(name.startswith(("site-packages", "dist-packages")) for name in found)
    assert all(tokens.dtype == np.uint8 and 0 < tokens.size <= 1 << 18 for tokens in found.values())


def test_files_of_a_folder_come_by_name(tmp_path):
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "one.txt").write_bytes(b"\x00\xffone")
    (tmp_path / "a.txt").write_bytes(b"two")
    (tmp_path / "empty.txt").write_bytes(b"")
    (tmp_path / "long.txt").write_bytes(b"x" * 100)
    found = data.texts(tmp_path, suffix=".txt", most=99)
    assert list(found) == ["a.txt", "b/one.txt"]
    np.testing.assert_array_equal(found["b/one.txt"], [0, 255, 111, 110, 101])


SETTING = "from attrax import data"
CASES = {
    "data.texts('nowhere')": "FileNotFoundError: There is no folder nowhere",
    "data.texts(suffix='.no')": r"FileNotFoundError: There is no file in .* ends in '\.no'",
    "data.texts(most=0)": "ValueError: `most` must be a positive whole",
}


@pytest.mark.plain(SETTING, CASES)
@pytest.mark.parametrize("call", CASES)
def test_wrong_calls_say_what_is_wrong(call, answers):
    kinds, text = answers[call]
    assert kinds, "no error"
    assert re.match(CASES[call], f"{kinds[0]}: {text}"), text
