"""Every reader on small archives in the true formats, and where sets are looked for."""

import functools
import gzip
import hashlib
import http.server
import io
import sys
import threading
import zipfile

import numpy as np
import pytest
from PIL import Image

from attrax import data
from attrax.data import catalogue


def scaled(pixels):
    return (np.asarray(pixels, np.float64) / 255).astype(np.float32)


def check_contract(found, n, shape):
    assert found.x.shape == (n, np.prod(shape))
    assert found.shape == shape
    assert found.images.shape == (n, *shape)
    assert (found.x.dtype, found.y.dtype) == (np.float32, np.int32)
    assert found.y.shape == (n,)
    assert found.x.min() >= 0
    assert found.x.max() <= 1
    assert len(found) == n


# --- what ships ----------------------------------------------------------------------------------


@pytest.mark.contract
def test_the_sample_ships(nowhere):
    sample = data.load("sample")
    check_contract(sample, 1000, (28, 28))
    assert sample.x.max() == 1
    assert set(sample.y) == set(range(10))
    assert (sample.classes[0], sample.classes[9]) == ("T-shirt/top", "Ankle boot")
    assert len(np.unique(sample.x, axis=0)) == 1000
    few = data.load("sample", limit=7)
    np.testing.assert_array_equal(few.x, sample.x[:7])
    np.testing.assert_array_equal(few.y, sample.y[:7])


def test_the_sample_is_small_and_has_its_notice(root):
    folder = root / "src" / "attrax" / "data" / "sample"
    assert sum(file.stat().st_size for file in folder.iterdir()) < 600_000
    notice = (folder / "NOTICE").read_text(encoding="utf-8")
    assert "Copyright (c) 2017 Zalando SE" in notice
    assert "Permission is hereby granted, free of charge" in notice


@pytest.mark.contract
def test_digits_come_from_scikit_learn(nowhere):
    datasets = pytest.importorskip("sklearn.datasets", reason="scikit-learn is not installed")
    digits = data.load("digits")
    check_contract(digits, 1797, (8, 8))
    truth = datasets.load_digits()
    np.testing.assert_array_equal(digits.x * 16, truth.data)
    np.testing.assert_array_equal(digits.y, truth.target)
    assert len(data.load("digits", limit=5)) == 5


# --- the full Fashion-MNIST, where it is installed -----------------------------------------------

# SHA-256 of the unpacked training files, which does not depend on how they were compressed.
FASHION_IMAGES = "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888"
FASHION_LABELS = "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9"


@pytest.fixture(scope="module")
def fashion():
    try:
        return data.load("fashion-mnist")
    except data.DatasetNotFoundError as error:
        pytest.skip(f"the full Fashion-MNIST is not installed: {error}")


def test_full_fashion_mnist_is_in_file_order(fashion, formats):
    check_contract(fashion, 60_000, (28, 28))
    np.testing.assert_array_equal(np.bincount(fashion.y), np.full(10, 6000))
    images = formats.idx(np.rint(fashion.images * 255))
    assert hashlib.sha256(images).hexdigest() == FASHION_IMAGES
    assert hashlib.sha256(formats.idx(fashion.y)).hexdigest() == FASHION_LABELS
    sample = data.load("sample")
    np.testing.assert_array_equal(fashion.x[:1000], sample.x)
    np.testing.assert_array_equal(fashion.y[:1000], sample.y)


def test_full_fashion_mnist_has_a_test_split(fashion):
    test = data.load("fashion-mnist", "test")
    check_contract(test, 10_000, (28, 28))
    np.testing.assert_array_equal(np.bincount(test.y), np.full(10, 1000))


# --- MNIST and Fashion-MNIST ---------------------------------------------------------------------


