"""A folder that is there whole or not at all."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec

from trioquotes._runtime.files import describe_file_error
from trioquotes.errors import RecordingError, UsageError

__all__ = ["MANIFEST", "Place", "about"]

MANIFEST: Final = "export.json"
"""What marks a folder as an export, which another one may replace."""


@contextlib.contextmanager
def about(path: Path) -> Iterator[None]:
    """Name the file that something failed at.

    Raises:
        RecordingError: in place of an ``OSError``.
    """
    try:
        yield
    except OSError as error:
        raise RecordingError(f"{path}: {describe_file_error(error)}") from error


class Place:
    """A folder that is to be there whole or not at all.

    Args:
        path: of the folder.
        overwrite: whether an export that is there already may be replaced.

    Attributes:
        path: of the folder.
        staging: where it is made: beside it, so that it only needs another name in the end.

    Raises:
        UsageError: something is there that must not be replaced.
        RecordingError: what is there cannot be looked at.
    """

    def __init__(self, path: Path, *, overwrite: bool) -> None:
        self.path = path
        name = Path(os.path.abspath(path)).name  # noqa: PTH100  # resolve() would follow a link
        if not name:
            raise UsageError(f"{path} cannot be made anew: name a folder in it")
        beside = path if path.name == name else path.parent / name
        self.staging = beside.with_name(f".{name}.{os.getpid()}.part")
        self._old = beside.with_name(f".{name}.{os.getpid()}.old")
        with about(path):
            self._check(overwrite=overwrite)

    def _check(self, *, overwrite: bool) -> None:
        path = self.path
        if path.is_symlink() or (path.exists() and not path.is_dir()):
            raise UsageError(f"{path} is there and is no folder")
        if (path / MANIFEST).is_file():
            if not overwrite:
                raise UsageError(f"{path} holds an export already: --overwrite (overwrite=True) replaces it")
        elif path.is_dir() and any(path.iterdir()):
            raise UsageError(f"{path} is not empty and holds no export: choose another folder")

    def begin(self) -> None:
        """Make the folder to work in.

        Raises:
            RecordingError: it cannot be made.
        """
        with about(self.path):
            self.staging.mkdir(parents=True)

    def discard(self) -> None:
        """Leave nothing behind of what is not finished."""
        shutil.rmtree(self.staging, ignore_errors=True)

    def finish(self, manifest: object) -> Path | None:
        """Give the folder its name; what had it goes only once the new one is complete.

        Returns:
            Where what had it still is, as far as it could not be removed; ``None`` where it is gone.

        Raises:
            RecordingError: that failed; what was there is there still.
        """
        with about(self.path):
            text = msgspec.json.format(msgspec.json.encode(manifest), indent=1) + b"\n"
            (self.staging / MANIFEST).write_bytes(text)
            had_one = self.path.exists()
            if had_one:
                self.path.rename(self._old)
            try:
                self.staging.rename(self.path)
            except OSError:
                if had_one:
                    self._old.rename(self.path)
                raise
        shutil.rmtree(self._old, ignore_errors=True)
        return self._old if self._old.exists() else None
