"""A real browser for the page of a report: Debian's Chromium, driven by Playwright, offline."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from odm.report import ReportOptions

playwright = pytest.importorskip(
    "playwright.sync_api", reason="needs Playwright: pip install playwright"
)
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or ""
IN_BROWSER = [
    pytest.mark.skipif(not CHROMIUM, reason="needs Chromium: apt-get install chromium"),
    pytest.mark.xdist_group("page"),  # one browser for all
]
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip
QUICK = ReportOptions(figures=False, resamples=20, queue_size=4)
Page = Any


class Opened:
    """A page in a window of its own, with all that it complained of or asked for."""

    def __init__(self, browser: Any, folder: Path, **window: Any) -> None:
        self.window = browser.new_context(offline=True, accept_downloads=True, **window)
        self.page = self.window.new_page()
        self.said: list[str] = []
        self.fetched: list[str] = []
        self.page.on("console", lambda message: self.said.append(message.text))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.on("request", lambda request: self.fetched.append(request.url))
        self.page.goto((folder / "index.html").as_uri())
        self.ready()

    def ready(self) -> None:
        self.page.wait_for_selector("body[data-ready=yes]")

    def count(self) -> str:
        return str(self.page.inner_text("#count"))

    def __enter__(self) -> Opened:
        return self

    def __exit__(self, *error: object) -> None:
        self.window.close()
        if error[0] is None:
            assert self.said == []
            strange = [
                url for url in self.fetched if not url.startswith(("file:", "data:", "blob:"))
            ]
            assert strange == []
