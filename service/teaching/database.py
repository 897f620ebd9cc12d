"""The SQLite file that documents, corrections and queues are kept in. Any number of processes may use it at once."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Final

from classifier import BoilertagError

_VERSION: Final = 1  # of the schema, in the file's user_version
_BUSY_SECONDS: Final = 10.0  # that a transaction waits for another
_SCHEMA: Final = """
-- A document by the hash of its paragraphs, and the model whose labels they have.
CREATE TABLE documents (
    id TEXT PRIMARY KEY, at TEXT NOT NULL, name TEXT, site TEXT, lang TEXT, model TEXT NOT NULL
);
CREATE TABLE paragraphs (
    document TEXT NOT NULL REFERENCES documents, place INTEGER NOT NULL,
    text TEXT NOT NULL, tag TEXT, link_density REAL,
    label TEXT NOT NULL, score REAL NOT NULL, margin REAL NOT NULL,
    PRIMARY KEY (document, place)
);
-- What an annotator said at one time, of one paragraph or of all that were left. Never deleted or changed, but for
-- the time at which it was undone.
CREATE TABLE corrections (
    id INTEGER PRIMARY KEY AUTOINCREMENT, at TEXT NOT NULL, undone TEXT, annotator TEXT NOT NULL,
    document TEXT NOT NULL REFERENCES documents, model TEXT NOT NULL, confirms INTEGER NOT NULL
);
CREATE TABLE labels (
    correction INTEGER NOT NULL REFERENCES corrections, document TEXT NOT NULL, place INTEGER NOT NULL,
    label TEXT NOT NULL, old_label TEXT NOT NULL, old_score REAL NOT NULL,
    PRIMARY KEY (document, place, correction)
) WITHOUT ROWID;
CREATE INDEX labels_by_correction ON labels (correction);
-- What each annotator says of each paragraph now: of what was not undone, the newest.
CREATE VIEW given AS
    SELECT labels.document, labels.place, corrections.annotator, labels.label, max(corrections.id) AS correction
    FROM labels JOIN corrections ON corrections.id = labels.correction
    WHERE corrections.undone IS NULL
    GROUP BY labels.document, labels.place, corrections.annotator;
CREATE TABLE queues (
    id TEXT PRIMARY KEY, number INTEGER NOT NULL, at TEXT NOT NULL, name TEXT NOT NULL, documents INTEGER NOT NULL
);
CREATE TABLE items (
    queue TEXT NOT NULL REFERENCES queues, rank INTEGER NOT NULL, document TEXT NOT NULL, place INTEGER NOT NULL,
    PRIMARY KEY (queue, rank)
) WITHOUT ROWID;
"""
_REASONS: Final = {
    sqlite3.SQLITE_FULL: "it or its disk is full",
    sqlite3.SQLITE_READONLY: "it is read-only",
    sqlite3.SQLITE_CANTOPEN: "it can't be opened",
    sqlite3.SQLITE_PERM: "permission denied",
    sqlite3.SQLITE_IOERR: "its disk fails",
    sqlite3.SQLITE_NOTADB: "it is no SQLite file",
    sqlite3.SQLITE_CORRUPT: "it is damaged",
}


class DatabaseError(BoilertagError):
    """The file can't be read or written."""


class BusyError(DatabaseError):
    """Others have kept the file for too long; it may work later."""


class Database:
    """The file, opened anew for each transaction and made by the first that writes.

    Args:
        path: the file.
        max_bytes: how large it may become.
    """

    def __init__(self, path: Path, max_bytes: int) -> None:
        self._path = path.absolute()
        self._max_bytes = max_bytes

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """A connection that sees the file as it is now, or an empty one where there is no file.

        Raises:
            DatabaseError: the file can't be read.
        """
        with self._telling():
            if self._path.exists():
                with closing(self._open("rw")) as db:
                    db.execute("BEGIN")
                    if self._check_version(db):
                        yield db
                        return
            with closing(sqlite3.connect(":memory:")) as empty:
                empty.executescript(_SCHEMA)
                yield empty

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """A connection whose changes are on the disk at the end of the block, all of them or, after an error, none.

        Raises:
            DatabaseError: the file can't be made or written.
        """
        with self._telling():
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            is_new = not self._path.exists()
            with closing(self._open("rwc")) as db:
                with suppress(sqlite3.OperationalError):  # another process is at it; either journal keeps all
                    db.execute("PRAGMA journal_mode = WAL")
                pages = self._max_bytes // int(db.execute("PRAGMA page_size").fetchone()[0])
                if is_new:
                    # Texts of users are for nobody else. The file is never opened but by SQLite: by the rules of POSIX,
                    # closing it would free the locks that other threads of this process have on it.
                    self._path.chmod(0o600)
                db.execute(f"PRAGMA max_page_count = {max(pages, 1)}")
                db.execute("BEGIN IMMEDIATE")
                try:
                    if not self._check_version(db):
                        for statement in filter(str.strip, _SCHEMA.split(";")):
                            db.execute(statement)
                        db.execute(f"PRAGMA user_version = {_VERSION}")
                    yield db
                    db.execute("COMMIT")
                finally:
                    if db.in_transaction:
                        db.execute("ROLLBACK")

    def _open(self, mode: str) -> sqlite3.Connection:
        db = sqlite3.connect(f"{self._path.as_uri()}?mode={mode}", _BUSY_SECONDS, isolation_level=None, uri=True)
        db.execute("PRAGMA foreign_keys = ON")
        return db

    def _check_version(self, db: sqlite3.Connection) -> bool:
        """Whether the file has our tables; it has none as long as nothing was kept.

        Raises:
            DatabaseError: it is another program's, or a later version's.
        """
        version = db.execute("PRAGMA user_version").fetchone()[0]
        if version == _VERSION:
            return True
        if version or db.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]:
            raise DatabaseError(f"{self._path}: it is not of this version of boilertag")
        return False

    @contextmanager
    def _telling(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise DatabaseError(f"{self._path}: {(error.strerror or type(error).__name__).lower()}") from None
        except sqlite3.Error as error:
            code = getattr(error, "sqlite_errorcode", 0) & 0xFF
            if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
                raise BusyError(f"{self._path}: others write to it without a pause") from None
            if code not in _REASONS:
                raise
            raise DatabaseError(f"{self._path}: {_REASONS[code]}") from None
