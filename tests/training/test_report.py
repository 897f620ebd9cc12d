"""The report of a training: it opens anywhere, shows what it says, and takes nothing in the data for markup."""

import json
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from classifier import Paragraph
from training import versions
from training.data import Document, dataset
from training.fit import Settings
from training.train import Outcome, retrain

SETTINGS = Settings(min_count=(2, 2), inner_folds=3)
EVIL = "</td><script>alert('{}')</script><img src=//example.org/x onerror=alert(1)> & \ud800"
VOID = {"meta", "br", "path", "circle"}


class Elements(HTMLParser):
    """Which elements a page has; fails where one is not closed."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.found: set[str] = set()
        self.attributes: set[str] = set()
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.add(tag)
        self.attributes |= {name for name, _ in attrs}
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture(scope="module")
def outcome(pages: list[Document], tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    evil = [
        replace(
            page,
            group=f"<b>{page.group}",
            # On every other page the same text has another label: there will be errors.
            paragraphs=(*page.paragraphs, Paragraph(EVIL.format("text"), "p", 0.0)),
            labels=(*(f"{label}<i>" for label in page.labels), f"{page.labels[-1 if i % 2 else 5]}<i>"),
        )
        for i, page in enumerate(pages)
    ]
    target = tmp_path_factory.mktemp("report") / "model"
    finding = {
        "name": "odd",
        "severity": "warning",
        "message": "<u>",
        "advice": "look",
        "rows": [{"file": "<s>", "row": 3}],
    }
    files = [{"file": "<s>.csv", "rows": 510, "documents": 30, "groups": None}]
    with versions.locked(target):
        return retrain(target, dataset(evil), SETTINGS, lambda text: None, kept=3, files=files, findings=[finding])


def test_the_page_is_whole_and_loads_nothing(outcome: Outcome) -> None:
    page = Elements()
    page.feed(outcome.html.decode())
    page.close()
    assert page.open == []
    assert not page.found & {"script", "img", "link", "iframe", "object", "b", "i", "u", "s"}
    assert not page.attributes & {"src", "href", "onerror", "onload"}
    for said in (
        "<script>alert('text')",
        "<b>site",
        "content<i>",
        "<u>; look",
        "<s> 3",
        "Worst errors",
        "With twice the rows",
    ):
        assert said in page.text


def test_the_same_as_json(outcome: Outcome) -> None:
    report = json.loads(outcome.json)
    assert report["model"] == outcome.version.name
    assert report["data"]["paragraphs"] == 510
    assert report["data"]["by_lang"] == {"en": 340, "nn": 170}
    assert report["compared"] == outcome.compared
    assert report["held_out"] == outcome.model.manifest["held_out"]
    assert report["errors"][0]["score"] >= report["errors"][-1]["score"]
    assert any(EVIL.format("text") in error["text"] for error in report["errors"])
    (menu,) = [kinds for label, kinds in report["telling"].items() if label.startswith("nav")]
    assert {"word", "char"} == set(menu)
    assert all(weight > 0 for ngrams in menu.values() for _, weight in ngrams)
    rows = [point["rows"] for point in report["learning"]["points"]]
    assert rows == sorted(rows)
    assert report["learning"]["twice"]["rows"] == 1020
    assert report["learning"]["twice"]["macro_f1"] >= report["learning"]["points"][-1]["macro_f1"]


def test_it_lies_beside_the_version_and_only_there_are_texts(outcome: Outcome) -> None:
    folder = outcome.version.folder
    assert (folder / "report.html").read_bytes() == outcome.html
    assert (folder / "report.json").read_bytes() == outcome.json
    assert "alert" not in (folder / "model.json").read_text("utf-8")
    assert not list(folder.parent.parent.glob("report.*"))


def test_the_same_training_gives_the_same_report(outcome: Outcome, tmp_path: Path) -> None:
    data = dataset([Document((Paragraph(f"{w} {i}"),), (w,), str(i), 1.0, {}) for i in range(9) for w in "ab"])
    reports = []
    for name in "one", "two":
        with versions.locked(tmp_path / name):
            found = retrain(tmp_path / name, data, SETTINGS, lambda text: None, kept=3)
        reports.append((found.html, found.json, (tmp_path / name / "model.json").read_bytes()))
    assert reports[0] == reports[1]
