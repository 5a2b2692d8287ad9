"""The page in a real Chromium: opened, turned, worked on with pointer and keys, in one window and in two."""

from __future__ import annotations

from pathlib import Path

import pytest
from selenium.webdriver import ActionChains, Chrome
from selenium.webdriver.common.keys import Keys

from secateur.events import Event, Events
from secateur.live.log import AlarmLog
from secateur.live.recorder import recording_name
from secateur.live.state import LOCK
from secateur.recordings.layouts.listing import events_path
from secateur.reviewed import ReviewedTable, read_reviewed, reviewed_tables
from tests.support.chromium import nameless, tree
from tests.support.reviewing import MACHINE, SECONDS, Desk, alarm, served, write_night

TICK = """
const [share] = arguments;
const canvas = document.querySelector('#strip canvas');
const box = (selector) => document.querySelector(selector).getBoundingClientRect();
const [over, whole] = [box('#strip .u-over'), box('#strip canvas')];
const scale = canvas.width / whole.width;
const at = Math.round((over.left - whole.left + share * over.width) * scale);
const half = Math.round(6 * scale);
const [top, bottom] = [1, 9].map((row) => Math.round(row * scale));
const data = canvas.getContext('2d').getImageData(at - half, top, 2 * half, bottom - top).data;
const widths = [];
for (let y = 0; y < bottom - top; y++) {
  const inked = [...Array(2 * half).keys()].filter((x) => data[4 * (2 * half * y + x) + 3] > 120);
  if (inked.length) widths.push(inked.at(-1) - inked[0] + 1);
}
return widths;
"""
"""How wide a tick of the strip is in each of its rows, from the upper to the lower one."""


def ticks(desk: Desk, seconds: float) -> list[int]:
    """The width, row by row, of what stands on the strip for an alarm at this second; empty: nothing."""
    return list(desk.js(TICK, seconds / SECONDS))


def reviewed(ward: Path) -> ReviewedTable:
    return read_reviewed(reviewed_tables(ward / "night.edf")["AB"])


def test_recordings_are_listed_with_what_is_wrong(
    browser: Chrome, address: str, ward: Path
) -> None:
    desk = Desk(browser, address)
    desk.overview()
    text = desk.text("#recordings tbody")
    assert "night.edf" in text
    assert "24 h 00 min" in text
    assert "broken.edf" in text
    assert str(ward) not in desk.js("return document.body.innerHTML")
    assert "token" not in browser.current_url
    assert desk.complaints() == []


def test_a_list_that_takes_its_time_says_so(browser: Chrome, address: str) -> None:
    slow = {"offline": False, "latency": 700, "downloadThroughput": -1, "uploadThroughput": -1}
    desk = Desk(browser, address)
    browser.get("about:blank")
    try:
        browser.execute_cdp_cmd("Network.enable", {})
        browser.execute_cdp_cmd("Network.emulateNetworkConditions", slow)
        browser.get(address)
        desk.wait_status("Looking into all recordings")
        desk.wait(lambda: desk.js("return document.querySelector('#recordings tbody tr')"))
        desk.wait(lambda: desk.status == "")
    finally:
        browser.execute_cdp_cmd("Network.emulateNetworkConditions", {**slow, "latency": 0})


def test_agreement_is_told(desk: Desk) -> None:
    desk.press("n", "a", "n", "r")
    desk.wait(lambda: desk.verdicts == ["accepted", "rejected", "open"])
    desk.press("o")
    cells = "[...row.cells].map(cell => cell.innerText)"
    script = f"return [...document.querySelectorAll('#agreement tr')].map(row => {cells})"
    # the table of the beginning stands there until the new one has come
    desk.wait(lambda: ["night.edf", "0.0", "3", "1"] in [row[:4] for row in desk.js(script)])
    rows = {row[0]: row[1:] for row in desk.js(script)}
    assert rows["Recording"][1:6] == ["Detected", "Kept", "Moved", "Rejected", "Added"]
    assert rows["night.edf"] == ["0.0", "3", "1", "0", "1", "0", "1", "–"]
    assert rows["All recordings"][1:7] == ["3", "1", "0", "1", "0", "1"]
    desk.press(Keys.ESCAPE)


