"""The errors that a user can mend; their text is one line that says what is wrong and what to do."""

from collections.abc import Sequence


class BoilertagError(ValueError):
    """What every error of this project derives from."""


class ModelError(BoilertagError):
    """A model folder is missing, damaged or not to be trusted."""


class RowError(BoilertagError):
    """A file of paragraph rows, or one of its rows, can't be read or written."""


class MissingColumnError(RowError):
    """A file lacks a column.

    Attributes:
        file: the file.
        column: what it lacks.
        columns: those that it has.
    """

    def __init__(self, file: str, column: str, columns: Sequence[str]) -> None:
        super().__init__(file, column, columns)
        self.file = file
        self.column = column
        self.columns = columns

    def __str__(self) -> str:
        return f"{self.file}: no column {self.column!r}; it has {', '.join(map(repr, self.columns)):.200}"


class BadRowError(RowError):
    """One row that can't be read or written; those around it may be whole.

    Attributes:
        file: the file that it stands in.
        place: where in the file.
        reason: what is wrong with it.
        number: the row's, or the line's, as messages count them.
    """

    def __init__(self, file: str, place: str, reason: str, number: int) -> None:
        super().__init__(file, place, reason, number)
        self.file = file
        self.place = place
        self.reason = reason
        self.number = number

    def __str__(self) -> str:
        return f"{self.file}, {self.place}: {self.reason}"
