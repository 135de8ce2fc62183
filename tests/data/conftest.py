"""Small archives in the true formats, and a machine on which no data set is installed."""

import gzip
import io
import struct
import tarfile
import types
import zipfile

import numpy as np
import pytest
from PIL import Image

# Not in the order of their numbers: the classes follow wnids.txt.
WNIDS = ("n02124075", "n01443537")


def idx_bytes(array):
    """An array of bytes in IDX."""
    head = struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape)
    return head + array.astype(np.uint8).tobytes()


def tar_gz(path, members):
    """A gzip'ed tar archive of (name, bytes) or ready-made members."""
    with tarfile.open(path, "w:gz") as archive:
        for member in members:
            if isinstance(member, tarfile.TarInfo):
                archive.addfile(member)
                continue
            info = tarfile.TarInfo(member[0])
            info.size = len(member[1])
            archive.addfile(info, io.BytesIO(member[1]))
    return path


def encoded(pixels, kind="JPEG"):
    """The bytes of an image file of (H, W) or (H, W, C) pixels."""
    file = io.BytesIO()
    Image.fromarray(np.asarray(pixels, np.uint8)).save(file, kind)
    return file.getvalue()


@pytest.fixture(scope="session")
def formats():
    """The writers above, for the tests."""
    return types.SimpleNamespace(idx=idx_bytes, tar_gz=tar_gz, image=encoded, wnids=WNIDS)


@pytest.fixture
def nowhere(tmp_path, monkeypatch):
    """`$ATTRAX_DATA`, the cache and Debian's folder, all empty."""
    monkeypatch.setenv("ATTRAX_DATA", str(tmp_path / "sets"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr("attrax.data.catalogue._DEBIAN", tmp_path / "debian")
    return tmp_path


@pytest.fixture(scope="session")
def mnist_arrays():
    """Seven images and labels, by split."""
    draw = np.random.default_rng(0)
    return {
        split: (draw.integers(0, 256, (7, 28, 28)), draw.integers(0, 10, 7))
        for split in ("train", "t10k")
    }


@pytest.fixture
def mnist_folder(tmp_path, mnist_arrays):
    """The four files of MNIST, with seven images a split."""
    folder = tmp_path / "mnist-files"
    folder.mkdir()
    for stem, (images, labels) in mnist_arrays.items():
        for name, array in ((f"{stem}-images-idx3", images), (f"{stem}-labels-idx1", labels)):
            (folder / f"{name}-ubyte.gz").write_bytes(gzip.compress(idx_bytes(array)))
    return folder


@pytest.fixture(scope="session")
def cifar_batches():
    """Six batches of three records, by file name."""
    draw = np.random.default_rng(1)
    names = [f"data_batch_{i}.bin" for i in range(1, 6)] + ["test_batch.bin"]
    batches = {}
    for name in names:
        labels = draw.integers(0, 10, (3, 1))
        pixels = draw.integers(0, 256, (3, 3072))
        batches[name] = np.hstack([labels, pixels]).astype(np.uint8)
    return batches


@pytest.fixture
def cifar_members(cifar_batches):
    """The members of CIFAR-10's archive, in the mixed order of the true one."""
    folder = "cifar-10-batches-bin"
    names = ["data_batch_1", "data_batch_3", "data_batch_4", "test_batch", "data_batch_5"]
    members = [(f"{folder}/batches.meta.txt", b"airplane\nautomobile\n")]
    for name in [*names, "data_batch_2"]:
        members.append((f"{folder}/{name}.bin", cifar_batches[f"{name}.bin"].tobytes()))
    return members


@pytest.fixture(scope="session")
def tiny_members():
    """The members of Tiny ImageNet's zip: two classes, eleven images each, three to validate."""
    draw = np.random.default_rng(2)
    root = "tiny-imagenet-200"
    members = {
        f"{root}/wnids.txt": "\n".join(WNIDS).encode(),
        f"{root}/words.txt": b"n01443537\tgoldfish, Carassius auratus\nn02124075\tEgyptian cat\n",
    }
    for wnid in sorted(WNIDS):
        members[f"{root}/train/{wnid}/{wnid}_boxes.txt"] = b"box"
        for i in range(11):
            # One of each class is grey, as some of the true ones are.
            pixels = draw.integers(0, 256, (64, 64) if i == 2 else (64, 64, 3))
            members[f"{root}/train/{wnid}/images/{wnid}_{i}.JPEG"] = encoded(pixels)
    lines = []
    for i in range(3):
        name = f"{root}/val/images/val_{i}.JPEG"
        members[name] = encoded(draw.integers(0, 256, (64, 64, 3)))
        lines.append(f"val_{i}.JPEG\t{WNIDS[i % 2]}\t0\t0\t63\t63\n")
    members[f"{root}/val/val_annotations.txt"] = "".join(lines).encode()
    return members


@pytest.fixture
def make_zip(tmp_path):
    """Write a zip of named bytes, called as Tiny ImageNet's is."""

    def write(members):
        path = tmp_path / "tiny-imagenet-200.zip"
        with zipfile.ZipFile(path, "w") as archive:
            for name, data in members.items():
                archive.writestr(name, data)
        return path

    return write
