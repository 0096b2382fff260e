"""Policies that others trained, or that run elsewhere, driving our robots as they are."""
