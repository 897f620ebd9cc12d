import codecs
import csv
import gzip
import io
import json
import sys
import tempfile
import tracemalloc
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import hypothesis.strategies as st
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard
from hypothesis import given, settings

from classifier.errors import RowError
from classifier.rows import RowReader, RowWriter, document_sizes, documents, read_rows, split_name, write_rows
from classifier.rows import blocks as blocks_module

TEXT_FORMATS = [f"{kind}{packing}" for kind in (".csv", ".tsv", ".jsonl", ".ndjson") for packing in ("", ".gz", ".zst")]
FORMATS = [*TEXT_FORMATS, ".parquet"]
AWKWARD = [
    "The ferry leaves at nine, they said.",
    'She said "no", twice; then\tleft.',
    "first line\nsecond line\r\nthird\rfourth",
    "  spaces kept  ",
    "",
    "=1+1",
    "line\u2028separator, next\x85line, form\x0cfeed, null\x00",
    "Großer Wal 🐋 鯨 \ufeff",
    "'",
    '"',
]


@pytest.mark.parametrize("suffix", FORMATS)
def test_rows_survive_a_round_trip(tmp_path: Path, suffix: str) -> None:
    given_rows = [{"id": f"{i}", "text": text, "a column": text[::-1]} for i, text in enumerate(AWKWARD)]
    write_rows(tmp_path / f"rows{suffix}", given_rows)
    found = list(read_rows(tmp_path / f"rows{suffix}"))
    assert found == given_rows
    assert [list(row) for row in found] == [list(row) for row in given_rows]


@pytest.mark.parametrize("suffix", [".CSV", ".Jsonl.GZ", ".parquet"])
def test_the_format_is_told_by_the_name_in_any_case(tmp_path: Path, suffix: str) -> None:
    write_rows(tmp_path / f"my.rows{suffix}", [{"text": "one"}])
    assert list(read_rows(tmp_path / f"my.rows{suffix}")) == [{"text": "one"}]


def test_the_same_rows_make_the_same_bytes(tmp_path: Path) -> None:
    for suffix in FORMATS:
        for name in ("a", "b"):
            write_rows(tmp_path / f"{name}{suffix}", [{"text": "one"}, {"text": "two"}])
        assert (tmp_path / f"a{suffix}").read_bytes() == (tmp_path / f"b{suffix}").read_bytes()


_names = st.text(st.characters(exclude_categories=["Cs"]), max_size=8).filter(lambda name: name != "text")
_texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)


@st.composite
def _tables(
    draw: st.DrawFn, values: st.SearchStrategy[object], texts: st.SearchStrategy[str]
) -> list[dict[str, object]]:
    columns = draw(st.lists(_names, unique=True, max_size=3))
    row = st.fixed_dictionaries({**dict.fromkeys(columns, values), "text": texts})
    return draw(st.lists(row, min_size=1, max_size=8))


@settings(deadline=None, max_examples=60)
@given(rows=_tables(_texts, _texts), suffix=st.sampled_from([".csv", ".tsv", ".jsonl", ".jsonl.zst", ".parquet"]))
def test_any_strings_survive_a_round_trip(rows: list[dict[str, object]], suffix: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"rows{suffix}"
        write_rows(path, rows)
        assert list(read_rows(path)) == rows


_any_text = st.text(st.characters(exclude_categories=[]), max_size=20)  # lone surrogates too
_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | _any_text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_any_text, inner, max_size=3),
    max_leaves=6,
)


