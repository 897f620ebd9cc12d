"""/v1/batch: lines in, answers out, in order, whatever the lines are."""

import gzip
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from classifier import Tagger
from service.batch import MEDIA_TYPES, Lines
from service.problems import Problem
from tests.service.conftest import LIMITS


def send(service: Any, body: bytes, **headers: str) -> list[Any]:
    """The answers' lines."""
    given = {"Content-Type": MEDIA_TYPES[0], **{name.replace("_", "-"): value for name, value in headers.items()}}
    response = service.client.post("/v1/batch", content=body, headers=given)
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == "application/x-ndjson"
    assert response.text.endswith("\n") or not response.text
    return [json.loads(line) for line in response.text.splitlines()]


def test_answers_are_those_of_tag_in_order(service: Any, tagger: Tagger) -> None:
    documents = [{"id": str(i), "text": "Ferries run.\nAdvertisement\n" * (i % 7)} for i in range(60)]
    documents[30] = {"id": "30", "html": "<p>The harbour bridge will close for a week.</p>"}
    answers = send(service, b"\n".join(json.dumps(one).encode() for one in documents))
    assert answers == [service.tag(one) for one in documents]


def test_bad_lines_are_answered_and_the_rest_goes_on(service: Any) -> None:
    answers = send(service, b'{"text": "a"}\r\n\nnonsense\n  \n{"txt": "a"}\n\xff\n{"text": "b"}')
    told = [(one.get("status"), one.get("line")) for one in answers]
    assert told == [(None, None), (400, 3), (422, 5), (400, 6), (None, None)]
    assert answers[2]["errors"][0]["pointer"] == "#/txt"
    assert answers[1]["type"] == "urn:problem-type:boilertag:not-json"


def test_no_lines(service: Any) -> None:
    for body in (b"", b"\n\n", b" \r\n"):
        assert send(service, body) == []


def test_packed(service: Any) -> None:
    lines = b'{"id": "1", "text": "a"}\n' * 500
    assert len(send(service, gzip.compress(lines), Content_Encoding="gzip")) == 500


def test_body_cut_short_is_told_behind_what_could_be_read(service: Any) -> None:
    *answers, last = send(service, gzip.compress(b'{"text": "a"}\n' * 9)[:-6], Content_Encoding="gzip")
    assert last["type"] == "urn:problem-type:boilertag:cant-unpack"
    assert all("paragraphs" in one for one in answers)


def test_bomb_is_stopped(service: Any) -> None:
    bomb = gzip.compress(b" " * 400_000_000)
    (last,) = send(service, bomb, Content_Encoding="gzip")
    assert (last["status"], last["type"]) == (413, "urn:problem-type:boilertag:body-too-large")
    assert "max_unpack_ratio" in last["detail"]


def test_line_over_the_limit_is_dropped(service: Any) -> None:
    body = b'{"text": "a"}\n{"text": "' + b"a" * (LIMITS.max_body_bytes + 1) + b'"}\n{"text": "b"}\n'
    first, second, third = send(service, body)
    assert (second["type"], second["line"]) == ("urn:problem-type:boilertag:body-too-large", 2)
    assert first["paragraphs"]
    assert third["paragraphs"]


def test_bug_of_one_line(service: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    judge = Tagger.probabilities

    def probabilities(tagger: Tagger, documents: Any, **options: Any) -> Any:
        return 1 / 0 if documents[0][0].text == "bad" else judge(tagger, documents, **options)

    monkeypatch.setattr(Tagger, "probabilities", probabilities)
    first, second, third = send(service, b'{"text": "a"}\n{"text": "bad"}\n{"text": "b"}')
    assert (second["status"], second["line"]) == (500, 2)
    assert second["instance"].startswith("urn:uuid:")
    assert first["paragraphs"]
    assert third["paragraphs"]


def test_media_types(service: Any) -> None:
    for media_type in MEDIA_TYPES:
        assert len(send(service, b'{"text": "a"}', Content_Type=media_type)) == 1
    for media_type in ("application/json", "text/plain", ""):
        response = service.client.post("/v1/batch", content=b"{}", headers={"Content-Type": media_type})
        assert response.status_code == 415
        assert "application/x-ndjson" in service.read(response)["detail"]


def test_batches_past_the_limit_are_refused(service: Any) -> None:
    streams = service.client.app.state.service.streams
    with streams.hold() as held:
        held.take(LIMITS.max_streams)
        response = service.client.post("/v1/batch", content=b"{}", headers={"Content-Type": MEDIA_TYPES[0]})
        assert (response.status_code, response.headers["retry-after"]) == (503, "1")
    assert send(service, b"") == []


@given(raw=st.lists(st.sampled_from([b"a", b"bb", b"\n", b"\r\n", b" ", b"cccc"])), cuts=st.lists(st.integers(1, 5)))
def test_lines_are_the_same_however_they_are_cut(raw: list[bytes], cuts: list[int]) -> None:
    body = b"".join(raw)
    expected = [
        (i + 1, line.strip() if len(line) <= 6 else None)
        for i, line in enumerate(body.split(b"\n"))
        if line.strip() or len(line) > 6
    ]
    lines = Lines(6)
    found: list[tuple[int, bytes | None]] = []

    def take(some: Any) -> None:
        found.extend((lines.number, None if isinstance(one, Problem) else one) for one in some)

    for cut in [*cuts, len(body)]:
        take(lines.feed(body[:cut]))
        body = body[cut:]
    take(lines.finish())
    assert found == expected
