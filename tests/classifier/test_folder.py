import builtins
import hashlib
import io
import json
import os
import pickle
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest

from classifier import BoilertagError, ModelError, Tagger, folder
from classifier.context import Pass
from classifier.folder import MANIFEST_FILE, MODEL_FILE, Model


@pytest.fixture
def written(small_model: Model, tmp_path: Path) -> Path:
    """A folder that holds the small model."""
    folder.write(small_model, tmp_path / "model")
    return tmp_path / "model"


def put(path: Path, raw: bytes) -> None:
    """Puts other bytes in the model's place and their hash into the manifest, as whoever forges a model would."""
    manifest = json.loads((path / MANIFEST_FILE).read_text("utf-8"))
    manifest["sha256"] = hashlib.sha256(raw).hexdigest()
    (path / MANIFEST_FILE).write_text(json.dumps(manifest), "utf-8")
    (path / MODEL_FILE).write_bytes(raw)


def packed(value: Any) -> bytes:
    file = io.BytesIO()
    joblib.dump(value, file, compress=("zlib", 9))
    return file.getvalue()


def plain(path: Path) -> dict[str, Any]:
    """What a folder's model file holds; this is joblib's own reader, which runs what it reads."""
    return joblib.load(path / MODEL_FILE)


def assert_same(one: Model, other: Model) -> None:
    assert one.labels == other.labels
    assert (one.paragraph.ngrams, one.paragraph.n_words) == (other.paragraph.ngrams, other.paragraph.n_words)
    for name in ("idf", "weights", "shape", "intercept"):
        mine, theirs = getattr(one.paragraph, name), getattr(other.paragraph, name)
        assert mine.dtype == theirs.dtype
        assert np.array_equal(mine, theirs)
    for passes, others in ((one.text_passes, other.text_passes), (one.html_passes, other.html_passes)):
        for mine, theirs in zip(passes, others, strict=True):
            assert np.array_equal(mine.weights, theirs.weights)
            assert np.array_equal(mine.bias, theirs.bias)


class TestRoundTrip:
    def test_what_was_written_is_read(self, small_model: Model, written: Path):
        assert_same(folder.read(written), small_model)

    def test_a_model_without_context(self, small_model: Model, tmp_path: Path):
        alone = replace(small_model, text_passes=(), html_passes=())
        folder.write(alone, tmp_path)
        assert_same(folder.read(tmp_path), alone)

    def test_ngrams_with_any_character_inside(self, small_model: Model, tmp_path: Path):
        odd = ("\ud800", "😀", "e\u0301", " a", "a ", " ", "\u2060\u200b", "“")
        w = small_model.paragraph
        n = len(odd)
        paragraph = replace(w, ngrams=odd, n_words=n, idf=w.idf[:n], weights=np.ascontiguousarray(w.weights[:n]))
        folder.write(replace(small_model, paragraph=paragraph), tmp_path)
        assert folder.read(tmp_path).paragraph.ngrams == odd

    def test_the_manifest_says_what_is_in_the_folder(self, small_model: Model, written: Path):
        manifest = folder.read(written).manifest
        assert manifest == json.loads((written / MANIFEST_FILE).read_text("utf-8"))
        assert manifest["labels"] == list(small_model.labels)
        assert manifest["format_version"] == folder.FORMAT_VERSION
        assert manifest["sha256"] == hashlib.sha256((written / MODEL_FILE).read_bytes()).hexdigest()
        assert manifest["made_for"] == "tests"

    def test_a_read_model_writes_the_same_files(self, written: Path, tmp_path: Path):
        folder.write(folder.read(written), tmp_path / "again")
        for name in (MODEL_FILE, MANIFEST_FILE):
            assert (tmp_path / "again" / name).read_bytes() == (written / name).read_bytes()

    def test_the_same_model_is_the_same_bytes(self, small_model: Model, written: Path, tmp_path: Path):
        folder.write(small_model, tmp_path / "a" / "deeper")
        for name in (MODEL_FILE, MANIFEST_FILE):
            assert (tmp_path / "a" / "deeper" / name).read_bytes() == (written / name).read_bytes()

    def test_writing_replaces_and_leaves_nothing_else(self, small_model: Model, written: Path):
        labels = ("x", "y", "z")
        folder.write(replace(small_model, labels=labels), written)
        assert folder.read(written).labels == labels
        assert sorted(path.name for path in written.iterdir()) == sorted([MODEL_FILE, MANIFEST_FILE])

    def test_the_file_holds_plain_values_only(self, written: Path):
        def check(value: Any) -> None:
            if isinstance(value, dict):
                assert all(type(key) is str for key in value)
                value = list(value.values())
            if isinstance(value, list):
                for one in value:
                    check(one)
            else:
                assert type(value) in (str, int, float, np.ndarray)
                assert not isinstance(value, np.ndarray) or value.dtype.kind == "f"

        check(plain(written))


