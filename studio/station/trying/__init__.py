"""Policies tried on many scenes under the virtual clock."""