@settings(deadline=None, max_examples=100)
@given(rows=_tables(_json, _any_text))
def test_any_json_survives_a_round_trip(rows: list[dict[str, object]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.jsonl"
        write_rows(path, rows)
        assert list(read_rows(path)) == rows


def test_parquet_gives_pythons_values_and_takes_a_schema(tmp_path: Path) -> None:
    schema = pa.schema(
        [
            ("text", pa.large_string()),
            ("n", pa.int8()),
            ("at", pa.timestamp("ms", "UTC")),
            ("price", pa.decimal128(6, 2)),
        ]
    )
    row = {"text": "one", "n": 7, "at": datetime(2024, 5, 1, tzinfo=UTC), "price": Decimal("12.50")}
    with RowWriter(tmp_path / "rows.parquet", schema=schema) as writer:
        writer.write([row])
    assert list(read_rows(tmp_path / "rows.parquet")) == [row]
    assert pq.read_schema(tmp_path / "rows.parquet").equals(schema)


def test_parquet_values_become_json_and_csv(tmp_path: Path) -> None:
    row = {
        "text": "one",
        "at": datetime(2024, 5, 1, 12, 30),
        "price": Decimal("12.50"),
        "nan": float("nan"),
        "tags": ["a"],
    }
    write_rows(tmp_path / "rows.jsonl", [row])
    assert json.loads((tmp_path / "rows.jsonl").read_text()) == {
        "text": "one",
        "at": "2024-05-01T12:30:00",
        "price": "12.50",
        "nan": None,
        "tags": ["a"],
    }
    write_rows(tmp_path / "rows.csv", [row | {"nan": None, "yes": True}])
    (found,) = read_rows(tmp_path / "rows.csv")
    assert found == {
        "text": "one",
        "at": "2024-05-01T12:30:00",
        "price": "12.50",
        "nan": "",
        "tags": '["a"]',
        "yes": "true",
    }


# -- What people's CSV looks like -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(b"doc,text\r\n1,one\r\n2,two\r\n", id="CR LF"),
        pytest.param(b"doc,text\n1,one\n2,two", id="no line end at the end"),
        pytest.param(b"doc,text\r1,one\r2,two\r", id="CR alone"),
        pytest.param(b"doc,text\n\n1,one\n\n\n2,two\n\n", id="blank lines"),
        pytest.param(codecs.BOM_UTF8 + b"doc,text\n1,one\n2,two\n", id="byte order mark"),
        pytest.param(codecs.BOM_UTF8 + b"doc;text\r\n1;one\r\n2;two\r\n", id="Excel's semicolons"),
        pytest.param(b'"doc";"text"\r\n"1";"one"\r\n"2";"two"\r\n', id="quoted semicolons"),
        pytest.param("doc\ttext\r\n1\tone\r\n2\ttwo\r\n".encode("utf-16"), id="Excel's UTF-16"),
        pytest.param(codecs.BOM_UTF16_BE + "doc,text\n1,one\n2,two\n".encode("utf-16-be"), id="UTF-16, big end first"),
    ],
)
def test_csv_as_programs_write_it(tmp_path: Path, raw: bytes) -> None:
    (tmp_path / "rows.csv").write_bytes(raw)
    assert list(read_rows(tmp_path / "rows.csv")) == [{"doc": "1", "text": "one"}, {"doc": "2", "text": "two"}]


