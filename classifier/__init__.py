"""Tags the paragraphs of web documents: content, appeal, ad notice or navigation."""

from classifier.errors import BoilertagError, ModelError, RowError
from classifier.explanation import Change, Explanation, Neighbour, Reason
from classifier.paragraphs import Paragraph, split_html, split_text
from classifier.tagger import Keep, Tag, Tagger

__all__ = [
    "BoilertagError",
    "Change",
    "Explanation",
    "Keep",
    "ModelError",
    "Neighbour",
    "Paragraph",
    "Reason",
    "RowError",
    "Tag",
    "Tagger",
    "split_html",
    "split_text",
]