def test_pages_turn_by_keys_buttons_and_the_strip(desk: Desk) -> None:
    assert desk.interval.startswith("00:00:00 – 00:00:10")
    desk.press(Keys.ARROW_RIGHT)
    desk.wait(lambda: desk.interval.startswith("00:00:10"))
    desk.press_with(Keys.SHIFT, Keys.ARROW_RIGHT)
    desk.wait(lambda: desk.interval.startswith("00:00:11"))
    desk.find("#page-back").click()
    desk.wait(lambda: desk.interval.startswith("00:00:01"))
    desk.press(Keys.END)
    desk.wait(lambda: desk.interval.startswith("00:01:50 – 00:02:00"))
    desk.press(Keys.ARROW_RIGHT)
    desk.until_drawn()
    assert desk.interval.startswith("00:01:50")
    desk.find("#strip .u-over").click()  # its middle
    desk.wait(lambda: desk.interval.startswith(("00:00:54", "00:00:55")))
    desk.until_drawn()
    turns = desk.js("return performance.getEntriesByName('page-turn').length")
    assert turns >= 4


def test_a_person_accepts_rejects_and_undoes(desk: Desk, ward: Path) -> None:
    assert desk.times == ["00:00:20", "00:01:00", "00:01:30"]
    desk.press("n")
    desk.wait(lambda: desk.text("#chosen-title") == "Event at 00:00:20")
    desk.find("#accept").click()
    desk.wait(lambda: desk.verdicts == ["accepted", "open", "open"])
    assert reviewed(ward).events[0].verdict == "accepted"
    desk.press("n", "r")
    desk.wait(lambda: desk.verdicts == ["accepted", "rejected", "open"])
    desk.press("u")
    desk.wait(lambda: desk.verdicts == ["accepted", "open", "open"])
    desk.press_control("y")
    desk.wait(lambda: desk.verdicts == ["accepted", "rejected", "open"])
    row = reviewed(ward).events[1]
    assert (row.verdict, row.reviewer) == ("rejected", "AB")
    machine = events_path(ward / "night.edf")
    assert machine is not None
    assert machine.read_text() == Events(MACHINE, SECONDS).tsv()


def test_an_edge_is_dragged(desk: Desk, ward: Path) -> None:
    desk.press("n")
    handle = desk.wait(lambda: desk.find("#handle-begin"))
    desk.wait(handle.is_displayed)
    page = desk.js("return uPlot && document.getElementById('canvas').clientWidth")
    ActionChains(desk.browser).drag_and_drop_by_offset(handle, round(page * 0.1), 0).perform()
    desk.wait(lambda: desk.verdicts[0] == "changed")
    row = reviewed(ward).events[0]
    assert 20.8 < row.onset < 21.4  # a tenth of the canvas is a bit more than a tenth of 10 s
    assert row.onset + row.duration == pytest.approx(32.0)
    assert row.machine == MACHINE[0]
    desk.press_control("z")
    desk.wait(lambda: desk.verdicts[0] == "open")
    assert reviewed(ward).events[0].onset == 20.0