def test_semicolons_in_a_text_are_no_delimiters(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("text,note;s\none; two,three\n")
    assert list(read_rows(tmp_path / "rows.csv")) == [{"text": "one; two", "note;s": "three"}]


def test_a_paragraph_of_ten_megabytes(tmp_path: Path) -> None:
    text = 'A long, "quoted"\nline. ' * 450_000
    for suffix in (".csv", ".jsonl", ".parquet"):
        write_rows(tmp_path / f"rows{suffix}", [{"text": text}, {"text": "short"}])
        assert [row["text"] for row in read_rows(tmp_path / f"rows{suffix}")] == [text, "short"]


def test_excel_can_read_what_is_written(tmp_path: Path) -> None:
    write_rows(tmp_path / "rows.csv", [{"text": "a\rb", "n": 0.5}, {"text": 'c"d', "n": None}])
    assert (tmp_path / "rows.csv").read_bytes() == b'text,n\r\n"a\rb",0.5\r\n"c""d",\r\n'


# -- What people's JSON lines look like -----------------------------------------------------------------------------


def test_json_lines_as_programs_write_them(tmp_path: Path) -> None:
    raw = codecs.BOM_UTF8 + b'{"text": "one"}\r\n\r\n   \n\t{"text": "two \xe2\x80\xa8 lines"}  \n\n{"text": "three"}'
    (tmp_path / "rows.jsonl").write_bytes(raw)
    assert [row["text"] for row in read_rows(tmp_path / "rows.jsonl")] == ["one", "two \u2028 lines", "three"]


def test_rows_of_json_lines_may_differ(tmp_path: Path) -> None:
    rows = [{"text": "one"}, {"n": 1, "text": "two"}, {"text": "three", "doc": [1, 2]}]
    write_rows(tmp_path / "rows.jsonl", rows)
    assert list(read_rows(tmp_path / "rows.jsonl")) == rows


def test_lone_surrogates_are_written_as_escapes(tmp_path: Path) -> None:
    write_rows(tmp_path / "rows.jsonl", [{"text": "half \ud83d", "é": "é"}])
    raw = (tmp_path / "rows.jsonl").read_bytes()
    assert raw.isascii()
    assert json.loads(raw) == {"text": "half \ud83d", "é": "é"}


class _Standard:
    def __init__(self, raw: bytes = b"") -> None:
        self.buffer = io.BytesIO(raw)


def test_dash_is_json_lines_on_standard_input_and_output(monkeypatch: pytest.MonkeyPatch) -> None:
    out = _Standard()
    monkeypatch.setattr(sys, "stdin", _Standard(b'{"text": "one"}\n{"text": "two"}\n'))
    monkeypatch.setattr(sys, "stdout", out)
    write_rows("-", read_rows("-"))
    assert out.buffer.getvalue() == b'{"text": "one"}\n{"text": "two"}\n'


def test_a_bad_line_of_standard_input_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", _Standard(b'{"text": "one"}\n{"text"\n'))
    with pytest.raises(RowError, match=r"^standard input, line 2: no valid JSON"):
        list(read_rows("-"))


def test_a_zst_file_of_several_frames(tmp_path: Path) -> None:
    pack = zstandard.ZstdCompressor().compress
    (tmp_path / "rows.jsonl.zst").write_bytes(pack(b'{"text": "one"}\n{"te') + pack(b"") + pack(b'xt": "two"}\n'))
    assert [row["text"] for row in read_rows(tmp_path / "rows.jsonl.zst")] == ["one", "two"]


def test_a_gz_file_of_several_members(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl.gz").write_bytes(gzip.compress(b'{"text": "one"}\n{"te') + gzip.compress(b'xt": "two"}\n'))
    assert [row["text"] for row in read_rows(tmp_path / "rows.jsonl.gz")] == ["one", "two"]


# -- Files without rows ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".jsonl", ".jsonl.gz", ".jsonl.zst"])
def test_json_lines_may_be_empty(tmp_path: Path, suffix: str) -> None:
    (tmp_path / f"rows{suffix}").touch()
    assert list(read_rows(tmp_path / f"rows{suffix}")) == []


@pytest.mark.parametrize("suffix", FORMATS)
def test_no_rows_survive_a_round_trip(tmp_path: Path, suffix: str) -> None:
    write_rows(tmp_path / f"rows{suffix}", [], columns=["doc", "text"])
    with RowReader(tmp_path / f"rows{suffix}") as reader:
        assert reader.columns in (None, ["doc", "text"])
        assert [row for block in reader.blocks() for row in block.rows] == []


# -- Errors ---------------------------------------------------------------------------------------------------------


def _packed(raw: bytes, suffix: str) -> bytes:
    return gzip.compress(raw) if suffix == ".gz" else zstandard.ZstdCompressor().compress(raw)


_MANY = b"".join(b'{"text": "row %d"}\n' % i for i in range(20_000))


@pytest.mark.parametrize(
    ("name", "raw", "message"),
    [
        ("rows.xlsx", b"", "unknown format; the name must end in .csv"),
        ("rows", b"", "unknown format"),
        ("rows.gz", b"", "unknown format"),
        ("rows.parquet.gz", b"", "Parquet packs its columns itself"),
        ("rows.csv", b"", "is empty; its first row must name the columns"),
        ("rows.csv", b"a,b\n1,2\n", "no column 'text'; it has 'a', 'b'"),
        ("rows.csv", b"text,a,a\n1,2,3\n", "two columns are called 'a'"),
        ("rows.csv", b"text,a\nx,1\ny,2,3\n", "row 3: 3 fields where the header has 2"),
        ("rows.csv", b'text,a\n"x\nx",1\ny\n', "row 3 (line 4): 1 fields where the header has 2"),
        ("rows.csv", b'text,a\nx,1\n"y,2\nz,3\n', "row 3 (from line 3): a quoted field that does not end"),
        ("rows.csv", b'text,a\nx,1\n"y"y,2\n', "row 3 (from line 3): a quote inside a quoted field"),
        ("rows.csv", b'text,a\n"x\nx",1\ncaf\xe9,2\n', "row 3 (line 4): not UTF-8; save the file as CSV UTF-8"),
        ("rows.csv", "text\none\n".encode("utf-16")[:-1], "not UTF-16"),
        ("rows.tsv", b"text,a\nx,1\n", "no column 'text'"),
        ("rows.jsonl", b'{"text": "x"}\n\n{"text": "y"\n', "line 3: no valid JSON: Expecting ',' delimiter"),
        ("rows.jsonl", b'{"text": "x"}\n["y"]\n', 'line 2: a row must be a JSON object, not ["y"]'),
        ("rows.jsonl", b'{"text": "x"}\n{"body": "y"}\n', "line 2: no 'text'; it is missing or null"),
        ("rows.jsonl", b'{"text": "x", "a": [{}\n{}]}\n{"text": "y"},{"text": "z"}\n', "line 1: no valid JSON"),
        ("rows.jsonl", b'{"text": "x"},{"text": "y"}\n', "line 1: no valid JSON: Extra data at character 14"),
        ("rows.jsonl", b'{"text": null}\n', "line 1: no 'text'; it is missing or null"),
        ("rows.jsonl", b'{"text": 5}\n', "line 1: 'text' holds 5, which is no string"),
        ("rows.jsonl", b'{"text": "caf\xe9"}\n', "line 1: not UTF-8 (byte 0xe9 at 14)"),
        ("rows.jsonl", b'{"text": "\xed\xa0\x80"}\n', "line 1: not UTF-8"),
        ("rows.jsonl", '{"text": "x"}\n'.encode("utf-16"), "is UTF-16; JSON lines must be UTF-8"),
        ("rows.jsonl", b'{"text": ' + b"9" * 5000 + b"}", "line 1: no valid JSON: Exceeds the limit"),
        ("rows.jsonl", b"[" * 200_000, "line 1: its JSON is nested too deeply"),
        ("rows.jsonl.gz", _packed(_MANY, ".gz")[:-2000], "is cut off"),
        ("rows.jsonl.zst", _packed(_MANY, ".zst")[:-2000], "is cut off"),
        ("rows.jsonl.gz", _MANY, "is damaged: Not a gzipped file"),
        ("rows.jsonl.zst", _MANY, "is damaged"),
        ("rows.csv.gz", b"", "is empty"),
        ("rows.parquet", b"text\nx\n", "can't be read: Parquet"),
    ],
)
def test_each_error_is_one_line_that_names_file_and_place(tmp_path: Path, name: str, raw: bytes, message: str) -> None:
    path = tmp_path / name
    path.write_bytes(raw)
    with pytest.raises(RowError) as error:
        list(read_rows(path))
    assert str(error.value).startswith(str(path))
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_a_missing_file_and_a_folder(tmp_path: Path) -> None:
    with pytest.raises(RowError, match=r"nowhere\.csv: no such file"):
        list(read_rows(tmp_path / "nowhere.csv"))
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(RowError, match=r"folder\.csv can't be read: Is a directory"):
        list(read_rows(tmp_path / "folder.csv"))


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (pa.table({"body": ["x"]}), "no column 'text'; it has 'body'"),
        (pa.table({"text": ["x", None]}), "row 2: no 'text'; it is missing or null"),
        (pa.table({"text": [b"x"]}), "row 1: 'text' holds b'x', which is no string"),
        (pa.table([pa.array([1]), pa.array(["x"]), pa.array([2])], ["n", "text", "n"]), "two columns are called 'n'"),
    ],
)
def test_errors_in_parquet(tmp_path: Path, table: pa.Table, message: str) -> None:
    pq.write_table(table, tmp_path / "rows.parquet")
    with pytest.raises(RowError) as error:
        list(read_rows(tmp_path / "rows.parquet"))
    assert message in str(error.value)


