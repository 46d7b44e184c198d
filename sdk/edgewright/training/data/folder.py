"""Reading an ImageFolder tree: ``train/CLASS/*.jpg`` and ``test/CLASS/*.jpg``."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil
import torch
from numpy.typing import NDArray
from PIL import Image, ImageOps

from edgewright.errors import DataError
from edgewright.training.data.images import ImageData, Split, stratified_split

SUFFIXES = (".bmp", ".jpeg", ".jpg", ".png", ".ppm", ".webp")
LAYOUT = "train/CLASS/*.jpg and test/CLASS/*.jpg"
_N_THREADS = 4  # Pillow decodes without the interpreter's lock; more threads only wait for the disk


@dataclass(frozen=True, slots=True)
class _Listing:
    """Image files of one half of the tree, class by class, sorted."""

    classes: tuple[str, ...]
    files: tuple[Path, ...]
    labels: tuple[int, ...]


def load_image_folder(
    root: Path,
    *,
    size: int,
    val_fraction: float = 0.1,
    seed: int = 0,
    flip: bool = True,
    progress: Callable[[int, int], None] | None = None,
) -> ImageData:
    """Return the images below ``root`` in memory, resized and cropped to squares.

    Args:
        root: holds ``train/CLASS/*.jpg`` and ``test/CLASS/*.jpg``; also png, bmp, ppm and webp.
        size: pixels per side; the shorter side is resized to it, the longer one cropped at its centre.
        val_fraction: share of each class in ``train`` that is held out for the search, in (0, 1).
        seed: decides which images are held out.
        flip: whether mirrored images mean the same.
        progress: is told how many images of how many are read, from time to time.

    Raises:
        DataError: the folder cannot be trained on; every fault that was found is named.
    """
    if not 0 < val_fraction < 1:
        raise DataError(f"val_fraction lies between 0 and 1, got {val_fraction}")
    if size < 1:
        raise DataError(f"size is a positive number of pixels, got {size}")
    if not root.is_dir():
        raise DataError(f"data folder {root} does not exist; give one that holds {LAYOUT}")
    faults: list[str] = []
    train, test = _list_half(root / "train", 2, faults), _list_half(root / "test", 1, faults)
    if train.classes and test.classes and set(train.classes) != set(test.classes):
        if missing := sorted(set(train.classes) - set(test.classes)):
            faults.append(f"test/ lacks the classes {', '.join(missing[:5])}")
        if extra := sorted(set(test.classes) - set(train.classes)):
            faults.append(f"test/ has classes that train/ lacks: {', '.join(extra[:5])}")
    if len(train.classes) == 1:
        faults.append(f"train/ has one class only, {train.classes[0]!r}; at least two are needed")
    if faults:
        raise DataError(f"data folder {root} cannot be trained on: {'; '.join(faults)}. Expected {LAYOUT}")
    files = (*train.files, *test.files)
    _require_memory(len(files), size)
    images = torch.from_numpy(_read_all(root, files, size, progress))
    labels = torch.tensor([*train.labels, *test.labels], dtype=torch.int64)
    n_train = len(train.files)
    half = Split(images[:n_train], labels[:n_train])
    kept, held_out = stratified_split(half.labels.numpy(), val_fraction, np.random.default_rng(seed))
    return ImageData.from_splits(
        half.take(kept),
        half.take(held_out),
        Split(images[n_train:], labels[n_train:]),
        train.classes,
        flip=flip,
    )


def _list_half(folder: Path, at_least: int, faults: list[str]) -> _Listing:
    """Return the images below ``folder``; add what is wrong with it to ``faults``."""
    if not folder.is_dir():
        faults.append(f"{folder.name}/ is missing")
        return _Listing((), (), ())
    folders = sorted(f for f in folder.iterdir() if f.is_dir() and not f.name.startswith("."))
    if not folders:
        faults.append(f"{folder.name}/ holds no class folders")
    files: list[Path] = []
    labels: list[int] = []
    short: list[str] = []
    for label, class_folder in enumerate(folders):
        found = sorted(
            f
            for f in class_folder.iterdir()
            if f.suffix.lower() in SUFFIXES and not f.name.startswith(".") and f.is_file()
        )
        if len(found) < at_least:
            short.append(f"{class_folder.name} ({len(found)})")
        files += found
        labels += [label] * len(found)
    if short:
        faults.append(
            f"{folder.name}/ needs at least {at_least} image{'s' if at_least > 1 else ''} a class "
            f"({', '.join(SUFFIXES)}), too few in: {', '.join(short[:5])}"
            + (f" and {len(short) - 5} more" if len(short) > 5 else "")
        )
    return _Listing(tuple(f.name for f in folders), tuple(files), tuple(labels))


def _require_memory(n_images: int, size: int) -> None:
    # The split of train/ copies it once; shuffled batches and the network need room beside.
    needed, free = 2 * n_images * 3 * size * size, int(psutil.virtual_memory().available)
    if needed > free:
        raise DataError(
            f"{n_images} images of {size} px need {needed / 1e9:.1f} GB of memory while loading, "
            f"{free / 1e9:.1f} GB are free; use fewer images, or a space restricted to smaller resolutions"
        )


def _read_all(
    root: Path, files: tuple[Path, ...], size: int, progress: Callable[[int, int], None] | None
) -> NDArray[np.uint8]:
    """Return all images, ``(n, 3, size, size)``. Raises ``DataError`` for those that cannot be read."""
    images = np.empty((len(files), 3, size, size), dtype=np.uint8)
    broken: list[str] = []

    def read(index: int) -> str | None:
        try:
            images[index] = _read(files[index], size)
        except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
            return (
                f"{files[index].relative_to(root)} ({str(error).splitlines()[0] if str(error) else error!r})"
            )
        return None

    with ThreadPoolExecutor(_N_THREADS) as pool:
        for done, fault in enumerate(pool.map(read, range(len(files)), chunksize=64), 1):
            if fault is not None:
                broken.append(fault)
            if progress is not None and (done % 500 == 0 or done == len(files)):
                progress(done, len(files))
    if broken:
        raise DataError(
            f"{len(broken)} of {len(files)} images in {root} cannot be read, first {broken[0]}; "
            "replace or delete them"
        )
    return images


def _read(path: Path, size: int) -> NDArray[np.uint8]:
    """Return one image, ``(3, size, size)``: upright, RGB, shorter side resized, centre cropped."""
    with Image.open(path) as image:
        image.draft("RGB", (2 * size, 2 * size))  # lets a JPEG decoder skip detail nobody will see
        upright: Image.Image = ImageOps.exif_transpose(image)
        if upright.mode.startswith("I"):  # 16 bits a pixel: convert() would clip at 255
            upright = Image.fromarray((np.asarray(upright, dtype=np.uint32) >> 8).astype(np.uint8))
        rgb = upright.convert("RGB")
    if rgb.size != (size, size):
        rgb = ImageOps.fit(rgb, (size, size), Image.Resampling.BICUBIC)
    return np.asarray(rgb).transpose(2, 0, 1)
