"""The HTTP service by its public face: what it answers, and what it makes of bad input."""

import gzip
import hashlib
import json
import math
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest
import zstandard
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from classifier import Tagger
from classifier.paragraphs import split_html, split_text
from service.app import create_app
from service.logs import JsonFormatter
from service.settings import Settings
from service.state import State
from tests.service.conftest import LIMITS, wait_until_ready

PACK = {"gzip": gzip.compress, "zstd": zstandard.ZstdCompressor().compress}

PARAGRAPHS = [
    "Home",
    "The harbour bridge will close for a week in May while workers replace the bearings that failed in the storm.",
    "Advertisement",
    "Ferries will run every ten minutes, the council said, and bicycles travel free of charge until the end of June.",
    "Support our newsroom: give 5 euros a month.",
]
HTML = (
    "<!doctype html><title>Bridge</title><nav><a href='/'>Home</a></nav><h1>Bridge closed</h1>"
    "<p>The harbour bridge will close for a week in May, the council said on Friday.</p><p>Subscribe now"
)
TEXT = "The harbour bridge will close for a week in May.\n\nAdvertisement\n\nFerries run every ten minutes."


class TestTag:
    def test_paragraphs(self, service: Any, tagger: Tagger) -> None:
        answer = service.tag({"paragraphs": PARAGRAPHS})
        assert [(one["index"], one["text"]) for one in answer["paragraphs"]] == list(enumerate(PARAGRAPHS))
        for one, tag in zip(answer["paragraphs"], tagger.tag(PARAGRAPHS), strict=True):
            assert set(one) == {"index", "text", "label", "score", "scores"}
            assert one["label"] == tag.label
            assert one["scores"] == pytest.approx(tag.scores)
            assert one["score"] == one["scores"][one["label"]] == max(one["scores"].values())
            assert sum(one["scores"].values()) == pytest.approx(1)
        assert answer["paragraphs"][2]["label"] == "ad_notice"
        assert answer["paragraphs"][4]["label"] == "appeal"

    def test_text_and_html_are_split(self, service: Any) -> None:
        for body, paragraphs in (({"text": TEXT}, split_text(TEXT)), ({"html": HTML}, split_html(HTML))):
            answer = service.tag(body)
            assert [one["text"] for one in answer["paragraphs"]] == [one.text for one in paragraphs]
            assert len(paragraphs) > 2

    def test_html_hints_count(self, service: Any) -> None:
        rows = [{"text": one.text, "tag": one.tag, "link_density": one.link_density} for one in split_html(HTML)]
        of_html, of_rows, of_texts = (
            [one["scores"] for one in service.tag(body)["paragraphs"]]
            for body in ({"html": HTML}, {"paragraphs": rows}, {"paragraphs": [row["text"] for row in rows]})
        )
        assert of_html == of_rows
        assert of_html != of_texts

    def test_without_context_paragraphs_stand_alone(self, service: Any) -> None:
        together = service.tag({"paragraphs": PARAGRAPHS, "context": False})["paragraphs"]
        alone = [service.tag({"paragraphs": [one], "context": False})["paragraphs"][0] for one in PARAGRAPHS]
        assert [one["scores"] for one in together] == [pytest.approx(one["scores"]) for one in alone]
        assert together != service.tag({"paragraphs": PARAGRAPHS})["paragraphs"]

    def test_strings_and_rows_may_mix(self, service: Any) -> None:
        answer = service.tag({"paragraphs": ["Home", {"text": "About us"}, {"text": "News", "link_density": 1}]})
        assert [one["text"] for one in answer["paragraphs"]] == ["Home", "About us", "News"]

    def test_id_comes_back_or_is_made_up(self, service: Any) -> None:
        assert service.tag({"text": TEXT, "id": "page 17 – ✓"})["id"] == "page 17 – ✓"
        assert service.tag({"text": TEXT, "id": ""})["id"] == ""
        made_up = {service.tag({"text": TEXT})["id"] for _ in range(3)}
        assert len(made_up) == 3

    def test_model_is_the_start_of_its_hash(self, service: Any, tagger: Tagger) -> None:
        assert service.tag({"text": TEXT})["model"] == tagger.manifest["sha256"][:12]

    def test_explain_says_why(self, service: Any, tagger: Tagger) -> None:
        answer = service.tag({"paragraphs": PARAGRAPHS, "explain": True})
        for i, one in enumerate(answer["paragraphs"]):
            explanation = tagger.explain(PARAGRAPHS, i)
            why = one["why"]
            assert set(why) == {"alone", "reasons", "neighbours", "change"}
            assert set(why["alone"]) == set(tagger.labels)
            assert 0 < len(why["reasons"]) <= 20
            first = explanation.reasons[0]
            assert why["reasons"][0] == {
                "kind": first.kind,
                "name": first.name,
                "weight": pytest.approx(first.weight),
            }
            assert {two["index"] for two in why["neighbours"]} == set(range(5)) - {i}
        alone = service.tag({"paragraphs": PARAGRAPHS, "explain": True, "context": False})
        assert all(one["why"]["neighbours"] == [] for one in alone["paragraphs"])

    def test_chosen_paragraphs_are_explained(self, service: Any) -> None:
        whole = service.tag({"paragraphs": PARAGRAPHS, "explain": True})["paragraphs"]
        for places in ([4, 2], [4.0, 2, 2], [2, 4, 5, 10**30]):  # 4.0 is an integer to JSON; there is no 5
            chosen = service.tag({"paragraphs": PARAGRAPHS, "explain": places})["paragraphs"]
            assert [one.get("why") for one in chosen] == [None, None, whole[2]["why"], None, whole[4]["why"]]
        removed = service.send("/v1/clean", {"paragraphs": PARAGRAPHS, "explain": [1, 2]})[1]["removed"]
        assert [one["index"] for one in removed if "why" in one] == [2]  # 1 is kept, and not told of

    @pytest.mark.parametrize("explain", [[-1], [0, 1.5], [True]])
    def test_what_is_no_place_of_a_paragraph_is_refused(self, service: Any, explain: Any) -> None:
        status, answer = service.send("/v1/tag", {"paragraphs": PARAGRAPHS, "explain": explain})
        assert (status, answer["type"].rpartition(":")[2]) == (422, "invalid-fields")
        assert answer["errors"][0]["pointer"].startswith("#/explain")

    def test_the_fewer_are_explained_the_longer_the_document_may_be(self, service: Any) -> None:
        page = ["The ferry left the harbour at dawn. " * 10] * 6  # over both limits of a document explained in whole
        assert service.send("/v1/tag", {"paragraphs": page, "explain": True})[0] == 413
        assert service.send("/v1/tag", {"paragraphs": page, "explain": [3]})[0] == 200
        status, answer = service.send("/v1/tag", {"paragraphs": page, "explain": [0, 1]})
        assert (status, answer["type"].rpartition(":")[2]) == (413, "too-long-to-explain")
        assert service.send("/v1/tag", {"paragraphs": ["a"] * 6, "explain": [0] * 6})[0] == 413

    @pytest.mark.parametrize(
        "body",
        [{"text": ""}, {"text": " \n\t\n "}, {"html": ""}, {"html": "<p></p>"}, {"paragraphs": []}],
        ids=str,
    )
    def test_empty_document(self, service: Any, body: Any) -> None:
        for explain in (False, True):
            assert service.tag({**body, "explain": explain})["paragraphs"] == []
        status, answer = service.send("/v1/clean", body)
        assert (status, answer["text"], answer["removed"]) == (200, "", [])

    @pytest.mark.parametrize(
        "text",
        [
            *("", " ", "\n", "***", "—", "12 345", "\x00", "a\x00b", "\ud800", "\udfff x \ud800", "\ufeff", "😀👩‍👩‍👧"),
            *("\u202eabc", "مرحبا بالعالم", "渡轮在黎明离开港口。", "e\u0301" * 500, "x" * 100_000),
        ],
        ids=lambda text: ascii(text[:12]),
    )
    def test_strange_paragraphs(self, service: Any, text: str) -> None:
        for body in ({"paragraphs": [text]}, {"paragraphs": ["Home", {"text": text}, "Contact"], "context": False}):
            found = service.tag(body)["paragraphs"]
            assert [one["text"] for one in found if one["text"] not in ("Home", "Contact")] == [text]
            for one in found:
                assert all(math.isfinite(score) and 0 <= score <= 1 for score in one["scores"].values())
        assert service.tag({"paragraphs": [text[:400]], "explain": True})["paragraphs"][0]["why"]

    @pytest.mark.parametrize("text", ["渡轮 \x00 é \u2028", "渡轮 \x00 é \ud800"])
    def test_text_comes_back_as_it_is(self, service: Any, text: str) -> None:
        assert service.tag({"paragraphs": [text], "id": "é"})["paragraphs"][0]["text"] == text

    @pytest.mark.parametrize("html", ["<p>a \ud800 b</p>", "<p>a\x00b</p>", "<" * 5_000, "<p" * 5_000, "&#xd800;x"])
    def test_strange_html(self, service: Any, html: str) -> None:
        service.tag({"html": html})

    def test_ten_megabytes_in_one_paragraph(self, service: Any) -> None:
        text = "The ferry left at dawn. " * (10_000_000 // 24)
        assert service.tag({"paragraphs": [text]})["paragraphs"][0]["text"] == text

    def test_html_nested_5000_deep(self, service: Any) -> None:
        html = "<div>" * 5_000 + "The ferry left at dawn." + "</div>" * 5_000
        assert [one["text"] for one in service.tag({"html": html})["paragraphs"]] == ["The ferry left at dawn."]

    def test_thousand_paragraphs(self, service: Any) -> None:
        assert len(service.tag({"paragraphs": PARAGRAPHS * 200})["paragraphs"]) == 1_000


class TestClean:
    def test_keeps_content(self, service: Any, tagger: Tagger) -> None:
        status, answer = service.send("/v1/clean", {"paragraphs": PARAGRAPHS, "id": "7"})
        labels = [tag.label for tag in tagger.tag(PARAGRAPHS)]
        assert status == 200
        assert set(answer) == {"id", "model", "text", "removed"}
        assert answer["text"] == "\n\n".join(
            t for t, label in zip(PARAGRAPHS, labels, strict=True) if label == "content"
        )
        assert [(one["index"], one["label"]) for one in answer["removed"]] == [
            (i, label) for i, label in enumerate(labels) if label != "content"
        ]
        assert all(set(one) == {"index", "text", "label", "score"} for one in answer["removed"])
        assert 2 <= len(answer["removed"]) < 5

    def test_keeps_what_is_asked_for(self, service: Any, tagger: Tagger) -> None:
        _, answer = service.send("/v1/clean", {"paragraphs": PARAGRAPHS, "keep": list(tagger.labels)})
        assert (answer["text"], answer["removed"]) == ("\n\n".join(PARAGRAPHS), [])
        _, answer = service.send("/v1/clean", {"paragraphs": PARAGRAPHS, "keep": []})
        assert (answer["text"], len(answer["removed"])) == ("", 5)
        _, answer = service.send("/v1/clean", {"paragraphs": PARAGRAPHS, "keep": ["ad_notice", "ad_notice"]})
        assert answer["text"] == "Advertisement"

    def test_explains_what_is_removed(self, service: Any) -> None:
        _, answer = service.send("/v1/clean", {"paragraphs": PARAGRAPHS, "explain": True})
        assert answer["removed"]
        assert all(one["why"]["reasons"] for one in answer["removed"])

    def test_unknown_label(self, service: Any) -> None:
        status, answer = service.send("/v1/clean", {"text": TEXT, "keep": ["content", "zebra"]})
        assert status == 422
        assert answer["errors"][0]["pointer"] == "#/keep"
        assert "ad_notice" in answer["detail"]
        assert "zebra" not in json.dumps(answer)


class TestKeepRecall:
    PARAGRAPHS: ClassVar = [
        "Home 9",
        "The mill wheel turns again after two dry years.",
        "Advertisement 9",
        "Subscribe for 2 euros",
    ]

    @pytest.mark.parametrize("context", [True, False])
    @pytest.mark.parametrize("recall", [0.5, 0.9, 0.999])
    def test_what_is_under_the_threshold_is_removed(
        self, fitted_service: Any, fitted: Path, context: bool, recall: float
    ) -> None:
        small = Tagger.load(fitted)
        keep = small.keep(self.PARAGRAPHS, ["content"], recall, context=context)
        kept = [tag in keep for tag in small.tag(self.PARAGRAPHS, context=context)]
        body = {"paragraphs": self.PARAGRAPHS, "keep_recall": recall, "context": context}
        status, answer = fitted_service.send("/v1/clean", body)
        assert status == 200
        assert answer["text"] == "\n\n".join(t for t, stays in zip(self.PARAGRAPHS, kept, strict=True) if stays)
        assert [one["index"] for one in answer["removed"]] == [i for i, stays in enumerate(kept) if not stays]

    @pytest.mark.parametrize("recall", [0, 1, -0.1, 1.5, "0.9", True, [0.9]])
    def test_no_share(self, fitted_service: Any, recall: Any) -> None:
        status, answer = fitted_service.send("/v1/clean", {"text": TEXT, "keep_recall": recall})
        assert (status, answer["errors"][0]["pointer"]) == (422, "#/keep_recall")

    @pytest.mark.parametrize("keep", [[], ["content", "appeal"]])
    def test_it_is_of_one_label(self, fitted_service: Any, keep: list[str]) -> None:
        status, answer = fitted_service.send("/v1/clean", {"text": TEXT, "keep": keep, "keep_recall": 0.9})
        assert (status, answer["errors"][0]["pointer"]) == (422, "#/keep_recall")
        assert "one label" in answer["detail"]

    def test_a_model_without_the_curve(self, unmeasured_service: Any) -> None:
        status, answer = unmeasured_service.send("/v1/clean", {"text": TEXT, "keep_recall": 0.9})
        assert (status, answer["type"]) == (422, "urn:problem-type:boilertag:invalid-fields")
        assert answer["detail"].startswith("#/keep_recall: the model's manifest has no curve of thresholds")

    def test_null_is_as_if_left_away(self, service: Any) -> None:
        _, answer = service.send("/v1/clean", {"text": TEXT, "keep_recall": None, "id": "1"})
        assert answer == service.send("/v1/clean", {"text": TEXT, "id": "1"})[1]


class TestBadInput:
    @pytest.mark.parametrize(
        ("raw", "says"),
        [
            (b"", "empty"),
            (b"hello", "line 1, column 1"),
            (b'{"text": "a",}', "line 1, column 14"),
            (b'{"text": "a"} x', "Extra data"),
            (b"{'text': 'a'}", "line 1, column 2"),
            (b'{"text": "a\nb"}', "control character"),
            (b'{"text": "\xff"}', "Byte 10 of the body is not UTF-8"),
            ('{"text": "é"}'.encode("utf-16"), "not UTF-8"),
            (b'{"text": "\xed\xa0\x80"}', "not UTF-8"),
            (b'{"paragraphs": [{"text": "a", "link_density": NaN}]}', "NaN"),
            (b'{"text": Infinity}', "Infinity"),
            (b'{"id": ' + b"9" * 5_000 + b"}", "too long"),
            (b"[" * 200_000, "nests too deeply"),
            (b'{"a":' * 100_000, "nests too deeply"),
            (b"\x00", "line 1"),
        ],
    )
    def test_no_json(self, service: Any, raw: bytes, says: str) -> None:
        for path in ("/v1/tag", "/v1/clean"):
            status, answer = service.send(path, raw)
            assert (status, answer["type"]) == (400, "urn:problem-type:boilertag:not-json")
            assert says in answer["detail"]

    @pytest.mark.parametrize(
        ("body", "pointer", "says"),
        [
            ({}, "#", "found none"),
            ({"text": None}, "#", "found none"),
            ({"text": "a", "html": "b"}, "#", "found text and html"),
            ({"text": "", "html": "", "paragraphs": []}, "#", "text and html and paragraphs"),
            ([], "#", "JSON object"),
            ("text", "#", "JSON object"),
            (7, "#", "JSON object"),
            (None, "#", ""),
            ({"text": 1}, "#/text", "string"),
            ({"text": ["a"]}, "#/text", "string"),
            ({"html": {"a": 1}}, "#/html", "string"),
            ({"paragraphs": "a"}, "#/paragraphs", "list"),
            ({"paragraphs": {"0": "a"}}, "#/paragraphs", "list"),
            ({"paragraphs": ["a", 1]}, "#/paragraphs/1", "string or an object"),
            ({"paragraphs": [None]}, "#/paragraphs/0", "string or an object"),
            ({"paragraphs": [["a"]]}, "#/paragraphs/0", "string or an object"),
            ({"paragraphs": [{}]}, "#/paragraphs/0/text", "missing"),
            ({"paragraphs": [{"text": None}]}, "#/paragraphs/0/text", "string"),
            ({"paragraphs": [{"text": "a", "tag": 1}]}, "#/paragraphs/0/tag", "string"),
            ({"paragraphs": [{"text": "a", "link_density": 1.5}]}, "#/paragraphs/0/link_density", "less than"),
            ({"paragraphs": [{"text": "a", "link_density": -0.1}]}, "#/paragraphs/0/link_density", "greater"),
            ({"paragraphs": [{"text": "a", "link_density": "0.5"}]}, "#/paragraphs/0/link_density", "number"),
            ({"paragraphs": [{"text": "a", "link_density": True}]}, "#/paragraphs/0/link_density", "number"),
            ({"paragraphs": [{"text": "a", "doc": 1}]}, "#/paragraphs/0/doc", "no such field"),
            ({"paragraphs": [{"text": "a", "b": 1, "c": 1, "d": 1}]}, "#/paragraphs/0", "Too many fields"),
            ({"text": "a", "contxt": False}, "#/contxt", "no such field"),
            ({"text": "a", "keep/~": 1}, "#/keep~1~0", "no such field"),
            ({"text": "a", "x" * 300: 1}, "#/" + "x" * 63 + "…", "no such field"),
            ({"text": "a", "context": "false"}, "#/context", "boolean"),
            ({"text": "a", "context": 0}, "#/context", "boolean"),
            ({"text": "a", "explain": None}, "#/explain", "boolean"),
            ({"text": "a", "id": 7}, "#/id", "string"),
            ({str(i): i for i in range(100_000)}, "#", "Too many fields"),
        ],
        ids=lambda value: ascii(value)[:40],
    )
    def test_no_document(self, service: Any, body: Any, pointer: str, says: str) -> None:
        for path in ("/v1/tag", "/v1/clean"):
            status, answer = service.send(path, body)
            assert (status, answer["type"]) == (422, "urn:problem-type:boilertag:invalid-fields")
            assert answer["errors"][0]["pointer"] == pointer
            assert says in answer["errors"][0]["detail"]
            assert len(json.dumps(answer)) < 2_000

    def test_link_density_past_all_numbers(self, service: Any) -> None:
        raw = b'{"paragraphs": [{"text": "a", "link_density": 1e999}]}'
        status, answer = service.send("/v1/tag", raw)
        assert (status, answer["errors"][0]["pointer"]) == (422, "#/paragraphs/0/link_density")

    @pytest.mark.parametrize("keep", ["content", [1], [None], {"content": True}, None])
    def test_keep_of_wrong_type(self, service: Any, keep: Any) -> None:
        status, answer = service.send("/v1/clean", {"text": TEXT, "keep": keep})
        assert status == 422
        assert answer["errors"][0]["pointer"].startswith("#/keep")

    def test_keep_is_no_field_of_tag(self, service: Any) -> None:
        assert service.send("/v1/tag", {"text": TEXT, "keep": ["content"]})[1]["errors"][0]["pointer"] == "#/keep"

    def test_nothing_of_the_input_comes_back_in_errors(self, service: Any) -> None:
        secret = "heliotrope"
        for body in (
            {"text": secret, "html": secret},
            {"text": [secret]},
            {"id": {secret: secret}, "text": secret},
            {"paragraphs": [{"text": secret, "link_density": secret}]},
            {"text": secret, "context": secret},
            {"paragraphs": [secret], "keep": [secret], "other": secret},
            [secret],
            secret,
        ):
            for path in ("/v1/tag", "/v1/clean"):
                status, answer = service.send(path, body)
                assert status == 422
                assert secret not in json.dumps(answer)
        assert secret not in json.dumps(service.get(f"/{secret}?{secret}")[1])

    def test_a_million_wrong_paragraphs_cost_one_error(self, service: Any) -> None:
        raw = b'{"paragraphs": [' + b"1," * 1_000_000 + b"1]}"
        assert len(service.send("/v1/tag", raw)[1]["errors"]) == 1

    @pytest.mark.parametrize(
        "media_type", ["text/plain", "application/x-www-form-urlencoded", "text/json", "json", "", "application/jsonx"]
    )
    def test_wrong_media_type(self, service: Any, media_type: str) -> None:
        status, answer = service.send("/v1/tag", {"text": "a"}, Content_Type=media_type)
        assert (status, answer["type"]) == (415, "urn:problem-type:boilertag:wrong-media-type")

    @pytest.mark.parametrize(
        "media_type", ["application/json; charset=utf-8", "Application/JSON", "application/ld+json"]
    )
    def test_right_media_type(self, service: Any, media_type: str) -> None:
        assert service.send("/v1/tag", {"text": "a"}, Content_Type=media_type)[0] == 200

    def test_byte_order_mark_is_no_part_of_json(self, service: Any) -> None:
        assert service.send("/v1/tag", b'\xef\xbb\xbf{"text": "a"}')[0] == 200


class TestLimits:
    def test_body(self, service: Any) -> None:
        status, answer = service.send("/v1/tag", b'{"text": "' + b"a" * 12_000_000 + b'"}')
        assert (status, answer["type"]) == (413, "urn:problem-type:boilertag:body-too-large")
        assert "12,000,000" in answer["detail"]

    def test_body_without_announced_length(self, service: Any) -> None:
        sent = 0

        def chunks() -> Iterator[bytes]:
            nonlocal sent
            for _ in range(13):
                sent += 1
                yield b"a" * 1_000_000

        response = service.client.post("/v1/tag", content=chunks(), headers={"Content-Type": "application/json"})
        assert "content-length" not in response.request.headers
        assert service.read(response)["type"] == "urn:problem-type:boilertag:body-too-large"

    def test_paragraph(self, service: Any) -> None:
        status, answer = service.send("/v1/tag", {"paragraphs": ["Home", "a" * 11_000_001]})
        assert (status, answer["type"]) == (413, "urn:problem-type:boilertag:paragraph-too-long")
        assert answer["errors"][0]["pointer"] == "#/paragraphs/1"
        assert "11,000,001 characters" in answer["detail"]
        assert "max_paragraph_characters" in answer["detail"]
        assert service.send("/v1/tag", {"text": "a" * 11_000_001})[1]["errors"][0]["pointer"] == "#/text"

    @pytest.mark.parametrize("body", [{"paragraphs": ["a"] * 1_001}, {"text": "a\n" * 1_001}])
    def test_paragraphs(self, service: Any, body: Any) -> None:
        status, answer = service.send("/v1/clean", body)
        assert (status, answer["type"]) == (413, "urn:problem-type:boilertag:too-many-paragraphs")
        assert answer["errors"][0]["pointer"] == f"#/{next(iter(body))}"
        assert "1,001 paragraphs" in answer["detail"]

    @pytest.mark.parametrize("paragraphs", [["a"] * 6, ["a" * 501]])
    def test_explained(self, service: Any, paragraphs: list[str]) -> None:
        status, answer = service.send("/v1/tag", {"paragraphs": paragraphs, "explain": True})
        assert (status, answer["type"]) == (413, "urn:problem-type:boilertag:too-long-to-explain")
        assert service.send("/v1/tag", {"paragraphs": paragraphs})[0] == 200

    @pytest.mark.parametrize(
        "html",
        [
            "<div>" * 400_000 + "x",  # keeps a parser busy for minutes
            "<p>" + "".join(f"<b id={i}>" for i in range(6_000)) + "<p>x y" * 6_000,  # fills tens of gigabytes
        ],
        ids=["deep", "multiplying"],
    )
    def test_html_made_to_stop_the_service(self, service: Any, html: str) -> None:
        status, answer = service.send("/v1/tag", {"html": html})
        assert (status, answer["type"]) == (413, "urn:problem-type:boilertag:html-too-complex")
        assert answer["errors"][0]["pointer"] == "#/html"
        assert service.tag({"html": HTML})["paragraphs"]


class TestAddresses:
    def test_model_is_the_manifest(self, service: Any, tagger: Tagger) -> None:
        assert service.get("/v1/model") == (200, dict(tagger.manifest))

    def test_health(self, service: Any) -> None:
        assert service.get("/healthz") == (200, {"status": "ok"})
        assert service.get("/readyz") == (200, {"status": "ready"})

    def test_unknown_address(self, service: Any) -> None:
        for path in ("/page", "/page/none.js", "/page/../app.py", "/v1", "/v1/tag/", "/v2/tag", "/%00", "/v1/tag%20"):
            status, answer = service.get(path)
            assert (status, answer["type"], answer["title"]) == (404, "about:blank", "Not Found")

    @pytest.mark.parametrize(("method", "path"), [("GET", "/v1/tag"), ("PUT", "/v1/clean"), ("POST", "/healthz")])
    def test_wrong_method(self, service: Any, method: str, path: str) -> None:
        response = service.client.request(method, path)
        assert service.read(response)["title"] == "Method Not Allowed"
        assert (response.status_code, response.headers["allow"]) == (405, "GET" if path == "/healthz" else "POST")

    def test_bug_of_the_service(self, service: Any, monkeypatch: pytest.MonkeyPatch, caplog: Any) -> None:
        monkeypatch.setattr(Tagger, "probabilities", lambda *args, **options: 1 / 0)
        status, answer = service.send("/v1/tag", {"text": "secret"})
        assert (status, answer["type"]) == (500, "about:blank")
        assert re.fullmatch(r"urn:uuid:[0-9a-f-]{36}", answer["instance"])
        assert answer["instance"] in caplog.text
        assert "secret" not in caplog.text
        assert "division" not in json.dumps(answer)

    def test_documentation(self, service: Any) -> None:
        status, schema = service.get("/openapi.json")
        assert status == 200
        assert set(schema["paths"]) == {f"/v1/{name}" for name in ("tag", "clean", "batch", "model", "models")} | {
            "/healthz",
            "/readyz",
            "/metrics",
        }
        for path in ("/v1/tag", "/v1/clean"):
            responses = schema["paths"][path]["post"]["responses"]
            assert set(responses) == {"200", "400", "404", "408", "413", "415", "422", "503"}
            for code, response in responses.items():
                media_type = "application/json" if code == "200" else "application/problem+json"
                assert list(response["content"]) == [media_type]
        for example in schema["components"]["schemas"]["Document"]["examples"]:
            service.tag(example)
        assert service.client.get("/docs").status_code == 200

    def test_not_ready_without_a_model(self, tmp_path: Path, caplog: Any) -> None:
        with TestClient(create_app(Settings(model=tmp_path / "none")), raise_server_exceptions=False) as client:
            assert client.get("/healthz").status_code == 200
            until = time.monotonic() + 10
            while "no model folder" not in caplog.text and time.monotonic() < until:
                time.sleep(0.01)
            for response in (
                client.get("/readyz"),
                client.get("/v1/model"),
                client.post("/v1/tag", json={"text": "a"}),
            ):
                assert (response.status_code, response.headers["retry-after"]) == (503, "5")
                assert response.json()["type"] == "urn:problem-type:boilertag:not-ready"
                assert str(tmp_path) not in response.text
        assert "no model folder" in caplog.text


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)
STRINGS = st.text(st.characters(), max_size=60)  # lone surrogates too
ROWS = st.fixed_dictionaries({"text": STRINGS}, optional={"tag": STRINGS, "link_density": st.floats(0, 1)})
OPTIONS = {
    "id": STRINGS,
    "context": st.booleans(),
    "explain": st.booleans(),
}
DOCUMENTS = st.one_of(
    st.fixed_dictionaries({source: value}, optional=OPTIONS)
    for source, value in (("text", STRINGS), ("html", STRINGS), ("paragraphs", st.lists(STRINGS | ROWS, max_size=5)))
)
FIELDS = [*OPTIONS, "text", "html", "paragraphs", "keep"]


