"""Why a file or folder could not be used, in words that say what to do."""

from __future__ import annotations

import errno

__all__ = ["describe_file_error"]

_ADVICE = {
    errno.ENOSPC: "make room there, or choose another place",
    errno.EDQUOT: "make room there, or choose another place",
    errno.EFBIG: "raise the limit on the size of files (ulimit -f), or choose another place",
    errno.EACCES: "give this user the permission, or choose another place",
    errno.EPERM: "give this user the permission, or choose another place",
    errno.EROFS: "choose another place",
    errno.ENOTDIR: "a part of the path is a file",
    errno.EMFILE: "raise the limit on open files (ulimit -n)",
}


def describe_file_error(error: OSError) -> str:
    """What the system says, and what helps where that is plain: ``No space left on device: make room there, ...``."""
    words = error.strerror or str(error) or type(error).__name__
    advice = _ADVICE.get(error.errno or 0)
    return words if advice is None else f"{words}: {advice}"
