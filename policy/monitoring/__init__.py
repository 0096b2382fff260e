"""Signals that tell early that a rollout goes wrong, and how far they may go."""
