"""A policy at work: when it thinks and when it acts, and the dual-system network as a policy."""
