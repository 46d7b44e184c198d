"""Images to train, calibrate and evaluate on."""

from edgewright.training.data.batches import Augmentation, batches
from edgewright.training.data.digits import load_digits_data
from edgewright.training.data.folder import load_image_folder
from edgewright.training.data.images import ImageData, Split

__all__ = ["Augmentation", "ImageData", "Split", "batches", "load_digits_data", "load_image_folder"]
