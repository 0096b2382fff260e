"""The versions of a policy's weights: which there are, and which of them may drive."""
