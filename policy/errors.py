"""What can go wrong with runs and training, each with a sentence that says what to do about it.

Without torch, so that whoever reports an error need not wait for it.
"""


class CheckpointError(RuntimeError):
    """A run or a checkpoint is not as it must be."""


class CheckpointNotSaved(CheckpointError):
    """A checkpoint could not be written; those that were there are untouched."""


class TrainingError(RuntimeError):
    """Training cannot begin or go on."""


class RecipeError(ValueError):
    """A recipe or one of its numbers does not exist; the message names what does."""