class TestAnyBody:
    @settings(max_examples=100, suppress_health_check=[HealthCheck.too_slow])
    @given(document=DOCUMENTS)
    def test_documents_are_answered(self, service: Any, document: Any) -> None:
        answer = service.tag(document)
        assert document.get("id", answer["id"]) == answer["id"]
        if "paragraphs" in document:
            texts = [one if isinstance(one, str) else one["text"] for one in document["paragraphs"]]
            assert [one["text"] for one in answer["paragraphs"]] == texts

    @settings(max_examples=100, suppress_health_check=[HealthCheck.too_slow])
    @given(
        path=st.sampled_from(["/v1/tag", "/v1/clean"]),
        body=JSON | st.builds(dict.__or__, DOCUMENTS, st.dictionaries(st.sampled_from(FIELDS), JSON, min_size=1)),
    )
    def test_json_is_answered_or_refused(self, service: Any, path: str, body: Any) -> None:
        status, _ = service.send(path, body)  # which checks the answer
        assert status in (200, 413, 422)

    @settings(max_examples=100)
    @given(raw=st.binary(max_size=80) | st.text(max_size=80).map(lambda text: text.encode("utf-8", "replace")))
    def test_bytes_are_refused(self, service: Any, raw: bytes) -> None:
        assert service.send("/v1/tag", raw)[0] in (400, 422)


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
class TestPackedBodies:
    def test_is_unpacked(self, service: Any, encoding: str) -> None:
        raw = json.dumps({"text": TEXT, "id": "x"}).encode()
        status, answer = service.send("/v1/tag", PACK[encoding](raw), Content_Encoding=encoding)
        assert (status, answer["id"], len(answer["paragraphs"])) == (200, "x", 3)

    def test_may_be_in_parts(self, service: Any, encoding: str) -> None:
        pack = PACK[encoding]
        assert service.send("/v1/tag", pack(b'{"text":') + pack(b'"a"}'), Content_Encoding=encoding)[0] == 200

    def test_bomb(self, service: Any, encoding: str) -> None:
        bomb = PACK[encoding](b'{"text": "' + b"a" * 300_000_000)
        assert len(bomb) < 1_000_000
        status, answer = service.send("/v1/tag", bomb, Content_Encoding=encoding)
        assert (status, answer["type"]) == (413, "urn:problem-type:boilertag:body-too-large")

    def test_damaged(self, service: Any, encoding: str) -> None:
        packed = PACK[encoding](json.dumps({"text": TEXT}).encode())
        for raw in (packed[:-4], b"{}", b"x" * 1_000, packed + b"x" * 9):
            status, answer = service.send("/v1/tag", raw, Content_Encoding=encoding)
            assert (status, answer["type"]) == (400, "urn:problem-type:boilertag:cant-unpack")