def test_keys_alone_do_all_of_the_work(desk: Desk, ward: Path) -> None:
    desk.press("n", "e")  # its end is on the next page
    desk.wait(lambda: desk.js("return document.activeElement.id") == "handle-end")
    desk.press(Keys.ARROW_RIGHT, Keys.ARROW_RIGHT)
    desk.press_with(Keys.SHIFT, Keys.ARROW_RIGHT)
    desk.press(Keys.ENTER)
    desk.wait(lambda: desk.verdicts[0] == "changed")
    row = reviewed(ward).events[0]
    assert row.onset + row.duration == pytest.approx(33.2)
    desk.press(Keys.ESCAPE, "c")
    desk.wait(lambda: desk.js("return document.activeElement.id") == "comment")
    desk.press("spreads to the right")
    desk.press_control(Keys.ENTER)
    desk.wait_status("commented on")
    assert reviewed(ward).events[0].comment == "spreads to the right"
    desk.press(Keys.HOME, "i")
    desk.wait(lambda: desk.verdicts == ["added", "changed", "open", "open"])
    desk.wait(lambda: desk.js("return document.activeElement.id") == "handle-begin")
    desk.press(Keys.ESCAPE, "n", "n", "a", "n", "r", "d")
    desk.wait_status("gone through")
    table = reviewed(ward)
    assert [row.verdict for row in table.events] == ["added", "changed", "accepted", "rejected"]
    assert table.is_complete
    assert [event.onset for event in table.seizures] == [3.0, 20.0, 60.0]
    desk.press(Keys.ESCAPE, "o")
    desk.wait(lambda: "Gone through to the end" in desk.text("#recordings tbody"))
    desk.open("night")
    desk.press("u")
    desk.wait_status("Undone")
    desk.press("o")
    desk.wait(lambda: "All events judged" in desk.text("#recordings tbody"))


def test_keys_change_how_the_eeg_is_shown(desk: Desk) -> None:
    canvas = "return document.getElementById('canvas').getAttribute('aria-label')"
    assert "10 µV/mm" in desk.js(canvas)
    desk.press("+", "+")
    desk.wait(lambda: "5 µV/mm" in desk.js(canvas))
    assert desk.status == "5 µV/mm"
    desk.press("-")
    desk.wait(lambda: "7 µV/mm" in desk.js(canvas))
    assert desk.status == "7 µV/mm"
    montages = desk.js("return [...document.getElementById('montage').options].map(o => o.text)")
    desk.press("2")
    desk.wait(lambda: montages[1] in desk.js(canvas))
    desk.press("t")
    desk.wait(lambda: desk.interval.startswith("00:00:00 – 00:00:15"))
    assert desk.status == "15 s/page"
    desk.press("?")
    desk.wait(lambda: desk.find("#help").is_displayed())
    assert desk.find("#keys").text.count("\n") > 20
    desk.press(Keys.ESCAPE)
    desk.wait(lambda: not desk.find("#help").is_displayed())


def test_letters_can_be_switched_off(desk: Desk) -> None:
    """WCAG 2.1.4: who dictates would set them off by speaking."""
    desk.press("?")
    desk.find("#letters").click()
    desk.press(Keys.ESCAPE, "n")
    desk.press(Keys.ARROW_RIGHT)
    desk.wait(lambda: desk.interval.startswith("00:00:10"))
    assert not desk.find("#chosen").is_displayed()
    desk.press("?")
    desk.find("#letters").click()
    desk.press(Keys.ESCAPE, "n")
    desk.wait(lambda: desk.find("#chosen").is_displayed())


def test_the_list_goes_by_confidence_too(desk: Desk) -> None:
    desk.press("s")
    desk.wait(lambda: desk.times == ["00:01:00", "00:00:20", "00:01:30"])
    heads = "return [...document.querySelectorAll('[data-sort]')].map(h => h.ariaSort)"
    assert desk.js(heads) == ["none", "descending"]
    desk.press("n", "n")
    desk.wait(lambda: desk.text("#chosen-title") == "Event at 00:00:20")
    desk.find("[data-sort=time] button").click()
    desk.wait(lambda: desk.times == ["00:00:20", "00:01:00", "00:01:30"])


