"""Robot models are kept once, named by the beginning of their checksum, and never change.

Nobody waits for the disk here: the writer of the episode makes the file safe with the rest of its
beginning. A file that a power cut left torn before that is written again by the next episode.
"""

import hashlib

from recorders.files import write_atomically
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
    path = folders.model(prefix)
    if not path.exists() or path.read_bytes() != data:
        write_atomically(path, data)
    return prefix
