"""Policies that ours is measured against, in the same harness and on the same demonstrations."""
