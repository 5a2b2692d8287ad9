"""A real Chromium, driven headless, with a profile of its own."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service

CHROMIUM = Path("/usr/bin/chromium")
DRIVER = Path("/usr/bin/chromedriver")
MISSING = (
    "" if CHROMIUM.exists() and DRIVER.exists() else f"wants {CHROMIUM} and {DRIVER}, Debian's"
)
_FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--hide-scrollbars",
)

OPERATED = {
    "button", "link", "textbox", "combobox", "slider", "checkbox", "option", "DisclosureTriangle",
}  # fmt: skip
"""Roles of what a person operates."""
NAMED = {"table", "region", "img", "image", "dialog", "group", "main", "complementary", "form"}


@contextmanager
def chromium(width: int = 1360, height: int = 850, *flags: str) -> Iterator[Chrome]:
    """A browser with a window of this size, CSS pixels; it and its profile are gone afterwards."""
    profile = tempfile.mkdtemp(prefix="chromium-")
    options = ChromeOptions()
    options.binary_location = str(CHROMIUM)
    for flag in (*_FLAGS, f"--window-size={width},{height}", f"--user-data-dir={profile}", *flags):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = Chrome(options=options, service=Service(str(DRIVER)))  # named: nothing is fetched
    try:
        driver.set_page_load_timeout(20)
        driver.set_script_timeout(20)
        yield driver
    finally:
        driver.quit()
        shutil.rmtree(profile, ignore_errors=True)


def resize(browser: Chrome, width: int, height: int, scale: float = 1.0) -> None:
    """A viewport of this size in CSS pixels; `scale`: device pixels a CSS pixel."""
    metrics = {"width": width, "height": height, "deviceScaleFactor": scale, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)


def media(browser: Chrome, **features: str) -> None:
    """What the system is said to prefer: `prefers_color_scheme="dark"`."""
    named = [{"name": name.replace("_", "-"), "value": value} for name, value in features.items()]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": named})


def tree(browser: Chrome) -> list[tuple[str, str]]:
    """Role and name of everything that isn't ignored."""
    browser.execute_cdp_cmd("Accessibility.enable", {})
    nodes: list[dict[str, Any]] = browser.execute_cdp_cmd("Accessibility.getFullAXTree", {})[
        "nodes"
    ]
    return [
        (node["role"]["value"], node.get("name", {}).get("value", "").strip())
        for node in nodes
        if not node["ignored"]
    ]


def nameless(nodes: list[tuple[str, str]]) -> list[str]:
    """Roles of those that ought to have a name and have none."""
    return [role for role, name in nodes if role in OPERATED | NAMED and not name]
