"""vltune demo without a browser: its searches, its runs in memory, its server and wrong input."""

from __future__ import annotations

import json
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
import uvicorn

import repository
from command import vltune
from vltune.commands import demo, demo_app, demo_runs, demo_texts
from vltune.commands.demo_search import stream
from vltune.pipeline.errors import InputError
from vltune.pipeline.files import read_json, write_json
from vltune.prediction.generate import generate

METHODS = ["adapter", "lora", "prefix", "full", "prompt"]


@pytest.fixture(scope="module")
def root(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = repository.make(tmp_path_factory.mktemp("repository"), tiny)
    repository.draw(root / "data/raw/images/test", *[f"{i}.png" for i in range(20)])
    return root


@pytest.fixture(scope="module")
def runs(root: Path) -> demo_runs.Runs:
    return demo_runs.Runs(root, METHODS, 0)


@pytest.fixture(scope="module")
def photo(root: Path) -> Path:
    return root / "data/raw/images/test/3.png"


def texts(events: Iterator[demo_texts.Event] | list[demo_texts.Event]) -> dict[str, str]:
    """The final text of each method."""
    return {event["method"]: event["text"] for event in events if "text" in event}


def test_both_searches_together_are_what_each_is_alone(runs: demo_runs.Runs) -> None:
    vlm = runs.vlm(runs.by_task["caption"][0])
    features = torch.randn(3, 4, runs.extractor.encoder.width, generator=torch.Generator().manual_seed(0))
    valid = torch.ones(1, vlm.image_tokens, dtype=torch.bool)
    lengths = set()
    for row in features[:, None]:
        with torch.no_grad():
            x = vlm.embed_images(row)
        [ids] = generate(vlm.decoder, x, valid, runs.tokenizer.end, 1, 1.0, 9)
        for end in (runs.tokenizer.end, ids[3]):  # the second ends the searches before the limit
            alone = [generate(vlm.decoder, x, valid, end, beams, 1.0, 9)[0] for beams in (1, 3)]
            steps = list(stream(vlm.decoder, x, end, [1, 3], 1.0, 9))
            assert list(steps[-1]) == alone
            assert all(shown == alone[0][:len(shown)] and best is None for shown, best in steps[:-1])
            lengths |= set(map(len, alone))
    assert len(lengths) > 1


def test_the_texts_are_those_of_the_commands(runs: demo_runs.Runs, root: Path, photo: Path, capsys) -> None:
    features = runs.encode(photo)
    captions = texts(demo_texts.captions(runs, features))
    answers = texts(demo_texts.answers(runs, features, " what  is it? "))
    assert list(captions) == list(answers) == runs.names()
    assert len(set(captions.values())) == len(METHODS)
    for method in ("adapter", "prompt"):
        assert vltune("caption", photo, "--method", method, "--root", root) == (0, "")
        assert json.loads(capsys.readouterr().out) == {"3": captions[method]}
        assert vltune("answer", photo, "what is it?", "--method", method, "--root", root) == (0, "")
        assert capsys.readouterr().out == f"{answers[method]}\n"


def test_the_greedy_text_grows_and_the_last_event_explains(runs: demo_runs.Runs, photo: Path) -> None:
    events = list(demo_texts.captions(runs, runs.encode(photo)))
    for method in runs.names():
        own = [event for event in events if event["method"] == method]
        greedy = [len(event["greedy"]) for event in own if "greedy" in event]
        assert len(greedy) > 1
        assert greedy == sorted(greedy)
        last = own[-1]
        assert "".join(last["tokens"]) == last["text"]
        assert [len(row) for row in last["weights"]] == [6] * len(last["tokens"])  # 4 cells and 2 tags
        assert all(0 < sum(row) <= 1.001 for row in last["weights"])
        assert (last["cells"], last["extras"], last["sink"]) == (4, 0, method != "prompt")


def test_parts_keep_a_letter_of_several_tokens_whole() -> None:
    tokenizer = SimpleNamespace(decode=lambda ids: ["", "caf", "caf\ufffd", "café", "café au"][len(ids)])
    assert demo_texts.parts(tokenizer, [1, 2, 3, 4]) == ["caf", "", "é", " au"]
    assert demo_texts.parts(tokenizer, []) == []


def test_large_runs_are_loaded_when_used_and_memory_stays_bounded(
    root: Path, photo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = demo_runs.Runs(root, METHODS, 0)
    large = [run for group in runs.by_task.values() for run in group if run.share >= demo_runs.SMALL]
    assert [(run.method, run.task) for run in large] == [("full", "caption"), ("full", "vqa")]
    assert [run.method for run in runs.by_task["caption"]][-1] == "full"
    assert not any(map(runs.is_loaded, large))
    monkeypatch.setattr(demo_runs, "KEPT_BYTES", int(1.9 * large[0].own_bytes))
    features = runs.encode(photo)
    first = list(demo_texts.captions(runs, features))
    assert [event for event in first if "loading" in event] == [{"method": "full", "loading": True}]
    asked = list(demo_texts.answers(runs, features, "what?"))
    assert list(map(runs.is_loaded, large)) == [False, True]
    again = list(demo_texts.captions(runs, features))
    assert list(map(runs.is_loaded, large)) == [True, False]
    assert texts(first) == texts(again)
    assert len(texts(asked)) == len(METHODS)


def test_the_runs_share_one_decoder(runs: demo_runs.Runs) -> None:
    base = {one.data_ptr() for one in runs.base.decoder.parameters()}
    for run in runs.by_task["caption"]:
        shared = {one.data_ptr() for one in runs.vlm(run).decoder.parameters()} & base
        assert shared == (set() if run.method == "full" else base)


def test_all_that_is_trained_is_shown_and_what_does_not_fit_is_left_out(
    tiny: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    root = repository.make(tmp_path / "it", tiny)
    first = root / "models/adapter/caption-0/checkpoint.json"
    content = read_json(first)
    features = content["base"]["features"] | {"weights_sha256": "1" * 64}
    write_json(first, content | {"base": content["base"] | {"features": features}})
    path = root / "models/lora/caption-0/checkpoint.json"
    content = read_json(path)
    write_json(path, content | {"base": content["base"] | {"decoder": "0" * 64}})
    shown = demo_runs.Runs(root, [], 0)
    assert [run.method for run in shown.by_task["caption"]] == [
        "prefix", "connector", "dora", "ia3", "norm", "prompt", "full"]
    assert "adapter" in [run.method for run in shown.by_task["vqa"]]
    message = capsys.readouterr().err
    assert re.search("left out: .*adapter/caption-0: trained with another encoder: weights_sha256", message)
    assert re.search("left out: .*lora/caption-0: made for another base: decoder was '000", message)
    with pytest.raises(InputError, match="made for another base: decoder was '000"):
        demo_runs.Runs(root, ["prefix", "lora"], 0)
    with pytest.raises(InputError, match="trained with another encoder"):
        demo_runs.Runs(root, ["adapter"], 0)


@pytest.mark.parametrize(("options", "message"), [
    (("--method", "lroa"), "error: unknown method 'lroa' (did you mean 'lora'?); the methods are adapter"),
    (("--seed", 7), "adapter/caption-7: no such checkpoint; existing ones: adapter caption-0"),
])
def test_a_wrong_method_or_seed_is_named(root: Path, options: tuple, message: str) -> None:
    code, text = vltune("demo", "--root", root, "--port", 0, "--no-browser", *options)
    assert code == 1
    assert message in text


def test_without_the_extra_the_command_says_what_to_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo, "find_spec", lambda _: None)
    assert vltune("demo") == (1, "error: vltune demo needs starlette and uvicorn: run `make demo`, or "
                                 "`pip install -r requirements-demo.txt`")


def test_a_port_that_is_taken_is_named(root: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        code, text = vltune("demo", "--root", root, "--port", port)
    assert code == 1
    assert text == (f"error: port {port} on 127.0.0.1: Address already in use; give another --port, or 0 for "
                    "any that is free")


Ask = Callable[..., tuple[int, Any]]


@pytest.fixture(scope="module")
def ask(runs: demo_runs.Runs, root: Path) -> Iterator[Ask]:
    """Ask a server of the demo that runs in this process: its status, and the content or the lines."""
    listener = demo.bound(0)
    listener.listen()
    application = demo_app.build(runs, demo_app.samples(root))
    server = uvicorn.Server(uvicorn.Config(application, log_level="critical", lifespan="off", ws="none"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()

    def answer(method: str, path: str, body: bytes = b"", **headers: str) -> tuple[int, Any]:
        with closing(HTTPConnection(*listener.getsockname(), timeout=60)) as connection:
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            content, form = response.read(), response.getheader("content-type", "")
        if "ndjson" in form:
            return response.status, [json.loads(line) for line in content.splitlines()]
        return response.status, json.loads(content) if "json" in form else content

    answer.address = listener.getsockname()
    yield answer
    server.should_exit = True
    thread.join()


def test_the_page_needs_no_other_host(ask: Ask) -> None:
    for path in ("/", "/static/demo.js", "/static/demo.css", "/static/icon.svg"):
        status, content = ask("GET", path)
        assert status == 200
        assert b"://" not in content.replace(b"http://www.w3.org/2000/svg", b"")
    status, about = ask("GET", "/about")
    assert (status, about["samples"], about["beams"]) == (200, demo_app.SAMPLES, 2)
    assert [run["method"] for run in about["runs"] if run["task"] == "vqa"] == [
        "adapter", "lora", "prefix", "prompt", "full"]


def test_samples_are_sent_and_can_be_captioned(ask: Ask) -> None:
    status, content = ask("GET", "/samples/7")
    assert (status, content[1:4]) == (200, b"PNG")
    status, image = ask("POST", "/images", content)
    assert (status, image["width"] < image["height"], image["height"]) == (201, True, demo_app.SHOWN)
    status, picture = ask("GET", f"/images/{image['name']}")
    assert (status, picture[:2]) == (200, b"\xff\xd8")
    status, events = ask("POST", f"/images/{image['name']}/captions")
    assert (status, list(texts(events))) == (200, ["adapter", "lora", "prefix", "prompt", "full"])
    assert ask("GET", "/samples/8") == (404, {"error": "there is no sample 8; there are 8"})


def large() -> bytes:
    return b"\x89PNG" + bytes(demo_app.IMAGE_BYTES)


def many_pixels() -> bytes:
    return b"P5 200 60 255\n" + bytes(200 * 60)


@pytest.mark.parametrize(("content", "status", "message"), [
    (lambda: b"", 400, "there is no image: the file is empty (0 bytes)"),
    (lambda: b"not an image", 400, "cannot be read as an image: UnidentifiedImageError"),
    (lambda: b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", 400, "cannot be read as an image: "),
    (large, 413, "the image has 20,000,004 bytes; expected at most 20,000,000"),
    (many_pixels, 400, "200 x 60 pixels are more than preprocess.pixel_limit = 10000"),
], ids=["empty", "text", "cut", "bytes", "pixels"])
def test_a_wrong_upload_is_refused_with_the_reason(
    ask: Ask, content: Callable[[], bytes], status: int, message: str
) -> None:
    given, answer = ask("POST", "/images", content())
    assert given == status
    assert message in answer["error"]


@pytest.fixture(scope="module")
def name(ask: Ask, photo: Path) -> str:
    return ask("POST", "/images", photo.read_bytes())[1]["name"]


@pytest.mark.parametrize(("path", "body", "status", "message"), [
    ("/images/999/captions", b"", 404, "the server has no such image any more; choose it again"),
    ("/images/{}/answers", b" \n", 400, "the question has 0 characters; expected 1 to 300"),
    ("/images/{}/answers", b"a" * 301, 400, "the question has 301 characters; expected 1 to 300"),
    ("/images/{}/answers", b"a" * 1201, 413, "the question has 1,201 bytes; expected at most 1,200"),
    ("/nowhere", b"", 404, "Not Found"),
])
def test_a_wrong_request_is_refused(
    ask: Ask, name: str, path: str, body: bytes, status: int, message: str
) -> None:
    assert ask("POST", path.format(name), body) == (status, {"error": message})


def test_another_host_name_is_refused(ask: Ask) -> None:
    assert ask("GET", "/about", Host="example.org")[0] == 400


def test_old_images_are_forgotten(ask: Ask, photo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo_app, "KEPT", 2)
    names = [ask("POST", "/images", photo.read_bytes())[1]["name"] for _ in range(3)]
    assert [ask("GET", f"/images/{name}")[0] for name in names] == [404, 200, 200]


def test_two_requests_at_once_get_what_each_gets_alone(ask: Ask, photo: Path) -> None:
    name = ask("POST", "/images", photo.read_bytes())[1]["name"]
    requests = [("captions", b""), ("answers", b"what?"), ("captions", b"")]
    alone = [texts(ask("POST", f"/images/{name}/{path}", body)[1]) for path, body in requests]
    with ThreadPoolExecutor(3) as pool:
        together = pool.map(lambda pair: ask("POST", f"/images/{name}/{pair[0]}", pair[1]), requests)
        assert [texts(events) for _, events in together] == alone


def test_a_stream_ends_when_its_browser_goes_away(
    ask: Ask, photo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An endless stream would keep all others waiting."""
    name = ask("POST", "/images", photo.read_bytes())[1]["name"]
    before = demo_texts.captions

    def endless(*_: object) -> Iterator[demo_texts.Event]:
        while True:
            time.sleep(0.01)
            yield {"method": "lora", "greedy": "a"}

    monkeypatch.setattr(demo_texts, "captions", endless)
    connection = HTTPConnection(*ask.address, timeout=60)
    connection.request("POST", f"/images/{name}/captions")
    response = connection.getresponse()
    assert response.readline()
    monkeypatch.setattr(demo_texts, "captions", before)
    response.close()
    connection.close()
    assert len(texts(ask("POST", f"/images/{name}/captions")[1])) == len(METHODS)
