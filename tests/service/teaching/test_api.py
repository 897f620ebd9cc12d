"""Teaching by HTTP: documents, corrections, export, agreement, queues."""

import csv
import gzip
import io
import json
import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from classifier import Tagger
from classifier.rows import read_rows
from service.app import create_app
from service.cli import main
from service.settings import Settings
from tests.service.conftest import LIMITS
from tests.service.teaching.conftest import PARAGRAPHS, Teaching, teaching_with
from training.data import load

HTML = "<nav><a href='/'>Home</a></nav><p>The lighthouse keeper has retired.</p><p>Subscribe now"


class TestDocuments:
    def test_are_kept_with_the_models_labels(self, teaching: Teaching, tagger: Tagger) -> None:
        id_ = teaching.put(name="lamp.html", site="lamp.example", lang="en")
        found = teaching.found(f"/v1/documents/{id_}")
        assert {name: found[name] for name in ("id", "name", "site", "lang")} == {
            "id": id_,
            "name": "lamp.html",
            "site": "lamp.example",
            "lang": "en",
        }
        assert found["model"] == tagger.manifest["sha256"][:12]
        for i, (one, tag) in enumerate(zip(found["paragraphs"], tagger.tag(PARAGRAPHS), strict=True)):
            assert (one["index"], one["text"], one["given"]) == (i, PARAGRAPHS[i], None)
            assert (one["label"], one["score"]) == (tag.label, pytest.approx(tag.score))

    def test_the_same_again_is_the_same(self, teaching: Teaching) -> None:
        assert teaching.put() == teaching.put(name="later")
        assert teaching.put(PARAGRAPHS[:2]) != teaching.put(PARAGRAPHS[1::-1])
        assert teaching.found(f"/v1/documents/{teaching.put()}")["name"] == "later"

    def test_html_is_split_as_it_is_for_tagging(self, teaching: Teaching) -> None:
        tagged = teaching.tag({"html": HTML})["paragraphs"]
        status, answer = teaching.send("/v1/documents", {"html": HTML})
        assert status == 200
        found = teaching.found(f"/v1/documents/{answer['id']}")["paragraphs"]
        assert [(one["text"], one["label"]) for one in found] == [(one["text"], one["label"]) for one in tagged]
        assert (found[0]["link_density"], found[1]["tag"]) == (1.0, "p")

    @pytest.mark.parametrize(
        ("body", "says"),
        [
            ({}, "exactly one of"),
            ({"text": "a", "html": "b"}, "exactly one of"),
            ({"text": "a", "explain": True}, "no such field"),
            ({"text": "a", "site": "=1+1"}, "must begin with a letter or digit"),
            ({"text": "a", "name": ""}, "at least 1 character"),
            ({"text": "a", "lang": 7}, "valid string"),
            ({"paragraphs": ["a", "b \ud800"]}, "paragraph 1: half a surrogate pair"),
            ({"text": "a", "name": "\ud800"}, "name"),
        ],
        ids=str,
    )
    def test_bad_ones_are_refused(self, teaching: Teaching, body: Any, says: str) -> None:
        status, answer = teaching.send("/v1/documents", body)
        assert (status, answer["type"]) == (422, "urn:problem-type:boilertag:invalid-fields")
        assert says.lower() in answer["detail"].lower()

    def test_limits_hold(self, teaching: Teaching) -> None:
        status, answer = teaching.send("/v1/documents", {"paragraphs": ["a"] * 1_001})
        assert (status, answer["title"]) == (413, "The document has too many paragraphs")

    def test_unknown(self, teaching: Teaching) -> None:
        assert teaching.get("/v1/documents/d0123456789abcdef")[0] == 404
        teaching.put()
        for id_ in ("d0123456789abcdef", "x", "%00", "%ff", "🐐"):
            assert teaching.get(f"/v1/documents/{id_}")[0] == 404
            assert teaching.send(f"/v1/documents/{id_}/confirm", {"annotator": "ada"})[0] == 404

    def test_get_a_new_models_labels(self, fitted: Path, tmp_path: Path) -> None:
        kept = replace(LIMITS, corrections=tmp_path / "c.sqlite")
        with teaching_with(kept) as teaching:
            id_ = teaching.put()
            before = teaching.correct("ada", id_, 0, "appeal")
        with teaching_with(replace(kept, model=fitted)) as teaching:
            assert teaching.put() == id_
            found = teaching.found(f"/v1/documents/{id_}")
            tags = Tagger.load(fitted).tag(PARAGRAPHS)
            assert [one["score"] for one in found["paragraphs"]] == [pytest.approx(tag.score) for tag in tags]
            (first,) = teaching.found("/v1/corrections")["corrections"]
            assert first == before  # what it was said of stays