def test_text_in_parquet_that_is_no_utf8(tmp_path: Path) -> None:
    bad = pa.StringArray.from_buffers(2, pa.py_buffer(b"\0\0\0\0\1\0\0\0\2\0\0\0"), pa.py_buffer(b"a\xe9"))
    pq.write_table(pa.table({"text": bad}), tmp_path / "rows.parquet")
    with pytest.raises(RowError, match=r"row 2: 'text' can't be read"):
        list(read_rows(tmp_path / "rows.parquet"))


def test_a_parquet_file_cut_off(tmp_path: Path) -> None:
    write_rows(tmp_path / "rows.parquet", ({"text": f"row {i}"} for i in range(1000)))
    raw = (tmp_path / "rows.parquet").read_bytes()
    (tmp_path / "rows.parquet").write_bytes(raw[:-100])
    with pytest.raises(RowError, match=r"rows\.parquet can't be read"):
        list(read_rows(tmp_path / "rows.parquet"))


def test_without_pyarrow_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_rows(tmp_path / "rows.parquet", [{"text": "x"}])
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(RowError, match=r"pip install 'boilertag\[parquet\]'"):
        list(read_rows(tmp_path / "rows.parquet"))
    with pytest.raises(RowError, match=r"pip install 'boilertag\[parquet\]'"):
        RowWriter(tmp_path / "new.parquet")
    write_rows(tmp_path / "rows.csv", [{"text": "x"}])
    assert list(read_rows(tmp_path / "rows.csv")) == [{"text": "x"}]


