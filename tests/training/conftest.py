"""Small labelled documents that a model can be fitted on in a second."""

import random

import pytest

from classifier import Paragraph
from training.data import Dataset, Document, dataset

_BODY = (
    "The council met on Tuesday and voted to keep the old tram running until the spring.",
    "Nobody at the harbour had seen so many herring since the winter of the great storm, the skipper said.",
    "The report counts forty bridges that need new bearings, nine of them before the frost.",
    "She learned the tune from her aunt, who had it from a fiddler in the north.",
    "Engineers will close one lane at night, and the buses will go round by the mill.",
    "The donation paid for the roof, the treasurer told the meeting, and left a little for paint.",
    "Rain is expected on Thursday, clearing from the west towards the evening.",
    "His second novel follows three sisters who run a ferry and never speak to each other.",
)
_APPEAL = ("Subscribe now", "Support our work with a gift", "Join 900 members", "Sign up for the letter", "Donate €5")
_AD = ("Advertisement", "Sponsored by Lund Paint", "Ad", "This post has affiliate links")
_MENU = ("Home", "News", "Sport", "Contact", "Log in", "Share", "Read more", "Terms", "Archive", "Next page")


def page(seed: int) -> Document:
    """A page of a site of its own: a menu, a body with an ad label in it, an appeal, a footer."""
    chance = random.Random(seed)
    rows = [("navigation", text, "li", 1.0) for text in chance.sample(_MENU, 4)]
    rows.append(("content", f"What the town said about plan {seed}", "h1", 0.0))
    rows += [("content", text, "p", 0.0) for text in chance.sample(_BODY, 5)]
    rows.insert(7, ("ad_notice", chance.choice(_AD), "div", 0.0))
    rows += [("appeal", text, "p", 0.2) for text in chance.sample(_APPEAL, 2)]
    rows += [("navigation", text, "li", 1.0) for text in chance.sample(_MENU, 3)]
    return Document(
        paragraphs=tuple(Paragraph(text, tag, density) for _, text, tag, density in rows),
        labels=tuple(label for label, *_ in rows),
        group=f"site{seed}",
        weight=1.0,
        facets={"lang": "en" if seed % 3 else "nn"},
    )


@pytest.fixture(scope="session")
def pages() -> list[Document]:
    return [page(seed) for seed in range(30)]


@pytest.fixture(scope="session")
def small(pages: list[Document]) -> Dataset:
    return dataset(pages)


@pytest.fixture(scope="session")
def unseen() -> list[Document]:
    return [page(seed) for seed in range(1000, 1010)]
