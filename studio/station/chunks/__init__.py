"""A policy's chunks at the station: played, joined, bent by a person, written down."""
