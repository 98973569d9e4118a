"""A page in headless Chromium, driven by a script that is added to it."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from vltune.pipeline.files import write_json

CHROMIUM = shutil.which("chromium")
OPTIONS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--virtual-time-budget=10000", "--enable-logging=stderr", "--dump-dom",
)
needed = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here: apt-get install chromium")


def run(page: Path, script: str, folder: Path, *options: str) -> tuple[Any, list[str]]:
    """Open a copy of the page in which `script`, the body of an async function, runs last. Downloads go into
    `folder`; `options` are further ones of the browser.

    Returns: what the script returns, and what stands on the browser's console.
    """
    profile = folder / "profile"
    preferences = {"download": {"default_directory": str(folder), "prompt_for_download": False}}
    write_json(profile / "Default/Preferences", preferences)
    copy = folder / "page.html"
    added = f"""<script>
      (async () => {{ {script} }})().then(
        (value) => {{ window.result = value; }}, (error) => {{ window.result = {{ error: String(error) }}; }},
      ).finally(() => {{
        if (window.result === undefined) return;
        const output = document.createElement("pre");
        output.id = "result";
        output.textContent = JSON.stringify(window.result);
        document.body.append(output);
      }});
    </script></body>"""
    before, _, after = page.read_text(encoding="utf-8").rpartition("</body>")  # scripts may hold it
    copy.write_text(before + added + after, encoding="utf-8")
    command = [CHROMIUM, *OPTIONS, *options, f"--user-data-dir={profile}", copy.as_uri()]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    match = re.search(r'<pre id="result">(.*?)</pre>', ended.stdout, re.DOTALL)
    assert match, f"the script did not end: {ended.stdout[-500:]} {ended.stderr[-2000:]}"
    return json.loads(unescape(match[1])), [line for line in ended.stderr.splitlines() if "CONSOLE" in line]
