"""What all tests share."""

import pytest
from hypothesis import settings

from classifier import Tagger

settings.register_profile("boilertag", deadline=None, print_blob=True)  # the first example waits for the compiler
settings.load_profile("boilertag")


@pytest.fixture(scope="session")
def tagger() -> Tagger:
    """The default model."""
    return Tagger.load()
