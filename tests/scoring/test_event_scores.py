"""Event scores equal timescoring's and a naive oracle's, on known cases and random ones."""

from __future__ import annotations

import importlib.metadata
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from timescoring.annotations import Annotation
from timescoring.scoring import EventScoring, SampleScoring

from secateur.errors import EventsError, ScoringError
from secateur.events import Event, Events
from secateur.scoring import TIMESCORING_VERSION, always, compare, compare_all, pair_files

HOUR = 3600.0


def spans(*pairs: tuple[float, float], duration: float = HOUR) -> Events:
    return Events(tuple(Event(a, b - a) for a, b in pairs), duration)


def counted(
    reference: list[tuple[float, float]], hypothesis: list[tuple[float, float]]
) -> tuple[int, int]:
    """True and false claims."""
    score = compare(spans(*reference), spans(*hypothesis)).events
    return score.tp, score.fp


@pytest.mark.clause("SzCORE overlap")
def test_szcore_overlap_a_second_is_enough() -> None:
    assert counted([(100, 160)], [(130, 131)]) == (1, 0)


@pytest.mark.clause("SzCORE before")
@pytest.mark.parametrize(("end", "counts"), [(70, (0, 1)), (71, (1, 0))])
def test_szcore_before_a_claim_ends_less_than_30_s_before_the_onset(
    end: float, counts: tuple[int, int]
) -> None:
    assert counted([(100, 160)], [(60, end)]) == counts


@pytest.mark.clause("SzCORE after")
@pytest.mark.parametrize(("begin", "counts"), [(219, (1, 0)), (220, (0, 1))])
def test_szcore_after_a_claim_begins_less_than_60_s_after_the_end(
    begin: float, counts: tuple[int, int]
) -> None:
    assert counted([(100, 160)], [(begin, 230)]) == counts


@pytest.mark.clause("SzCORE merging")
@pytest.mark.parametrize(("begin", "claims"), [(1099, 1), (1100, 2)])
def test_szcore_merging_claims_less_than_90_s_apart_are_one(begin: float, claims: int) -> None:
    assert counted([], [(1000, 1010), (begin, 1110)]) == (0, claims)


@pytest.mark.clause("SzCORE splitting")
@pytest.mark.parametrize(("end", "claims"), [(1300, 1), (1601, 3)])
def test_szcore_splitting_each_five_minutes_count(end: float, claims: int) -> None:
    assert counted([], [(1000, end)]) == (0, claims)


@st.composite
def few_events(draw: st.DrawFn) -> Events:
    pairs = draw(st.lists(st.tuples(st.integers(0, 1990), st.integers(1, 700)), max_size=6))
    events = Events(tuple(Event(float(a), float(d)) for a, d in pairs), 2000.0)
    return events.clipped().merged()


def oracle(reference: Events, hypothesis: Events) -> tuple[int, int, int]:
    """Counted second by second, as the rules are written (whole seconds only)."""

    def pieces(events: Events) -> list[tuple[int, int]]:
        merged: list[list[int]] = []
        for event in events:
            if merged and event.onset - merged[-1][1] < 90:
                merged[-1][1] = max(merged[-1][1], int(event.end))
            else:
                merged.append([int(event.onset), int(event.end)])
        return [
            (start, min(start + 300, end))
            for begin, end in merged
            for start in range(begin, end, 300)
        ]

    claimed: set[int] = set()
    for a, b in pieces(hypothesis):
        claimed |= set(range(a, b))
    tp, taken = 0, set()
    for a, b in pieces(reference):
        wide = set(range(max(0, a - 30), min(2000, b + 60)))
        if wide & claimed:
            tp += 1
            taken |= wide
    fp = sum(1 for a, b in pieces(hypothesis) if not set(range(a, b)) & taken)
    return tp, fp, len(pieces(reference))


