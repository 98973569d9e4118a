"""The web application of a demo: a page, uploaded images, and streams of texts about them.

Models compute in one thread of their own, a token at a time, so that the server always answers. Streams wait
for each other: at most one computes, and it ends when its browser goes away.
"""

from __future__ import annotations

import asyncio
import json
import tempfile
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from io import BytesIO
from itertools import count
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from torch import Tensor

from vltune.commands import demo_texts, pictures
from vltune.commands.demo_runs import Runs
from vltune.pipeline.errors import InputError
from vltune.pipeline.paths import RAW

PAGE = Path(__file__).with_name("demo_page")
IMAGE_BYTES = 20_000_000  # of an uploaded file
QUESTION_CHARACTERS = 300
KEPT = 32  # images whose features are kept
SAMPLES = 8
SHOWN = 768  # pixels of a shown image's longer side
END = object()


@dataclass(frozen=True)
class Upload:
    """An image that was read: its features [1, k, w], and a JPEG of it for the page."""

    features: Tensor
    jpeg: bytes
    width: int
    height: int


def samples(root: Path) -> list[Path]:
    """Choose test images of the repository at `root`, at equal distances; none if the data are not there."""
    files = sorted(file for file in (root / RAW / "images/test").glob("*.*") if file.is_file())
    number = min(SAMPLES, len(files))
    return [files[(2 * i + 1) * len(files) // (2 * number)] for i in range(number)]


class Demo:
    """The handlers of the application's addresses, and the images that were uploaded."""

    def __init__(self, runs: Runs, examples: list[Path]) -> None:
        """Have no images yet."""
        self.runs, self.examples = runs, examples
        self.uploads: OrderedDict[str, Upload] = OrderedDict()
        self.names = map(str, count(1))
        self.worker = ThreadPoolExecutor(1)
        self.turn = asyncio.Lock()

    def routes(self) -> list[Route | Mount]:
        """List the addresses."""
        return [
            Route("/", self.page), Route("/about", self.about), Route("/samples/{number:int}", self.sample),
            Route("/images", self.upload, methods=["POST"]), Route("/images/{name}", self.image),
            Route("/images/{name}/captions", self.captions, methods=["POST"]),
            Route("/images/{name}/answers", self.answers, methods=["POST"]),
            Mount("/static", StaticFiles(directory=PAGE)),
        ]

    async def page(self, _: Request) -> Response:
        """Send the page."""
        return FileResponse(PAGE / "index.html")

    async def about(self, _: Request) -> Response:
        """Describe the runs and the limits."""
        runs = self.runs
        return JSONResponse({
            "runs": [{"method": run.method, "task": task, "share": run.share, "bytes": run.own_bytes}
                     for task, group in runs.by_task.items() for run in group],
            "beams": runs.predict_settings.beams, "samples": len(self.examples),
            "image_bytes": IMAGE_BYTES, "question_characters": QUESTION_CHARACTERS,
        })

    async def sample(self, request: Request) -> Response:
        """Send a sample image."""
        number = request.path_params["number"]
        if number >= len(self.examples):
            raise HTTPException(404, f"there is no sample {number}; there are {len(self.examples)}")
        return FileResponse(self.examples[number])

    async def upload(self, request: Request) -> Response:
        """Read the image in the body of a request, and keep it under a name."""
        content = await _body(request, IMAGE_BYTES, "the image")
        if not content:
            raise HTTPException(400, "there is no image: the file is empty (0 bytes)")
        upload = await self._compute(partial(self._read, content))
        name = next(self.names)
        self.uploads[name] = upload
        while len(self.uploads) > KEPT:
            self.uploads.popitem(last=False)
        return JSONResponse({"name": name, "width": upload.width, "height": upload.height}, 201)

    def _read(self, content: bytes) -> Upload:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "image")
            path.write_bytes(content)
            features = self.runs.encode(path)
            limit = self.runs.preprocess_settings.pixel_limit
            picture = pictures.as_encoded(path, self.runs.extractor.encoder, SHOWN, limit)
        jpeg = BytesIO()
        picture.save(jpeg, "JPEG", quality=90)
        return Upload(features, jpeg.getvalue(), *picture.size)

    def _upload(self, request: Request) -> Upload:
        try:
            return self.uploads[request.path_params["name"]]
        except KeyError:
            raise HTTPException(404, "the server has no such image any more; choose it again") from None

    async def image(self, request: Request) -> Response:
        """Send an uploaded image as the encoder reads it."""
        return Response(self._upload(request).jpeg, media_type="image/jpeg")

    async def captions(self, request: Request) -> Response:
        """Stream the captions of an image."""
        features = self._upload(request).features
        return self._streamed(lambda: demo_texts.captions(self.runs, features))

    async def answers(self, request: Request) -> Response:
        """Stream the answers to a question about an image: the body of the request, as text."""
        features = self._upload(request).features
        body = await _body(request, 4 * QUESTION_CHARACTERS, "the question")
        question = body.decode(errors="replace").strip()
        if not question or len(question) > QUESTION_CHARACTERS:
            raise HTTPException(400, f"the question has {len(question)} characters; expected 1 to "
                                     f"{QUESTION_CHARACTERS}")
        return self._streamed(lambda: demo_texts.answers(self.runs, features, question))

    def _streamed(self, begin: Callable[[], Iterator[demo_texts.Event]]) -> Response:
        return StreamingResponse(self._lines(begin), media_type="application/x-ndjson")

    async def _lines(self, begin: Callable[[], Iterator[demo_texts.Event]]) -> AsyncIterator[str]:
        async with self.turn:
            events = begin()
            while (event := await self._compute(partial(next, events, END))) is not END:
                yield json.dumps(event) + "\n"

    async def _compute(self, work: Callable[[], Any]) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self.worker, work)


async def _body(request: Request, limit: int, what: str) -> bytes:
    """Read the body of a request, in bounded memory.

    Raises:
        HTTPException: it has more than `limit` bytes.
    """
    parts, size = [], 0
    async for part in request.stream():  # to its end, or a browser would not read the answer
        size += len(part)
        if size <= limit:
            parts.append(part)
    if size > limit:
        raise HTTPException(413, f"{what} has {size:,} bytes; expected at most {limit:,}")
    return b"".join(parts)


async def _wrong_request(_: Request, error: Exception) -> Response:
    return JSONResponse({"error": error.detail}, error.status_code)


async def _wrong_image(_: Request, error: Exception) -> Response:
    return JSONResponse({"error": f"cannot be read as an image: {error}"}, 400)


def build(runs: Runs, examples: list[Path]) -> Starlette:
    """Make the application.

    It answers to this machine's names alone, so that no other site can pass itself off as it (DNS rebinding).
    """
    return Starlette(
        routes=Demo(runs, examples).routes(),
        middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=["127.0.0.1", "localhost"])],
        exception_handlers={HTTPException: _wrong_request, InputError: _wrong_image},
    )
