"""Does a batch fit the streams that its episode declared? Said before anything is written."""

from collections.abc import Mapping, Sequence

import numpy as np

from recorders.store_errors import StoreError
from recorders.streams import Batch, StreamSpec


def require_fitting(
    batch: Batch, numbers: Mapping[str, int], streams: Sequence[StreamSpec],
    dtypes: Sequence[np.dtype],
) -> int:
    """Refuse a batch that cannot be recorded.

    Args:
        batch: what arrived.
        numbers: each stream's place in `streams`, by name.
        streams: what the episode records.
        dtypes: the streams' `row_dtype`s, which take long to make.

    Returns:
        The number of the batch's stream.

    Raises:
        StoreError: saying what would fit.
    """
    number = numbers.get(batch.stream)
    if number is None:
        raise StoreError(f"unknown stream '{batch.stream}': this episode records "
                         f"{', '.join(numbers)}")
    spec, dtype = streams[number], dtypes[number]
    if batch.rows.dtype != dtype or batch.rows.ndim != 1:
        raise StoreError(f"rows of stream '{batch.stream}' must be (N,) of {dtype}, not "
                         f"{batch.rows.shape} of {batch.rows.dtype}")
    wanted = {image.name for image in spec.images}
    if len(batch.images) != (len(batch.rows) if wanted else 0):
        raise StoreError(f"stream '{batch.stream}' needs {sorted(wanted) or 'no images'} with "
                         f"each of {len(batch.rows)} rows, not {len(batch.images)} mappings")
    for pictures in batch.images:
        if pictures.keys() != wanted:
            raise StoreError(f"a row of stream '{batch.stream}' came with images "
                             f"{sorted(pictures)} instead of {sorted(wanted)}")
    return number
