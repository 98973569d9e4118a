"""The decoder's tokenizer: text to token ids and back, with the end token that every target carries."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tokenizers import Tokenizer as Library

from vltune.pipeline.errors import InputError
from vltune.pipeline.files import read_json


class Tokenizer:
    """Reads tokenizer.json (Hugging Face's format) and the end token's id from config.json beside it."""

    def __init__(self, folder: Path) -> None:
        """Load from a decoder's folder.

        Raises:
            InputError: tokenizer.json is missing or not of that format, or config.json has no eos_token_id.
        """
        path = folder / "tokenizer.json"
        try:
            self._library = Library.from_str(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise InputError(f"{path}: no such file") from None
        except Exception as error:  # noqa: BLE001 - the library raises a bare Exception
            raise InputError(f"{path}: cannot be read as a tokenizer ({error})") from None
        end = read_json(folder / "config.json").get("eos_token_id")
        # a list names several end tokens: the first is trained and stopped at
        ends = end if isinstance(end, list) else [end]
        if not ends or not all(isinstance(token, int) for token in ends):
            raise InputError(
                f"{folder / 'config.json'}: eos_token_id is {end!r}, expected a token id or a list of them"
            )
        self.end = ends[0]

    def encode(self, text: str) -> list[int]:
        """Turn text into token ids, without an end token."""
        return self._library.encode(text, add_special_tokens=False).ids

    def knows(self, token: str) -> bool:
        """Say whether a special token, such as one of a chat form, is a token of its own."""
        return self._library.token_to_id(token) is not None

    def encode_all(self, texts: Sequence[str]) -> list[list[int]]:
        """Turn many texts into token ids at once."""
        return [
            encoding.ids for encoding in self._library.encode_batch(list(texts), add_special_tokens=False)
        ]

    def decode(self, ids: Sequence[int]) -> str:
        """Turn token ids into text; special tokens are left out, white space becomes single spaces."""
        return " ".join(self._library.decode(list(ids), skip_special_tokens=True).split())
