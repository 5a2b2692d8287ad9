"""What comes with every piece is told at once, then every ten seconds, and nothing of it is dropped."""

from secateur.live.gathered import EVERY, MOST, Gathered


def test_the_first_at_once_then_all_together() -> None:
    gathered = Gathered()
    records = []
    for step in range(250):  # five a second
        now = step / 5
        gathered.add("lost", f"gap {step}")
        records += [(now, *record) for record in gathered.due(now)]
    records += [(50.0, *record) for record in gathered.due(50.0, everything=True)]
    assert [now for now, _, _ in records] == [0, EVERY, 2 * EVERY, 3 * EVERY, 4 * EVERY, 50.0]
    assert records[0][2] == "gap 0"
    assert records[1][2] == "50 times: " + "; ".join(f"gap {step}" for step in range(1, 51))
    words = "; ".join(words.rpartition(" times: ")[2] for _, _, words in records)
    assert words.split("; ") == [f"gap {step}" for step in range(250)]


def test_one_trouble_does_not_wait_for_another_and_the_same_words_stand_once() -> None:
    gathered = Gathered()
    gathered.add("lost", "a")
    assert gathered.due(0.0) == [("lost", "a")]
    for trouble in ("lost", "disorder", "lost"):
        gathered.add(trouble, "b")
    assert gathered.due(1.0) == [("disorder", "b")]
    assert gathered.due(EVERY) == [("lost", "2 times: b")]
    assert gathered.due(2 * EVERY) == []


def test_many_do_not_wait_and_what_waits_can_be_put_aside() -> None:
    gathered = Gathered()
    gathered.add("lost", "first")
    gathered.due(0.0)
    for step in range(MOST - 1):
        gathered.add("lost", f"{step}")
        assert gathered.due(1.0) == []
    other = Gathered()
    other.restore(gathered.state())
    assert len(other.state()["lost"]) == MOST - 1
    gathered.add("lost", "last")
    assert gathered.due(1.0)[0][1].startswith(f"{MOST} times: 0; 1; ")
