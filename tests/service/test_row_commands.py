"""score, train, evaluate and corpus as their users run them."""

import csv
import json
from pathlib import Path

import pytest

from classifier import Tagger
from service.cli import main

PAGE = [
    ("navigation", "Home"),
    ("content", "The mill wheel turns again after nine dry years, and the miller's niece has the key."),
    ("ad_notice", "Advertisement"),
    ("content", "Water came over the weir on Monday night."),
    ("appeal", "Subscribe for 2 euros a month"),
]


def labelled(path: Path, pages: int = 8) -> Path:
    with path.open("w", encoding="utf-8") as file:
        for page in range(pages):
            for i, (label, text) in enumerate(PAGE):
                row = {"doc": page, "site": f"s{page}", "n": i, "text": f"{text} {page}", "label": label}
                file.write(json.dumps(row) + "\n")
    return path


def run(capsys: pytest.CaptureFixture[str], *argv: object) -> tuple[int, str, str]:
    status = main([str(part) for part in argv])
    out, err = capsys.readouterr()
    return status, out, err


def test_score_gives_every_row_back_in_order(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, target = labelled(tmp_path / "rows.jsonl"), tmp_path / "scored.csv"
    status, out, err = run(capsys, "score", source, "-o", target, "--workers", 2)
    assert (status, out) == (0, "")
    assert err.startswith("40 paragraphs of 8 documents, ")
    rows = [json.loads(line) for line in source.read_text().splitlines()]
    with target.open(newline="", encoding="utf-8") as file:
        scored = list(csv.DictReader(file))
    assert [(row["text"], row["n"]) for row in scored] == [(row["text"], str(row["n"])) for row in rows]
    assert all(row["predicted"] and 0 <= float(row["score"]) <= 1 for row in scored)
    assert sum(float(scored[0][f"p_{label}"]) for label in {label for label, _ in PAGE}) == pytest.approx(1, abs=1e-5)


def test_train_writes_a_model_that_the_others_take(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, model = labelled(tmp_path / "rows.jsonl"), tmp_path / "model"
    status, out, err = run(capsys, "train", source, "-o", model, "--folds", 3)
    assert status == 0
    assert "text: macro-F1" in out
    assert "40 rows in 8 documents of 8 sites" in err
    assert set(Tagger.load(model).labels) == {label for label, _ in PAGE}
    status, out, _ = run(capsys, "evaluate", source, "--model", model, "--json")
    assert status == 0
    figures = json.loads(out)["text"]
    assert figures["rows"] == figures["by"]["view"]["page"]["rows"] == 40
    assert figures["by"]["view"]["line"]["by_label"]["content"]["rows"] <= 8
    status, _, _ = run(capsys, "score", source, "-o", tmp_path / "scored.jsonl", "--model", model)
    assert status == 0


def test_models_lists_versions_and_goes_back(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, model = labelled(tmp_path / "rows.jsonl"), tmp_path / "model"
    run(capsys, "train", source, "-o", model, "--folds", 3)
    status, out, _ = run(capsys, "train", labelled(tmp_path / "more.jsonl", 9), "-o", model, "--folds", 3)
    assert status == 0
    assert "which is in use, on the same 45 held-out rows of 9 groups" in out
    _, out, _ = run(capsys, "models", model, "--json")
    new, old = json.loads(out)
    assert (new["in_use"], old["in_use"], new["rows"], old["rows"], new["mode"]) == (True, False, 45, 40, "text")
    status, out, _ = run(capsys, "models", model, "--use", old["version"])
    assert (status, out) == (0, f"{model}: {old['version']} is in use\n")
    assert Tagger.load(model).manifest["sha256"].startswith(old["version"])
    _, out, _ = run(capsys, "models", model)
    assert [line.split()[:2] for line in out.splitlines()[1:]] == [
        [new["version"], new["written"][:10]],
        ["in", "use"],
    ]
    for argv in (["models", model, "--use", "gone"], ["models", tmp_path / "gone"], ["models", tmp_path]):
        status, _, err = run(capsys, *argv)
        assert (status, len(err.splitlines())) == (1, 1)


def test_train_on_top_of_the_default_model(tmp_path: Path, capsys: pytest.CaptureFixture[str], tagger: Tagger) -> None:
    source, model, report = labelled(tmp_path / "rows.jsonl"), tmp_path / "model", tmp_path / "report.json"
    command = ["train", source, "--base", "default", "-o", model, "--folds", 3, "--report", report]
    status, out, _ = run(capsys, *command)
    assert status == 0
    assert "the base, on the same 40 held-out rows of 8 groups" in out
    manifest = json.loads((model / "model.json").read_text("utf-8"))
    assert manifest["base"] == tagger.manifest["sha256"]
    assert (manifest["labels"], manifest["context"]["text"]) == (list(tagger.labels), "fitted")
    (file,) = json.loads(report.read_text("utf-8"))["files"]
    assert file["labels"] == {"content": 16, "ad_notice": 8, "appeal": 8, "navigation": 8}
    assert (file["file"], file["rows"], file["documents"], file["groups"]) == (str(source), 40, 8, 8)
    source.write_text(source.read_text("utf-8").replace("navigation", "menu"), "utf-8")
    for argv, says in (
        (command, "'menu', which the model has not"),
        ([*command[:3], tmp_path / "gone", *command[4:]], "no such file"),
        ([*command[:-1], tmp_path / "gone" / "report.html"], "no such folder"),
    ):
        status, _, err = run(capsys, *argv)
        assert status == 1
        assert says in err.splitlines()[-1]


def test_an_unjudged_model_replaces_none_without_a_reason(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, model = labelled(tmp_path / "rows.jsonl"), tmp_path / "model"
    command = ["train", source, "-o", model, "--folds", 3, "--no-figures"]
    assert run(capsys, *command)[0] == 0
    status, _, err = run(capsys, *command)
    assert status == 1
    assert "--force" in err.splitlines()[-1]
    assert run(capsys, *command, "--force", " ")[0] == 1
    assert run(capsys, *command, "--force", "rows of March", "--keep-versions", 0)[0] == 0
    assert sorted(path.name for path in model.iterdir()) == ["model.joblib", "model.json"]


def test_evaluate_holds_sites_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, extra = labelled(tmp_path / "rows.jsonl"), labelled(tmp_path / "extra.jsonl", 3)
    wrong = tmp_path / "wrong.jsonl"
    status, out, _ = run(capsys, "evaluate", source, "--folds", 3, "--extra", extra, "--errors", wrong)
    assert status == 0
    for said in ("== paragraph", "== text", "40 rows of 8 sites", "by view", "  article", "by characters", "to 240"):
        assert said in out
    for line in wrong.read_text().splitlines():
        row = json.loads(line)
        assert row["label"] != row["taken_for"]


def test_a_learning_curve_is_told_and_goes_into_the_manifest(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, model = labelled(tmp_path / "rows.jsonl", 12), tmp_path / "model"
    status, out, _ = run(capsys, "evaluate", source, "--folds", 3, "--learning-curve")
    assert status == 0
    assert "== learning curve" in out
    status, out, _ = run(capsys, "evaluate", source, "--folds", 3, "--learning-curve", "--json")
    told = json.loads(out)["learning_curve"]
    assert [point["sites"] for point in told] == [0.125, 0.25, 0.5, 1.0]
    status, _, _ = run(capsys, "train", source, "-o", model, "--folds", 3, "--learning-curve")
    assert status == 0
    assert json.loads((model / "model.json").read_text("utf-8"))["learning_curve"] == told


def test_corpus_says_what_it_did_not_find(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    labels = Path(__file__).parents[2] / "datasets" / "web-labels.tsv.gz"
    status, _, err = run(capsys, "corpus", tmp_path, "--labels", labels, "-o", tmp_path / "web.jsonl")
    assert status == 1
    assert "791 pages not found" in err


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("no-text.csv", "words,label\na,x\n", "text"),
        ("no-label.csv", "text,tag\na,p\n", "label"),
        ("one-label.csv", "text,label\na,x\nb,x\n", "two labels"),
        ("empty-label.csv", "text,label\na,x\nb,\n", "label"),
        ("empty.csv", "", "empty.csv"),
        ("few-sites.csv", "text,label,site,doc\na,x,s,1\nb,y,s,1\n", "sites"),
        ("few-rows.csv", "text,label\na,x\nb,y\nc,x\nd,y\n", "more rows"),
        ("broken.jsonl", '{"text": "a", "label": "x"}\n{"text": \n', "broken.jsonl"),
        ("odd.docx", "PK", "odd.docx"),
    ],
)
def test_bad_labelled_rows_stop_before_anything_is_fitted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, text: str, says: str
) -> None:
    path = tmp_path / name
    path.write_text(text)
    status, out, err = run(capsys, "train", path, "-o", tmp_path / "model")
    assert (status, out) == (1, "")
    assert err.splitlines()[-1].startswith("boilertag: ")
    assert says in err
    assert not (tmp_path / "model").exists()


def test_a_missing_file_and_a_changed_model_are_one_clear_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for command in (["score", "gone.jsonl"], ["evaluate", "gone.csv"], ["corpus", "gone"]):
        status, _, err = run(capsys, *command)
        assert status == 1
        assert "gone" in err
        assert len(err.splitlines()) == 1
    source, model = labelled(tmp_path / "rows.jsonl"), tmp_path / "model"
    run(capsys, "train", source, "-o", model, "--no-figures", "--folds", 3, "--keep-versions", 0)
    raw = bytearray((model / "model.joblib").read_bytes())
    raw[len(raw) // 2] ^= 1
    (model / "model.joblib").write_bytes(raw)
    status, _, err = run(capsys, "score", source, "-o", tmp_path / "out.jsonl", "--model", model)
    assert (status, len(err.splitlines())) == (1, 1)
    assert "sha256" in err
    assert not (tmp_path / "out.jsonl").exists()


def test_wrong_use_is_status_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for argv in (
        ["score"],
        ["train", "x.csv"],
        ["evaluate", "x.csv", "--folds", "2"],
        ["evaluate", "x.csv", "--learning-curve", "--model", "m"],
        ["train", "x.csv", "-o", "m", "--learning-curve", "--no-figures"],
        ["score", "x", "--workers", "0"],
    ):
        with pytest.raises(SystemExit) as ended:
            main(argv)
        assert ended.value.code == 2
        assert capsys.readouterr().err
