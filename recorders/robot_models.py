"""Robot models are kept once, named by the beginning of their checksum, and never change."""

import hashlib

from recorders.files import write_durably
from recorders.store_folders import StoreFolders


def keep_model(folders: StoreFolders, model_xml: str) -> str:
    """Store an MJCF model if it is new.

    Returns:
        The beginning of its SHA-256, which names it; empty for an empty model.
    """
    if not model_xml:
        return ""
    data = model_xml.encode()
    prefix = hashlib.sha256(data).hexdigest()[:16]
    if not folders.model(prefix).exists():
        write_durably(folders.model(prefix), data)
    return prefix