class TestCorrections:
    def test_the_newest_of_an_annotator_counts(self, teaching: Teaching) -> None:
        id_ = teaching.put(name="lamp")
        model = teaching.found(f"/v1/documents/{id_}")["paragraphs"][2]
        first = teaching.correct("ada", id_, 2, "appeal")
        second = teaching.correct("ada", id_, 2, "content")
        teaching.correct("bo", id_, 2, "navigation")
        assert (first["old_label"], first["old_score"]) == (model["label"], model["score"])
        assert (first["text"], first["name"], first["paragraphs"], first["counts"]) == (
            "Advertisement",
            "lamp",
            1,
            True,
        )
        for annotator, given_label in (("ada", "content"), ("bo", "navigation"), ("cy", None)):
            found = teaching.found(f"/v1/documents/{id_}", annotator=annotator)["paragraphs"]
            assert [one["given"] for one in found] == [None, None, given_label, None, None]
        listed = teaching.found("/v1/corrections")["corrections"]
        assert [(one["annotator"], one["label"], one["counts"]) for one in listed] == [
            ("bo", "navigation", True),
            ("ada", "content", True),
            ("ada", "appeal", False),
        ]
        assert teaching.found("/v1/corrections", annotator="ada")["corrections"] == listed[1:]
        assert listed[1] == second

    def test_undo_brings_back_what_was_before(self, teaching: Teaching) -> None:
        id_ = teaching.put()
        first = teaching.correct("ada", id_, 0, "appeal")
        second = teaching.correct("ada", id_, 0, "content")

        def given_now() -> Any:
            return teaching.found(f"/v1/documents/{id_}", annotator="ada")["paragraphs"][0]["given"]

        assert given_now() == "content"
        status, undone = teaching.undo("ada", second["id"])
        assert (status, undone["id"]) == (200, second["id"])
        assert given_now() == "appeal"
        assert teaching.undo("ada", second["id"]) == (200, undone)
        (left,) = teaching.found("/v1/corrections")["corrections"]
        assert left == first
        assert teaching.undo("ada", first["id"])[0] == 200
        assert given_now() is None
        assert teaching.found("/v1/corrections")["corrections"] == []

    def test_nobody_undoes_anothers(self, teaching: Teaching) -> None:
        correction = teaching.correct("ada", teaching.put(), 0, "appeal")
        for annotator, id_ in (("bo", correction["id"]), ("ada", correction["id"] + 1), ("ada", 2**63 - 1)):
            status, answer = teaching.undo(annotator, id_)
            assert (status, answer["type"]) == (404, "urn:problem-type:boilertag:not-found")
        assert len(teaching.found("/v1/corrections")["corrections"]) == 1

    def test_are_listed_in_pages(self, teaching: Teaching) -> None:
        id_ = teaching.put()
        made = [teaching.correct("ada", id_, i % 5, "content")["id"] for i in range(7)]
        seen, before = [], None
        for _ in range(3):
            page = teaching.found("/v1/corrections", limit=3, **({"before": before} if before else {}))
            seen += [one["id"] for one in page["corrections"]]
            before = page["next"]
        assert seen == made[::-1]
        assert before is None

    def test_confirming_labels_the_rest(self, teaching: Teaching) -> None:
        id_ = teaching.put()
        teaching.correct("ada", id_, 1, "appeal")
        confirmed = teaching.confirm("ada", id_)
        assert confirmed["paragraphs"] == 4
        found = teaching.found(f"/v1/documents/{id_}", annotator="ada")["paragraphs"]
        assert [one["given"] for one in found] == ["appeal" if i == 1 else one["label"] for i, one in enumerate(found)]
        (rest, _) = teaching.found("/v1/corrections")["corrections"]
        assert (rest["id"], rest["paragraphs"], rest["index"], rest["text"], rest["label"]) == (
            confirmed["id"],
            *(4, None, None, None),
        )
        assert teaching.confirm("ada", id_) == {"id": None, "paragraphs": 0}
        assert teaching.confirm("bo", id_)["paragraphs"] == 5
        teaching.undo("ada", confirmed["id"])
        found = teaching.found(f"/v1/documents/{id_}", annotator="ada")["paragraphs"]
        assert [one["given"] for one in found] == [None, "appeal", None, None, None]

    @pytest.mark.parametrize(
        ("change", "says"),
        [
            ({"annotator": ""}, "annotator"),
            ({"annotator": "=ada"}, "Must begin with a letter or digit"),
            ({"annotator": "ada "}, "not end in white space"),
            ({"annotator": "a\nb"}, "annotator"),
            ({"annotator": "_"}, "annotator"),
            ({"annotator": "＝ada"}, "annotator"),
            ({"annotator": "ada\u202ebo"}, "annotator"),
            ({"annotator": "ada\u3000"}, "annotator"),
            ({"annotator": "a" * 41}, "at most 40"),
            ({"annotator": "a\ud800"}, "annotator"),
            ({"annotator": None}, "valid string"),
            ({"index": -1}, "greater than or equal to 0"),
            ({"index": 2**70}, "less than or equal"),
            ({"index": 1.5}, "integer"),
            ({"index": True}, "integer"),
            ({"label": "advert"}, "The labels of this model are"),
            ({"label": "\ud800"}, "label"),
            ({"more": 1}, "Too many fields"),
        ],
        ids=str,
    )
    def test_bad_ones_are_refused(self, teaching: Teaching, change: Any, says: str) -> None:
        body = {"annotator": "ada", "document": teaching.put(), "index": 0, "label": "appeal", **change}
        status, answer = teaching.send("/v1/corrections", body)
        assert (status, answer["type"]) == (422, "urn:problem-type:boilertag:invalid-fields")
        assert says in answer["detail"]
        assert teaching.found("/v1/corrections")["corrections"] == []

    def test_of_what_is_not_there(self, teaching: Teaching) -> None:
        id_ = teaching.put()
        for document, index in ((id_, 5), ("d0123456789abcdef", 0), ("\x00", 0)):
            body = {"annotator": "ada", "document": document, "index": index, "label": "appeal"}
            assert teaching.send("/v1/corrections", body)[0] == 404

    def test_names_of_all_scripts(self, teaching: Teaching) -> None:
        id_ = teaching.put()
        names = ("Ada Ng", "7", "Ανδρέας", "محمد", "李小龙", "नीति", "o'Brien-2 (home)")
        for name in names:
            teaching.correct(name, id_, 0, "appeal")
        found = teaching.found("/v1/agreement")["annotators"]
        assert {one["annotator"] for one in found} == set(names)

    def test_an_index_may_be_written_as_a_fraction(self, teaching: Teaching) -> None:
        body = b'{"annotator": "ada", "document": "%b", "index": 2.0, "label": "appeal"}' % teaching.put().encode()
        assert teaching.send("/v1/corrections", body)[1]["index"] == 2

    def test_survive_a_restart(self, tmp_path: Path) -> None:
        kept = replace(LIMITS, corrections=tmp_path / "c.sqlite")
        with teaching_with(kept) as teaching:
            id_ = teaching.put()
            teaching.correct("ada", id_, 0, "appeal")
            before = teaching.found("/v1/corrections")
        with teaching_with(kept) as teaching:
            assert teaching.found("/v1/corrections") == before
            assert teaching.found(f"/v1/documents/{id_}", annotator="ada")["paragraphs"][0]["given"] == "appeal"

    def test_texts_do_not_get_into_the_log(self, teaching: Teaching, caplog: pytest.LogCaptureFixture) -> None:
        with caplog.at_level(logging.DEBUG):
            id_ = teaching.put(["A word that nobody else uses: zyzzogeton."], name="zyzzogeton")
            teaching.correct("ada", id_, 0, "appeal")
            teaching.queue("zyzzogeton.txt", "zyzzogeton")
            teaching.upload("zyzzogeton.csv", "zyzzogeton")
            teaching.get("/v1/documents/zyzzogeton?annotator=zyzzogeton")
        assert "request" in caplog.text
        told = [vars(record) for record in caplog.records if record.name.startswith(("boilertag", "uvicorn"))]
        assert "zyzzogeton" not in json.dumps(told, default=str)


