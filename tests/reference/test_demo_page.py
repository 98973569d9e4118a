"""vltune demo as a process of its own: driven in a real browser with a photograph, and ended by Ctrl-C."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path

import pytest
from matplotlib.cbook import get_sample_data
from PIL import Image

import browser
import repository
from contracts.graph import SRC
from devtools import Page

METHODS = ("adapter", "lora", "full")


@pytest.fixture(scope="module")
def served(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[subprocess.Popen, int]]:
    """The command on tiny models, and the port that it says; the last test ends it."""
    root = repository.make(tmp_path_factory.mktemp("demo") / "repository", tiny)
    params = root / "params.yaml"
    params.write_text(params.read_text().replace("pixel_limit: 10000", "pixel_limit: 1000000"))
    repository.draw(root / "data/raw/images/test", "a.png", "b.png")
    command = [sys.executable, "-m", "vltune.cli", "demo", "--root", root, "--port", "0", "--no-browser"]
    command += [word for method in METHODS for word in ("--method", method)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                               env={"PYTHONPATH": str(SRC), "PATH": "/usr/bin:/bin", "OMP_NUM_THREADS": "1"})
    line = process.stdout.readline()
    assert line.startswith("http://127.0.0.1:"), process.communicate()
    yield process, int(line.split()[0].rpartition(":")[2])
    process.kill()
    process.communicate()


@pytest.fixture
def photograph(tmp_path: Path) -> Path:
    """A portrait, turned by its EXIF orientation, as a camera would save it."""
    with Image.open(get_sample_data("grace_hopper.jpg", asfileobj=False)) as image:
        exif = image.getexif()
        exif[0x0112] = 6
        image.rotate(90, expand=True).save(tmp_path / "photo.jpg", exif=exif)
    return tmp_path / "photo.jpg"


ENDED = 'document.querySelectorAll("#{} .state").length === 3 && ' \
        '[...document.querySelectorAll("#{} .state")].every((state) => / s$/.test(state.textContent))'
WEIGHTS = '[...document.querySelectorAll("#cells div")].map((cell) => cell.title)'
VISIBLE = 'getComputedStyle(document.getElementById("cells")).visibility === "visible"'


def ended(section: str) -> str:
    """Whether all texts of a section are there."""
    return ENDED.format(section, section)


def text(section: str) -> str:
    """The texts of a section by method."""
    return f"""Object.fromEntries([...document.querySelectorAll("#{section} .row")].map(
        (row) => [row.dataset.method, row.querySelector(".text").textContent]))"""


@browser.needed
def test_a_photograph_is_captioned_and_asked_about(served, photograph: Path, tmp_path: Path) -> None:
    _, port = served
    with Page(tmp_path / "profile") as page:
        page.open(f"http://127.0.0.1:{port}/")
        page.wait('document.querySelectorAll("#samples img").length === 2')
        page.give("#file", photograph)
        page.wait(ended("captions"))
        captions = page.evaluate(text("captions"))
        assert list(captions) == list(METHODS)
        assert len(set(captions.values())) == len(METHODS)
        width, height = page.evaluate("[$('image').naturalWidth, $('image').naturalHeight]")
        assert (width < height, height) == (True, 768)  # upright, in its own proportions
        shown = page.evaluate("$('image').getBoundingClientRect().toJSON()")
        assert abs(shown["width"] / shown["height"] - width / height) < 0.01
        assert not page.evaluate(VISIBLE)
        page.point("#captions .row:nth-child(2) .text span")
        assert page.evaluate(VISIBLE)
        first = page.evaluate(WEIGHTS)
        assert len(first) == 4
        assert page.evaluate("$('legend').textContent").endswith(" %")
        page.point("#captions .row:nth-child(3) .text span")
        assert page.evaluate(WEIGHTS) != first
        page.point("h1")
        assert not page.evaluate(VISIBLE)
        page.click("#question")
        page.write("who is it?")
        page.click("#ask button")
        page.wait(ended("answers"))
        assert list(page.evaluate(text("answers"))) == list(METHODS)
        assert page.evaluate(text("captions")) == captions
        assert page.errors == []
        assert {address.split("/")[2] for address in page.requests} == {f"127.0.0.1:{port}"}


@browser.needed
def test_a_dropped_file_that_is_no_image_is_named(served, photograph: Path, tmp_path: Path) -> None:
    _, port = served
    (tmp_path / "notes.txt").write_text("no image")
    with Page(tmp_path / "profile") as page:
        page.open(f"http://127.0.0.1:{port}/", 390, 844, "dark")
        page.wait('document.querySelectorAll("#samples img").length === 2')
        page.drop("#drop", tmp_path / "notes.txt")
        assert page.wait("$('error').textContent").startswith(
            "notes.txt: cannot be read as an image: UnidentifiedImageError")
        assert page.evaluate("document.querySelector('#ask button').disabled && $('shown').hidden")
        page.drop("#drop", photograph)
        page.wait(ended("captions"))
        assert page.evaluate("$('error').textContent") == ""
        page.evaluate("choose(new File([new Uint8Array(20000001)], 'large.png'))")
        assert page.wait("$('error').textContent") == (
            "large.png: has 20,000,001 bytes; expected at most 20,000,000")
        assert page.evaluate("document.documentElement.scrollWidth") == 390
        page.click("#samples button:nth-child(2)")
        page.wait(f"$('error').textContent === '' && {ended('captions')}")
        assert [error for error in page.errors if "400" not in str(error)] == []  # the refused upload


def test_ctrl_c_ends_it_during_a_stream(served, photograph: Path) -> None:
    process, port = served
    connection = HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("POST", "/images", photograph.read_bytes())
    name = json.loads(connection.getresponse().read())["name"]
    connection.request("POST", f"/images/{name}/captions")
    response = connection.getresponse()
    assert response.readline()
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    connection.close()
    assert (process.returncode, errors) == (130, "loading the models ...\ninterrupted\n")