@pytest.mark.clause("SzCORE overlap")
@pytest.mark.clause("SzCORE samples")
@given(few_events(), few_events())
def test_the_scorer_is_timescoring_and_a_naive_oracle(
    reference: Events, hypothesis: Events
) -> None:
    ours = compare(reference, hypothesis)
    ref, hyp = (
        Annotation([(e.onset, e.end) for e in events], 10, 20000)
        for events in (reference, hypothesis)
    )
    theirs, samples = EventScoring(ref, hyp), SampleScoring(ref, hyp)
    assert (ours.events.tp, ours.events.fp, ours.events.ref) == (
        theirs.tp,
        theirs.fp,
        theirs.refTrue,
    )
    assert (ours.events.tp, ours.events.fp, ours.events.ref) == oracle(reference, hypothesis)
    for score, other in ((ours.events, theirs), (ours.samples, samples)):
        for name, value in (
            ("sensitivity", other.sensitivity),
            ("precision", other.precision),
            ("f1", other.f1),
            ("fp_per_day", other.fpRate),
        ):
            got = getattr(score, name)
            assert (got is None and np.isnan(value)) or got == pytest.approx(value)
    assert (ours.samples.tp, ours.samples.fp) == (samples.tp, samples.fp)


@pytest.mark.clause("SzCORE sums")
def test_counts_are_summed_over_recordings_then_divided() -> None:
    total = compare_all([(spans((10, 20)), spans((10, 20))), (spans(), spans((500, 510)))])
    assert (total.events.tp, total.events.fp, total.events.ref) == (1, 1, 1)
    assert total.events.precision == 0.5
    assert total.events.fp_per_day == pytest.approx(12)
    assert total.as_dict()["timescoring"] == importlib.metadata.version("timescoring")


def test_the_delay_is_from_onset_to_the_first_claim_that_overlaps() -> None:
    comparison = compare(spans((100, 160), (1000, 1100)), spans((110, 120), (900, 1005)))
    assert comparison.delays == (10, 0)
    assert comparison.delay(0.5) == 5
    assert compare(spans((100, 160)), spans()).delay(0.5) is None


def test_always_firing_finds_everything() -> None:
    for duration in (7.3, 20.0, HOUR):
        reference = spans((1, 5), duration=duration)
        claim = always(reference)
        assert claim.duration == pytest.approx(duration, abs=0.1)
        assert compare(reference, claim).events.sensitivity == 1


def test_lengths_that_differ_are_refused() -> None:
    with pytest.raises(ScoringError, match="3600 s, the hypothesis 1800 s"):
        compare(spans(), spans(duration=1800))


def test_trees_are_paired_by_name_and_a_missing_file_detected_nothing(tmp_path: Path) -> None:
    for name in ("a", "b"):
        spans((100, 160)).write_tsv(tmp_path / "ref" / "sub-01" / f"{name}_events.tsv")
    spans((100, 160)).write_tsv(tmp_path / "hyp" / "sub-01" / "a_eeg.tsv")
    (tmp_path / "ref" / "participants.tsv").write_text("participant_id\nsub-01\n")
    paired = pair_files(tmp_path / "ref", tmp_path / "hyp")
    pairs = paired.pairs
    assert sorted(pairs) == ["sub-01/a", "sub-01/b"]
    assert paired.without_table == ("sub-01/b",)
    assert compare_all(pairs.values()).events.sensitivity == 0.5
    spans().write_tsv(tmp_path / "hyp" / "c_events.tsv")
    with pytest.raises(ScoringError, match=r"no reference, the first is c_events.tsv"):
        pair_files(tmp_path / "ref", tmp_path / "hyp")


def test_linked_folders_are_followed_and_circles_are_not(tmp_path: Path) -> None:
    spans((100, 160)).write_tsv(tmp_path / "elsewhere" / "a_events.tsv")
    (tmp_path / "ref").mkdir()
    (tmp_path / "ref" / "sub-01").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere" / "again").symlink_to(tmp_path / "ref")
    spans((100, 160)).write_tsv(tmp_path / "hyp" / "sub-01" / "a_events.tsv")
    paired = pair_files(tmp_path / "ref", tmp_path / "hyp")
    assert list(paired.pairs) == ["sub-01/a"]
    assert paired.without_table == ()