class TestExport:
    def test_trains(self, teaching: Teaching, tmp_path: Path) -> None:
        for page in range(12):
            id_ = teaching.put([f"{text} {page}" for text in PARAGRAPHS], site=f"s{page}.example")
            teaching.correct("ada", id_, 2, "ad_notice")
            teaching.confirm("ada", id_)
        path = teaching.export(tmp_path)
        documents = load(path)
        assert [len(document.paragraphs) for document in documents] == [5] * 12
        assert [document.group for document in documents] == [f"s{page}.example" for page in range(12)]
        assert [one.text for one in documents[3].paragraphs] == [f"{text} 3" for text in PARAGRAPHS]
        assert main(["train", str(path), "-o", str(tmp_path / "model"), "--folds", "3", "--no-figures"]) == 0
        assert "ad_notice" in Tagger.load(tmp_path / "model").labels

    def test_holds_what_people_said_only(self, teaching: Teaching, tmp_path: Path) -> None:
        rows = [
            {"text": "Home", "tag": "LI", "link_density": 1},
            {"text": 'Two,\n"quoted" lines', "tag": "p", "link_density": 0.25},
            {"text": "Third"},
        ]
        first = teaching.put(rows, site="a.example", lang="en")
        teaching.put(PARAGRAPHS)
        teaching.correct("ada", first, 1, "content")
        teaching.correct("ada", first, 0, "navigation")
        assert list(read_rows(teaching.export(tmp_path, "jsonl"))) == [
            {
                "text": "Home",
                "label": "navigation",
                "doc": first,
                "site": "a.example",
                "lang": "en",
                "tag": "li",
                "link_density": 1.0,
                "annotators": "ada",
            },
            {
                "text": 'Two,\n"quoted" lines',
                "label": "content",
                "doc": first,
                "site": "a.example",
                "lang": "en",
                "tag": "p",
                "link_density": 0.25,
                "annotators": "ada",
            },
        ]
        (document,) = load(teaching.export(tmp_path))
        assert document.labels == ("navigation", "content")
        assert (document.paragraphs[1].tag, document.paragraphs[1].link_density) == ("p", 0.25)

    def test_of_several_the_most_count_then_the_newest(self, teaching: Teaching, tmp_path: Path) -> None:
        id_ = teaching.put()
        for annotator, index, label in (
            *(("ada", 0, "appeal"), ("bo", 0, "content"), ("cy", 0, "appeal"), ("dee", 0, "content")),
            *(("ada", 1, "appeal"), ("bo", 1, "appeal"), ("cy", 1, "content")),
            ("ada", 0, "navigation"),
        ):
            teaching.correct(annotator, id_, index, label)
        rows = list(read_rows(teaching.export(tmp_path)))
        assert [(row["label"], row["annotators"]) for row in rows] == [("content", "bo, dee"), ("appeal", "ada, bo")]
        rows = list(read_rows(teaching.export(tmp_path, annotator="ada")))
        assert [(row["label"], row["annotators"]) for row in rows] == [("navigation", "ada"), ("appeal", "ada")]
        assert list(read_rows(teaching.export(tmp_path, annotator="eve"))) == []

    def test_of_nothing_is_a_header(self, teaching: Teaching) -> None:
        response = teaching.client.get("/v1/corrections.csv")
        assert response.headers["content-type"] == "text/csv; charset=utf-8"
        assert response.headers["content-disposition"] == 'attachment; filename="corrections.csv"'
        assert response.content == b"\xef\xbb\xbftext,label,doc,site,lang,tag,link_density,annotators\r\n"
        assert teaching.client.get("/v1/corrections.jsonl").content == b""

    def test_of_many_documents(self, teaching: Teaching, tmp_path: Path) -> None:
        ids = [teaching.put([f"Ship {i}", "passed"]) for i in range(120)]
        for id_ in ids:
            teaching.confirm("ada", id_)
        rows = list(read_rows(teaching.export(tmp_path)))
        assert [row["doc"] for row in rows] == [id_ for id_ in ids for _ in range(2)]

    @settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(texts=st.lists(st.text(st.characters(exclude_categories=["Cs"])), min_size=1, max_size=5))
    def test_texts_come_back_unchanged(self, teaching: Teaching, tmp_path: Path, texts: list[str]) -> None:
        id_ = teaching.put(texts)
        teaching.confirm("ada", id_)
        for ending in ("csv", "jsonl"):
            rows = read_rows(teaching.export(tmp_path, ending))
            assert [row["text"] for row in rows if row["doc"] == id_] == texts
        assert [one["text"] for one in teaching.found(f"/v1/documents/{id_}")["paragraphs"]] == texts

    def test_only_texts_can_begin_a_formula(self, teaching: Teaching) -> None:
        rows: list[Any] = ["=1+1", "+1", "@x", {"text": "-1", "tag": "=cmd()", "link_density": 0}]
        id_ = teaching.put(rows, site="a.example", lang="en")
        teaching.confirm("ada", id_)
        raw = teaching.client.get("/v1/corrections.csv").content.decode("utf-8-sig")
        for row in csv.DictReader(io.StringIO(raw)):
            assert row.pop("text") in ("=1+1", "+1", "@x", "-1")
            assert not any(value.startswith(("=", "+", "-", "@", "\t", "\r")) for value in row.values())