@pytest.mark.parametrize("name", ["mnist", "fashion-mnist"])
@pytest.mark.parametrize(("split", "stem"), [("train", "train"), ("test", "t10k")])
def test_idx_sets(name, split, stem, mnist_folder, mnist_arrays):
    found = data.load(name, split, path=mnist_folder)
    images, labels = mnist_arrays[stem]
    check_contract(found, 7, (28, 28))
    np.testing.assert_array_equal(found.x, scaled(images).reshape(7, -1))
    np.testing.assert_array_equal(found.y, labels)
    np.testing.assert_array_equal(data.load(name, split, path=mnist_folder, limit=2).x, found.x[:2])


@pytest.mark.parametrize("spelling", ["-idx", ".idx"])
def test_idx_files_may_be_unpacked(spelling, mnist_folder, tmp_path):
    packed = data.load("mnist", path=mnist_folder)
    plain = tmp_path / "plain"
    plain.mkdir()
    for file in mnist_folder.iterdir():
        name = file.name.removesuffix(".gz").replace("-idx", spelling)
        (plain / name).write_bytes(gzip.decompress(file.read_bytes()))
    np.testing.assert_array_equal(data.load("mnist", path=plain).x, packed.x)


# --- CIFAR-10 ------------------------------------------------------------------------------------


def test_cifar_from_its_archive(tmp_path, formats, cifar_members, cifar_batches):
    formats.tar_gz(tmp_path / "cifar-10-binary.tar.gz", cifar_members)
    found = data.load("cifar-10", path=tmp_path)
    check_contract(found, 15, (3, 32, 32))
    truth = np.vstack([cifar_batches[f"data_batch_{i}.bin"] for i in range(1, 6)])
    np.testing.assert_array_equal(found.x, scaled(truth[:, 1:]))
    np.testing.assert_array_equal(found.y, truth[:, 0])
    assert found.classes[0] == "airplane"
    # A record holds the red plane first, row by row.
    np.testing.assert_array_equal(found.images[0, 0, 0], scaled(truth[0, 1:33]))
    few = data.load("cifar-10", path=tmp_path / "cifar-10-binary.tar.gz", limit=4)
    np.testing.assert_array_equal(few.x, found.x[:4])
    test = data.load("cifar-10", "test", path=tmp_path)
    np.testing.assert_array_equal(test.y, cifar_batches["test_batch.bin"][:, 0])


@pytest.mark.parametrize("inner", [".", "cifar-10-batches-bin"])
def test_cifar_may_be_unpacked(inner, tmp_path, cifar_batches):
    (tmp_path / inner).mkdir(exist_ok=True)
    for name, batch in cifar_batches.items():
        (tmp_path / inner / name).write_bytes(batch.tobytes())
    found = data.load("cifar-10", path=tmp_path)
    check_contract(found, 15, (3, 32, 32))
    np.testing.assert_array_equal(found.y[:3], cifar_batches["data_batch_1.bin"][:, 0])


# --- Tiny ImageNet -------------------------------------------------------------------------------


def pixels_of(blob):
    return np.moveaxis(np.asarray(Image.open(io.BytesIO(blob)).convert("RGB")), -1, 0)


@pytest.mark.contract
@pytest.mark.parametrize("unpacked", [False, True])
def test_tiny_imagenet(unpacked, tmp_path, formats, tiny_members, make_zip):
    place = make_zip(tiny_members)
    if unpacked:
        place = tmp_path / "unpacked"
        with zipfile.ZipFile(tmp_path / "tiny-imagenet-200.zip") as archive:
            archive.extractall(place)
    found = data.load("tiny-imagenet", path=place)
    check_contract(found, 22, (3, 64, 64))
    # Classes in the order of wnids.txt, images by number: 9 before 10.
    np.testing.assert_array_equal(found.y, np.repeat([0, 1], 11))
    assert found.classes == ("Egyptian cat", "goldfish, Carassius auratus")
    names = [
        f"tiny-imagenet-200/train/{wnid}/images/{wnid}_{i}.JPEG"
        for wnid in formats.wnids
        for i in range(11)
    ]
    truth = np.stack([pixels_of(tiny_members[name]) for name in names])
    np.testing.assert_array_equal(found.images, scaled(truth))
    # The grey file is there, with three equal channels.
    np.testing.assert_array_equal(found.images[2, 0], found.images[2, 2])
    assert found.x[2].any()
    few = data.load("tiny-imagenet", path=place, limit=3)
    np.testing.assert_array_equal(few.x, found.x[:3])
    val = data.load("tiny-imagenet", "val", path=place)
    np.testing.assert_array_equal(val.y, [0, 1, 0])
    truth = pixels_of(tiny_members["tiny-imagenet-200/val/images/val_1.JPEG"])
    np.testing.assert_array_equal(val.images[1], scaled(truth))


