"""Folders of the real architectures, without their weights."""

import json
import struct
import subprocess
import sys
from pathlib import Path

import pytest
from tokenizers import Tokenizer
from tokenizers.decoders import DecodeStream

from benchmarks.gpu_lab import models

_PROCESS = """
import json, sys
from PIL import Image
from transformers import AutoProcessor
processor = AutoProcessor.from_pretrained(sys.argv[1], trust_remote_code=True, local_files_only=True)
picture = Image.new("RGB", (56, 84), (255, 0, 0))
words = "<|IMAGE_START|><|image@placeholder|><|IMAGE_END|>a"
film = [picture, picture, picture]
one = processor(text=[words], images=[picture], videos=[])
none = processor(text=["a"], images=[], videos=[])
moving = processor(text=["<|video@placeholder|>"], images=[], videos=[film])
print(json.dumps({
    "tokens": one["input_ids"][0].tolist(), "grid": one["grid_thw"].tolist(), "shape": list(one["images"].shape),
    "patch": [float(one["images"][0][i]) for i in (0, 195, 196, 587)], "none": none["images"],
    "film": moving["grid_thw"].tolist(), "film_tokens": len(moving["input_ids"][0]),
    "sides": [processor.image_processor.fitting(*size) for size in ((10, 10), (9999, 9999), (333, 640))],
}))
"""


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("models")
    models.write(root)
    return root


def _config(folder: Path) -> dict[str, object]:
    found: dict[str, object] = json.loads((folder / "config.json").read_text())
    return found


def test_every_architecture_has_a_folder_of_its_own(written: Path) -> None:
    layers = {path.name: _config(path)["num_hidden_layers"] for path in written.iterdir()}
    assert layers == {"vl28b": 28, "vl28b-images": 28, "vl424b": 54, "vl424b-8L": 8, "vl424b-27L": 27}


@pytest.mark.parametrize("name", ["vl424b-8L", "vl424b-27L"])
def test_some_layers_are_those_of_the_424b(written: Path, name: str) -> None:
    whole, part = _config(written / "vl424b"), _config(written / name)
    differ = {name for name in whole if whole[name] != part[name]}
    assert differ == {"num_hidden_layers", "moe_layer_end_index"}


def test_the_file_of_weights_is_whole_and_empty(written: Path) -> None:
    content = (written / "vl28b/model.safetensors").read_bytes()
    length = struct.unpack("<Q", content[:8])[0]
    assert len(content) == 8 + length
    assert list(json.loads(content[8:])) == ["__metadata__"]


def test_ids_of_pictures_are_the_tokenizers(written: Path) -> None:
    tokenizer = json.loads((written / "vl28b-images/tokenizer.json").read_text())
    ids = {one["content"]: one["id"] for one in tokenizer["added_tokens"]}
    config = _config(written / "vl28b-images")
    assert config["im_patch_id"] == ids["<|IMAGE_PLACEHOLDER|>"]
    assert config["image_start_token_id"] == ids["<|IMAGE_START|>"]
    assert config["video_end_token_id"] == ids["<|VIDEO_END|>"]


def test_a_prompt_of_text_cannot_hit_a_picture(written: Path) -> None:
    tokenizer = Tokenizer.from_file(str(written / "vl28b/tokenizer.json"))
    said = tokenizer.decode(list(range(200, 2000))) + "\u00e9 w300 <|IMAGE_START|>"
    assert max(tokenizer.encode(said).ids) < int(str(_config(written / "vl28b")["im_patch_id"]))


def test_every_token_that_a_model_can_say_is_a_word_at_once(written: Path) -> None:
    tokenizer = Tokenizer.from_file(str(written / "vl28b/tokenizer.json"))
    size = int(str(_config(written / "vl28b")["vocab_size"]))
    assert tokenizer.get_vocab_size() == size
    stream = DecodeStream(ids=tokenizer.encode("a").ids, skip_special_tokens=True)
    said = [stream.step(tokenizer, one) for one in (259, 5000, size - 1)]
    assert said == [" w259", " w5000", f" w{size - 1}"]


def test_contexts_are_long_enough_for_the_guides_workload(written: Path) -> None:
    settings = json.loads((written / "vl28b/tokenizer_config.json").read_text())
    assert settings["model_max_length"] == _config(written / "vl28b")["max_position_embeddings"] == 131072


def test_the_processor_answers_as_vllm_asks(written: Path, tmp_path: Path) -> None:
    argv = [sys.executable, "-W", "ignore", "-c", _PROCESS, str(written / "vl28b-images")]
    environ = {"HF_HUB_OFFLINE": "1", "HF_MODULES_CACHE": str(tmp_path), "PATH": "/usr/bin:/bin"}
    done = subprocess.run(argv, env=environ, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout.splitlines()[-1])
    picture = _config(written / "vl28b-images")["im_patch_id"]
    assert said["grid"] == [[1, 6, 4]]
    assert said["shape"] == [24, 588]
    assert said["patch"] == [255.0, 255.0, 0.0, 0.0]
    assert said["tokens"].count(picture) == 6
    assert said["none"] is None
    assert (said["film"], said["film_tokens"]) == ([[3, 6, 4]], 12)
    assert said["sides"] == [[56, 56], [2184, 2184], [336, 644]]