class TestAgreement:
    def test_by_hand(self, teaching: Teaching) -> None:
        """Ten paragraphs: both say content of 4 and appeal of 3; of 2 ada says content and bo appeal, of 1 the reverse.

        They agree on 0.7. ada gives content 6 times and bo 5, so that chance has them agree on 0.6 × 0.5 + 0.4 × 0.5 =
        0.5; kappa is (0.7 - 0.5) / (1 - 0.5) = 0.4.
        """
        id_ = teaching.put([f"Ship {i} passed" for i in range(12)])
        ada = ["content"] * 4 + ["appeal"] * 3 + ["content"] * 2 + ["appeal"]
        bo = ["content"] * 4 + ["appeal"] * 3 + ["appeal"] * 2 + ["content"]
        for annotator, labels in (("ada", ada), ("bo", bo)):
            for index, label in enumerate(labels):
                teaching.correct(annotator, id_, index, label)
        teaching.correct("ada", id_, 10, "navigation")  # not bo's
        teaching.correct("cy", id_, 11, "navigation")  # with nobody
        undone = teaching.correct("bo", id_, 0, "navigation")
        teaching.undo("bo", undone["id"])
        found = teaching.found("/v1/agreement")
        assert found["annotators"] == [
            {"annotator": "ada", "paragraphs": 11},
            {"annotator": "bo", "paragraphs": 10},
            {"annotator": "cy", "paragraphs": 1},
        ]
        (pair,) = found["pairs"]
        assert (pair["annotators"], pair["paragraphs"], pair["agreed"]) == (["ada", "bo"], 10, 7)
        assert (pair["agreement"], pair["kappa"]) == (pytest.approx(0.7), pytest.approx(0.4))
        assert pair["labels"] == [
            {"label": "appeal", "counts": [4, 5], "both": 3, "agreement": pytest.approx(6 / 9)},
            {"label": "content", "counts": [6, 5], "both": 4, "agreement": pytest.approx(8 / 11)},
        ]

    def test_of_each_pair(self, teaching: Teaching) -> None:
        id_ = teaching.put()
        for annotator in ("cy", "ada", "bo"):
            teaching.correct(annotator, id_, 0, "appeal")
        pairs = teaching.found("/v1/agreement")["pairs"]
        assert [pair["annotators"] for pair in pairs] == [["ada", "bo"], ["ada", "cy"], ["bo", "cy"]]
        assert {(pair["agreement"], pair["kappa"]) for pair in pairs} == {(1.0, None)}


