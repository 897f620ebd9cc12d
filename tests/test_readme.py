"""The README shows what is there."""

import json
import re
from pathlib import Path

import pytest

from classifier import Tagger
from service.cli import COMMANDS, main

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
CI = (ROOT / ".ci" / "run").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def test_the_example_prints_what_the_readme_says(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["tag", str(ROOT / "docs" / "example.txt")]) == 0
    shown = blocks("console")[0].splitlines()[1:]
    printed = capsys.readouterr().out.splitlines()
    assert [line.split()[:2] for line in shown] == [line.split()[:2] for line in printed]
    for one, other in zip(shown, printed, strict=True):
        assert float(one.split()[2]) == pytest.approx(float(other.split()[2]), abs=0.011)


def test_the_python_example_runs(tagger: Tagger, capsys: pytest.CaptureFixture[str]) -> None:
    given = {
        "html": "<p>The tide turned at six.</p>",
        "paragraphs": ["Tide tables", "News", "The tide turned at six.", "Subscribe"],
        "documents": [["The tide turned at six."], []],
    }
    exec(blocks("python")[0], given)
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == ["content", "content", "appeal"]


def test_the_request_of_the_readme_is_json_with_one_text() -> None:
    body = re.search(r"-d '(.*?)'", README)
    assert body is not None
    assert list(json.loads(body[1])) == ["text"]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_in_the_readme_and_has_help(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert f"boilertag {name}" in README
    with pytest.raises(SystemExit) as ended:
        main([name, "--help"])
    assert ended.value.code == 0
    assert f"boilertag {name}" in capsys.readouterr().out


def test_ci_installs_as_the_readme_says() -> None:
    for step in ("-m venv", " install .\n", " install -e '.[test]'", "-m pytest"):
        assert step.strip("\n") in README
        assert step in CI


def test_paths_that_documents_name_exist() -> None:
    for document in ROOT.glob("**/*.md"):
        if ".venv" in document.parts:
            continue
        for target in re.findall(r"\]\((?!http)([^)#]+)\)", document.read_text(encoding="utf-8")):
            assert (document.parent / target).exists(), f"{document}: {target}"
