"""A large picture's reduced copy: which pictures get one, how large it is, and who is served by it.

Training wants small pictures, and decoding a large one only to shrink it costs ten times as much as
decoding a small one. So a camera of large pictures records a second one beside each, in which a
pixel is the mean of factor x factor pixels of the first (the idea of multiscale images, as in
OME-NGFF). The factor divides both sides, so that the copy shows exactly the same field of view.

Knows declarations and sizes; makes no pictures (picture_pair.py does) and reads no files.
"""

from collections.abc import Sequence

from recorders.streams import ImageField

SUFFIX = "_small"
# (height, width) below which a copy is of no use: what our policies look at.
LEAST_SIZE = (96, 128)
# Of a picture halved the copy would take half as many bytes again, and save half of the decoding.
LEAST_FACTOR = 3


def reduction_factor(height: int, width: int) -> int:
    """The largest whole number that divides both sides and leaves at least `LEAST_SIZE`.

    Returns:
        1 if there is none from `LEAST_FACTOR` on: then there is to be no copy. 640 x 480 has 5,
        848 x 480 has 4, 1280 x 720 has 5 and 1920 x 1080 has 10.
    """
    most = min(height // LEAST_SIZE[0], width // LEAST_SIZE[1])
    return next((factor for factor in range(most, LEAST_FACTOR - 1, -1)
                 if height % factor == 0 and width % factor == 0), 1)


def with_reduced(image: ImageField) -> tuple[ImageField, ...]:
    """What a camera with this colour picture declares: the picture, and its copy if it gets one."""
    factor = reduction_factor(image.height, image.width)
    if factor == 1:
        return (image,)
    return image, ImageField(
        name=image.name + SUFFIX, height=image.height // factor, width=image.width // factor,
        encoding=image.encoding, reduced_from=image.name, factor=factor)


def picture_for(images: Sequence[ImageField], name: str, size: tuple[int, int] | None) -> str:
    """Which picture to read where `name` is wanted: the smallest that is large enough.

    Args:
        images: what the camera declares; without a copy, as in older recordings, it is `name`.
        name: of the picture that is wanted.
        size: (height, width) in which it is wanted; None for as it was taken.
    """
    if size is None:
        return name
    copies = [image for image in images if image.reduced_from == name
              and image.height >= size[0] and image.width >= size[1]]
    return min(copies, key=lambda image: image.height * image.width).name if copies else name


def misfit(image: ImageField, images: Sequence[ImageField]) -> str:
    """Why a declared picture is no copy of the picture that it names; empty if all is well.

    Args:
        image: the picture.
        images: all pictures of its camera.
    """
    if not image.reduced_from:
        return "" if image.factor == 1 else f"it has factor {image.factor} but names no picture"
    original = next((one for one in images
                     if one.name == image.reduced_from and not one.reduced_from), None)
    if original is None:
        return f"it is said to be reduced from '{image.reduced_from}', which the camera has not"
    size = (image.height * image.factor, image.width * image.factor)
    if image.factor < 2 or size != (original.height, original.width):
        return (f"{image.width}x{image.height} is not {original.width}x{original.height} "
                f"reduced {image.factor} times")
    if "zstd" in (image.encoding, original.encoding):
        return "depth has no mean, and cannot be reduced"
    return ""
