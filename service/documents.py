"""What a request may send: a document as text, HTML or paragraphs, checked against the service's limits."""

from collections.abc import Sequence
from typing import Annotated, Any, Final, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Discriminator, Field, Tag, model_validator
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

# What came as its text alone stays so: building a Paragraph takes a fifth of the time that judging it does.
TextOrParagraph = str | Paragraph


def text_of(paragraph: TextOrParagraph) -> str:
    """The text of a paragraph."""
    return paragraph if isinstance(paragraph, str) else paragraph.text


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    @model_validator(mode="before")
    @classmethod
    def _count_fields(cls, value: Any) -> Any:
        # Without this a body of a million unknown fields becomes a million errors, a kilobyte each.
        if isinstance(value, dict) and len(value) > len(cls.model_fields):
            known = ", ".join(cls.model_fields)
            raise PydanticCustomError("too_many_fields", f"Too many fields; there are {known}")
        return value


def _whole(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value.is_integer() else value


AS_IN_JSON: Final = BeforeValidator(_whole)  # where 3.0 is an integer as 3 is


class Row(Strict):
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


def _kind_of_explain(value: Any) -> str | None:
    if isinstance(value, bool):
        return "all"
    return "places" if isinstance(value, list) else None


_Explain = Annotated[
    Annotated[bool, Tag("all")] | Annotated[list[Annotated[int, Field(ge=0), AS_IN_JSON]], Tag("places")],
    Discriminator(
        _kind_of_explain,
        custom_error_type="explain",
        custom_error_message="Must be a boolean, or an array of paragraphs' places",
    ),
]

SOURCES: Final = {"text": "string", "html": "string", "paragraphs": "array"}  # and their types in JSON


def schema(*examples: dict[str, Any]) -> ConfigDict:
    """What a source of a document says of itself: examples, and that it has exactly one of ``SOURCES``."""
    one_of: list[Any] = [
        {"required": [source], "properties": {source: {"type": kind}}} for source, kind in SOURCES.items()
    ]
    return ConfigDict(json_schema_extra={"examples": [*examples], "oneOf": one_of})


class Source(Strict):
    """A document: exactly one of ``text``, ``html`` and ``paragraphs``."""

    text: str | None = Field(None, description="A plain text, to be split by lines or blank lines.")
    html: str | None = Field(None, description="A page, to be split by its block elements.")
    paragraphs: list[_Given] | None = Field(
        None,
        fail_fast=True,
        description="Paragraphs in the order of the document. Their HTML hints count where each one has both.",
    )

    @model_validator(mode="after")
    def _has_one_source(self) -> Self:
        given = [name for name in SOURCES if getattr(self, name) is not None]
        if len(given) != 1:
            found = f"found {' and '.join(given)}" if given else "found none"
            raise PydanticCustomError("one_source", f"Must have exactly one of {', '.join(SOURCES)}; {found}")
        return self

    def split(self, limits: Settings) -> Sequence[TextOrParagraph]:
        """The paragraphs of a document that is no HTML.

        Raises:
            Problem: there are too many, or one is too long.
        """
        found: Sequence[TextOrParagraph]
        if self.paragraphs is not None:
            found = [
                one if isinstance(one, str) else Paragraph(one.text, one.tag, one.link_density)
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

    def _source(self) -> str:
        return next(name for name in SOURCES if getattr(self, name) is not None)

    def _check(self, found: Sequence[TextOrParagraph], limits: Settings) -> None:
        source = self._source()
        place = pointer([source])
        check_limit(TOO_MANY_PARAGRAPHS, "The document", len(found), limits, "max_paragraphs", place)
        lengths = [len(text_of(paragraph)) for paragraph in found]
        if lengths:
            i = lengths.index(max(lengths))
            if source == "paragraphs":
                place = pointer([source, i])
            check_limit(PARAGRAPH_TOO_LONG, f"Paragraph {i}", lengths[i], limits, "max_paragraph_characters", place)


class Document(Source):
    """A document to tag: exactly one of ``text``, ``html`` and ``paragraphs``."""

    model_config = schema(
        {"paragraphs": ["The bridge opens to cyclists on Monday.", "Sign up for our newsletter", "Home"]},
        {"id": "page-17", "text": "The bridge opens on Monday.\nADVERTISEMENT\nIt took two years to build."},
        {"html": "<nav><a href='/'>Home</a></nav><p>The bridge opens on Monday.</p>", "explain": True},
        {"paragraphs": [{"text": "Home", "tag": "li", "link_density": 1.0}], "context": False},
    )

    id: str | None = Field(None, description="Comes back in the answer; made up where it is missing.")
    context: bool = Field(True, description="Whether the paragraphs around one count; else each is judged alone.")
    explain: _Explain = Field(
        False,
        description="Whether each paragraph's answer says why, or the places, from 0, of the paragraphs whose answers "
        "do; places past the end are passed over. Slow: it tags the document many times for each.",
    )

    def _check(self, found: Sequence[TextOrParagraph], limits: Settings) -> None:
        super()._check(found, limits)
        if not self.explain:
            return
        characters = sum(len(text_of(paragraph)) for paragraph in found)
        if self.explain is True:
            place = pointer([self._source()])
            counts = {"max_explained_paragraphs": len(found), "max_explained_characters": characters}
            for setting, count in counts.items():
                check_limit(TOO_LONG_TO_EXPLAIN, "The document", count, limits, setting, place)
        else:
            _check_places(self.explain, characters, limits)


def _check_places(places: list[int], characters: int, limits: Settings) -> None:
    """The fewer paragraphs are explained, the longer may the document be."""
    place = pointer(["explain"])
    check_limit(TOO_LONG_TO_EXPLAIN, "The list", len(places), limits, "max_explained_paragraphs", place)
    most = limits.max_explained_characters * limits.max_explained_paragraphs // len(places)
    if characters > most:
        detail = (
            f"The document has {characters:,} characters; where {len(places):,} of its paragraphs are explained, "
            f"the limit is {most:,} (max_explained_characters times max_explained_paragraphs, by their number)"
        )
        raise Problem(TOO_LONG_TO_EXPLAIN, f"{detail}.", [FieldError(pointer=place, detail=detail)])


def check_limit(kind: Kind, subject: str, count: int, limits: Settings, setting: str, place: str) -> None:
    """
    Raises:
        Problem: ``count`` is over the limit that is called ``setting``.
    """
    limit = getattr(limits, setting)
    if count > limit:
        unit = setting.rpartition("_")[2]
        detail = f"{subject} has {count:,} {unit}; the limit is {limit:,} ({setting})"
        raise Problem(kind, f"{detail}.", [FieldError(pointer=place, detail=detail)])


class Page(Document):
    """A document to clean: as one to tag, and what to keep."""

    model_config = ConfigDict(
        json_schema_extra={
            **Document.model_config["json_schema_extra"],  # type: ignore[dict-item]
            "if": {"required": ["keep_recall"], "properties": {"keep_recall": {"type": "number"}}},
            "then": {"properties": {"keep": {"minItems": 1, "maxItems": 1}}},
        }
    )

    keep: list[str] = Field(
        ["content"],
        fail_fast=True,
        description="The labels whose paragraphs are kept.",
        examples=[["content"]],
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
