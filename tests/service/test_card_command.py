"""A model's card as its users get it."""

import builtins
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from service.cli import main

POINT = {"sites": 1.0, "extra": 1.0, "documents": 8, "paragraphs": 40}


@pytest.fixture
def learned(fitted: Path, tmp_path: Path) -> Path:
    """The small model with a learning curve, of which one point could not be fitted."""
    model = tmp_path / "learned"
    model.mkdir()
    manifest = json.loads((fitted / "model.json").read_text("utf-8"))
    manifest["learning_curve"] = [
        {**POINT, "sites": 0.125, "macro_f1": {}, "macro_f1_interval": {}},
        {**POINT, "extra": 0.5, "macro_f1": {"text": 0.5}, "macro_f1_interval": {"text": [None, None]}},
        {**POINT, "macro_f1": {"text": 0.75}, "macro_f1_interval": {"text": [0.7, 0.8]}},
    ]
    (model / "model.json").write_text(json.dumps(manifest), "utf-8")
    (model / "model.joblib").write_bytes((fitted / "model.joblib").read_bytes())
    return model


def tables(card: str) -> list[list[list[str]]]:
    """The cells of every table."""
    found = re.findall(r"(?:^\|.*\|\n)+", card, re.MULTILINE)
    return [[line.strip("| ").split(" | ") for line in table.splitlines()] for table in found]


def test_a_card_tells_what_the_manifest_holds(learned: Path, tmp_path: Path, capsys: Any) -> None:
    failures = tmp_path / "failures.md"
    failures.write_text("# Failures\n\n- Lists of tides.\n", "utf-8")
    target = tmp_path / "card.md"
    assert main(["card", str(learned), "-o", str(target), "--known-failures", str(failures)]) == 0
    assert capsys.readouterr() == (f"{target}\n", "")
    card = target.read_text("utf-8")
    manifest = json.loads((learned / "model.json").read_text("utf-8"))
    assert card.startswith(f"# Model card: boilertag {manifest['sha256'][:12]}\n")
    headings = [line.lstrip("# ") for line in card.splitlines() if line.startswith("##")]
    expected = "Use, Data, Figures, View, Characters, Confusion, How much may be lost, Learning curve, Known failures"
    assert headings == expected.split(", ")
    assert card.endswith("## Known failures\n\n- Lists of tides.\n")
    assert "![" not in card
    for table in tables(card):
        assert len({len(row) for row in table}) == 1
    for mode in ("text", "html"):
        assert f"{manifest['held_out'][mode]['macro_f1']:.3f} (" in card
    assert "| 1 | 1 | 8 | 40 | 0.750 (0.700–0.800) |" in card
    assert "| 0.125 | 1 | 8 | 40 | – |" in card


def test_a_model_without_figures_has_a_card(unmeasured: Path, tmp_path: Path) -> None:
    assert main(["card", str(unmeasured), "-o", str(tmp_path / "card.md")]) == 0
    assert "None: the model was fitted without" in (tmp_path / "card.md").read_text("utf-8")


def test_the_default_model_has_a_card(tmp_path: Path) -> None:
    folder = Path(__file__).parents[2] / "classifier" / "model"
    assert main(["card", str(folder), "-o", str(tmp_path / "card.md")]) == 0
    assert "`ad_notice`" in (tmp_path / "card.md").read_text("utf-8")


def test_a_folder_gets_plots_too(learned: Path, unmeasured: Path, tmp_path: Path, capsys: Any) -> None:
    pytest.importorskip("matplotlib", reason="plots need boilertag[plots]")
    target = tmp_path / "new" / "card"
    assert main(["card", str(learned), "-o", str(target)]) == 0
    written = [target / "card.md"]
    card = written[0].read_text("utf-8")
    for name in ("calibration", "confusion", "thresholds", "learning_curve"):
        written.append(target / f"{name}.png")
        assert written[-1].read_bytes().startswith(b"\x89PNG")
        assert f"]({name}.png)" in card
    assert capsys.readouterr().out.split() == list(map(str, written))
    assert main(["card", str(unmeasured), "-o", str(tmp_path / "bare")]) == 0
    assert [path.name for path in (tmp_path / "bare").iterdir()] == ["card.md"]


@pytest.fixture
def no_matplotlib(monkeypatch: pytest.MonkeyPatch) -> None:
    real: Callable[..., Any] = builtins.__import__

    def importing(name: str, *args: Any, **options: Any) -> Any:
        if name.startswith("matplotlib"):
            raise ImportError(name)
        return real(name, *args, **options)

    monkeypatch.setattr(builtins, "__import__", importing)


@pytest.mark.usefixtures("no_matplotlib")
def test_without_matplotlib_there_is_one_clear_line(fitted: Path, tmp_path: Path, capsys: Any) -> None:
    assert main(["card", str(fitted), "-o", str(tmp_path / "card")]) == 1
    assert capsys.readouterr() == ("", "boilertag: plots need matplotlib; pip install 'boilertag[plots]'\n")
    assert not (tmp_path / "card" / "card.md").exists()
    assert main(["card", str(fitted), "-o", str(tmp_path / "card.md")]) == 0


def test_what_is_not_there_is_one_clear_line(fitted: Path, tmp_path: Path, capsys: Any) -> None:
    (tmp_path / "taken").touch()
    for argv, says in (
        (["nowhere", "-o", str(tmp_path / "card.md")], "nowhere is no model folder"),
        ([str(fitted), "-o", str(tmp_path / "card.md"), "--known-failures", "gone.md"], "gone.md: no such file"),
        ([str(fitted), "-o", str(tmp_path / "gone" / "card.md")], "no such file"),
        ([str(fitted), "-o", str(tmp_path / "taken")], "file exists"),
    ):
        assert main(["card", *argv]) == 1
        out, err = capsys.readouterr()
        assert (out, err.count("\n")) == ("", 1)
        assert says in err
