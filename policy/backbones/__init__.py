"""Transformers that a dual-system policy can be built on."""
