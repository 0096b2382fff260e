"""The tabs of the web desk, one file each."""