def test_a_stretch_is_selected_and_added(desk: Desk, ward: Path) -> None:
    canvas = desk.find("#canvas")
    chain = ActionChains(desk.browser).move_to_element(canvas).click_and_hold()
    chain.move_by_offset(200, 0).release().perform()
    desk.wait_status("selected")
    desk.find("#add").click()
    desk.wait(lambda: "added" in desk.verdicts)
    row = reviewed(ward).events[0]
    width = desk.js("return document.getElementById('canvas').clientWidth")
    assert row.duration == pytest.approx(2000 / (width - 54), abs=0.15)
    assert row.machine is None
    assert desk.status.endswith("added")
    desk.press(Keys.ESCAPE, "n")
    desk.wait(lambda: desk.text("#chosen-title") == "Event at 00:00:20")
    desk.press("i")
    desk.wait_status("added; it overlaps the one at 00:00:20")


def test_times_and_channels_are_typed_and_ticked(desk: Desk, ward: Path) -> None:
    desk.press("n")
    desk.wait(lambda: desk.find("#chosen").is_displayed())
    begin = desk.find("#begin")
    begin.send_keys(Keys.CONTROL, "a", Keys.NULL, "00:00:19.25", Keys.ENTER)
    desk.wait(lambda: desk.verdicts[0] == "changed")
    assert reviewed(ward).events[0].onset == 19.25
    begin.send_keys(Keys.CONTROL, "a", Keys.NULL, "later", Keys.ENTER)
    desk.wait_status("later")
    assert reviewed(ward).events[0].onset == 19.25
    desk.find("#channels summary").click()
    boxes = desk.browser.find_elements("css selector", "#channels input")
    assert len(boxes) == 18
    boxes[0].click()
    desk.wait_status("other channels")
    assert len(reviewed(ward).events[0].channels) == 17


def test_a_reload_comes_back_to_the_same_page(desk: Desk) -> None:
    desk.press("n", "a", Keys.ARROW_RIGHT)
    desk.wait(lambda: desk.verdicts[0] == "accepted")
    interval = desk.interval
    desk.wait(lambda: "at=28" in desk.browser.current_url)
    desk.browser.refresh()
    desk.until_drawn()
    desk.wait(lambda: desk.verdicts)
    assert desk.interval == interval
    assert desk.verdicts == ["accepted", "open", "open"]


def test_two_windows_see_each_other(desk: Desk, address: str) -> None:
    browser = desk.browser
    first = browser.current_window_handle
    browser.switch_to.new_window("window")
    second = browser.current_window_handle
    try:
        other = Desk(browser, address)
        other.open("night")
        other.press("n", "n", "a")
        other.wait(lambda: other.verdicts == ["open", "accepted", "open"])
        browser.switch_to.window(first)
        desk.wait(lambda: desk.verdicts == ["open", "accepted", "open"])
        # the first window hears nothing for a while, and acts on what it knows
        browser.execute_cdp_cmd("Network.enable", {})
        browser.execute_cdp_cmd("Network.setBlockedURLs", {"urls": ["*/changes?*"]})
        desk.js("document.dispatchEvent(new Event('visibilitychange'))")  # it asks anew
        desk.wait_status("no longer answers")
        browser.switch_to.window(second)
        other.press("p", "r")
        other.wait(lambda: other.verdicts == ["rejected", "accepted", "open"])
        browser.switch_to.window(first)
        assert desk.verdicts == ["open", "accepted", "open"]
        desk.press("n", "a")
        desk.wait_status("in another window")
        assert desk.verdicts == ["rejected", "accepted", "open"]
    finally:
        browser.switch_to.window(first)
        browser.execute_cdp_cmd("Network.setBlockedURLs", {"urls": []})
        browser.switch_to.window(second)
        browser.close()
        browser.switch_to.window(first)
        desk.complaints()  # a conflict and what was blocked are meant


def test_the_strip_has_the_page_from_the_beginning(desk: Desk) -> None:
    script = """
    const [page, plot] = ['.strip-page', '#strip .u-over'].map((e) => document.querySelector(e));
    return [page.offsetLeft / plot.clientWidth, page.offsetWidth / plot.clientWidth];
    """
    desk.wait(lambda: desk.js("return document.querySelector('#strip .u-over').clientWidth") > 0)
    left, width = desk.js(script)
    assert left == 0
    assert width == pytest.approx(10 / SECONDS, abs=0.005)
    desk.press(Keys.END)
    desk.wait(lambda: desk.interval.startswith("00:01:50"))
    left, width = desk.js(script)
    assert left == pytest.approx(110 / SECONDS, abs=0.005)


