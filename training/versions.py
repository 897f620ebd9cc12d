"""The versions of a model folder: the model in use, those before it, and how one takes another's place.

    DIR/model.json, DIR/model.joblib    the model in use
    DIR/versions/NAME/                  each version, a model folder too, with its report and its judgements

A version is written under a name that begins with a dot, synced and renamed, so that it is there whole or not at all.
Putting it to use is one rename: that of its manifest over the folder's. The model file follows; until it is there,
readers find the version's own by the hash that the manifest names (:mod:`classifier.folder`). So whatever ends a
training, and whenever, the folder holds a whole model.
"""

import filecmp
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from classifier import BoilertagError, ModelError, folder
from classifier.folder import MANIFEST_FILE, MODEL_FILE, VERSIONS_FOLDER, model_name
from classifier.thresholds import MODES

_FILES: Final = (MANIFEST_FILE, MODEL_FILE)  # in the order in which they are replaced
# What a manifest may say beside what the model itself is.
FORCED: Final = "forced"  # why the model took another's place although it was found to be worse
REFUSED: Final = "refused"  # why it did not


@dataclass(frozen=True)
class Version:
    """A version as it is listed.

    Attributes:
        name: the start of the model file's sha256; the service's name for the model too.
        folder: where it lies, a model folder.
        written: when, in seconds since the epoch.
        manifest: what it says of itself; None where that can't be read.
        in_use: whether it is the folder's model.
    """

    name: str
    folder: Path
    written: float
    manifest: Mapping[str, Any] | None
    in_use: bool

    @property
    def refused(self) -> bool:
        return REFUSED in (self.manifest or {})

    def as_json(self) -> dict[str, Any]:
        """What it is listed as; figures are those of the mode that sees most."""
        manifest = self.manifest or {}
        held_out = manifest.get("held_out") or {}
        mode = next((mode for mode in reversed(MODES) if mode in held_out), None)
        notes = (f"{what}: {manifest[what]}" for what in (FORCED, REFUSED) if what in manifest)
        return {
            "version": self.name,
            "in_use": self.in_use,
            "written": datetime.fromtimestamp(self.written).astimezone().isoformat(" ", "seconds"),
            "rows": (manifest.get("data") or {}).get("paragraphs"),
            "mode": mode,
            "macro_f1": held_out[mode].get("macro_f1") if mode else None,
            "note": "; ".join(notes) or None if self.manifest else "can't be read",
        }


@contextmanager
def locked(target: Path) -> Iterator[None]:
    """Keeps others from writing to the model folder meanwhile, and first clears away what a killed run left there.

    Makes the folder; where nothing was written to it in the end, it is gone again.

    Raises:
        BoilertagError: another run is writing to it.
        OSError: it can't be made.
    """
    made = not target.exists()
    target.mkdir(parents=True, exist_ok=True)
    with _lock(target):
        try:
            _settle(target)
            yield
        finally:
            if made:
                with suppress(OSError):  # it is not empty
                    target.rmdir()


