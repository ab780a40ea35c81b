"""Pictures for ERNIE-4.5-VL, as vLLM asks the published checkpoint's own processor for them.

Patches come as raw values: rescaling and normalising is vLLM's. Each row is a patch, channel by channel; four
neighbours that become one token stand together. Videos are pairs of frames in the same form.
"""

import math

import numpy as np
import torch
from transformers import BatchFeature, ProcessorMixin
from transformers.image_processing_utils import BaseImageProcessor

_IMAGE, _VIDEO, _TOKEN = "<|image@placeholder|>", "<|video@placeholder|>", "<|IMAGE_PLACEHOLDER|>"


class ErnieVLImageProcessor(BaseImageProcessor):
    model_input_names = ["images", "grid_thw"]  # noqa: RUF012

    def __init__(self, size=None, patch_size=14, merge_size=2, image_mean=None, image_std=None, **fields):
        super().__init__(**fields)
        self.size = size
        self.patch_size, self.merge_size = patch_size, merge_size
        self.image_mean, self.image_std = image_mean, image_std
        self.rescale_factor = fields.get("rescale_factor", 1 / 255)

    def preprocess(self, images, **_):
        """Returns patches and grid of each picture or frame (arrays of height, width, colour)."""
        made = [self._patches(image) for image in images]
        return {
            "images": torch.cat([one for one, _ in made]),
            "grid_thw": torch.tensor([grid for _, grid in made]),
        }

    def _patches(self, image):
        array = np.asarray(self._resized(image), dtype=np.float32)
        patch, merge = self.patch_size, self.merge_size
        rows, columns = array.shape[0] // patch, array.shape[1] // patch
        split = array.reshape(rows // merge, merge, patch, columns // merge, merge, patch, 3)
        ordered = split.transpose(0, 3, 1, 4, 6, 2, 5).reshape(rows * columns, 3 * patch * patch)
        return torch.from_numpy(np.ascontiguousarray(ordered)), [1, rows, columns]

    def _resized(self, image):
        from PIL import Image

        picture = image if isinstance(image, Image.Image) else Image.fromarray(np.asarray(image, dtype=np.uint8))
        height, width = self.fitting(picture.height, picture.width)
        return picture.convert("RGB").resize((width, height), Image.Resampling.BICUBIC)

    def fitting(self, height, width):
        """The nearest size that is whole in tokens and within the bounds of pixels, as vLLM reckons it."""
        side, least, most = self.patch_size * self.merge_size, self.size["min_pixels"], self.size["max_pixels"]
        near = [max(side, round(length / side) * side) for length in (height, width)]
        if near[0] * near[1] > most:
            scale = math.sqrt(most / (height * width))
            return tuple(math.floor(length * scale / side) * side for length in (height, width))
        if near[0] * near[1] < least:
            scale = math.sqrt(least / (height * width))
            return tuple(math.ceil(length * scale / side) * side for length in (height, width))
        return tuple(near)


class ErnieVLProcessor(ProcessorMixin):
    spatial_conv_size = 2
    temporal_conv_size = 2

    def __init__(self, image_processor=None, tokenizer=None, **fields):
        super().__init__(image_processor, tokenizer, **fields)

    def __call__(self, text=None, images=None, videos=None, **_):
        grids, patches = [], []
        for picture in images or []:
            self._add(self.image_processor.preprocess([picture]), patches, grids)
        for frames in videos or []:
            made = self.image_processor.preprocess(list(frames))
            made["grid_thw"] = torch.tensor([[len(made["grid_thw"]), *made["grid_thw"][0][1:].tolist()]])
            self._add(made, patches, grids)
        words = self._filled(text if isinstance(text, str) else text[0], grids)
        tokens = torch.tensor([self.tokenizer.encode(words, add_special_tokens=False)])
        seen = {"images": torch.cat(patches), "grid_thw": torch.cat(grids)} if patches else {"images": None}
        return BatchFeature({"input_ids": tokens, **seen})

    def _add(self, made, patches, grids):
        patches.append(made["images"])
        grids.append(made["grid_thw"])

    def _filled(self, text, grids):
        """Puts as many tokens into the text as each picture has, in its place."""
        for (frames, rows, columns), *_ in [grid.tolist() for grid in grids]:
            tokens = rows * columns // self.spatial_conv_size**2
            tokens = tokens * math.ceil(frames / self.temporal_conv_size) if frames > 1 else tokens
            text = text.replace(_VIDEO if frames > 1 else _IMAGE, _TOKEN * tokens, 1)
        return text
