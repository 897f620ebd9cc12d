"""The model folder: ``model.joblib``, plain arrays, and ``model.json``, its manifest.

Reading can run no code. The file's hash must be the manifest's; the pickle inside may name only the globals that plain
arrays need; arrays of objects, which would hold a pickle of their own, are refused; and nothing is unpacked past
``MAX_UNPACKED`` bytes.

Where a folder keeps versions, ``versions/<name>`` is a model folder too, for each of them. A version takes the folder's
place by its manifest, which says by its hash which model file goes with it: the one beside it or, for the instant until
that is replaced too, the version's own. So there is a whole model to read at any moment.
"""

import errno
import hashlib
import io
import json
import os
import re
import zlib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import joblib
import numpy as np
from joblib import numpy_pickle

from classifier.context import N_PASSES, Pass, feature_names
from classifier.errors import ModelError
from classifier.features import SHAPE_NAMES
from classifier.kernel import Weights

FORMAT_VERSION: Final = 2
MODEL_FILE: Final = "model.joblib"
MANIFEST_FILE: Final = "model.json"
VERSIONS_FOLDER: Final = "versions"
MAX_UNPACKED: Final = 1 << 30
_READS: Final = 3  # of a folder whose model is replaced while it is read


@dataclass(frozen=True)
class Model:
    """A fitted model: the paragraph model's weights, and the context model's passes without and with HTML hints.

    A model fitted on single paragraphs has no passes.
    """

    labels: tuple[str, ...]
    paragraph: Weights
    text_passes: tuple[Pass, ...]
    html_passes: tuple[Pass, ...]
    manifest: Mapping[str, Any]


def _plain(model: Model) -> dict[str, Any]:
    w = model.paragraph
    return {
        "labels": list(model.labels),
        "ngrams": "\n".join(w.ngrams),  # no n-gram holds a line break: it is white space
        "n_words": w.n_words,
        "idf": w.idf,
        "weights": w.weights,
        "shape": w.shape,
        "intercept": w.intercept,
        "text_passes": [{"weights": p.weights, "bias": p.bias} for p in model.text_passes],
        "html_passes": [{"weights": p.weights, "bias": p.bias} for p in model.html_passes],
    }


def pack(model: Model) -> tuple[bytes, dict[str, Any]]:
    """What the model's two files hold: the bytes of one, the content of the other."""
    packed = io.BytesIO()
    joblib.dump(_plain(model), packed, compress=("zlib", 9))
    raw = packed.getvalue()
    own = {
        "format_version": FORMAT_VERSION,
        "labels": list(model.labels),
        "sha256": hashlib.sha256(raw).hexdigest(),
    }
    return raw, {**own, **model.manifest, **own}  # in this order


def manifest_file(manifest: Mapping[str, Any]) -> bytes:
    """A manifest as the bytes of its file."""
    return (json.dumps(manifest, indent=2, ensure_ascii=False) + "\n").encode()


def write(model: Model, folder: Path) -> None:
    """Writes the model into a new folder, or over an old one's files, each file whole or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    raw, manifest = pack(model)
    _write_whole(folder / MODEL_FILE, raw)
    _write_whole(folder / MANIFEST_FILE, manifest_file(manifest))


def _write_whole(path: Path, raw: bytes) -> None:
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        write_synced(draft, raw)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def write_synced(path: Path, raw: bytes) -> None:
    """Writes a file, and waits until the disk has it."""
    with path.open("wb") as file:
        file.write(raw)
        file.flush()
        os.fsync(file.fileno())


class _PlainArray(numpy_pickle.NumpyArrayWrapper):  # type: ignore[misc]
    """joblib's record of an array, which reads it from the file; here for arrays of numbers only."""

    def read(self, unpickler: Any, ensure_native_byte_order: bool) -> Any:
        if not isinstance(self.dtype, np.dtype) or self.dtype.hasobject or self.subclass is not np.ndarray:
            raise ModelError("it holds an array of objects")
        if int(np.prod([int(n) for n in self.shape], dtype=np.float64)) * self.dtype.itemsize > MAX_UNPACKED:
            raise ModelError("it holds an array that is too large")
        return super().read(unpickler, ensure_native_byte_order)


class _PlainUnpickler(numpy_pickle.NumpyUnpickler):  # type: ignore[misc]
    _ALLOWED: Final = {
        ("joblib.numpy_pickle", "NumpyArrayWrapper"): _PlainArray,
        ("numpy", "ndarray"): np.ndarray,
        ("numpy", "dtype"): np.dtype,
    }

    def find_class(self, module: str, name: str) -> Any:
        try:
            return self._ALLOWED[module, name]
        except KeyError:
            raise ModelError(f"it names {module}.{name}, which no model needs") from None


