"""What is scored of a file that is not whole yet, kept so that a run that was interrupted need not score it again.

The journal holds scores, not output. A run that goes on reads its input again, takes the scores of the journal as far
as they reach, and writes its output anew: the same bytes in every format, packed or not, as if nothing had happened.
"""

import json
import struct
import zlib
from pathlib import Path
from typing import Any, Final

from classifier.errors import RowError

_HEAD: Final = struct.Struct("<II")  # length and CRC-32 of an entry
_OPEN: Final = b"null\n"  # what stands for the result while there is none


class Journal:
    """The journal of one output file, beside it as ``.<name>.journal``, locked until it is closed.

    Attributes:
        done: what :meth:`finish` was given, where the file was finished by a run of the same job, else None.
    """

    def __init__(self, target: Path, job: dict[str, Any]) -> None:
        """
        Args:
            target: the output file.
            job: what makes the output what it is. A journal of another job is thrown away.
        """
        self._target = target
        self._path = self.path_of(target)
        self._job = json.dumps(job, sort_keys=True, default=str).encode() + b"\n"
        self._is_empty = True
        self.done: Any = None
        try:
            self._file = self._path.open("a+b")
        except OSError as error:
            raise RowError(f"{target} can't be written: {error.strerror}") from None
        self._lock()
        self._file.seek(0)
        same = self._file.readline() == self._job
        state = self._file.readline()
        self._replaying = same and state == _OPEN
        if same and state.endswith(b"\n") and not self._replaying and self._target.exists():
            self.done = json.loads(state)
        elif not self._replaying:
            self._cut(0)
            self._file.write(self._job + _OPEN)
            self._file.flush()

    @staticmethod
    def path_of(target: Path) -> Path:
        """The journal of an output file."""
        return target.with_name(f".{target.name}.journal")

    def close(self) -> None:
        """Ends the work on it; an empty one goes."""
        if not self._file.closed and self._is_empty and self.done is None:
            self._path.unlink(missing_ok=True)
        self._file.close()

    def read(self) -> bytes | None:
        """The next entry of the run that was interrupted; None where there is none, and from then on."""
        if not self._replaying:
            return None
        at = self._file.tell()
        head = self._file.read(_HEAD.size)
        if len(head) == _HEAD.size:
            length, crc = _HEAD.unpack(head)
            entry = self._file.read(length)
            if len(entry) == length and zlib.crc32(entry) == crc:
                self._is_empty = False
                return entry
        self._cut(at)
        return None

    def add(self, entry: bytes) -> None:
        """Appends an entry, once :meth:`read` has none left."""
        self._file.write(_HEAD.pack(len(entry), zlib.crc32(entry)) + entry)
        self._file.flush()
        self._is_empty = False

    def finish(self, result: Any) -> None:
        """Puts what became of the file in the place of all entries."""
        self.done = result
        part = self._path.with_name(self._path.name + ".part")
        part.write_bytes(self._job + json.dumps(result).encode() + b"\n")
        part.replace(self._path)

    def _cut(self, at: int) -> None:
        self._replaying = False
        self._file.truncate(at)
        self._file.seek(at)

    def _lock(self) -> None:
        try:
            import fcntl
        except ImportError:  # Windows
            return
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self._file.close()
            raise RowError(f"{self._target} is being written by another run") from None
