"""The page for whoever hears it, has no mouse, a small window, large letters, or a dark room."""

from __future__ import annotations

import pytest
from selenium.webdriver.common.keys import Keys

from tests.support.chromium import media, nameless, resize, tree
from tests.support.reviewing import Desk

UNREADABLE = """
const dark = [];
const channels = (text) => text.match(/[\\d.]+/g).map(Number);
const light = ([r, g, b]) => {
  const part = (v) => ((v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
  return 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b);
};
for (const element of document.body.querySelectorAll('*')) {
  const own = [...element.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim());
  if (!own || !element.checkVisibility() || element.disabled || element.matches('option')) continue;
  let ground = element;
  const clear = (e) => (channels(getComputedStyle(e).backgroundColor)[3] ?? 1) < 1;
  while (ground && clear(ground)) ground = ground.parentElement;
  const pair = [getComputedStyle(element).color, getComputedStyle(ground ?? document.body).backgroundColor];
  const [high, low] = pair.map((c) => light(channels(c))).sort((a, b) => b - a);
  const ratio = (high + 0.05) / (low + 0.05);
  const words = element.textContent.trim().slice(0, 30);
  if (ratio < 4.5) dark.push(`${element.tagName} ${words} ${ratio.toFixed(2)}`);
}
return dark;
"""
CANVAS_COLOURS = """
const style = getComputedStyle(document.documentElement);
const pen = document.createElement('canvas').getContext('2d');
const rgb = (name) => {
  pen.fillStyle = style.getPropertyValue(name);
  pen.fillRect(0, 0, 1, 1);
  return [...pen.getImageData(0, 0, 1, 1).data];
};
return Object.fromEntries(arguments[0].map((name) => [name, rgb(name)]));
"""


def test_every_control_has_a_role_and_a_name(desk: Desk) -> None:
    desk.press("n", "a", "n", "n")  # the third fits on the page with both of its ends
    desk.wait(lambda: desk.verdicts[0] == "accepted")
    desk.wait(lambda: desk.text("#chosen-title") == "Event at 00:01:30")
    desk.find("#channels summary").click()
    nodes = tree(desk.browser)
    assert nameless(nodes) == []
    roles = [role for role, _ in nodes]
    assert roles.count("slider") == 3, "begin, end, and the place in the recording"
    assert roles.count("checkbox") == 18
    assert ("table", "Events") in nodes
    assert ("columnheader", "Verdict") in nodes
    assert [name for role, name in nodes if role == "rowheader"][:2] == ["00:00:20", "00:01:00"]
    assert ("slider", "Begin of the event") in nodes
    assert any(role == "status" for role in roles)
    image = next(name for role, name in nodes if role in ("img", "image"))
    assert "18 traces" in image


def test_the_overview_and_the_keys_have_names_too(desk: Desk) -> None:
    desk.press("?")
    desk.wait(lambda: desk.find("#help").is_displayed())
    assert ("dialog", "Keys") in tree(desk.browser)
    desk.press(Keys.ESCAPE, "o")
    desk.wait(lambda: desk.find("#overview").is_displayed())
    nodes = tree(desk.browser)
    assert nameless(nodes) == []
    assert [role for role, _ in nodes].count("table") == 2


def test_every_control_is_reached_by_tab_and_seen_there(desk: Desk) -> None:
    desk.press("n")
    desk.wait(lambda: desk.find("#chosen").is_displayed())
    desk.js("document.activeElement.blur()")
    reached: set[str] = set()
    for _ in range(50):
        desk.press(Keys.TAB)
        focused, outline = desk.js(
            "const e = document.activeElement; return [e.id, getComputedStyle(e).outlineStyle]"
        )
        if focused:
            assert outline in ("solid", "auto"), focused
            reached.add(focused)
    wanted = desk.js(
        "return [...document.querySelectorAll('button[id], select, input[id], textarea, [tabindex]')]"
        ".filter(e => e.checkVisibility() && !e.disabled).map(e => e.id)"
    )
    assert set(wanted) - {""} <= reached


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_words_stand_out(desk: Desk, scheme: str) -> None:
    """WCAG AA: 4.5 to 1 for words, 3 to 1 for what is drawn."""
    try:
        media(desk.browser, prefers_color_scheme=scheme, prefers_reduced_motion="reduce")
        desk.press("n", "a", "n", "r", "n", Keys.HOME, "i")
        desk.wait(lambda: desk.verdicts == ["added", "accepted", "rejected", "open"])
        assert desk.js(UNREADABLE) == []
        drawn = [
            "left",
            "right",
            "middle",
            "open",
            "accepted",
            "rejected",
            "changed",
            "added",
            "soft",
        ]
        colours = desk.js(CANVAS_COLOURS, [f"--{name}" for name in ["paper", *drawn]])
        paper = colours.pop("--paper")
        assert {n: contrast(c, paper) for n, c in colours.items() if contrast(c, paper) < 4.5} == {}
        assert desk.js("return document.getAnimations().length") == 0
        desk.press(Keys.ESCAPE, "o")
        desk.wait(lambda: desk.find("#overview").is_displayed())
        assert desk.js(UNREADABLE) == []
    finally:
        desk.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


def contrast(first: list[int], second: list[int]) -> float:
    """By WCAG 2.2."""

    def luminance(colour: list[int]) -> float:
        parts = [value / 255 for value in colour[:3]]
        linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    low, high = sorted((luminance(first), luminance(second)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize(
    ("width", "height", "scale"), [(400, 800, 2.0), (680, 425, 2.0)], ids=["phone", "zoom of 200 %"]
)
def test_a_small_window_is_enough(desk: Desk, width: int, height: int, scale: float) -> None:
    """At 200 % a window of 1360 pixels has 680 of CSS."""
    try:
        resize(desk.browser, width, height, scale)
        desk.press("n", "a")
        desk.wait(lambda: desk.verdicts[0] == "accepted")
        desk.until_drawn()
        inner = desk.js("return [document.scrollingElement.scrollWidth, innerWidth]")
        assert inner[0] <= inner[1], "nothing is cut off at the right"
        cut = desk.js(
            "return [...document.querySelectorAll('button, select, input, textarea')]"
            ".filter(e => e.checkVisibility() && e.getBoundingClientRect().right > innerWidth + 1)"
            ".map(e => e.id)"
        )
        assert cut == []
        pixels = desk.js(
            "const c = document.getElementById('canvas'); return [c.width, c.clientWidth]"
        )
        assert pixels[0] == scale * pixels[1], "sharp on a fine screen"
        for button in ("reject", "page-on", "why"):
            desk.js("document.getElementById(arguments[0]).scrollIntoView()", button)
            assert desk.find(f"#{button}").is_displayed()
        desk.find("#reject").click()
        desk.wait(lambda: desk.verdicts[0] == "rejected")
    finally:
        desk.browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
