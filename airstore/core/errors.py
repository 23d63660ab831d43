"""Every error a user can meet, each with an exit code, the side it is on, and a way out.

Anything else that escapes is a bug in airstore: it keeps its traceback and exits 1.
"""


class AirstoreError(Exception):
    """A fault the user can act on.

    Attributes:
        exit_code: the process's exit code when this error ends a command.
        hint: what to do about it, or an empty string.
    """

    exit_code = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class UsageError(AirstoreError):
    """The command, the product file or the site file asks for something that cannot be meant."""

    exit_code = 2


class NotFoundError(AirstoreError):
    """Something that was named does not exist: a store, a release, an image, a file."""

    exit_code = 10


class LockedError(AirstoreError):
    """Another airstore process is changing the same store."""

    exit_code = 11


class DamagedError(AirstoreError):
    """Bytes are not what their digest, length or format says."""

    exit_code = 20


class IncompleteError(AirstoreError):
    """Media or a store lack something that is needed to go on."""

    exit_code = 21


class NotTrustedError(AirstoreError):
    """A signature is missing, wrong, or by a key without the role."""

    exit_code = 30


class SequenceError(AirstoreError):
    """Genuine, but stale, forked, or meant for another product or site."""

    exit_code = 31


class TransferError(AirstoreError):
    """A registry or another peer refused, stalled or broke off."""

    exit_code = 40


class StorageError(AirstoreError):
    """The disk is full, read-only, or failed; nothing was made visible."""

    exit_code = 41


class ProgramError(AirstoreError):
    """A program that airstore runs failed for no reason of the user's: it took too long, or was ended."""

    exit_code = 42


class DeployError(AirstoreError):
    """A change of the cluster failed; what ran before runs again, or was never touched."""

    exit_code = 50


class OperatorNeededError(AirstoreError):
    """The rollback failed too: Helm releases are in different states, and a person has to look."""

    exit_code = 51