class TestQueues:
    ROWS = "text,doc,site,tag,link_density,label\n" + "".join(
        f'"{text}",{doc},s{doc}.example,p,0,x\n'
        for doc in (1, 2)
        for text in [f"Ship {doc} passed at dawn.", *PARAGRAPHS]
    )

    def test_hands_out_the_least_certain_first(self, teaching: Teaching, tagger: Tagger) -> None:
        queue = teaching.queue("ships.csv", self.ROWS)
        assert (queue["name"], queue["documents"], queue["paragraphs"], queue["done"]) == ("ships.csv", 2, 12, None)
        found = teaching.found(f"/v1/queues/{queue['id']}", annotator="ada", limit=50, neighbours=2)
        assert (found["done"], found["left"]) == (0, 12)
        items = found["items"]
        assert [item["rank"] for item in items] == list(range(12))
        met: dict[str, int] = {}
        order = []
        for item in items:
            met[item["text"]] = met.get(item["text"], 0) + 1
            order.append((met[item["text"]], item["margin"]))
        assert order == sorted(order)
        assert max(met.values()) == 2
        for item in items:
            document = teaching.found(f"/v1/documents/{item['document']}")
            texts = [one["text"] for one in document["paragraphs"]]
            i = item["index"]
            assert texts[i] == item["text"]
            assert [one["text"] for one in item["before"]] == texts[max(i - 2, 0) : i]
            assert [one["text"] for one in item["after"]] == texts[i + 1 : i + 3]
            rows = [{"text": text, "tag": "p", "link_density": 0} for text in texts]
            best, second = sorted(tagger.tag(rows)[i].scores.values(), reverse=True)[:2]
            assert item["margin"] == pytest.approx(best - second)

    def test_what_is_answered_leaves_it_for_who_answered(self, teaching: Teaching) -> None:
        id_ = teaching.queue("ships.csv", self.ROWS)["id"]
        first, second = teaching.found(f"/v1/queues/{id_}", annotator="ada", limit=2)["items"]
        answer = teaching.correct("ada", first["document"], first["index"], "appeal")
        now = teaching.found(f"/v1/queues/{id_}", annotator="ada", limit=1)
        assert (now["done"], now["left"], now["items"]) == (1, 11, [second])
        assert teaching.found(f"/v1/queues/{id_}", annotator="bo", limit=1)["items"] == [first]
        assert teaching.found("/v1/queues", annotator="ada")["queues"][0]["done"] == 1
        teaching.undo("ada", answer["id"])
        assert teaching.found(f"/v1/queues/{id_}", annotator="ada", limit=1)["items"] == [first]
        passed = teaching.found(f"/v1/queues/{id_}", annotator="ada", limit=1, after=first["rank"])
        assert (passed["left"], passed["items"]) == (12, [second])

    def test_worked_off_it_trains(self, teaching: Teaching, tmp_path: Path) -> None:
        queue = teaching.queue("ships.csv", self.ROWS)
        for _ in range(queue["paragraphs"]):
            (item,) = teaching.found(f"/v1/queues/{queue['id']}", annotator="ada", limit=1)["items"]
            teaching.correct("ada", item["document"], item["index"], item["label"])
        done = teaching.found(f"/v1/queues/{queue['id']}", annotator="ada")
        assert (done["done"], done["left"], done["items"]) == (12, 0, [])
        documents = load(teaching.export(tmp_path))
        assert sorted(document.group for document in documents) == ["s1.example", "s2.example"]
        assert all(
            [one.text for one in document.paragraphs][1:] == PARAGRAPHS and document.paragraphs[0].tag == "p"
            for document in documents
        )

    @pytest.mark.parametrize(
        ("name", "raw", "paragraphs"),
        [
            ("a.csv", "text\nHome\nNews\n", 2),
            ("a.CSV", "text;doc\nHome;1\nNews;1\n", 2),
            ("a.tsv", "text\tdoc\nHome\t1\n", 1),
            ("a.jsonl", '{"text": "Home"}\n{"text": "News", "link_density": null}\n', 2),
            ("a.jsonl.gz", gzip.compress(b'{"text": "Home"}\n'), 1),
            ("a.txt", "Home\nNews\nSport\n", 3),
            ("a.txt.gz", gzip.compress(b"Home\nNews\n"), 2),
            ("notes", "Home\n", 1),
            ("page.html", HTML, 3),
            ("page", f"<!doctype html><html>{HTML}", 3),
            ("latin.txt", "Größe\n".encode("latin-1"), 1),
        ],
        ids=lambda value: value[:12] if isinstance(value, str) else "",
    )
    def test_of_files_of_all_kinds(self, teaching: Teaching, name: str, raw: Any, paragraphs: int) -> None:
        assert teaching.queue(name, raw)["paragraphs"] == paragraphs

    @pytest.mark.parametrize(
        ("name", "raw", "says"),
        [
            ("a.csv", "", "a.csv is empty"),
            ("a.csv", "txt\nHome\n", "a.csv: no column 'text'"),
            ("a.csv", 'text\n"Home\n', "a.csv, row 2"),
            ("a.csv", "text,link_density\nHome,7\n", "'link_density' holds '7'"),
            ("a.csv", "text,site\nHome,=1+1\n", "site must begin with a letter or digit"),
            ("a.jsonl", '{"text": "\\ud800"}\n', "half a surrogate pair"),
            ("a.jsonl", '{"text": "a", "link_density": 1' + "0" * 400 + "}\n", "too large"),
            ("a.jsonl", "[" * 100_000, "nested too deeply"),
            ("a.jsonl", '{"text": 7}\n', "which is no string"),
            ("a.txt", " \n", "there are no paragraphs"),
            ("a.txt", "a\n" * 1_001, "more than 1,000 paragraphs (max_paragraphs)"),
            ("a.csv", "text\n" + "a\n" * 1_001, "more than 1,000 paragraphs"),
            ("a.parquet", "PAR1", "boilertag label reads them"),
            ("a.warc.gz", gzip.compress(b"WARC/1.0"), "boilertag label reads them"),
        ],
        ids=str,
    )
    def test_bad_files_are_refused(self, teaching: Teaching, name: str, raw: Any, says: str) -> None:
        status, answer = teaching.upload(name, raw)
        assert (status, answer["type"]) == (422, "urn:problem-type:boilertag:bad-file")
        assert says in answer["detail"]
        assert "/tmp" not in answer["detail"]
        assert teaching.found("/v1/queues") == {"queues": []}

    def test_what_unpacks_to_too_much_is_refused(self, teaching: Teaching) -> None:
        bomb = gzip.compress(b"a" * 13_000_000)
        assert teaching.upload("a.txt.gz", bomb)[0] == 413
        assert teaching.upload("a.txt", bomb, **{"Content-Encoding": "gzip"})[0] == 413
        assert teaching.upload("a.txt.gz", b"no gzip")[0] == 400

    def test_forms_of_other_sites_are_refused(self, teaching: Teaching) -> None:
        for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ""):
            status, answer = teaching.upload("a.txt", "Home", **{"Content-Type": kind})
            assert (status, answer["type"]) == (415, "urn:problem-type:boilertag:wrong-media-type")
            status, _ = teaching.send("/v1/corrections", {"annotator": "ada"}, Content_Type=kind)
            assert status == 415

    def test_the_same_file_again_is_the_same_queue(self, teaching: Teaching) -> None:
        first = teaching.queue("ships.csv", self.ROWS)
        other = teaching.queue("other.csv", "text\nHome\n")
        assert teaching.queue("ships.csv", self.ROWS) == first
        assert [queue["id"] for queue in teaching.found("/v1/queues")["queues"]] == [other["id"], first["id"]]

    def test_one_page_twice_in_a_file(self, teaching: Teaching) -> None:
        queue = teaching.queue("a.csv", "text,doc\nHome,1\nHome,2\n")
        assert (queue["documents"], queue["paragraphs"]) == (1, 1)

    def test_unknown(self, teaching: Teaching) -> None:
        assert teaching.get("/v1/queues/q0123456789abcdef?annotator=ada")[0] == 404


