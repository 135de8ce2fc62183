"""Archives read in memory, with bounds on names and sizes. Nothing is ever extracted to disk."""

import gzip
import io
import re
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path, PurePosixPath

from .dataset import DatasetFormatError

# What a damaged archive raises, by Python's own modules.
DAMAGE = (
    EOFError,
    gzip.BadGzipFile,
    zlib.error,
    tarfile.TarError,
    zipfile.BadZipFile,
    NotImplementedError,
)


def damaged(path: Path, why: object) -> DatasetFormatError:
    """The error of an archive that cannot be read to its end."""
    return DatasetFormatError(f"{path} is damaged or incomplete ({why}); get the file anew.")


def check_name(name: str, path: Path) -> None:
    """Refuse a member whose name leaves the archive's own folder."""
    parts = PurePosixPath(name.replace("\\", "/")).parts
    if name.startswith(("/", "\\")) or ".." in parts or re.match(r"[A-Za-z]:", name):
        raise DatasetFormatError(
            f"{path} holds a member called {name!r}, which points outside the archive; "
            "refused. Get the file from its own source."
        )


def check_size(name: str, size: int, bound: int, path: Path) -> None:
    """Refuse a member larger than anything the true archive holds."""
    if size > bound:
        raise DatasetFormatError(
            f"{path} holds {name!r} of {size} bytes; at most {bound} are expected. "
            "Refused: get the file from its own source."
        )


class _Bounded(io.RawIOBase):
    """A stream that stops a decompression bomb after `bound` bytes."""

    def __init__(self, stream: gzip.GzipFile, bound: int, path: Path):
        self.stream, self.left, self.bound, self.path = stream, bound, bound, path

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        wanted = self.left + 1 if size < 0 else min(size, self.left + 1)
        data = self.stream.read(wanted)
        self.left -= len(data)
        if self.left < 0:
            raise DatasetFormatError(
                f"{self.path} unpacks to more than {self.bound} bytes; refused. "
                "Get the file from its own source."
            )
        return data


def read_tar(
    path: Path, wanted: Callable[[str], bool], *, member_bound: int, total_bound: int
) -> dict[str, bytes]:
    """The wanted members of a gzip'ed tar archive, by name."""
    found: dict[str, bytes] = {}
    try:
        with (
            gzip.open(path) as packed,
            tarfile.open(fileobj=_Bounded(packed, total_bound, path), mode="r|") as archive,
        ):
            for member in archive:
                check_name(member.name, path)
                if not wanted(member.name):
                    continue
                if not member.isreg():
                    raise DatasetFormatError(
                        f"{path} holds {member.name!r} as a link or device; it must be a file."
                    )
                if member.name in found:
                    raise DatasetFormatError(f"{path} holds {member.name!r} twice; refused.")
                check_size(member.name, member.size, member_bound, path)
                stream = archive.extractfile(member)
                data = b"" if stream is None else stream.read()
                if len(data) != member.size:
                    raise damaged(path, f"{member.name!r} ends early")
                found[member.name] = data
    except DAMAGE as error:
        raise damaged(path, error) from error
    return found


class ZipFolder:
    """A zip archive read like a folder: names, and the bytes of one member."""

    def __init__(self, path: Path, *, members_bound: int):
        self.path = path
        try:
            self.archive = zipfile.ZipFile(path)
        except (*DAMAGE, ValueError) as error:
            raise damaged(path, error) from error
        infos = self.archive.infolist()
        if len(infos) > members_bound:
            raise DatasetFormatError(
                f"{path} holds {len(infos)} members; at most {members_bound} are expected."
            )
        for info in infos:
            check_name(info.filename, path)
        self.sizes = {info.filename: info.file_size for info in infos if not info.is_dir()}

    def names(self) -> list[str]:
        """Every file in it, in the archive's order."""
        return list(self.sizes)

    def read(self, name: str, bound: int) -> bytes:
        """The bytes of one file, at most `bound`."""
        check_size(name, self.sizes[name], bound, self.path)
        try:
            return self.archive.read(name)
        except (*DAMAGE, OSError, ValueError) as error:  # an offset outside the file is an OSError
            raise damaged(self.path, error) from error
        except RuntimeError as error:  # zipfile's way to say that a password is wanted
            raise DatasetFormatError(
                f"{self.path}: {error}; encrypted archives are not read."
            ) from error

    def close(self) -> None:
        """Give the file back."""
        self.archive.close()


class DiskFolder:
    """An unpacked archive, with the same two methods."""

    def __init__(self, path: Path):
        self.path = path

    def names(self) -> list[str]:
        """Every file below the folder, as `/`-separated relative names."""
        return [p.relative_to(self.path).as_posix() for p in self.path.rglob("*") if p.is_file()]

    def read(self, name: str, bound: int) -> bytes:
        """The bytes of one file, at most `bound`."""
        file = self.path / name
        check_size(name, file.stat().st_size, bound, self.path)
        return file.read_bytes()

    def close(self) -> None:
        """Nothing to give back."""
