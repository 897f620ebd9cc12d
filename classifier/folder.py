"""The model folder: ``model.joblib``, plain arrays, and ``model.json``, its manifest.

Reading can run no code. The file's hash must be the manifest's; the pickle inside may name only the globals that plain
arrays need; arrays of objects, which would hold a pickle of their own, are refused; and nothing is unpacked past
``MAX_UNPACKED`` bytes.
"""

import hashlib
import io
import json
import os
import zlib
from collections.abc import Mapping
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
MAX_UNPACKED: Final = 1 << 30


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


def write(model: Model, folder: Path) -> None:
    """Writes the model into a new folder, or over an old one's files, each file whole or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    packed = io.BytesIO()
    joblib.dump(_plain(model), packed, compress=("zlib", 9))
    raw = packed.getvalue()
    manifest = {
        "format_version": FORMAT_VERSION,
        "labels": list(model.labels),
        "sha256": hashlib.sha256(raw).hexdigest(),
        **{key: value for key, value in model.manifest.items() if key not in ("format_version", "labels", "sha256")},
    }
    _write_whole(folder / MODEL_FILE, raw)
    _write_whole(folder / MANIFEST_FILE, (json.dumps(manifest, indent=2, ensure_ascii=False) + "\n").encode())


def _write_whole(path: Path, raw: bytes) -> None:
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with draft.open("wb") as file:
            file.write(raw)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


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


def read(folder: Path) -> Model:
    """Reads a model folder.

    Raises:
        ModelError: a file is missing, changed, of another format version, or holds what no model holds.
    """
    try:
        manifest = json.loads((folder / MANIFEST_FILE).read_bytes())
        raw = (folder / MODEL_FILE).read_bytes()
    except OSError as error:
        raise ModelError(f"{folder} is no model folder: {error.strerror}: {error.filename}") from None
    except (ValueError, RecursionError) as error:
        raise ModelError(f"{folder / MANIFEST_FILE} is not JSON: {error}") from None
    if not isinstance(manifest, dict) or manifest.get("format_version") != FORMAT_VERSION:
        raise ModelError(f"{folder / MANIFEST_FILE}: format_version must be {FORMAT_VERSION}; train the model anew")
    if hashlib.sha256(raw).hexdigest() != manifest.get("sha256"):
        raise ModelError(f"{folder / MODEL_FILE} is not the file that its manifest names (sha256 differs)")
    try:
        return _build(_unpack(raw), manifest)
    except ModelError as error:
        raise ModelError(f"{folder / MODEL_FILE} refused: {error}") from None
    except Exception as error:  # a damaged pickle can raise anything
        raise ModelError(f"{folder / MODEL_FILE} can't be read: {type(error).__name__}: {error}") from None


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