# --- where sets are looked for -------------------------------------------------------------------


def test_attrax_data_comes_before_debian_and_the_cache(nowhere, mnist_folder, monkeypatch):
    for place in ("debian", "cache/attrax"):
        (nowhere / place).mkdir(parents=True)
    assert data.available()["fashion-mnist"] is None
    for place in ("cache/attrax", "debian", "sets"):
        (nowhere / place).mkdir(exist_ok=True)
        (nowhere / place / "fashion-mnist").symlink_to(mnist_folder)
        assert data.available()["fashion-mnist"] == nowhere / place / "fashion-mnist"
        assert len(data.load("fashion-mnist")) == 7
    monkeypatch.delenv("ATTRAX_DATA")
    assert data.available()["fashion-mnist"] == nowhere / "debian" / "fashion-mnist"
    assert data.available()["mnist"] is None


def test_available_lists_every_name(nowhere):
    found = data.available()
    assert list(found) == [
        "sample",
        "digits",
        "fashion-mnist",
        "mnist",
        "cifar-10",
        "tiny-imagenet",
    ]
    assert found["sample"] is not None
    assert (found["sample"] / "NOTICE").is_file()
    assert all(found[name] is None for name in catalogue.SOURCES)


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("fashion-mnist", "train-images-idx3-ubyte.gz and train-labels-idx1-ubyte.gz"),
        ("mnist", "train-images-idx3-ubyte.gz and train-labels-idx1-ubyte.gz"),
        ("cifar-10", "cifar-10-binary.tar.gz"),
        ("tiny-imagenet", "tiny-imagenet-200.zip"),
    ],
)
def test_a_missing_set_names_the_ways_that_there_are(name, file, nowhere, monkeypatch):
    with pytest.raises(data.DatasetNotFoundError) as caught:
        data.load(name)
    text = str(caught.value)
    assert isinstance(caught.value, FileNotFoundError)
    assert f"The data set '{name}' (split 'train') was not found in {nowhere / 'sets'}" in text
    assert ("apt install dataset-fashion-mnist" in text) is (name == "fashion-mnist")
    assert ("Three ways" if name == "fashion-mnist" else "Two ways") in text
    assert "there is none" not in text
    assert f"put {file} into $ATTRAX_DATA/{name}" in text
    assert f'attrax.data.load("{name}", "train", download=True)' in text
    assert "pip install" not in text
    monkeypatch.setattr(data.catalogue, "find_spec", lambda name: None)
    with pytest.raises(data.DatasetNotFoundError, match=r'pip install "attrax\[data\]"'):
        data.load(name)


def test_a_folder_with_images_but_no_labels_is_not_a_set(mnist_folder):
    (mnist_folder / "train-labels-idx1-ubyte.gz").unlink()
    with pytest.raises(data.DatasetNotFoundError, match=r"was not found in .*mnist-files"):
        data.load("mnist", path=mnist_folder)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"name": "fashon-mnist"}, r"name is 'fashon-mnist'.*Did you mean 'fashion-mnist'\?"),
        ({"name": "imagenet-21k-winter"}, r"must be one of sample, digits, fashion-mnist, mnist"),
        ({"name": "sample", "split": "test"}, r"split is 'test'; 'sample' has 'train'"),
        ({"name": "tiny-imagenet", "split": "test"}, r"'tiny-imagenet' has 'train' and 'val'"),
        ({"name": "sample", "limit": 0}, r"limit is 0; .* at least 1"),
        ({"name": "sample", "limit": True}, r"limit is True; .* whole number"),
        ({"name": "sample", "path": "x"}, r"path is 'x', but 'sample' is installed already"),
    ],
)
def test_wrong_arguments_are_named(arguments, text):
    with pytest.raises(ValueError, match=text):
        data.load(**arguments)