def test_a_flat_folder_of_detections_is_paired_with_a_tree_by_name(tmp_path: Path) -> None:
    for subject in ("sub-01", "sub-02"):
        spans((100, 160)).write_tsv(tmp_path / "ref" / subject / f"{subject}_events.tsv")
        spans((100, 160)).write_tsv(tmp_path / "hyp" / f"{subject}_events.tsv")
    pairs = pair_files(tmp_path / "ref", tmp_path / "hyp").pairs
    assert compare_all(pairs.values()).events.tp == 2
    (tmp_path / "nothing").mkdir()
    with pytest.raises(ScoringError, match="no TSV of detected events"):
        pair_files(tmp_path / "ref", tmp_path / "nothing")


def test_a_hypothesis_without_a_length_takes_the_references(tmp_path: Path) -> None:
    spans((100, 160)).write_tsv(tmp_path / "ref.tsv")
    (tmp_path / "hyp.tsv").write_text("onset\tduration\teventType\n100\t60\tsz\n")
    (pair,) = pair_files(tmp_path / "ref.tsv", tmp_path / "hyp.tsv").pairs.values()
    assert compare(*pair).events.f1 == 1
    (tmp_path / "bad.tsv").write_text("onset\n")
    with pytest.raises(EventsError):
        pair_files(tmp_path / "ref.tsv", tmp_path / "bad.tsv")


def test_what_cannot_be_paired_is_refused(tmp_path: Path) -> None:
    spans().write_tsv(tmp_path / "ref.tsv")
    (tmp_path / "empty").mkdir()
    for reference, hypothesis, said in (
        (tmp_path / "no.tsv", tmp_path / "ref.tsv", "no such file"),
        (tmp_path / "ref.tsv", tmp_path / "empty", "wanted two tables of events"),
        (tmp_path / "empty", tmp_path / "empty", "no _events.tsv"),
    ):
        with pytest.raises(ScoringError, match=said):
            pair_files(reference, hypothesis)


def test_json_has_the_promised_shape() -> None:
    told = json.loads(json.dumps(compare(spans((1, 5)), spans()).as_dict(), allow_nan=False))
    assert set(told) == {"events", "samples", "timescoring"}
    names = ["tp", "fp", "ref", "f1", "sensitivity", "precision", "fp_per_day"]
    assert list(told["events"]) == list(told["samples"]) == names
    assert told["events"]["precision"] is None
    assert told["timescoring"] == TIMESCORING_VERSION


def test_what_stands_beside_the_events_of_a_tree_is_passed_over(tmp_path: Path) -> None:
    """BIDS's other tables, what `detect --probabilities` leaves, drafts that a kill left."""
    reference, hypothesis = tmp_path / "ref", tmp_path / "hyp"
    for folder in (reference, hypothesis):
        spans((100, 160)).write_tsv(folder / "sub-01" / "a_events.tsv")
        for other in ("samples.tsv", "phenotype/seizures.tsv", "sub-01/a_probabilities.tsv"):
            path = folder / other
            path.parent.mkdir(exist_ok=True)
            path.write_text("onset\tduration\tscore\n1\t1\t0.5\n")
        (folder / "sub-01" / ".b_events.tsv.part.tsv").write_text("half writ")
        (folder / "sub-01" / "binary.tsv").write_bytes(b"\xff\xfe\x00\xd8\0")
    spans((500, 560)).write_tsv(reference / "derivatives" / "sub-01" / "a_events.tsv")
    pairs = pair_files(reference, hypothesis).pairs
    assert list(pairs) == ["sub-01/a"]
    (reference / "sub-01" / "a_events.tsv").write_text("onset\tduration\ttrial_type\n1\t1\tsz\n")
    with pytest.raises(EventsError, match="eventType is missing"):
        pair_files(reference, hypothesis)


def test_a_hypothesis_of_another_length_or_past_the_end_is_refused(tmp_path: Path) -> None:
    spans((100, 160)).write_tsv(tmp_path / "ref.tsv")
    spans((100, 160), duration=1800).write_tsv(tmp_path / "short.tsv")
    with pytest.raises(EventsError, match="recordingDuration is 1800 s, the recording lasts 3600"):
        pair_files(tmp_path / "ref.tsv", tmp_path / "short.tsv")
    (tmp_path / "late.tsv").write_text("onset\tduration\teventType\n4000\t5\tsz\n")
    with pytest.raises(EventsError, match="after the end"):
        pair_files(tmp_path / "ref.tsv", tmp_path / "late.tsv")
