"""What a request may send: a document as text, HTML or paragraphs, checked against the service's limits."""

from typing import Annotated, Any, Final, Self

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, model_validator
from pydantic_core import PydanticCustomError

from classifier import Paragraph, split_text
from service.pages import Splitter
from service.problems import (
    PARAGRAPH_TOO_LONG,
    TOO_LONG_TO_EXPLAIN,
    TOO_MANY_PARAGRAPHS,
    FieldError,
    Kind,
    Problem,
    pointer,
)
from service.settings import Settings


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    @model_validator(mode="before")
    @classmethod
    def _count_fields(cls, value: Any) -> Any:
        # Without this a body of a million unknown fields becomes a million errors, a kilobyte each.
        if isinstance(value, dict) and len(value) > len(cls.model_fields):
            known = ", ".join(cls.model_fields)
            raise PydanticCustomError("too_many_fields", f"Too many fields; there are {known}")
        return value


class Row(_Strict):
    """A paragraph with what its HTML said of it."""

    text: str
    tag: str | None = Field(None, description="The HTML element that holds it.", examples=["p"])
    link_density: float | None = Field(
        None, ge=0, le=1, allow_inf_nan=False, description="The share of its characters that stand in links."
    )


def _kind(value: Any) -> str | None:
    if isinstance(value, str):
        return "text"
    return "row" if isinstance(value, dict | Row) else None


_Given = Annotated[
    Annotated[str, Tag("text")] | Annotated[Row, Tag("row")],
    Discriminator(
        _kind, custom_error_type="paragraph", custom_error_message='Must be a string or an object with "text"'
    ),
]

SOURCES: Final = {"text": "string", "html": "string", "paragraphs": "array"}  # and their types in JSON


class Document(_Strict):
    """A document to tag: exactly one of ``text``, ``html`` and ``paragraphs``."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"paragraphs": ["The bridge opens to cyclists on Monday.", "Sign up for our newsletter", "Home"]},
                {"id": "page-17", "text": "The bridge opens on Monday.\nADVERTISEMENT\nIt took two years to build."},
                {"html": "<nav><a href='/'>Home</a></nav><p>The bridge opens on Monday.</p>", "explain": True},
                {"paragraphs": [{"text": "Home", "tag": "li", "link_density": 1.0}], "context": False},
            ],
            "oneOf": [
                {"required": [source], "properties": {source: {"type": kind}}} for source, kind in SOURCES.items()
            ],
        },
    )

    id: str | None = Field(None, description="Comes back in the answer; made up where it is missing.")
    text: str | None = Field(None, description="A plain text, to be split by lines or blank lines.")
    html: str | None = Field(None, description="A page, to be split by its block elements.")
    paragraphs: list[_Given] | None = Field(
        None,
        fail_fast=True,
        description="Paragraphs in the order of the document. Their HTML hints count where each one has both.",
    )
    context: bool = Field(True, description="Whether the paragraphs around one count; else each is judged alone.")
    explain: bool = Field(False, description="Whether each paragraph's answer says why. Slow: it tags many times.")

    @model_validator(mode="after")
    def _has_one_source(self) -> Self:
        given = [name for name in SOURCES if getattr(self, name) is not None]
        if len(given) != 1:
            found = f"found {' and '.join(given)}" if given else "found none"
            raise PydanticCustomError("one_source", f"Must have exactly one of {', '.join(SOURCES)}; {found}")
        return self

    def split(self, limits: Settings) -> list[Paragraph]:
        """The paragraphs of a document that is no HTML.

        Raises:
            Problem: there are too many, or one is too long.
        """
        if self.paragraphs is not None:
            found = [
                Paragraph(one) if isinstance(one, str) else Paragraph(one.text, one.tag, one.link_density)
                for one in self.paragraphs
            ]
        else:
            found = split_text(self.text or "")
        self._check(found, limits)
        return found

    async def split_html(self, splitter: Splitter, limits: Settings) -> list[Paragraph]:
        """The paragraphs of a document that is HTML.

        Raises:
            Problem: there are too many, one is too long, or the HTML is too complex.
        """
        found = await splitter.split(self.html or "")
        self._check(found, limits)
        return found

    def _check(self, found: list[Paragraph], limits: Settings) -> None:
        source = next(name for name in SOURCES if getattr(self, name) is not None)
        place = pointer([source])
        _limit(TOO_MANY_PARAGRAPHS, "The document", len(found), limits, "max_paragraphs", place)
        lengths = [len(paragraph.text) for paragraph in found]
        if self.explain:
            _limit(TOO_LONG_TO_EXPLAIN, "The document", len(found), limits, "max_explained_paragraphs", place)
            _limit(TOO_LONG_TO_EXPLAIN, "The document", sum(lengths), limits, "max_explained_characters", place)
        if lengths:
            i = lengths.index(max(lengths))
            if source == "paragraphs":
                place = pointer([source, i])
            _limit(PARAGRAPH_TOO_LONG, f"Paragraph {i}", lengths[i], limits, "max_paragraph_characters", place)


def _limit(kind: Kind, subject: str, count: int, limits: Settings, setting: str, place: str) -> None:
    limit = getattr(limits, setting)
    if count > limit:
        unit = setting.rpartition("_")[2]
        detail = f"{subject} has {count:,} {unit}; the limit is {limit:,} ({setting})"
        raise Problem(kind, f"{detail}.", [FieldError(pointer=place, detail=detail)])


class Page(Document):
    """A document to clean: as one to tag, and what to keep."""

    keep: list[str] = Field(
        ["content"],
        fail_fast=True,
        description="The labels whose paragraphs are kept.",
        examples=[["content", "appeal"]],
    )
    keep_recall: float | None = Field(
        None,
        gt=0,
        lt=1,
        allow_inf_nan=False,
        description="How much of the kept label's text must stay, as a share of its characters: a paragraph is removed "
        "only if it is less likely to be of that label than the threshold that kept this share on held-out sites. "
        "Needs one label in `keep`, and a model whose manifest has the curve of thresholds.",
        examples=[0.999],
    )
