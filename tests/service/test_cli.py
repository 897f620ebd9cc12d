"""The command line as a user has it: output, exit status, one clear line where something is wrong."""

import io
import json
import os
import pty
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from classifier import Tagger, split_html, split_text
from service.cli import COMMANDS, main

TEXT = (
    "The harbour bridge will close for a week in May while workers replace its bearings.\n"
    "Advertisement\n"
    "Support our newsroom: give 5 euros a month.\n"
)
HTML = "<!doctype html><nav><a href='/'>Home</a></nav><p>The harbour bridge will close for a week in May.</p>"


@pytest.fixture
def page(tmp_path: Path) -> str:
    path = tmp_path / "page.txt"
    path.write_text(TEXT, "utf-8")
    return str(path)


@pytest.fixture
def html_page(tmp_path: Path) -> str:
    path = tmp_path / "page.html"
    path.write_text(HTML, "utf-8")
    return str(path)


class Stdin:
    def __init__(self, raw: bytes) -> None:
        self.buffer = io.BytesIO(raw)


def json_lines(capsys: Any, *argv: str) -> list[Any]:
    assert main(["tag", "--json", *argv]) == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


class TestTag:
    def test_line_a_paragraph(self, page: str, capsys: Any) -> None:
        assert main(["tag", page]) == 0
        lines = capsys.readouterr().out.splitlines()
        assert [line.split()[:2] for line in lines[1:]] == [["1", "ad_notice"], ["2", "appeal"]]
        assert lines[0].endswith(TEXT.splitlines()[0])
        assert "\x1b" not in "".join(lines)

    def test_json(self, page: str, tagger: Tagger, capsys: Any) -> None:
        texts = TEXT.splitlines()
        assert json_lines(capsys, page) == [
            {"index": i, "text": text, "label": tag.label, "score": tag.score, "scores": tag.scores}
            for i, (text, tag) in enumerate(zip(texts, tagger.tag(texts), strict=True))
        ]

    def test_standard_input(self, page: str, capsys: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sys, "stdin", Stdin(TEXT.encode("utf-16")))  # with its byte order mark
        assert json_lines(capsys, "-") == json_lines(capsys, page)

    def test_format_is_seen_or_forced(self, page: str, html_page: str, capsys: Any) -> None:
        assert json_lines(capsys, html_page)[0]["text"] == "Home"
        for force in (["--text"], ["--split", "line"]):
            assert [one["text"] for one in json_lines(capsys, html_page, *force)] == [HTML]
        assert len(json_lines(capsys, page, "--html")) == 1

    def test_split(self, page: str, capsys: Any) -> None:
        assert len(json_lines(capsys, page, "--split", "line")) == 3
        assert len(json_lines(capsys, page, "--split", "blank")) == 1

    def test_without_context(self, page: str, tagger: Tagger, capsys: Any) -> None:
        alone = tagger.tag(TEXT.splitlines(), context=False)
        assert [one["scores"] for one in json_lines(capsys, page, "--no-context")] == [tag.scores for tag in alone]

    def test_model(self, page: str, capsys: Any) -> None:
        folder = str(Path(sys.modules["classifier"].__file__ or "").with_name("model"))
        assert json_lines(capsys, page, "--model", folder) == json_lines(capsys, page)

    def test_explain(self, page: str, tagger: Tagger, capsys: Any) -> None:
        (one,) = json_lines(capsys, page, "--explain", "2")
        assert one["index"] == 2
        assert one["why"]["reasons"][0]["name"] == tagger.explain(TEXT.splitlines(), 2).reasons[0].name
        assert main(["tag", page, "--explain", "2"]) == 0
        said = capsys.readouterr().out
        assert said.startswith("   2  appeal")
        assert one["why"]["reasons"][0]["name"].strip() in said
        assert "paragraph 1" in said

    def test_empty_page(self, tmp_path: Path, capsys: Any) -> None:
        path = tmp_path / "empty"
        path.write_bytes(b"")
        for command in ("tag", "clean"):
            assert main([command, str(path)]) == 0
            assert capsys.readouterr().out == ""

    def test_bytes_that_are_no_text(self, tmp_path: Path, capsys: Any) -> None:
        path = tmp_path / "noise"
        path.write_bytes(bytes(range(256)) * 40)
        assert main(["tag", str(path)]) == 0
        assert main(["clean", str(path)]) == 0


