"""From a store, or from live streams, to what a policy sees, feels and learns from."""