def test_a_recording_with_anothers_table_can_be_looked_at(
    browser: Chrome, address: str, ward: Path
) -> None:
    path = ward / "mixed.edf"
    write_night(path)
    table = events_path(path)
    assert table is not None
    own = table.read_text()
    Events((Event(900, 10),), 3600.0).write_tsv(table)
    try:
        desk = Desk(browser, address)
        desk.overview()
        script = "return [...document.querySelectorAll('#recordings tr')].map(r => r.innerText)"
        row = next(row for row in desk.js(script) if row.startswith("mixed.edf"))
        assert row.split("\t")[1:4] == ["2 min 00 s", "–", "–"]
        assert "mixed_events.tsv, line 2: " in row
        desk.find_link("mixed").click()
        desk.until_drawn()
        desk.wait(lambda: desk.find("#events-problem").is_displayed())
        assert "No events: mixed_events.tsv, line 2: " in desk.text("#events-problem")
        assert "none so far" not in desk.text("#events-count")
        desk.press("i")
        desk.wait_status("mixed_events.tsv, line 2: ")
        assert desk.verdicts == []
        table.write_text(own)
        desk.wait(lambda: desk.verdicts == ["open", "open", "open"])
        assert not desk.find("#events-problem").is_displayed()
        assert desk.text("#others") == "Events of mixed_events.tsv"
    finally:
        browser.get("about:blank")
        path.unlink()
        table.unlink()
        Desk(browser, address).complaints()  # what was refused is meant


def test_the_list_of_recordings_goes_along(browser: Chrome, tmp_path: Path) -> None:
    path = tmp_path / recording_name("bed")
    write_night(path)
    written = events_path(path)
    assert written is not None
    written.unlink()
    Events(MACHINE[:1], SECONDS / 2).write_tsv(tmp_path / "events.tsv")
    (tmp_path / ".state" / "bed").mkdir(parents=True)
    (tmp_path / ".state" / "bed" / "state.json").write_text("{}")
    (tmp_path / LOCK).touch()
    with served(tmp_path) as address:
        desk = Desk(browser, address)
        desk.overview()
        cells = "[...document.querySelector('#recordings tbody tr').cells].map(c => c.innerText)"
        assert desk.js(f"return {cells}")[2:] == ["1", "0", "Live detection goes on"]
        desk.js("document.querySelector('#recordings a').focus()")
        Events(MACHINE, SECONDS).write_tsv(tmp_path / "events.tsv")
        (tmp_path / LOCK).unlink()
        desk.wait(lambda: desk.js(f"return {cells}")[2:] == ["3", "0", ""])
        assert desk.js("return document.activeElement.innerText") == path.name
        assert desk.complaints() == []
        browser.get("about:blank")  # or the page would complain that the server is gone


def test_a_recording_that_vanishes_is_told(browser: Chrome, address: str, ward: Path) -> None:
    path = ward / "gone.edf"
    write_night(path)
    desk = Desk(browser, address)
    desk.open("gone")
    path.unlink()
    desk.wait_status("gone.edf: is gone")
    assert desk.find("#status").get_attribute("aria-live") == "polite"
    desk.press(Keys.END)
    desk.wait(lambda: desk.interval.startswith("00:01:50"))
    write_night(path)
    desk.wait_status("there again")
    path.unlink()
    desk.overview()
    assert "gone.edf" not in desk.text("#recordings tbody")
    desk.complaints()  # that it wasn't there


