"""Policies at work: their process, its links, and the same in the station's own process."""
