"""The errors that a user can mend; their text is one line that says what is wrong and what to do."""


class BoilertagError(ValueError):
    """What every error of this project derives from."""


class ModelError(BoilertagError):
    """A model folder is missing, damaged or not to be trusted."""


class RowError(BoilertagError):
    """A file of paragraph rows, or one of its rows, can't be read or written."""


class BadRowError(RowError):
    """One row that can't be read or written; those around it may be whole.

    Attributes:
        file: the file that it stands in.
        place: where in the file.
        reason: what is wrong with it.
    """

    def __init__(self, file: str, place: str, reason: str) -> None:
        super().__init__(file, place, reason)
        self.file = file
        self.place = place
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.file}, {self.place}: {self.reason}"