class TestClean:
    def test_keeps_content(self, page: str, capsys: Any) -> None:
        assert main(["clean", page]) == 0
        assert capsys.readouterr().out == TEXT.splitlines()[0] + "\n"

    def test_keep(self, page: str, tagger: Tagger, capsys: Any) -> None:
        for keep in (["--keep", "appeal", "ad_notice"], ["--keep", "ad_notice", "--keep", "appeal"]):
            assert main(["clean", page, *keep]) == 0
            assert capsys.readouterr().out == "\n\n".join(TEXT.splitlines()[1:]) + "\n"
        assert main(["clean", page, "--keep", *tagger.labels]) == 0
        assert capsys.readouterr().out == "\n\n".join(TEXT.splitlines()) + "\n"

    @pytest.mark.parametrize("flags", [[], ["--no-context"], ["--html"]])
    def test_keep_recall(self, page: str, html_page: str, fitted: Path, flags: list[str], capsys: Any) -> None:
        small = Tagger.load(fitted)
        source, paragraphs = (html_page, split_html(HTML)) if "--html" in flags else (page, split_text(TEXT))
        tags = small.tag(paragraphs, context="--no-context" not in flags)
        for recall in (0.5, 0.999):
            keep = small.keep(paragraphs, ["appeal"], recall, context="--no-context" not in flags)
            argv = ["clean", source, "--model", str(fitted), "--keep", "appeal", "--keep-recall", str(recall), *flags]
            assert main(argv) == 0
            kept = [one.text for one, tag in zip(paragraphs, tags, strict=True) if tag in keep]
            assert capsys.readouterr().out.rstrip("\n") == "\n\n".join(kept)

    def test_keep_recall_that_can_not_be_had(self, page: str, fitted: Path, unmeasured: Path, capsys: Any) -> None:
        for model, more, says in (
            (fitted, ["--keep", "content", "appeal"], "one label to keep"),
            (unmeasured, [], "no curve of thresholds for 'content' in the mode 'text'; train with figures"),
        ):
            assert main(["clean", page, "--model", str(model), "--keep-recall", "0.9", *more]) == 1
            out, err = capsys.readouterr()
            assert (out, err.count("\n")) == ("", 1)
            assert err.startswith("boilertag: --keep-recall: ")
            assert says in err


