"""JSON records come back from Parquet as they were, and a stranger reads them with pandas in a line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.evidence.records import read_records, write_records
from secateur.errors import RunError

RECORDS: list[dict[str, Any]] = [
    {"run": "a", "settings": {"ratio": 0, "widths": [4, 6], "by": None}, "n": 1, "ladder": None},
    {"run": "b", "settings": {"ratio": 0.5, "widths": [], "by": "x"}, "ladder": {"loss": 0.25}},
    {"run": "c", "settings": {"ratio": 1.5, "margins": {}, "odd": "1"}, "n": None, "ladder": {}},
    {"run": "d", "settings": {"ratio": 2, "odd": 1, "2.5 %": True}, "by name": {"sub.01": [1.0]}},
]


def test_records_of_different_form_come_back_as_they_were(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    write_records(path, RECORDS)
    assert read_records(path) == RECORDS


def test_settings_are_columns_and_what_is_beside_the_records_is_one_for_readers_alone(
    tmp_path: Path,
) -> None:
    path = tmp_path / "a.parquet"
    records = [
        {"settings": {"ratio": ratio}, "subjects": {"x": 1, str(ratio): 2}} for ratio in (1, 2)
    ]
    write_records(
        path, records, ("subj*",), [{"mean": 0.5, "seed": 1}, {"mean": None, "seed": "x"}]
    )
    table = pandas.read_parquet(path)
    assert list(table.columns) == ["mean", "seed", "settings.ratio", "subjects"]
    assert table["settings.ratio"].tolist() == [1, 2]
    assert table["subjects"][0] == '{"x":1,"1":2}'
    assert read_records(path) == records


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=2), inner, max_size=3)
    ),
    max_leaves=6,
)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.dictionaries(st.sampled_from("abc."), json_values, max_size=3), min_size=1))
def test_any_records_come_back_or_are_refused(
    tmp_path_factory: pytest.TempPathFactory, records: list[dict[str, Any]]
) -> None:
    path = tmp_path_factory.mktemp("records") / "a.parquet"
    try:
        write_records(path, records)
    except RunError:
        assert not path.exists()
        assert "." in str(records) or not any(records)
    else:
        assert read_records(path) == records


def test_what_is_no_finite_number_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="no finite number"):
        write_records(tmp_path / "a.parquet", [{"a": float("nan")}])
    with pytest.raises(RunError, match="there is no record"):
        write_records(tmp_path / "a.parquet", [])


def test_files_of_others_are_refused_in_a_line(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pandas.DataFrame({"a": [1]}).to_parquet(path)
    with pytest.raises(RunError, match=r"column a was not written by benchmarks\.evidence"):
        read_records(path)
    path.write_bytes(b"PAR1 or not")
    with pytest.raises(RunError, match="cannot be read as Parquet"):
        read_records(path)