@pytest.mark.parametrize(
    ("name", "row", "message"),
    [
        ("rows.csv", {"text": "half \ud83d"}, "row 1002: half a surrogate pair"),
        ("rows.csv", {"text": "x", "new": "y"}, "row 1002: column 'new', which no row at the start has"),
        ("rows.parquet", {"text": "x", "new": "y"}, "row 1002: column 'new', which no row at the start has"),
        ("rows.parquet", {"text": "x", "n": "many"}, "row 1002: 'n' holds 'many', which does not fit"),
        ("rows.jsonl", {"text": "x", "n": b"many"}, "row 1002: JSON can't hold it: a value of type bytes"),
        ("rows.csv", {"text": "x", "n": b"many"}, "row 1002: CSV can't hold it: a value of type bytes"),
    ],
)
def test_a_row_that_the_format_cannot_hold(tmp_path: Path, name: str, row: dict[str, object], message: str) -> None:
    with pytest.raises(RowError) as error:
        write_rows(tmp_path / name, [{"text": "x", "n": 1}] * 1001 + [row])
    assert message in str(error.value)
    assert list(tmp_path.iterdir()) == []


# -- Whole or not at all --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_an_interrupted_write_leaves_nothing(tmp_path: Path, suffix: str, error: type[BaseException]) -> None:
    def interrupted() -> object:
        for i in range(2500):
            yield {"text": f"row {i}"}
        raise error

    with pytest.raises(error):
        write_rows(tmp_path / f"rows{suffix}", interrupted())
    assert list(tmp_path.iterdir()) == []


def test_an_interrupted_write_leaves_the_old_file(tmp_path: Path) -> None:
    write_rows(tmp_path / "rows.csv", [{"text": "old"}])
    with pytest.raises(RowError):
        write_rows(tmp_path / "rows.csv", [{"text": "\ud83d"}])
    assert list(read_rows(tmp_path / "rows.csv")) == [{"text": "old"}]
    write_rows(tmp_path / "rows.csv", [{"text": "new"}])
    assert list(read_rows(tmp_path / "rows.csv")) == [{"text": "new"}]
    assert [path.name for path in tmp_path.iterdir()] == ["rows.csv"]


def test_nothing_is_there_before_all_is(tmp_path: Path) -> None:
    with RowWriter(tmp_path / "rows.jsonl") as writer:
        writer.write([{"text": "one"}])
        assert not (tmp_path / "rows.jsonl").exists()
    assert (tmp_path / "rows.jsonl").exists()