def test_other_codings_are_refused(service: Any) -> None:
    for coding in ("br", "gzip, zstd", "deflate", "x"):
        status, answer = service.send("/v1/tag", b"{}", Content_Encoding=coding)
        assert (status, answer["type"]) == (415, "urn:problem-type:boilertag:wrong-media-type")
    assert service.send("/v1/tag", {"text": "a"}, Content_Encoding="identity")[0] == 200


class TestHeaders:
    def test_every_answer_names_model_and_request(self, service: Any, tagger: Tagger) -> None:
        for method, path in (("GET", "/healthz"), ("GET", "/nothing"), ("PUT", "/v1/tag"), ("POST", "/v1/clean")):
            headers = service.client.request(method, path, headers={"X-Request-ID": "crawl-7"}).headers
            assert headers["boilertag-model"] == tagger.manifest["sha256"][:12]
            assert headers["x-request-id"] == "crawl-7"
            assert headers["x-content-type-options"] == "nosniff"
            assert "default-src 'none'" in headers["content-security-policy"]

    def test_request_ids_are_made_up_where_they_are_missing_or_odd(self, service: Any) -> None:
        for sent in ({}, {"X-Request-ID": "a b"}, {"X-Request-ID": "x" * 129}, {"X-Request-ID": "<b>"}):
            assert re.fullmatch("[0-9a-f]{32}", service.client.get("/healthz", headers=sent).headers["x-request-id"])

    def test_model_has_an_etag(self, service: Any, tagger: Tagger) -> None:
        tag = service.client.get("/v1/model").headers["etag"]
        assert tag == f'"{tagger.manifest["sha256"]}"'
        for sent in (tag, f"W/{tag}", f'"other", {tag}'):
            again = service.client.get("/v1/model", headers={"If-None-Match": sent})
            assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
        assert service.client.get("/v1/model", headers={"If-None-Match": '"other"'}).status_code == 200


