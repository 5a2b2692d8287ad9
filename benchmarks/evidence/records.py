"""JSON records as rows of a Parquet file, and back exactly.

    write_records(path, records, nested=("models.*.subjects",))
    pandas.read_parquet(path)["settings.pruning.ratio"]

A table inside a record becomes columns with dotted names, each of one type. What is no plain value (a list,
an empty table, a table that `nested` names, values of several types) is a column of JSON text.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from secateur.errors import RunError
from secateur.files import replacing

Json = dict[str, Any]
_ABSENT = object()
"""In a column: the record has no such key."""
_KIND, _MISSING = b"secateur.kind", b"secateur.missing"
"""Of a column: "value", "json" or "extra"; and what a record without a value holds: "null" or "absent"."""
_LARGEST_EXACT = 2**53
_TYPES: Mapping[type, pa.DataType] = {
    bool: pa.bool_(),
    int: pa.int64(),
    float: pa.float64(),
    str: pa.string(),
}


def write_records(
    path: Path,
    records: Sequence[Mapping[str, Any]],
    nested: Sequence[str] = (),
    extra: Sequence[Mapping[str, Any]] = (),
) -> None:
    """Write a row for each record.

    `nested`: dotted names, * and ? allowed, of tables that stay one column of JSON, such as those whose keys
    differ from record to record. `extra`: a row each of plain values that readers want and that
    `read_records` leaves out, such as means. Raises `RunError` where the file wouldn't give the records back.
    """
    if not records:
        raise RunError(f"{path}: there is no record to write")
    rows = [dict(_flattened(record, nested)) for record in records]
    names = dict.fromkeys(name for row in rows for name in row)
    columns = [_column(name, [row.get(name, _ABSENT) for row in rows]) for name in names]
    wanted = dict.fromkeys(name for row in extra for name in row if name not in names)
    columns = [*(_extra(name, [row.get(name) for row in extra]) for name in wanted), *columns]
    schema = pa.schema([field for field, _ in columns])
    table = pa.Table.from_arrays([array for _, array in columns], schema=schema)
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as draft:
        pq.write_table(table, draft, compression="zstd", compression_level=9)
        if read_records(draft) != [dict(record) for record in records]:
            raise RunError(f"{path}: the records can't be told in columns; name tables in `nested`")


def read_records(path: Path) -> list[Json]:
    """The records of a file that `write_records` wrote, in its order. Raises `RunError` for other files."""
    try:
        table = pq.ParquetFile(path).read()
    except (OSError, pa.ArrowException) as error:
        raise RunError(
            f"{path}: cannot be read as Parquet ({' '.join(str(error).split())})"
        ) from None
    records: list[Json] = [{} for _ in range(table.num_rows)]
    for field, column in zip(table.schema, table.columns, strict=True):
        metadata = field.metadata or {}
        kind, missing = metadata.get(_KIND), metadata.get(_MISSING)
        if kind not in (b"value", b"json", b"extra"):
            raise RunError(f"{path}: column {field.name} was not written by benchmarks.evidence")
        if kind == b"extra":
            continue
        for record, value in zip(records, column.to_pylist(), strict=True):
            if value is not None:
                _put(record, field.name, json.loads(value) if kind == b"json" else value)
            elif missing == b"null":
                _put(record, field.name, None)
    return records


def _flattened(
    table: Mapping[str, Any], nested: Sequence[str], prefix: str = ""
) -> Iterator[tuple[str, Any]]:
    for key, value in table.items():
        name = f"{prefix}{key}"
        inner = isinstance(value, Mapping) and value and not any("." in each for each in value)
        if inner and not any(fnmatchcase(name, pattern) for pattern in nested):
            yield from _flattened(value, nested, f"{name}.")
        else:
            yield name, value


def _column(name: str, values: Sequence[Any]) -> tuple[pa.Field, pa.Array]:
    """A column of values as they are where one type holds them all, else of JSON."""
    missing = b"absent" if _ABSENT in values else b"null"
    type_of = _type_of([value for value in values if value is not None and value is not _ABSENT])
    mixed = missing == b"absent" and any(value is None for value in values)
    kind = b"json" if type_of is None or mixed else b"value"
    if kind == b"json":
        cells = [
            None if value is _ABSENT or (value is None and not mixed) else _text(value)
            for value in values
        ]
        array = pa.array(cells, pa.string())
    else:
        array = pa.array([None if value is _ABSENT else value for value in values], type_of)
    return pa.field(name, array.type, metadata={_KIND: kind, _MISSING: missing}), array


def _extra(name: str, values: Sequence[Any]) -> tuple[pa.Field, pa.Array]:
    type_of = _type_of([value for value in values if value is not None])
    if type_of is None:
        values = [None if value is None else str(value) for value in values]
    array = pa.array(values, type_of or pa.string())
    return pa.field(name, array.type, metadata={_KIND: b"extra"}), array


def _type_of(values: Sequence[Any]) -> pa.DataType | None:
    """The one type that holds all values exactly; None where there is none."""
    types = {type(value) for value in values}
    if types == {int, float}:
        exact = all(abs(value) <= _LARGEST_EXACT for value in values if type(value) is int)
        types = {float} if exact else types
    if not types:
        return pa.string()
    (first, *others) = types
    if others or first not in _TYPES:
        return None
    if first is int and any(abs(value) >= 2**63 for value in values):
        return None
    if first is float and not all(math.isfinite(value) for value in values):
        raise RunError("a value that is no finite number can't be stored")
    return _TYPES[first]


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def _put(record: Json, name: str, value: Any) -> None:
    *tables, last = name.split(".")
    for key in tables:
        record = record.setdefault(key, {})
    record[last] = value