# --- downloading ---------------------------------------------------------------------------------


class Silent(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format, *args):
        pass


@pytest.fixture
def published(nowhere, mnist_folder, monkeypatch):
    """A server of its own that publishes the small MNIST files, with their checksums."""
    handler = functools.partial(Silent, directory=str(mnist_folder))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    base = f"http://127.0.0.1:{server.server_address[1]}/"
    sums = {
        file.name: "sha256:" + hashlib.sha256(file.read_bytes()).hexdigest()
        for file in mnist_folder.iterdir()
    }
    source = catalogue._idx_source(base, sums, catalogue.DIGITS, None)
    monkeypatch.setitem(catalogue.SOURCES, "mnist", source)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    yield mnist_folder
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.mark.contract
def test_download_only_when_asked_and_only_once(published, nowhere, mnist_arrays):
    pytest.importorskip("pooch", reason="pooch is not installed")
    with pytest.raises(data.DatasetNotFoundError):
        data.load("mnist")
    assert not (nowhere / "sets").exists()
    found = data.load("mnist", download=True)
    np.testing.assert_array_equal(found.y, mnist_arrays["train"][1])
    assert data.available()["mnist"] == nowhere / "sets" / "mnist"
    for file in published.iterdir():
        file.unlink()
    np.testing.assert_array_equal(data.load("mnist", download=True).x, found.x)


def test_a_download_with_a_wrong_checksum_is_not_kept(published, nowhere):
    pytest.importorskip("pooch", reason="pooch is not installed")
    file = published / "train-images-idx3-ubyte.gz"
    file.write_bytes(file.read_bytes() + b"\0")
    with pytest.raises(
        data.DatasetFormatError, match=r"does not have the checksum sha256:.* not k"
    ):
        data.load("mnist", download=True)
    assert not list((nowhere / "sets").rglob("*.gz"))


def test_a_download_that_fails_says_where_from(published):
    pytest.importorskip("pooch", reason="pooch is not installed")
    (published / "train-labels-idx1-ubyte.gz").unlink()
    with pytest.raises(
        data.DatasetNotFoundError, match=r"could not be downloaded from http://.*404.*Get train-lab"
    ):
        data.load("mnist", download=True)


def test_published_checksums_are_well_formed():
    kinds = {"sha256": 64, "md5": 32}
    for source in catalogue.SOURCES.values():
        for files in source.files.values():
            for file in files:
                algorithm, digest = file.checksum.split(":")
                assert len(bytes.fromhex(digest)) * 2 == kinds[algorithm]
                assert file.url.startswith("https://")


# --- imports -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("module", "call", "text"),
    [
        ("PIL.Image", "tiny", r'needs Pillow.*pip install "attrax\[data\]"'),
        ("pooch", "download", r'needs pooch.*pip install "attrax\[data\]"'),
        ("sklearn.datasets", "digits", r'needs scikit-learn.*pip install "attrax\[sklearn\]"'),
    ],
)
def test_a_missing_package_says_how_to_install_it(
    module, call, text, nowhere, monkeypatch, make_zip, tiny_members
):
    calls = {
        "tiny": lambda: data.load("tiny-imagenet", path=make_zip(tiny_members)),
        "download": lambda: data.load("mnist", download=True),
        "digits": lambda: data.load("digits"),
    }
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ModuleNotFoundError, match=text):
        calls[call]()
