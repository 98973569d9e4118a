"""The chat form of instruction-tuned decoders, around an image and a question.

Source: ChatML, the form of SmolLM2-Instruct (Allal et al. 2025) and others, without a system message.
"""

from __future__ import annotations

from vltune.data.tokenizer import Tokenizer
from vltune.pipeline.errors import InputError
from vltune.pipeline.tasks import JOINT

TOKENS = ("<|im_start|>", "<|im_end|>")
USER, ASSISTANT = "<|im_start|>user\n", "<|im_end|>\n<|im_start|>assistant\n"
INSTRUCTION = "\nDescribe the image."  # what the user says beside an image that is to be captioned


def chat_template(tokenizer: Tokenizer, task: str) -> dict[str, list[int]]:
    """Give the token ids before the image, behind it, and behind a question, as `Template` has them.

    Raises:
        InputError: the tokenizer lacks one of the chat form's tokens; names it. Or the training is joint.
    """
    if task == JOINT:
        raise InputError(
            f"params.yaml: projector.prompt is chat, but 'tasks' holds {JOINT}: captions and questions that "
            "share image tokens cannot have different texts around the image; expected projector.prompt none")
    for token in TOKENS:
        if not tokenizer.knows(token):
            raise InputError(
                f"params.yaml: projector.prompt is chat, but the decoder's tokenizer has no token {token}; "
                "expected an instruction-tuned decoder with this chat form, otherwise set it to none")
    answer = tokenizer.encode(ASSISTANT)
    if task == "caption":
        return {"before": tokenizer.encode(USER), "behind": [*tokenizer.encode(INSTRUCTION), *answer],
                "suffix": []}
    return {"before": tokenizer.encode(USER), "behind": tokenizer.encode("\n"), "suffix": answer}
