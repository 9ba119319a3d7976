"""Files to pixels with PIL, as a loop in Python would do it."""

from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image

SUFFIXES = {".jpg", ".jpeg", ".png"}


def list_files(folder):
    """In the order of their names (read-images.mjs)."""
    return sorted(file for file in Path(folder).iterdir() if file.suffix.lower() in SUFFIXES)


def source_of(file):
    """What PIL opens. `file` is a path, or the bytes of a file."""
    return BytesIO(file) if isinstance(file, bytes) else file


def decode(file, size):
    """[H,W,3] uint8."""
    with Image.open(source_of(file)) as image:
        return np.asarray(image.convert("RGB").resize(size, Image.Resampling.BICUBIC))