class TestOverload:
    def test_no_place_in_the_queue(self, service: Any) -> None:
        with state_of(service).requests.hold() as held:
            held.take(LIMITS.threads + LIMITS.max_queue)
            response = service.client.post("/v1/tag", json={"text": "a"})
            assert service.read(response)["type"] == "urn:problem-type:boilertag:overloaded"
            assert (response.status_code, response.headers["retry-after"]) == (503, "1")
            assert service.get("/readyz")[0] == 200
        assert service.send("/v1/tag", {"text": "a"})[0] == 200

    def test_no_memory_for_bodies(self, service: Any) -> None:
        with state_of(service).buffers.hold() as held:
            held.take(LIMITS.max_buffered_bytes - 10)
            assert service.send("/v1/tag", {"text": "a" * 10})[0] == 503
        assert service.send("/v1/tag", {"text": "a" * 10})[0] == 200

    def test_places_are_given_back(self, service: Any) -> None:
        service.send("/v1/tag", b"{")
        service.send("/v1/tag", {"html": HTML})
        counts = service.client.get("/metrics").text
        for gauge in ("queued_requests", "open_streams", "buffered_bytes"):
            assert f"boilertag_{gauge} 0.0" in counts


def state_of(service: Any) -> State:
    state: State = service.client.app.state.service
    return state