def test_a_file_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(RowError, match=r"rows\.jsonl can't be written: No such file or directory"):
        write_rows(tmp_path / "nowhere" / "rows.jsonl", [{"text": "x"}])
    (tmp_path / "folder.jsonl").mkdir()
    with pytest.raises(RowError, match=r"folder\.jsonl can't be written"):
        write_rows(tmp_path / "folder.jsonl", [{"text": "x"}])
    assert [path.name for path in tmp_path.iterdir()] == ["folder.jsonl"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    with Path("/dev/full").open("wb", buffering=0) as full:
        standard = _Standard()
        standard.buffer = full
        monkeypatch.setattr(sys, "stdout", standard)
        with pytest.raises(RowError, match="standard output can't be written: No space left on device"):
            write_rows("-", [{"text": "x"}])


# -- Streams and documents ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".gz", ".zst"])
def test_rows_come_before_the_file_is_read(tmp_path: Path, suffix: str) -> None:
    cut_off = _packed(_MANY * 5, suffix)[:-100]
    (tmp_path / f"rows.jsonl{suffix}").write_bytes(cut_off)
    rows = read_rows(tmp_path / f"rows.jsonl{suffix}")
    assert next(rows) == {"text": "row 0"}
    with pytest.raises(RowError, match="is cut off"):
        list(rows)


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".jsonl.gz", ".parquet"])
def test_memory_does_not_grow_with_the_file(tmp_path: Path, suffix: str) -> None:
    size = 12_000_000
    text = "A paragraph that stands for many like it. " * 20
    tracemalloc.start()
    try:
        rows = ({"doc": i // 7, "text": text + str(i)} for i in range(size // len(text)))
        write_rows(tmp_path / f"rows{suffix}", rows)
        assert sum(len(row["text"]) for row in read_rows(tmp_path / f"rows{suffix}")) > size
        assert tracemalloc.get_traced_memory()[1] < size / 2
    finally:
        tracemalloc.stop()


def test_documents_are_rows_in_a_row_with_the_same_doc() -> None:
    docs = ["a", "a", "b", "a", None, None, "", "", 7, 7, float("nan"), float("nan")]
    rows = [{"text": f"{i}", "doc": doc} for i, doc in enumerate(docs)] + [{"text": "12"}, {"text": "13"}]
    sizes = [2, 1, 1, 1, 1, 1, 1, 2, 1, 1, 1, 1]
    assert [len(document) for document in documents(rows)] == sizes
    assert [row for document in documents(rows) for row in document] == rows
    assert document_sizes([row.get("doc") for row in rows]) == sizes
    assert list(documents([])) == []


@settings(deadline=None, max_examples=60)
@given(
    docs=st.lists(st.sampled_from(["a", "b", ""]), min_size=1, max_size=40),
    suffix=st.sampled_from([".csv", ".jsonl", ".parquet"]),
    size=st.integers(1, 400),
)
def test_blocks_hold_whole_documents(docs: list[str], suffix: str, size: int) -> None:
    rows = [{"doc": doc, "text": f"paragraph {i}"} for i, doc in enumerate(docs)]
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(blocks_module, "BLOCK_SIZE", size)
        write_rows(Path(folder) / f"rows{suffix}", rows)
        with RowReader(Path(folder) / f"rows{suffix}") as reader:
            blocks = [block.rows for block in reader.blocks()]
    assert [row for block in blocks for row in block] == rows
    assert [d for block in blocks for d in documents(block)] == list(documents(rows))


def test_a_block_tells_how_far_the_file_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks_module, "BLOCK_SIZE", 50_000)
    for suffix in (".csv", ".jsonl", ".jsonl.gz", ".parquet"):
        write_rows(tmp_path / f"rows{suffix}", ({"text": f"paragraph {i}"} for i in range(20_000)))
        with RowReader(tmp_path / f"rows{suffix}") as reader:
            shares = [block.share for block in reader.blocks()]
        assert len(shares) > 3
        assert shares == sorted(shares)
        assert shares[-1] == 1.0


def test_the_csv_modules_limit_is_never_lowered(tmp_path: Path) -> None:
    before = csv.field_size_limit(1 << 30)
    try:
        write_rows(tmp_path / "rows.csv", [{"text": "x"}])
        list(read_rows(tmp_path / "rows.csv"))
        assert csv.field_size_limit() == 1 << 30
    finally:
        csv.field_size_limit(before)


def test_split_name() -> None:
    assert split_name("a.b/rows.2024.tsv.zst") == ("tsv", ".zst")
    assert split_name(Path("ROWS.NDJSON")) == ("jsonl", "")
    assert split_name("-") == ("jsonl", "")