class TestErrors:
    @pytest.mark.parametrize("command", ["tag", "clean"])
    def test_no_such_file(self, command: str, tmp_path: Path, capsys: Any) -> None:
        path = tmp_path / "page.html"
        assert main([command, str(path)]) == 1
        assert capsys.readouterr() == ("", f"boilertag: {path}: no such file\n")

    def test_folder(self, tmp_path: Path, capsys: Any) -> None:
        assert main(["tag", str(tmp_path)]) == 1
        assert capsys.readouterr().err == f"boilertag: {tmp_path}: is a folder, not a file\n"

    @pytest.mark.parametrize(
        ("arguments", "says"),
        [
            (["tag", "--explain", "3"], "no paragraph 3: they are 0 to 2"),
            (["clean", "--keep", "zebra"], "no label 'zebra' in this model; it has content"),
            (["tag", "--model", "/no/such/model"], "/no/such/model is no model folder"),
        ],
    )
    def test_bad_input(self, arguments: list[str], says: str, page: str, capsys: Any) -> None:
        assert main([arguments[0], page, *arguments[1:]]) == 1
        out, err = capsys.readouterr()
        assert says in err
        assert err.startswith("boilertag: ")
        assert (out, err.count("\n")) == ("", 1)

    @pytest.mark.parametrize(
        "argv",
        [
            [],
            ["bogus"],
            ["tag"],
            ["tag", "a", "b"],
            ["tag", "a", "--html", "--text"],
            ["tag", "a", "--split", "words"],
            ["tag", "a", "--explain", "-1"],
            ["tag", "a", "--explain", "x"],
            ["clean", "a", "--keep"],
            ["clean", "a", "--keep-recall", "1"],
            ["clean", "a", "--keep-recall", "x"],
            ["serve", "--port", "x"],
            ["serve", "--workers"],
        ],
        ids=" ".join,
    )
    def test_wrong_use(self, argv: list[str], capsys: Any) -> None:
        with pytest.raises(SystemExit) as left:
            main(argv)
        assert left.value.code == 2
        assert "usage: boilertag" in capsys.readouterr().err

    def test_senseless_settings(self, capsys: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        assert main(["serve", "--port", "99999"]) == 2
        assert capsys.readouterr().err == "boilertag: port must be a number from 1 to 65535, not 99999\n"
        monkeypatch.setenv("BOILERTAG_PROT", "1")
        assert main(["serve"]) == 2
        assert "did you mean BOILERTAG_PORT?" in capsys.readouterr().err
        monkeypatch.delenv("BOILERTAG_PROT")
        assert main(["serve", "--model", str(tmp_path)]) == 1
        assert "is no model folder" in capsys.readouterr().err


def test_interrupted(capsys: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    class Interrupted(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            raise KeyboardInterrupt

    stdin = Stdin(b"")
    stdin.buffer = Interrupted()
    monkeypatch.setattr(sys, "stdin", stdin)
    assert main(["tag", "-"]) == 130
    assert capsys.readouterr() == ("", "")


class TestHelp:
    @pytest.mark.parametrize("command", COMMANDS)
    def test_every_command_has_it(self, command: str, capsys: Any) -> None:
        with pytest.raises(SystemExit) as left:
            main([command, "--help"])
        assert left.value.code == 0
        assert capsys.readouterr().out.startswith(f"usage: boilertag {command} ")

    def test_names_every_command(self, capsys: Any) -> None:
        with pytest.raises(SystemExit) as left:
            main(["--help"])
        said = capsys.readouterr().out
        assert left.value.code == 0
        assert all(says in said for _, says in COMMANDS.values())

    def test_version(self, capsys: Any) -> None:
        with pytest.raises(SystemExit) as left:
            main(["--version"])
        assert left.value.code == 0
        assert capsys.readouterr().out.startswith("boilertag ")


COMMAND = [sys.executable, "-m", "service.cli"]


class TestProcess:
    def test_tag_imports_nothing_that_it_does_not_need(self, page: str) -> None:
        code = (
            "import sys; from service.cli import main; main(['tag', sys.argv[1]]); main(['clean', sys.argv[1]])\n"
            "print({name.split('.')[0] for name in sys.modules} & {'sklearn', 'fastapi', 'pydantic', 'training'})"
        )
        done = subprocess.run([sys.executable, "-c", code, page], capture_output=True, text=True, check=True)
        assert done.stdout.endswith("\nset()\n")

    def test_reader_leaves(self, tmp_path: Path) -> None:
        path = tmp_path / "long.txt"
        path.write_text("The ferry left the harbour at dawn.\n" * 20_000, "utf-8")
        running = subprocess.Popen([*COMMAND, "tag", str(path)], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert running.stdout is not None
        assert running.stdout.readline()
        running.stdout.close()
        assert running.stderr is not None
        with running.stderr as stderr:
            assert stderr.read() == b""
        assert running.wait(30) == 141

    @pytest.mark.parametrize("no_color", ["", "1"])
    def test_terminal(self, page: str, no_color: str) -> None:
        ours, theirs = pty.openpty()
        environment = {**os.environ, "NO_COLOR": no_color, "COLUMNS": "50", "TERM": "xterm"}
        subprocess.run([*COMMAND, "tag", page], stdout=theirs, env=environment, check=True)
        os.close(theirs)
        shown = os.read(ours, 10_000).decode()
        os.close(ours)
        assert shown.startswith("   0  ")
        assert "The harbour bridge will c…\r\n" in shown
        assert ("\x1b[" in shown) == (not no_color)

    def test_pipe_is_utf8_in_any_locale(self) -> None:
        environment = {**os.environ, "LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
        done = subprocess.run(
            [*COMMAND, "tag", "-"], input="Čau ✓".encode(), capture_output=True, env=environment, check=True
        )
        assert done.stdout.decode().rstrip().endswith("Čau ✓")