@contextmanager
def _lock(target: Path) -> Iterator[None]:
    """The operating system's lock on the folder, which ends with the process; where there is none, none."""
    try:
        import fcntl
    except ImportError:  # Windows
        yield
        return
    handle = os.open(target, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BoilertagError(f"{target}: another run is writing to it; try again when that has ended") from None
        except OSError:  # the file system has no locks
            pass
        yield
    finally:
        os.close(handle)


def _settle(target: Path) -> None:
    """Clears drafts away, and ends a change of version that was broken off after the manifest's rename."""
    for left in (
        *target.glob(f"{VERSIONS_FOLDER}/.*"),
        *(left for name in _FILES for left in target.glob(f".{name}.*")),
    ):
        shutil.rmtree(left) if left.is_dir() else left.unlink()
    with suppress(ModelError):
        version = current(target)
        if version and version.folder.is_dir() and not _is_whole(target, version):
            use(target, version.name)


def _is_whole(target: Path, version: Version) -> bool:
    """Whether the model file of the model in use is beside its manifest already."""
    try:
        return filecmp.cmp(target / MODEL_FILE, version.folder / MODEL_FILE, shallow=False)
    except FileNotFoundError:
        return False


def current(target: Path) -> Version | None:
    """The model in use, as a version, whether or not the folder keeps versions; None where there is no model.

    Raises:
        ModelError: there is one, of another format or with a manifest that can't be read.
    """
    try:
        manifest = folder.read_manifest(target)
        written = (target / MANIFEST_FILE).stat().st_mtime
    except FileNotFoundError:
        return None
    name = model_name(manifest)
    return Version(name, target / VERSIONS_FOLDER / name, written, manifest, in_use=True)


def versions(target: Path) -> list[Version]:
    """All versions that are kept and the model in use, newest first."""
    in_use = None
    with suppress(ModelError):  # it is damaged: the more reason to go back to another
        in_use = current(target)
    found = []
    for path in target.glob(f"{VERSIONS_FOLDER}/[!.]*/"):
        manifest = None
        with suppress(ModelError, OSError):
            manifest = folder.read_manifest(path)
        written = (path / MANIFEST_FILE if manifest else path).stat().st_mtime
        found.append(Version(path.name, path, written, manifest, in_use is not None and path.name == in_use.name))
    if in_use and not any(version.in_use for version in found):
        found.append(in_use)
    return sorted(found, key=lambda version: (-version.written, version.name))


def keep(target: Path, files: Mapping[str, bytes]) -> Version:
    """Writes a version of the folder, a model's two files and what lies beside them, and reads it back. Not in use yet.

    Raises:
        ModelError: the model does not read back.
        OSError: it can't be written; nothing of it is left.
    """
    place = target / VERSIONS_FOLDER
    place.mkdir(exist_ok=True)
    with _draft(place) as draft:
        for name, raw in files.items():
            folder.write_synced(draft / name, raw)
        return _settled(place, draft, folder.read(draft).manifest)


def _settled(place: Path, draft: Path, manifest: Mapping[str, Any]) -> Version:
    """Gives a version that is written whole its name."""
    name = model_name(manifest)
    final = place / name
    if final.exists():  # the same weights, fitted again: what is said of them may differ
        for file in draft.iterdir():
            file.replace(final / file.name)
    else:
        _sync(draft)
        draft.rename(final)
    _sync(place)
    return Version(name, final, (final / MANIFEST_FILE).stat().st_mtime, manifest, in_use=False)


def use(target: Path, name: str) -> None:
    """Puts a version to use; the model in use until then becomes a version, if it is none yet.

    Raises:
        BoilertagError: there is no such version.
        ModelError: it is not whole.
        OSError: it can't be written; the model in use is as it was.
    """
    if name not in (one.name for one in versions(target)):
        raise BoilertagError(f"{target} has no version {name!r}")
    _keep_current(target)
    version = target / VERSIONS_FOLDER / name
    folder.read(version)
    # Both are written before either takes its place, so that no full disk comes between.
    drafts = [target / f".{file}.{os.getpid()}" for file in _FILES]
    try:
        for draft, file in zip(drafts, _FILES, strict=True):
            folder.write_synced(draft, (version / file).read_bytes())
        for draft, file in zip(drafts, _FILES, strict=True):
            draft.replace(target / file)
    finally:
        for draft in drafts:
            draft.unlink(missing_ok=True)
    _sync(target)


def _keep_current(target: Path) -> None:
    """Makes a version of the model in use where it is none: something else wrote it, or its version was removed."""
    try:
        version = current(target)
        if version is None or version.folder.exists():
            return
        model = folder.read(target)
    except ModelError:  # it can't be used as it is, nor kept
        return
    version.folder.parent.mkdir(exist_ok=True)
    with _draft(version.folder.parent) as draft:
        for file in _FILES:
            folder.write_synced(draft / file, (target / file).read_bytes())
            shutil.copystat(target / file, draft / file)
        _settled(version.folder.parent, draft, model.manifest)


def prune(target: Path, n: int) -> None:
    """Removes all but the ``n`` newest versions that were in use, and the ``n`` newest of those refused, beside the one
    in use; with none to keep, the folder of versions too.
    """
    for refused in (False, True):
        others = [one for one in versions(target) if one.refused == refused and not one.in_use]
        for version in others[n:]:
            _remove(version.folder)
    if n == 0:
        _remove(target / VERSIONS_FOLDER)


def _remove(path: Path) -> None:
    """Removes a folder; what is left of it if that is interrupted has a name that says so."""
    if path.exists():
        gone = path.with_name(f".{path.name}.gone")
        path.rename(gone)
        shutil.rmtree(gone)


@contextmanager
def _draft(place: Path) -> Iterator[Path]:
    """A folder to write a version in; gone in the end if it was not renamed."""
    draft = Path(tempfile.mkdtemp(prefix=".", dir=place))
    try:
        draft.chmod(place.stat().st_mode)  # mkdtemp's is for its owner alone
        yield draft
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _sync(path: Path) -> None:
    """Has the names in a folder on the disk."""
    with suppress(PermissionError):  # Windows opens no folders
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
