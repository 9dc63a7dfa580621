"""A real browser, driven by playwright, and what a page in it must never do."""

from __future__ import annotations

import os
import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
DESK = {"width": 1280, "height": 900}
PHONE = {"viewport": {"width": 390, "height": 844}, "device_scale_factor": 2, "is_mobile": True, "has_touch": True}
QUIET = {"reduced_motion": "reduce"}
"""Nothing moves by itself, so that a test need not wait until it has."""


@contextmanager
def started() -> Iterator[Browser]:
    """The browser of this machine; skips where there is none."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    path = next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        pytest.skip(f"there is no browser: none of {', '.join(NAMES)}")
    flags = ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path, args=flags)
        yield browser
        browser.close()


class Watch:
    """Takes note of what a page must not do: errors, breaches of its policy, requests to other hosts."""

    def __init__(self, context: BrowserContext, base: str) -> None:
        """Look at all pages of a context; `base` is where requests may go."""
        self._place = urlsplit(base).netloc
        self.wrong: list[str] = []
        self.expected: tuple[str, ...] = ()
        """Parts of messages that a test provokes."""
        context.on("console", self._said)
        context.on("weberror", lambda error: self.wrong.append(str(error.error)))
        context.on("request", self._asked)

    def _said(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self.wrong.append(message.text)

    def _asked(self, request: Request) -> None:
        url = urlsplit(request.url)
        if url.scheme not in {"blob", "data"} and url.netloc != self._place:
            self.wrong.append(f"asked {request.url}")

    def check(self) -> None:
        """Nothing was wrong but what was provoked."""
        surprises = [text for text in self.wrong if not any(part in text for part in self.expected)]
        if surprises:
            pytest.fail("\n".join(surprises))


@contextmanager
def visiting(browser: Browser, base: str, **options: Any) -> Iterator[tuple[Page, Watch]]:  # noqa: ANN401 - of a context
    """A page of a server in a window of its own, with nothing kept from others; checked when the block ends."""
    context = browser.new_context(**{"viewport": DESK, "base_url": base, **QUIET, **options})
    context.set_default_timeout(8000)
    watch = Watch(context, base)
    try:
        yield context.new_page(), watch
        watch.check()
    finally:
        context.close()


def violations(page: Page) -> list[str]:
    """What axe-core finds to be an obstacle for people with disabilities."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed")
    found = axe.Axe().run(page).response["violations"]
    return [f"{each['id']} ({each['impact']}): {node['html'][:160]}" for each in found for node in each["nodes"]]


def overflow(page: Page) -> int:
    """Px by which a page is wider than its window."""
    return int(page.evaluate("document.scrollingElement.scrollWidth - document.documentElement.clientWidth"))