# What to change in a model's plain values.
MISFITS: dict[str, Callable[[dict[str, Any]], object]] = {
    "labels": lambda model: model.update(labels=["a", "b"]),
    "one n-gram more": lambda model: model.update(ngrams=model["ngrams"] + "\nmore"),
    "no n-grams": lambda model: model.update(ngrams=""),
    "idf": lambda model: model.update(idf=model["idf"][:-1]),
    "weights": lambda model: model.update(weights=model["weights"][:, :-1]),
    "shape": lambda model: model.update(shape=model["shape"][:-1]),
    "intercept": lambda model: model.update(intercept=model["intercept"][:-1]),
    "idf a number": lambda model: model.update(idf=1.0),
    "n-grams a number": lambda model: model.update(ngrams=5),
    "no weights": lambda model: model.pop("weights"),
    "no passes": lambda model: model.pop("text_passes"),
    "n_words over": lambda model: model.update(n_words=len(model["idf"]) + 1),
    "n_words under": lambda model: model.update(n_words=-1),
    "pass weights short": lambda model: model["text_passes"][0].update(weights=model["text_passes"][0]["weights"][:-1]),
    "pass weights narrow": lambda model: model["html_passes"][1].update(
        weights=model["html_passes"][1]["weights"][:, :-1]
    ),
    "pass bias short": lambda model: model["html_passes"][0].update(bias=model["html_passes"][0]["bias"][:-1]),
    "three passes": lambda model: model["text_passes"].append(model["text_passes"][1]),
    "pass without bias": lambda model: model["text_passes"][0].pop("bias"),
    "passes swapped": lambda model: model.update(text_passes=model["html_passes"], html_passes=model["text_passes"]),
}


