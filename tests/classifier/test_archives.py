"""Web archives as rows."""

import gzip
import sys
from pathlib import Path
from uuid import uuid4

import pytest

from classifier import RowError, Tagger, split_html
from classifier.batch import plan, score_files
from classifier.folder import Model
from classifier.rows import RowReader, read_rows
from classifier.scoring import Settings

pytest.importorskip("fastwarc")

PAGE = "<nav><a href='/'>Heim</a></nav><p>Die Fähre fährt um neun, und das Café am Hafen öffnet früher.</p>"
TEXT = "Home\nThe ferry leaves at nine.\n\nSubscribe\n"
COLUMNS = ["doc", "url", "date", "tag", "link_density", "text"]


def record(kind: str, url: str, content_type: str, payload: bytes, http: bytes = b"") -> bytes:
    head = [
        "WARC/1.0",
        f"WARC-Type: {kind}",
        f"WARC-Record-ID: <urn:uuid:{uuid4()}>",
        f"WARC-Target-URI: http://{url}",
        "WARC-Date: 2024-05-01T09:00:00Z",
        f"Content-Type: {'application/http; msgtype=response' if http else content_type}",
        f"Content-Length: {len(http + payload)}",
        "\r\n",
    ]
    return "\r\n".join(head).encode() + http + payload + b"\r\n\r\n"


def http(content_type: str, *more: str) -> bytes:
    return "\r\n".join(["HTTP/1.1 200 OK", f"Content-Type: {content_type}", *more, "", ""]).encode()


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    latin = PAGE.encode("iso-8859-1")
    packed = gzip.compress(PAGE.encode())
    records = [
        record("warcinfo", "info", "application/warc-fields", b"software: none\r\n"),
        record("response", "utf8", "", PAGE.encode(), http("text/html")),
        record("response", "latin", "", latin, http("text/html; charset=iso-8859-1")),
        record("response", "image", "", b"\x89PNG", http("image/png")),
        record(
            "response",
            "packed",
            "",
            packed,
            http("text/html", "Content-Encoding: gzip", f"Content-Length: {len(packed)}"),
        ),
        record("request", "utf8", "", b"", b"GET / HTTP/1.1\r\n\r\n"),
        record("conversion", "plain", "text/plain", TEXT.encode()),
    ]
    path = tmp_path / "pages.warc.gz"
    path.write_bytes(b"".join(map(gzip.compress, records)))
    return path


def test_each_page_is_a_document(archive: Path) -> None:
    rows = list(read_rows(archive))
    assert all(list(row) == COLUMNS for row in rows)
    by_url: dict[str, list[str]] = {}
    for row in rows:
        by_url.setdefault(row["url"], []).append(row["text"])
    page = [paragraph.text for paragraph in split_html(PAGE)]
    assert by_url == {
        "http://utf8": page,
        "http://latin": page,
        "http://packed": page,
        "http://plain": ["Home", "The ferry leaves at nine.", "Subscribe"],
    }
    assert len({row["doc"] for row in rows}) == 4
    assert [(row["tag"], row["link_density"]) for row in rows[:2]] == [("nav", 1.0), ("p", 0.0)]
    assert rows[-1]["tag"] is None


@pytest.mark.parametrize("output", ["out.jsonl", "out.csv", "out.parquet"])
def test_archives_are_scored_and_cleaned(archive: Path, small_model: Model, output: str) -> None:
    tagger = Tagger(small_model)
    jobs = plan([str(archive)], str(archive.parent / output))
    assert score_files(jobs, tagger, Settings()).summary.rows == 9
    rows = list(read_rows(archive.parent / output))
    hinted = [{name: row[name] for name in ("text", "tag", "link_density")} for row in list(read_rows(archive))[:2]]
    assert [row["label"] for row in rows[:2]] == [tag.label for tag in tagger.tag(hinted)]
    score_files(jobs, tagger, Settings(keep=frozenset(tagger.labels)))
    texts = [row["text"] for row in read_rows(archive.parent / output)]
    assert texts[-1] == "Home\n\nThe ferry leaves at nine.\n\nSubscribe"


def test_a_folder_of_archives(archive: Path) -> None:
    archive.rename(archive.with_name("CC-1.warc.wet.gz"))
    (job,) = plan([str(archive.parent)], str(archive.parent / "out"))
    assert Path(job.target).name == "CC-1.warc.jsonl.gz"


def test_a_damaged_archive(archive: Path) -> None:
    raw = archive.read_bytes()
    archive.write_bytes(raw[:400] + b"\0" * 200 + raw[600:])
    with pytest.raises(RowError, match=r"pages\.warc\.gz"):
        list(read_rows(archive))


def test_without_fastwarc_the_extra_is_named(archive: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "fastwarc.warc", None)
    with RowReader(archive) as reader, pytest.raises(RowError, match=r"pip install 'boilertag\[warc\]'"):
        next(reader.blocks())