@pytest.fixture(scope="module")
def guarded() -> Iterator[TestClient]:
    """A client of a service that wants one of two keys."""
    keys = ",".join(hashlib.sha256(key).hexdigest() for key in (b"swordfish", b"sesame"))
    with TestClient(create_app(Settings(keys=keys))) as client:
        wait_until_ready(client)
        yield client


class TestKeys:
    @pytest.mark.parametrize("path", ["/v1/tag", "/v1/clean", "/v1/batch"])
    def test_documents_need_one(self, guarded: TestClient, path: str) -> None:
        body = b'{"text": "a"}'
        media_type = "application/x-ndjson" if path == "/v1/batch" else "application/json"
        for sent in (
            {},
            {"Authorization": "Bearer x"},
            {"Authorization": "Basic sesame"},
            {"Authorization": "Bearer "},
        ):
            refused = guarded.post(path, content=body, headers={"Content-Type": media_type, **sent})
            assert (refused.status_code, refused.headers["www-authenticate"]) == (401, "Bearer")
            assert refused.json()["type"] == "urn:problem-type:boilertag:unauthorized"
        for key in ("swordfish", "sesame"):
            headers = {"Content-Type": media_type, "Authorization": f"Bearer {key}"}
            assert guarded.post(path, content=body, headers=headers).status_code == 200

    def test_counts_and_model_need_one_and_health_does_not(self, guarded: TestClient) -> None:
        for path in ("/metrics", "/v1/model"):
            assert guarded.get(path).status_code == 401
            assert guarded.get(path, headers={"Authorization": "Bearer sesame"}).status_code == 200
        for path in ("/healthz", "/readyz", "/docs", "/openapi.json"):
            assert guarded.get(path).status_code == 200

    def test_are_documented_where_there_are_some(self, guarded: TestClient, service: Any) -> None:
        operation = guarded.get("/openapi.json").json()["paths"]["/v1/tag"]["post"]
        assert operation["security"] == [{"HTTPBearer": []}]
        assert "401" in operation["responses"]
        assert "security" not in service.get("/openapi.json")[1]["paths"]["/v1/tag"]["post"]


