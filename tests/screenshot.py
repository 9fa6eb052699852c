"""The picture of the report in README.md: a run against the mock with three broken rules, in Chromium.

`python -m tests.screenshot` takes it anew. Not byte for byte the same on another machine: its fonts differ.
"""

from __future__ import annotations

import base64
import subprocess
import sys
import tempfile
from pathlib import Path

from mockserver.embedded import start
from tests.test_report import Browser

ROOT = Path(__file__).resolve().parent.parent
PICTURE = ROOT / "docs" / "report.png"
BROKEN = (
    "bedrock-runtime/converse:cap-honoured",
    "bedrock-runtime/converse:keys-are-sorted",
    "puter/driver-chat-stream:repeats-exactly",
)
APIS = ("bedrock-runtime/converse*", "bedrock-runtime/invoke-model", "puter/driver-chat*")
WIDTH, HEIGHT = 1240, 1180


def main() -> None:
    """Writes docs/report.png."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        mock = start(auth="strict", seed=1, broken=BROKEN)
        apis = [option for glob in APIS for option in ("--api", glob)]
        command = [sys.executable, "-m", "conformance", "run", *apis, "--endpoint-url", mock.http]
        subprocess.run([*command, "--report-dir", str(folder / "report")], cwd=ROOT, check=False)
        mock.stop()
        browser = Browser(folder / "chromium")
        size = {"width": WIDTH, "height": HEIGHT, "deviceScaleFactor": 1, "mobile": False}
        browser.call("Emulation.setDeviceMetricsOverride", **size)
        browser.open(folder / "report" / "report.html")
        browser.click(".cell.broken")
        browser.run("document.documentElement.style.scrollbarWidth = 'none'; scrollTo(0, 0)")
        taken = browser.call("Page.captureScreenshot", format="png")
        browser.close()
    PICTURE.parent.mkdir(exist_ok=True)
    PICTURE.write_bytes(base64.b64decode(taken["data"]))


if __name__ == "__main__":
    main()
