"""Files of paragraph rows: CSV, TSV, JSON lines and Parquet, read and written as streams.

A file is read in blocks of rows that end where a document ends, each in the form that its file holds it in, so that
whatever writes the same format can hand a row on as it stands: a JSON line byte for byte, an Arrow column with its
type. :func:`read_rows` and :class:`RowWriter` are the plain way in: rows as dictionaries.
"""

from classifier.rows.documents import Row, document_sizes, documents
from classifier.rows.names import split_name
from classifier.rows.reading import RowReader, read_rows
from classifier.rows.writing import RowWriter, write_rows

__all__ = [
    "Row",
    "RowReader",
    "RowWriter",
    "document_sizes",
    "documents",
    "read_rows",
    "split_name",
    "write_rows",
]