class TestDocumentation:
    def test_names_the_labels_of_the_model(self, service: Any, tagger: Tagger) -> None:
        page = service.get("/openapi.json")[1]["components"]["schemas"]["Page"]
        assert page["properties"]["keep"]["items"]["enum"] == list(tagger.labels)

    def test_examples_work(self, service: Any) -> None:
        schema = service.get("/openapi.json")[1]
        for example in schema["components"]["schemas"]["Document"]["examples"]:
            service.tag(example)
        for example in schema["components"]["schemas"]["Page"]["examples"]:
            assert service.send("/v1/clean", example)[0] == 200
        lines = schema["paths"]["/v1/batch"]["post"]["requestBody"]["content"]["application/x-ndjson"]["schema"]
        response = service.client.post(
            "/v1/batch", content=lines["examples"][0], headers={"Content-Type": "application/x-ndjson"}
        )
        assert [json.loads(line)["id"] for line in response.text.splitlines()] == ["1", "2"]

    def test_page_needs_no_other_server(self, service: Any) -> None:
        page = service.client.get("/docs")
        assert (
            "'unsafe-inline'"
            not in page.headers["content-security-policy"].partition("script-src")[2].partition(";")[0]
        )
        found = re.findall(r'(?:src|href)="(.*?)"', page.text)
        assert len(found) == 4
        for path in found:
            assert path.startswith("/docs/")
            assert service.client.get(path).status_code == 200


