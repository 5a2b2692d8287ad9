"""Alarms as JSON: what each line holds, and what is no alarm."""

import json

import pytest
from pydantic import ValidationError

from secateur.live.alarm import Alarm, clock


def test_a_line_holds_every_field_and_can_be_read_again() -> None:
    alarm = Alarm(
        key="ward-7-000012",
        bed="ward-7",
        kind="opened",
        time=clock(1_795_000_000.0),
        stream_seconds=120.5,
        onset=110.0,
        duration=4.0,
        confidence=0.97,
        channels=("F7-T7", "T7-P7"),
        words="seizure since 110 s",
    )
    line = json.loads(alarm.model_dump_json())
    assert line["time"] == "2026-11-18T11:06:40.000Z"
    assert line["channels"] == ["F7-T7", "T7-P7"]
    assert set(line) == set(Alarm.model_fields)
    assert Alarm.model_validate_json(alarm.model_dump_json()) == alarm


@pytest.mark.parametrize(("seconds", "text"), [(0.9996, "01.000"), (0.9994, "00.999")])
def test_a_clock_is_rounded_to_milliseconds(seconds: float, text: str) -> None:
    assert clock(seconds) == f"1970-01-01T00:00:{text}Z"


@pytest.mark.parametrize(
    "change", [{"kind": "seizure"}, {"confidence": 1.5}, {"time": "yesterday"}, {"key": ""}]
)
def test_what_is_no_alarm_is_refused(change: dict[str, object]) -> None:
    alarm = {"key": "a-1", "bed": "a", "kind": "heartbeat", "time": clock(0.0),
             "stream_seconds": 0.0, "words": "all goes on"}  # fmt: skip
    with pytest.raises(ValidationError):
        Alarm.model_validate({**alarm, **change})
