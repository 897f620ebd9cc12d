"""Packed bodies, unpacked a piece at a time, so that a small one made to fill the memory is stopped on its way."""

import zlib
from collections.abc import Callable, Iterator
from typing import Any, Final, Protocol

import zstandard

from service.problems import CANT_UNPACK, WRONG_MEDIA_TYPE, Problem

ENCODINGS: Final = ("gzip", "zstd")
_PIECE: Final = 1 << 18  # bytes that are unpacked before they are handed on
# zstandard unpacks all it is given, and four bytes can stand for a block of 128 KiB: it is given little at a time.
_ZSTD_BITE: Final = 64
_ZSTD_WINDOW: Final = 8 << 20  # bytes; RFC 9659 allows no more to this content coding


class _Stream(Protocol):
    """One member or frame."""

    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...


class Unpacker:
    """Unpacks a body of one content coding, members or frames one behind the other.

    Args:
        encoding: one of ``ENCODINGS``, or "identity", which hands on what it is given.

    Raises:
        Problem: another coding.
    """

    def __init__(self, encoding: str) -> None:
        steps: dict[str, Callable[[bytes], Iterator[bytes]]] = {
            "identity": lambda packed: iter([packed]),
            "gzip": self._gzip,
            "zstd": self._zstd,
        }
        if encoding not in steps:
            taken = " or ".join(ENCODINGS)
            raise Problem(WRONG_MEDIA_TYPE, f"Send the body uncompressed, or as Content-Encoding {taken}.")
        self.encoding = encoding
        self._step = steps[encoding]
        self._stream: Any = None
        self.packed = 0
        self.unpacked = 0

    def feed(self, packed: bytes) -> Iterator[bytes]:
        """What the next bytes unpack to, in pieces that are bounded.

        Raises:
            Problem: they are not of the coding.
        """
        self.packed += len(packed)
        piece = bytearray()
        try:
            for part in self._step(packed):
                self.unpacked += len(part)
                piece += part
                if len(piece) >= _PIECE:
                    yield bytes(piece)
                    piece.clear()
        except (zlib.error, zstandard.ZstdError):
            raise Problem(CANT_UNPACK, "The body is not what its Content-Encoding says.") from None
        if piece:
            yield bytes(piece)

    def finish(self) -> None:
        """
        Raises:
            Problem: the body was cut short.
        """
        if self._stream is not None:
            raise Problem(CANT_UNPACK, "The body is cut short: its last part can't be unpacked.")

    def _gzip(self, packed: bytes) -> Iterator[bytes]:
        while packed:
            if self._stream is None:
                self._stream = zlib.decompressobj(wbits=31)
            yield self._stream.decompress(packed, _PIECE)
            packed = self._rest(self._stream, self._stream.unconsumed_tail)

    def _zstd(self, packed: bytes) -> Iterator[bytes]:
        for start in range(0, len(packed), _ZSTD_BITE):
            bite = packed[start : start + _ZSTD_BITE]
            while bite:
                if self._stream is None:
                    self._stream = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW).decompressobj()
                yield self._stream.decompress(bite)
                bite = self._rest(self._stream, b"")

    def _rest(self, stream: _Stream, tail: bytes) -> bytes:
        """What is still to be unpacked: the next member's bytes where this one has ended."""
        if not stream.eof:
            return tail
        self._stream = None
        return stream.unused_data
