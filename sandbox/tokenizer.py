"""A tokenizer of single bytes, for the tiny model."""

import json
from pathlib import Path

_SPECIAL = ("<unk>", "<s>", "</s>")
#: By the name of their ids in a model's configuration; the last two stand for a whole picture or video, until the
#: processor has looked at it.
_IMAGES = {
    "im_patch_id": "<|IMAGE_PLACEHOLDER|>",
    "image_start_token_id": "<|IMAGE_START|>",
    "image_end_token_id": "<|IMAGE_END|>",
    "video_start_token_id": "<|VIDEO_START|>",
    "video_end_token_id": "<|VIDEO_END|>",
}
_WHOLE = ("<|image@placeholder|>", "<|video@placeholder|>")

#: GPT-2's letter for a space.
_SPACE = "\u0120"

SIZE = 272  # 3 + 256 + 7, up to a multiple of 16
IDS = {
    "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2,
    **{name: len(_SPECIAL) + 256 + i for i, name in enumerate(_IMAGES)},
}  # fmt: skip

_CHAT = "{% for m in messages %}{{m['role']}}: {{m['content']}}\n{% endfor %}assistant:"


def write(folder: Path, longest: int = 4096, images: bool = False, size: int = 0) -> None:
    """`longest` context in tokens; `images`: with words for pictures, which chance could put into a prompt.

    `size`: with a word for every id below it, which a model can say and no text is made of. At an id without one
    vLLM waits for the rest of a character. It then decodes prompt and answer anew for each token: 1 to 3 ms.
    """
    more = (*_IMAGES.values(), *_WHOLE) if images else ()
    for name, content in (
        ("tokenizer.json", _tokenizer(more, size)),
        ("tokenizer_config.json", _settings(longest, more)),
        ("generation_config.json", {"bos_token_id": 1, "eos_token_id": 2}),
    ):
        (folder / name).write_text(json.dumps(content))


def _settings(longest: int, more: tuple[str, ...]) -> dict[str, object]:
    return {
        **({"extra_special_tokens": list(more)} if more else {}),
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>",
        "model_max_length": longest, "chat_template": _CHAT,
    }  # fmt: skip


def _tokenizer(more: tuple[str, ...], size: int) -> dict[str, object]:
    vocabulary = [*_SPECIAL, *_visible_bytes(), *more]
    vocabulary += [f"{_SPACE}w{i}" for i in range(len(vocabulary), size)]
    added = [
        {"id": i, "content": text, "special": True, "single_word": False, "lstrip": False, "rstrip": False,
         "normalized": False}
        for i, text in enumerate(vocabulary) if text in _SPECIAL + more
    ]  # fmt: skip
    bytewise = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    model = {
        "type": "BPE",
        "unk_token": "<unk>",
        "vocab": {text: i for i, text in enumerate(vocabulary)},
        "merges": [],
    }
    return {
        "version": "1.0", "truncation": None, "padding": None, "added_tokens": added, "normalizer": None,
        "pre_tokenizer": bytewise, "post_processor": None, "decoder": bytewise, "model": model,
    }  # fmt: skip


def _visible_bytes() -> list[str]:
    """GPT-2's alphabet: a byte that prints stands for itself, another for a letter from 256 on."""
    printing = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    others = [byte for byte in range(256) if byte not in printing]
    return [chr(byte if byte in printing else 256 + others.index(byte)) for byte in range(256)]
