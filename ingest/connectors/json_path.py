"""Values out of JSON by path: dotted names, and JSONPath where brackets are needed.

``requester.id`` walks by name (any letters, Chinese too). Everything with brackets, stars or two dots is JSONPath by
jsonpath-ng: ``custom_fields[?(@.id==360)].value``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from jsonpath_ng.exceptions import JSONPathError
from jsonpath_ng.ext.parser import parse

from ingest.configuration import PLACEHOLDER, TableMapping
from ingest.errors import SourceError

_NOT_SIMPLE = re.compile(r"[\[\]*$`]|\.\.")


def is_simple(path: str) -> bool:
    """Whether the path only names fields inside objects."""
    return _NOT_SIMPLE.search(path) is None


def find(path: str, content: Any) -> list[Any]:
    """All values at the path; ``""`` is the content itself. Raises :class:`SourceError` where it is no path."""
    return _finder(path)(content)


def value_at(path: str, content: Any) -> Any:
    """The value at the path, None where there is none; several plain values are joined by commas."""
    found = [value for value in find(path, content) if value is not None]
    if len(found) > 1 and all(isinstance(value, str | int | float) for value in found):
        return ",".join(str(value) for value in found)
    return found[0] if len(found) == 1 else (found or None)


@lru_cache(maxsize=512)
def _finder(path: str) -> Callable[[Any], list[Any]]:
    if not path or path == "$":
        return lambda content: [content]
    if is_simple(path):
        names = path.split(".")
        return lambda content: _walk(names, content)
    try:
        expression = parse(path)
    except (JSONPathError, ValueError, AttributeError) as error:  # the parser's own faults differ by what is wrong
        raise SourceError(f"{path!r} is no JSON path ({error}); write e.g. fields[?(@.id==360)].value") from error
    return lambda content: [match.value for match in expression.find(content)]


def _walk(names: Sequence[str], content: Any) -> list[Any]:
    for name in names:
        if not isinstance(content, Mapping) or name not in content:
            return []
        content = content[name]
    return [content]


def named_columns(tables: Iterable[TableMapping]) -> list[str]:
    """All source columns that the mappings name, each once."""
    names: dict[str, None] = {}
    for table in tables:
        columns = [*table.columns.values(), *table.where, *table.deleted_when, table.changed_at or ""]
        columns += [name for template in table.templates.values() for name in PLACEHOLDER.findall(template)]
        names |= dict.fromkeys(column for column in columns if column)
    return list(names)


def with_paths(records: Sequence[Mapping[str, Any]], paths: Sequence[str]) -> Sequence[Mapping[str, Any]]:
    """The records with the value at each path as a field of that name, so that a mapping finds it as a column."""
    if not paths:
        return records
    return [{**record, **{path: value_at(path, record) for path in paths if path not in record}} for record in records]
