"""The dual-system network: its parts, what it is trained for, and how it is measured."""