class TestAddresses:
    @pytest.mark.parametrize(
        "path",
        [
            "/v1/corrections?limit=0",
            "/v1/corrections?limit=201",
            "/v1/corrections?limit=x",
            "/v1/corrections?before=9223372036854775808",
            "/v1/corrections?before=" + "9" * 5_000,
            "/v1/corrections?annotator=",
            "/v1/corrections?annotator=%00",
            "/v1/corrections?annotator=a%0Ab",
            "/v1/corrections?who=ada",
            "/v1/corrections.csv?annotators=ada",
            "/v1/agreement?annotator=ada",
            "/v1/agreement?annotator=ada&annotator=bo",
            "/v1/corrections.csv?annotator=ada&annotator=bo",
            "/v1/queues/q1",
            "/v1/queues/q1?annotator=ada&limit=51",
            "/v1/queues/q1?annotator=ada&after=-2",
        ],
        ids=lambda path: path[:40],
    )
    def test_bad_parameters(self, teaching: Teaching, path: str) -> None:
        status, answer = teaching.get(path)
        assert (status, answer["type"]) == (422, "urn:problem-type:boilertag:invalid-parameters")
        assert len(answer["detail"]) < 300

    def test_other_hosts_are_refused(self, teaching: Teaching, tmp_path: Path) -> None:
        def status(client: TestClient, host: str) -> int:
            return client.get("/v1/corrections", headers={"Host": host}).status_code

        for host in ("localhost", "127.0.0.1:8000", "[::1]:8000", "LOCALHOST:1"):
            assert status(teaching.client, host) == 200
        for host in ("evil.example", "127.0.0.1.evil.example", "[", "", "localhost@evil.example:1", "evil.example:80"):
            assert status(teaching.client, host) == 421
        assert teaching.client.get("/healthz", headers={"Host": "evil.example"}).status_code == 200
        kept = replace(LIMITS, corrections=tmp_path / "c.sqlite")
        for open_to, host, expected in (
            (replace(kept, allowed_hosts="tags.example,b.example"), "Tags.example", 200),
            (replace(kept, allowed_hosts="tags.example,b.example"), "c.example", 421),
            (replace(kept, host="192.0.2.1"), "c.example", 200),
        ):
            with teaching_with(open_to) as other:
                assert status(other.client, host) == expected

    def test_other_methods(self, teaching: Teaching) -> None:
        for path, allowed in (("corrections", "GET, POST"), ("corrections/1", "DELETE"), ("queues/q", "GET")):
            response = teaching.client.put(f"/v1/{path}", json={})
            assert (response.status_code, response.headers["allow"]) == (405, allowed)

    def test_need_the_key(self, tmp_path: Path) -> None:
        key = "a" * 64
        with TestClient(create_app(Settings(keys=key, corrections=tmp_path / "c.sqlite"))) as client:
            for path in ("documents/d", "corrections", "corrections.csv", "corrections.jsonl", "agreement", "queues"):
                assert client.get(f"/v1/{path}").status_code == 401
            for path in ("documents", "corrections", "queues"):
                assert client.post(f"/v1/{path}", json={}).status_code == 401
            assert client.delete("/v1/corrections/1").status_code == 401

    def test_are_not_there_when_off(self, service: Any) -> None:
        assert service.get("/v1/corrections")[0] == 404
        assert not any("corrections" in path for path in service.get("/openapi.json")[1]["paths"])

    def test_are_documented_with_examples_that_work(self, teaching: Teaching) -> None:
        schema = teaching.get("/openapi.json")[1]
        bodies = schema["components"]["schemas"]
        for example in bodies["KeptDocument"]["examples"]:
            status, answer = teaching.send("/v1/documents", example)
            assert status == 200
        for example in bodies["Correction"]["examples"]:
            assert teaching.send("/v1/corrections", {**example, "document": answer["id"], "index": 0})[0] == 200
        for example in bodies["Confirmation"]["examples"]:
            assert teaching.send(f"/v1/documents/{answer['id']}/confirm", example)[0] == 200
        described = [
            (path, method)
            for path, item in schema["paths"].items()
            for method in item
            if path.startswith(("/v1/documents", "/v1/corrections", "/v1/agreement", "/v1/queues"))
        ]
        assert len(described) == 12
        for path, method in described:
            responses = schema["paths"][path][method]["responses"]
            assert {"200", "421", "422", "503", "507"} <= set(responses)
            for code, response in responses.items():
                assert code == "200" or list(response["content"]) == ["application/problem+json"]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    path=st.sampled_from(["documents", "corrections", "documents/x/confirm", "queues"]),
    name=st.sampled_from(["annotator", "document", "index", "label", "text", "html", "paragraphs", "name", "site"]),
    value=JSON,
    raw=st.binary(max_size=40),
    ending=st.sampled_from(["csv", "tsv", "jsonl", "csv.gz", "jsonl.zst", "txt", "html"]),
)
def test_nothing_sent_is_a_failure(
    teaching: Teaching, path: str, name: str, value: Any, raw: bytes, ending: str
) -> None:
    base = {"annotator": "ada", "document": "d", "index": 0, "label": "content"} if path == "corrections" else {}
    assert teaching.send(f"/v1/{path}", {**base, name: value})[0] < 500
    assert teaching.send(f"/v1/{path}", raw)[0] < 500
    assert teaching.upload(f"a.{ending}", raw)[0] < 500