def test_metrics_count(service: Any) -> None:
    def counts() -> dict[str, float]:
        lines = service.client.get("/metrics").text.splitlines()
        return {name: float(n) for name, _, n in (line.rpartition(" ") for line in lines if not line.startswith("#"))}

    before = counts()
    service.tag({"paragraphs": ["Advertisement", "Advertisement"]})
    service.send("/v1/tag", b"{")
    after = counts()

    def gained(name: str) -> float:
        return after[f"boilertag_{name}"] - before.get(f"boilertag_{name}", 0)

    assert gained('paragraphs_total{label="ad_notice"}') == 2
    assert 1 < gained("paragraph_score_total") < 2
    assert gained("unsure_paragraphs_total") == 0
    assert gained('requests_total{endpoint="/v1/tag",status="200"}') == 1
    assert gained('requests_total{endpoint="/v1/tag",status="400"}') == 1
    assert gained('request_seconds_count{endpoint="/v1/tag"}') == 2
    assert after[f'boilertag_model_info{{model="{service.client.get("/healthz").headers["boilertag-model"]}"}}'] == 1


def test_logs_hold_nothing_of_the_input(service: Any, caplog: Any) -> None:
    with caplog.at_level("INFO", "boilertag"):
        service.send("/v1/tag", {"text": "heliotrope"}, X_Request_ID="crawl-8")
        service.send("/v1/tag", {"heliotrope": "heliotrope"})
        service.get("/heliotrope?heliotrope")
    lines = [JsonFormatter().format(record) for record in caplog.records if record.name == "boilertag"]
    assert len(lines) == 3
    first = json.loads(lines[0])
    assert (first["message"], first["request_id"], first["endpoint"], first["status"]) == (
        "request",
        "crawl-8",
        "/v1/tag",
        200,
    )
    assert "heliotrope" not in "".join(lines)


def test_logs_hold_so_much_of_a_document_as_is_asked_for(caplog: Any) -> None:
    app = create_app(Settings(max_logged_characters=4), wait_for_model=True)
    with TestClient(app) as client, caplog.at_level("INFO", "boilertag"):
        for path in ("/v1/tag", "/v1/clean"):
            client.post(path, json={"text": "heliotrope"}, headers={"X-Request-ID": path})
        client.post("/v1/tag", json={"html": "<p>iris"})
    told = [record.fields for record in caplog.records if record.getMessage() == "document"]
    assert [one["text"] for one in told] == ["heli", "heli", "iris"]
    assert [one["request_id"] for one in told[:2]] == ["/v1/tag", "/v1/clean"]
