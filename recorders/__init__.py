"""What a demonstration is and how it is kept: streams, the Zarr store, and their readers."""
