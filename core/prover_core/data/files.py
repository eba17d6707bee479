"""Files of a dataset: written whole and renamed into place, and one writer at a time."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from prover_core.errors import DataError

__all__ = ["FolderLock", "disk_error", "replacing", "write_whole"]


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """A file that takes the place of ``path`` when the block ends well, and vanishes when it does not.

    A reader, or a kill at any moment, sees the old file or the new one.

    :raises DataError: it cannot be written; the old file is untouched.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(temporary, "wb") as file:
            yield file
        os.replace(temporary, path)
    except OSError as error:
        raise disk_error(path, error) from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def write_whole(path: Path, data: bytes) -> None:
    """Replace the content of ``path``; see :func:`replacing`."""
    with replacing(path) as file:
        file.write(data)


class FolderLock:
    """The exclusive right to write to a folder; the system frees it when its process ends."""

    def __init__(self, path: Path) -> None:
        """Take the lock file ``path``.

        :raises DataError: another process holds it, or the file cannot be made.
        """
        self._fd = -1
        try:
            self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self.close()
            msg = (
                f"{path.parent} is being written by another process. "
                "Wait until it has ended, stop it (Ctrl-C), or choose another folder."
            )
            raise DataError(msg) from None
        except OSError as error:
            if error.errno not in (errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS):
                self.close()
                raise disk_error(path, error) from error

    def close(self) -> None:
        """Let it go. Calling it twice is fine."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def disk_error(path: Path, error: OSError) -> DataError:
    """The error for a file that cannot be read or written: what, why, and what to do."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        advice = "Free some space and go on: what is done is kept"
    elif error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        advice = "Make it accessible, or choose another place"
    elif error.errno == errno.ENOENT:
        advice = "Check the path"
    elif error.errno in (errno.EISDIR, errno.ENOTDIR):
        advice = "A file was expected where a folder is, or the other way round; check the path"
    else:
        advice = "See that it can be read and written"
    return DataError(f"Cannot use {path}: {error.strerror or error}. {advice}.")
