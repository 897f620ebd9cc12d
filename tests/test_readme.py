"""The README shows what is there."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.serving import Service, serving
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
    (example,) = [block for block in blocks("python") if "Tagger" in block]
    exec(example, given)
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == ["content", "content", "appeal"]


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    """A service to run the examples against, in place of the one that the README starts."""
    with serving() as service:
        yield service


def run(command: list[str], example: str, service: Service, folder: Path) -> str:
    """What an example prints."""
    (folder / "pages.jsonl").write_text('{"id": "1", "text": "a"}\n{"id": "2", "text": "b"}\n')
    example = example.replace("http://127.0.0.1:8000", service.address)
    done = subprocess.run([*command, example], cwd=folder, capture_output=True, text=True, check=True, timeout=60)
    return done.stdout


@pytest.mark.skipif(not shutil.which("curl"), reason="needs curl")
def test_the_curl_examples_run(service: Service, tmp_path: Path) -> None:
    one, many = (block for block in blocks("sh") if block.startswith("curl"))
    answer = json.loads(run(["sh", "-c"], one, service, tmp_path))
    assert [paragraph["label"] for paragraph in answer["paragraphs"]] == ["content", "content", "appeal", "ad_notice"]
    lines = run(["sh", "-c"], many, service, tmp_path).splitlines()
    assert [json.loads(line)["id"] for line in lines] == ["1", "2"]


def test_the_httpx_example_runs(service: Service, tmp_path: Path) -> None:
    (example,) = [block for block in blocks("python") if "httpx" in block]
    assert run([sys.executable, "-c"], example, service, tmp_path).startswith("The ferry left at dawn")


@pytest.mark.skipif(not shutil.which("node"), reason="needs Node.js")
def test_the_fetch_example_runs(service: Service, tmp_path: Path) -> None:
    (example,) = blocks("js")
    printed = run(["node", "--input-type=module", "-e"], example, service, tmp_path)
    assert [line.split()[0] for line in printed.splitlines()] == ["content", "content", "appeal"]


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