def test_a_recording_that_grows_is_followed(browser: Chrome, address: str, ward: Path) -> None:
    content = (ward / "night.edf").read_bytes()
    header = int(content[184:192])
    half = header + (len(content) - header) // 2
    path = ward / "growing.edf"
    path.write_bytes(content[:half])
    try:
        desk = Desk(browser, address)
        desk.open("growing")
        desk.press(Keys.END)
        desk.wait(lambda: desk.interval.startswith("00:00:50 – 00:01:00"))
        with path.open("ab") as file:
            file.write(content[half:])
        desk.wait(lambda: desk.interval.startswith("00:01:50 – 00:02:00"))
        desk.until_drawn()
        assert "live" in desk.text("#facts")
        assert desk.complaints() == []
    finally:
        browser.get("about:blank")  # or the page would complain that it is gone
        path.unlink()


def test_alarms_of_live_detection_are_seen_heard_and_gone_to(
    browser: Chrome, ward: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "night"
    folder.mkdir()
    Events(MACHINE, SECONDS).write_tsv(folder / "events.tsv")
    log = AlarmLog(folder / "alarms.jsonl")
    log.write(alarm(30, kind="opened", onset=20.0))
    log.write(alarm(90, "silence"))
    with served(ward, "--events", tmp_path) as address:
        desk = Desk(browser, address)
        desk.open("night")
        desk.wait(lambda: desk.find("#alarms").is_displayed())
        assert desk.text("#alarms summary") == "Alarms of live detection (2)"
        desk.wait(lambda: ticks(desk, 30) and ticks(desk, 90))
        shapes = [ticks(desk, second) for second in (30, 90, 60)]
        assert shapes[0][0] > 2 * shapes[0][-1], "a triangle that stands on its tip"
        assert abs(shapes[1][0] - shapes[1][-1]) <= 2, "a cross"
        assert shapes[0] != shapes[1]
        assert shapes[2] == [], "where nothing was told"

        desk.find("#alarms summary").send_keys(Keys.ENTER)
        desk.wait(lambda: browser.find_elements("css selector", "#alarms tbody button"))
        desk.press(Keys.TAB, Keys.TAB, Keys.TAB, Keys.ENTER)
        desk.wait_status("00:01:30: silence at 90 s")
        assert desk.interval.startswith("00:01:28 – 00:01:38")
        log.write(alarm(60, "flat", words="flat: O2", channels=("O2",)))
        desk.wait(lambda: ticks(desk, 60))
        rows = "return [...document.querySelectorAll('#alarms tbody tr')].map(r => r.innerText)"
        assert [row.split("\t") for row in desk.js(rows)] == [
            ["00:00:30", "▼ seizure", "opened at 30 s"],
            ["00:01:00", "✕ flat", "flat: O2"],
            ["00:01:30", "✕ silence", "silence at 90 s"],
        ]

        over = desk.find("#strip .u-over")
        across = (60 / SECONDS - 0.5) * over.size["width"]
        pointer = ActionChains(browser).move_to_element_with_offset(
            over, round(across), -over.size["height"] // 2 - 12
        )
        pointer.perform()
        desk.wait(lambda: desk.find(".strip-words").is_displayed())
        assert desk.find(".strip-words").text == "00:01:00: flat: O2"
        assert nameless(tree(browser)) == []
        assert desk.complaints() == []
        browser.get("about:blank")  # or the page would complain that the server is gone
    log.close()


def test_a_day_is_opened_and_leafed_through(browser: Chrome, address: str) -> None:
    desk = Desk(browser, address)
    desk.open("day")
    assert desk.interval.startswith("03:04:05 – 03:04:15")
    desk.press(Keys.END)
    desk.wait(lambda: desk.interval.startswith("03:03:55 +1 d"))
    desk.until_drawn()
    desk.find("#go-to").send_keys("15:04:05", Keys.ENTER)
    desk.wait(lambda: desk.interval.startswith("15:04:05 – 15:04:15"))
    desk.until_drawn()
    desk.find("#go-to").send_keys("25 o'clock", Keys.ENTER)
    desk.wait_status("no time of this recording")
    assert desk.complaints() == []
