"""One HTML page that opens from a file: style, program, library and data all inside.

The charts are drawn by uPlot (MIT): 51 kB, canvas, fast with many points; Plotly would add 4.5 MB
to every page. Nothing is fetched: the page's own policy forbids it, and lets only the scripts with
the digests written here run. Data are JSON inside the page, shown as text only.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
from collections.abc import Mapping
from importlib import resources
from typing import Any

SCRIPTS = (
    "uPlot.iife.min.js", "data.js", "charts.js", "map.js", "timeline.js", "picture.js",
    "explore.js", "review.js", "start.js",
)  # fmt: skip
STYLES = ("uPlot.min.css", "page.css")


def build_page(title: str, data: Mapping[str, Any], pictures: Mapping[str, Any]) -> str:
    """Return the page as text.

    Args:
        title: title of the window.
        data: what `page/data.js` reads at once.
        pictures: what it reads when a picture is looked at, kept apart to be parsed only then.
    """
    scripts = [_asset(name) for name in SCRIPTS]
    allowed = " ".join(f"'sha256-{_digest(script)}'" for script in scripts)
    policy = (
        f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; "
        "img-src 'self' file: data:; base-uri 'none'; form-action 'none'"
    )
    body = _asset("body.html")
    parts = [
        "<!doctype html>",
        '<html lang="en">',
        "<head>",
        '<meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{html.escape(title)}</title>",
        *(f"<style>{_asset(name)}</style>" for name in STYLES),
        "</head>",
        f"<body>{body}",
        f'<script type="application/json" id="coastline">{_asset("coastline.json")}</script>',
        f'<script type="application/json" id="data">{embedded(data)}</script>',
        f'<script type="application/json" id="pictures">{embedded(pictures)}</script>',
        *(f"<script>{script}</script>" for script in scripts),
        "</body>",
        "</html>",
    ]
    return "\n".join(parts) + "\n"


def embedded(value: Any) -> str:
    """Return JSON that cannot end the element it stands in."""
    text = json.dumps(value, separators=(",", ":"), allow_nan=False)  # ASCII, so no odd line ends
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _asset(name: str) -> str:
    text = resources.files("odm.report.page").joinpath(name).read_text(encoding="utf-8")
    assert "</script" not in text.lower() or name.endswith(".html"), name
    return text


def _digest(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