def _unpack(raw: bytes) -> Any:
    stream = zlib.decompressobj()
    plain = stream.decompress(raw, MAX_UNPACKED)
    if not stream.eof:
        raise ModelError("it is cut short, or unpacks to more than a model holds")
    return _PlainUnpickler("", io.BytesIO(plain), ensure_native_byte_order=True).load()


def model_name(manifest: Mapping[str, Any]) -> str:
    """What a model is called for short, and its version's folder."""
    return str(manifest["sha256"])[:12]


def read(folder: Path) -> Model:
    """Reads a model folder, whole even while another model takes its place.

    Raises:
        ModelError: a file is missing, changed, of another format version, or holds what no model holds.
    """
    try:
        manifest = read_manifest(folder)
        raw = _model_file(folder, manifest)
        for _ in range(_READS - 1):
            if raw is not None or (now := read_manifest(folder)) == manifest:
                break
            manifest, raw = now, _model_file(folder, now)
    except OSError as error:
        raise ModelError(f"{folder} is no model folder: {error.strerror}: {error.filename}") from None
    if raw is None:
        raise ModelError(f"{folder / MODEL_FILE} is not the file that its manifest names (sha256 differs)")
    try:
        return _build(_unpack(raw), manifest)
    except ModelError as error:
        raise ModelError(f"{folder / MODEL_FILE} refused: {error}") from None
    except Exception as error:  # a damaged pickle can raise anything
        raise ModelError(f"{folder / MODEL_FILE} can't be read: {type(error).__name__}: {error}") from None


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest alone.

    Raises:
        OSError: there is none.
        ModelError: it is none of this format.
    """
    raw = (folder / MANIFEST_FILE).read_bytes()
    try:
        manifest = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise ModelError(f"{folder / MANIFEST_FILE} is not JSON: {error}") from None
    if not isinstance(manifest, dict) or manifest.get("format_version") != FORMAT_VERSION:
        raise ModelError(f"{folder / MANIFEST_FILE}: format_version must be {FORMAT_VERSION}; train the model anew")
    if not re.fullmatch("[0-9a-f]{64}", str(manifest.get("sha256"))):  # which names a folder too
        raise ModelError(f"{folder / MANIFEST_FILE}: sha256 is {manifest.get('sha256')!r}, no hash")
    return manifest


def _model_file(folder: Path, manifest: Mapping[str, Any]) -> bytes | None:
    """The model file that a manifest names: the one beside it, or its version's; None where neither is it.

    Raises:
        OSError: there is none, or it can't be read.
    """
    raw = None
    for place in (folder, folder / VERSIONS_FOLDER / model_name(manifest)):
        with suppress(FileNotFoundError):
            raw = (place / MODEL_FILE).read_bytes()
            if hashlib.sha256(raw).hexdigest() == manifest["sha256"]:
                return raw
    if raw is None:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(folder / MODEL_FILE))
    return None


def _build(plain: dict[str, Any], manifest: Mapping[str, Any]) -> Model:
    ngrams = tuple(plain["ngrams"].split("\n")) if plain["ngrams"] else ()
    labels = tuple(plain["labels"])
    weights = Weights(
        ngrams=ngrams,
        n_words=int(plain["n_words"]),
        idf=plain["idf"],
        weights=np.ascontiguousarray(plain["weights"]),
        shape=np.ascontiguousarray(plain["shape"]),
        intercept=plain["intercept"],
    )
    n, k = len(ngrams), len(labels)
    shapes = (weights.idf.shape, weights.weights.shape, weights.shape.shape, weights.intercept.shape)
    fits = shapes == ((n,), (n, k), (len(SHAPE_NAMES), k), (k,)) and 0 <= weights.n_words <= n
    if not fits or list(labels) != manifest.get("labels"):
        raise ModelError("its arrays do not fit each other")
    passes = {
        name: tuple(Pass(np.ascontiguousarray(p["weights"]), p["bias"]) for p in plain[name])
        for name in ("text_passes", "html_passes")
    }
    for name, found in passes.items():
        widths = [len(feature_names(labels, name == "html_passes", i)) for i in range(N_PASSES)]
        found_shapes = [(one.weights.shape, one.bias.shape) for one in found]
        if found and found_shapes != [((width, k), (k,)) for width in widths]:
            raise ModelError("the context model's weights do not fit its features")
    return Model(labels, weights, passes["text_passes"], passes["html_passes"], manifest)
