"""The service's settings: from flags, else from the environment, else the defaults here; one place checks them."""

import difflib
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Any, Final, Self, get_args

from classifier.errors import BoilertagError

PREFIX: Final = "BOILERTAG_"
LOOPBACK: Final = ("127.0.0.1", "::1", "localhost")
OFF: Final = "off"
_NEAR: Final = 0.85  # likeness of a misspelt name, which shares its prefix with all others
_SHA256: Final = re.compile(r"[0-9a-f]{64}")


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def corrections_file() -> Path:
    """The default file of corrections: where a user's programs keep their data, by the XDG base directories."""
    given = Path(os.environ.get("XDG_DATA_HOME", ""))
    if not given.is_absolute():
        try:
            given = Path.home() / ".local" / "share"
        except RuntimeError:  # a user without a home
            given = Path(os.curdir)
    return given / "boilertag" / "corrections.sqlite"


_CORRECTIONS: Final = corrections_file()
# More would answer no more: half of a request's work holds Python's lock, and so does the event loop.
_THREADS: Final = max(cores() // 2, 1)


class SettingError(BoilertagError):
    """A setting has a senseless value, or its name is no setting's."""


@dataclass(frozen=True)
class About:
    """What a setting is for and, of a number, from where to where it may go."""

    says: str
    low: int | None = None
    high: int | None = None


@dataclass(frozen=True)
class Settings:
    """What can be set of the service. ``max_body_bytes`` is the variable ``BOILERTAG_MAX_BODY_BYTES`` and the flag
    ``--max-body-bytes``; the others likewise.

    Raises:
        SettingError: a value is of no use.
    """

    host: Annotated[str, About("address to listen at; the default is reached from this machine only")] = "127.0.0.1"
    port: Annotated[int, About("port to listen at", 1, 65535)] = 8000
    model: Annotated[Path | None, About("model folder; without it the model that comes with boilertag")] = None
    compare: Annotated[Path | None, About("folder of a second model, which answers requests that name it")] = None
    keys: Annotated[
        str | None,
        About("SHA-256 of each bearer key, in hex, commas between; without it anyone who reaches it may call"),
    ] = None
    allowed_hosts: Annotated[
        str | None,
        About("names of a proxy in front, commas between, by which corrections may be asked for, besides localhost"),
    ] = None
    corrections: Annotated[
        Path | None,
        About(f"file to keep corrections in, made at the first of them; {OFF}: none are taken"),
    ] = _CORRECTIONS
    workers: Annotated[int, About("processes, each with a model of its own", 1, 256)] = 1
    # From here on each number is that of one process.
    threads: Annotated[int, About("documents tagged at once in each process", 1, 256)] = _THREADS
    max_queue: Annotated[int, About("requests that wait for a thread; past them 503", 0, 100_000)] = _THREADS
    max_streams: Annotated[int, About("/v1/batch requests at once; past them 503", 1, 10_000)] = 4
    max_connections: Annotated[int, About("open connections; past them 503", 1, 100_000)] = 1_000
    max_buffered_bytes: Annotated[int, About("bytes of bodies held at once; past them 503", 1, 1 << 40)] = 256 << 20
    max_body_bytes: Annotated[int, About("bytes of a body, or of a line of /v1/batch, unpacked", 1, 1 << 30)] = 16 << 20
    max_unpack_ratio: Annotated[int, About("how many times its packed size /v1/batch unpacks to", 1, 100_000)] = 200
    max_paragraphs: Annotated[int, About("paragraphs of a document", 1, 10_000_000)] = 20_000
    max_paragraph_characters: Annotated[int, About("characters of a paragraph", 1, 1 << 30)] = 1_000_000
    max_html_seconds: Annotated[int, About("seconds that splitting a page's HTML may take", 1, 3600)] = 10
    # An explanation tags the document a dozen times, so the cost goes by one times the other.
    max_explained_paragraphs: Annotated[int, About('paragraphs of a document with "explain"', 0, 1_000_000)] = 200
    max_explained_characters: Annotated[int, About('characters of a document with "explain"', 0, 1 << 30)] = 100_000
    max_logged_characters: Annotated[int, About("characters of each document that the log repeats", 0, 1 << 30)] = 0
    max_idle_seconds: Annotated[int, About("seconds without a request, or with half of its head", 1, 3600)] = 15
    max_receive_seconds: Annotated[int, About("seconds a client may take to send a document", 1, 3600)] = 30
    max_send_seconds: Annotated[int, About("seconds a client may take in nothing of its answer", 1, 3600)] = 30
    max_stop_seconds: Annotated[int, About("seconds that a stop waits for requests in hand", 0, 3600)] = 30
    max_corrections_bytes: Annotated[int, About("bytes of the file of corrections", 1 << 16, 1 << 40)] = 4 << 30
    drain_seconds: Annotated[int, About("seconds that /readyz says 503 before a stop refuses requests", 0, 3600)] = 0
    reload_seconds: Annotated[int, About("seconds between looks at the model folder; 0: on SIGHUP only", 0, 3600)] = 2

    def __post_init__(self) -> None:
        if not self.host or any(c.isspace() or not c.isprintable() for c in self.host):
            raise SettingError(f"host must be an address or a name, not {self.host!r}")
        for name, about in ABOUT.items():
            if about.low is not None and about.high is not None:
                value = getattr(self, name)
                if type(value) is not int or not about.low <= value <= about.high:
                    raise SettingError(f"{name} must be a number from {about.low} to {about.high}, not {value!r}")

        if self.keys is not None and not all(_SHA256.fullmatch(key) for key in self.keys.split(",")):
            raise SettingError("keys must be SHA-256 sums of 64 hex digits in lower case, with commas between")
        if self.max_buffered_bytes < self.max_body_bytes:
            raise SettingError("max_buffered_bytes must be max_body_bytes or more, or no such body could be read")

    @classmethod
    def read(cls, environment: Mapping[str, str], flags: Mapping[str, Any] | None = None) -> Self:
        """Settings from ``flags`` that are not None, else from the variables of an environment.

        Raises:
            SettingError: a variable begins with ``BOILERTAG_`` and is no setting, or a value is of no use.
        """
        names = {variable(name): name for name in ABOUT}
        values: dict[str, Any] = {}
        for name, raw in environment.items():
            if not name.startswith(PREFIX):
                continue
            if name not in names:
                near = difflib.get_close_matches(name, names, 1, _NEAR)
                hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(names)}"
                raise SettingError(f"the environment's {name} is no setting; {hint}")
            values[names[name]] = _parse(name, raw, is_number=ABOUT[names[name]].low is not None)
        values |= {name: value for name, value in (flags or {}).items() if value is not None}
        for name in ("model", "compare"):
            if values.get(name) is not None:
                values[name] = Path(values[name])
        if "corrections" in values:
            values["corrections"] = None if values["corrections"] == OFF else Path(values["corrections"])
        return cls(**values)


ABOUT: Final[Mapping[str, About]] = {one.name: get_args(one.type)[1] for one in fields(Settings)}


def variable(name: str) -> str:
    """The name of a setting's environment variable."""
    return PREFIX + name.upper()


def _parse(name: str, raw: str, *, is_number: bool) -> Any:
    if not raw:
        raise SettingError(f"the environment's {name} is empty; unset it or give it a value")
    if not is_number:
        return raw
    if not (raw.isascii() and raw.isdigit() and len(raw) < 20):
        raise SettingError(f"the environment's {name} must be a whole number, not {raw[:40]!r}")
    return int(raw)
