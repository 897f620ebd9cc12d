"""Packed files, .gz and .zst, read and written as streams."""

import gzip
import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO, Final, cast

import zstandard

_CHUNK: Final = 1 << 17
_PACKED_CHUNK: Final = 1 << 14


def unpacked(file: BinaryIO, packing: str) -> BinaryIO:
    if packing == ".gz":
        return io.BufferedReader(gzip.GzipFile(fileobj=file, mode="rb"), _CHUNK)
    if packing == ".zst":
        return io.BufferedReader(_Zstandard(file), _CHUNK)
    return file


class _Zstandard(io.RawIOBase):
    """What a .zst file of one or more frames holds; zstandard's own reader takes a file cut off for a whole one."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._frame: zstandard.ZstdDecompressionObj | None = None
        self._packed = b""
        self._plain = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._plain:
            packed = self._packed or self._file.read(_PACKED_CHUNK)
            if not packed:
                if self._frame is not None:
                    raise EOFError
                return 0
            if self._frame is None:
                self._frame = zstandard.ZstdDecompressor().decompressobj()
            self._plain = memoryview(self._frame.decompress(packed))
            self._packed = b""
            if self._frame.eof:
                self._packed, self._frame = self._frame.unused_data, None
        n = min(len(buffer), len(self._plain))
        buffer[:n] = self._plain[:n]
        self._plain = self._plain[n:]
        return n


@contextmanager
def packed(file: BinaryIO, packing: str) -> Iterator[BinaryIO]:
    if packing == ".gz":
        # No time and no name inside: the same rows make the same bytes.
        with gzip.GzipFile("", "wb", 6, file, mtime=0) as packed:
            yield cast("BinaryIO", packed)
    elif packing == ".zst":
        with zstandard.ZstdCompressor().stream_writer(file, closefd=False) as packed:
            yield cast("BinaryIO", packed)
    else:
        yield file
