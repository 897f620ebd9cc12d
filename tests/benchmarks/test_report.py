from pathlib import Path

import pytest

from benchmarks.report import figure, publish, table


def test_a_table_aligns_figures_to_the_right() -> None:
    assert table(("", "pages/s"), [("this", "10"), ("that", "9")]) == (
        "|  | pages/s |\n| --- | ---: |\n| this | 10 |\n| that | 9 |"
    )


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0, "0"), (0.012345, "0.0123"), (1.005, "1"), (28.04, "28"), (999.6, "1,000"), (1234567, "1,230,000")],
)
def test_figures_have_three_digits(value: float, shown: str) -> None:
    assert figure(value) == shown


def test_a_report_is_printed_and_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    publish("## Größe", "a.md", tmp_path / "new")
    assert (tmp_path / "new" / "a.md").read_text(encoding="utf-8") == "## Größe\n"
    publish("## Größe", "a.md", None)
    assert capsys.readouterr().out == "## Größe\n## Größe\n"
