"""The errors that a user can mend; their text is one line that says what is wrong and what to do."""


class BoilertagError(ValueError):
    """What every error of this project derives from."""


class ModelError(BoilertagError):
    """A model folder is missing, damaged or not to be trusted."""


class RowError(BoilertagError):
    """A file of paragraph rows, or one of its rows, can't be read."""