class TestRefusals:
    @pytest.mark.parametrize("place", [0, 1, 100, -100, -1])
    def test_a_changed_byte(self, written: Path, place: int):
        raw = bytearray((written / MODEL_FILE).read_bytes())
        raw[place] ^= 1
        (written / MODEL_FILE).write_bytes(raw)
        with pytest.raises(ModelError, match="sha256"):
            folder.read(written)

    def test_no_folder(self, tmp_path: Path):
        with pytest.raises(ModelError, match="nowhere"):
            folder.read(tmp_path / "nowhere")

    @pytest.mark.parametrize("name", [MODEL_FILE, MANIFEST_FILE])
    def test_a_missing_file(self, written: Path, name: str):
        (written / name).unlink()
        with pytest.raises(ModelError, match=name):
            folder.read(written)

    @pytest.mark.parametrize("raw", [b"", b"{", b"\xff\xfe", b"not json", b"\x00" * 50, b"[" * 100_000])
    def test_a_manifest_that_is_not_json(self, written: Path, raw: bytes):
        (written / MANIFEST_FILE).write_bytes(raw)
        with pytest.raises(ModelError):
            folder.read(written)

    @pytest.mark.parametrize("manifest", [[], None, "1", 1, {}, {"format_version": 0}, {"format_version": "1"}])
    def test_a_manifest_of_another_version(self, written: Path, manifest: Any):
        (written / MANIFEST_FILE).write_text(json.dumps(manifest))
        with pytest.raises(ModelError, match="format_version"):
            folder.read(written)

    @pytest.mark.parametrize("change", [{"sha256": None}, {"sha256": "0" * 64}, {"labels": ["a"]}, {"labels": None}])
    def test_a_manifest_of_another_model(self, written: Path, change: dict[str, Any]):
        manifest = json.loads((written / MANIFEST_FILE).read_text("utf-8"))
        (written / MANIFEST_FILE).write_text(json.dumps({**manifest, **change}))
        with pytest.raises(ModelError):
            folder.read(written)

    @pytest.mark.parametrize("left", [0, 1, 2, 10, 500, -1000, -1])
    def test_a_truncated_file(self, written: Path, left: int):
        put(written, (written / MODEL_FILE).read_bytes()[:left])
        with pytest.raises(ModelError):
            folder.read(written)

    def test_a_file_that_is_not_packed(self, written: Path):
        put(written, pickle.dumps(1))
        with pytest.raises(ModelError):
            folder.read(written)

    def test_more_than_a_model_holds(self, written: Path, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr(folder, "MAX_UNPACKED", 1000)
        with pytest.raises(ModelError):
            folder.read(written)

    def test_an_array_that_is_too_large(self, written: Path):
        wrapper = joblib.numpy_pickle.NumpyArrayWrapper(np.ndarray, (1 << 40,), "C", np.dtype("f8"))
        put(written, zlib.compress(pickle.dumps(wrapper)))
        with pytest.raises(ModelError, match="too large"):
            folder.read(written)

    @pytest.mark.parametrize("misfit", MISFITS)
    def test_arrays_that_do_not_fit(self, written: Path, misfit: str):
        model = plain(written)
        MISFITS[misfit](model)
        put(written, packed(model))
        with pytest.raises(ModelError):
            folder.read(written)

    def test_a_model_with_an_ngram_twice(self, written: Path):
        model = plain(written)
        first, second, *others = model["ngrams"].split("\n")
        assert first != second
        model["ngrams"] = "\n".join([first, first, *others])
        put(written, packed(model))
        with pytest.raises(ModelError):
            Tagger.load(written)

    def test_anything_but_a_model(self, written: Path):
        for value in (1, None, [], {}, "model", np.zeros(3)):
            put(written, packed(value))
            with pytest.raises(ModelError):
                folder.read(written)

    def test_a_refusal_is_an_error_that_a_user_can_mend(self):
        assert issubclass(ModelError, BoilertagError)
        assert issubclass(BoilertagError, ValueError)


class Trap:
    """Unpickled, it calls a function."""

    def __init__(self, call: Callable[..., Any], *args: Any, state: Any = None) -> None:
        self.call = call
        self.args = args
        self.state = state

    def __reduce__(self) -> tuple[Any, ...]:
        return (self.call, self.args) if self.state is None else (self.call, self.args, self.state)


def touch(path: Path) -> list[Trap]:
    """Traps that would make the file, each by another way."""
    code = f"open({str(path)!r}, 'w').close()"
    return [
        Trap(os.system, f"touch '{path}'"),
        Trap(builtins.eval, code),
        Trap(builtins.exec, code),
        Trap(builtins.open, str(path), "w"),
        Trap(os.mkdir, str(path)),
        Trap(os.open, str(path), os.O_CREAT),
        Trap(builtins.getattr, Trap(__import__, "os"), "getcwd"),
        Trap(joblib.dump, [1], str(path)),
        Trap(np.ndarray.tofile, np.zeros(3), str(path)),
        Trap(np.save, str(path), np.zeros(3)),
        Trap(pickle.loads, pickle.dumps(Trap(builtins.eval, code))),
    ]


N_TRAPS = len(touch(Path("nowhere")))


class TestAudit:
    """Files that would run code, with the right hash in the manifest, so that nothing but the audit stops them."""

    def refuse(self, path: Path, raw: bytes, sentinel: Path) -> str:
        put(path, raw)
        assert not sentinel.exists()
        with pytest.raises(ModelError) as refused:
            folder.read(path)
        assert not sentinel.exists()
        return str(refused.value)

    def test_the_traps_work(self, tmp_path: Path):
        sentinel = tmp_path / "ran"
        pickle.loads(pickle.dumps(touch(sentinel)[1]))
        assert sentinel.exists()

    @pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
    @pytest.mark.parametrize("i", range(N_TRAPS))
    def test_calls_are_refused(self, written: Path, tmp_path: Path, i: int, protocol: int):
        sentinel = tmp_path / "ran"
        trap = touch(sentinel)[i]
        message = self.refuse(written, zlib.compress(pickle.dumps(trap, protocol)), sentinel)
        assert "names" in message

    @pytest.mark.parametrize("i", range(N_TRAPS))
    def test_calls_inside_a_model_are_refused(self, written: Path, tmp_path: Path, i: int):
        sentinel = tmp_path / "ran"
        model = plain(written)
        for key in ("labels", "manifest", "text_passes"):
            raw = packed({**model, key: [{"deep": (1, [touch(sentinel)[i]])}]})
            self.refuse(written, raw, sentinel)

    def test_an_array_of_objects_is_refused(self, written: Path, tmp_path: Path):
        sentinel = tmp_path / "ran"
        model = plain(written)
        objects = np.array([touch(sentinel)[1], 1], object)
        for value in (objects, {"idf": objects}, [[objects.reshape(2, 1)]]):
            assert "an array of objects" in self.refuse(written, packed(value), sentinel)
        records = np.array([(1, touch(sentinel)[1])], [("a", "i4"), ("b", "O")])
        assert "an array of objects" in self.refuse(written, packed({**model, "idf": records}), sentinel)

    def test_an_array_of_another_class_is_refused(self, written: Path, tmp_path: Path):
        matrix = np.zeros((2, 2)).view(np.matrix)
        self.refuse(written, packed({**plain(written), "idf": matrix}), tmp_path / "ran")

    @pytest.mark.parametrize(
        "name",
        [
            (b"os", b"system"),
            (b"builtins", b"eval"),
            (b"numpy", b"load"),
            (b"numpy", b"ndarray.tofile"),
            (b"joblib.numpy_pickle", b"load"),
            (b"joblib.numpy_pickle", b"NDArrayWrapper"),
            (b"joblib.numpy_pickle", b"NumpyArrayWrapper.read"),
            (b"joblib.numpy_pickle", b"ZNDArrayWrapper"),
            (b"joblib.numpy_pickle_compat", b"load_compatibility"),
            (b"numpy.core.multiarray", b"_reconstruct"),
            (b"numpy._core.multiarray", b"_reconstruct"),
            (b"copyreg", b"_reconstructor"),
            (b"functools", b"partial"),
            (b"classifier.folder", b"write"),
            (b"no_such_module", b"thing"),
            (b"sklearn.linear_model", b"LogisticRegression"),
        ],
    )
    def test_a_name_off_the_list_is_refused_before_it_is_used(
        self, written: Path, tmp_path: Path, name: tuple[bytes, bytes]
    ):
        by_global = b"c%s\n%s\n." % name
        lengths = bytes([len(name[0])]), bytes([len(name[1])])
        by_stack = b"\x80\x04\x8c%s%s\x8c%s%s\x93." % (lengths[0], name[0], lengths[1], name[1])
        for raw in (by_global, by_stack):
            message = self.refuse(written, zlib.compress(raw), tmp_path / "ran")
            assert f"names {name[0].decode()}.{name[1].decode()}" in message

    @pytest.mark.parametrize(
        "raw",
        [
            b"P1\n.",  # a persistent id
            b"\x80\x02\x82\x01.",  # a registered extension
            b"ios\nsystem\n.",
            b"(ios\nsystem\n.",
            b"cnumpy\nndarray\n((I3\ntcnumpy\ndtype\n(S'O8'\ntR\x86R.",  # an array of objects without joblib's record
            b"cnumpy\ndtype\n(S'f8'\ntR}S'__class__'\nI1\nsb.",
            b"\x80\x05" + b"(" * 100_000 + b".",
            b"\x80\x04" + b"]" * 10_000 + b"a" * 9_999 + b".",
        ],
    )
    def test_other_roads_are_closed(self, written: Path, tmp_path: Path, raw: bytes):
        self.refuse(written, zlib.compress(raw), tmp_path / "ran")


def test_the_default_model_fits_the_package():
    path = Path(folder.__file__).with_name("model")
    size = sum(file.stat().st_size for file in path.iterdir())
    assert size <= 5 * 1024 * 1024
    assert isinstance(folder.read(path).text_passes[0], Pass)
