"""What the errors of a store come to: try again, ask the user, or somebody else was there first."""

import contextlib
import importlib
from collections.abc import Iterator

from pipeline.errors import UserMistake
from pipeline.stores.patience import Trouble
from pipeline.stores.schemes import is_google, is_s3

CONFLICTS = {"PreconditionFailed", "ConditionalRequestConflict"}
NETWORKING = {"aiohttp", "aiobotocore", "botocore", "fsspec", "gcsfs", "google", "requests"}
"""Packages whose errors are those of a store."""
NOT_ABLE = "NotImplemented"
UNAUTHORIZED = 401


class Overtaken(Exception):  # noqa: N818 - named for what it is
    """Somebody else has written the object meanwhile."""


@contextlib.contextmanager
def told(address: str, scheme: str) -> Iterator[None]:
    """Tell the errors of a store apart by whether trying again may help.

    Raises:
        Overtaken: a condition that came with a request did not hold.
        FileNotFoundError: there is no such object.
        UserMistake: only the user can help: no such bucket, no rights, no credentials.
        Trouble: trying again may help.
    """
    try:
        yield
    except (Overtaken, Trouble, UserMistake):
        raise
    except Exception as error:
        kind = kind_of(error, scheme)
        if kind is FileNotFoundError or kind is None:
            raise
        if kind is Overtaken:
            raise Overtaken(str(error)) from error
        if kind is UserMistake:
            raise refused(address, reason_of(error)) from error
        raise Trouble(reason_of(error)) from error


def refused(address: str, reason: str) -> UserMistake:
    """What a store says no to for good."""
    return UserMistake(
        f"The store of {address} refuses ({reason}); check the bucket's name, your credentials and "
        "your rights."
    )


def kind_of(error: Exception, scheme: str) -> type[Exception] | None:
    """What an error of a store comes to; None for one that is no store's."""
    code = _code(error)
    if isinstance(error, FileExistsError) or code in CONFLICTS:
        return Overtaken
    if isinstance(error, PermissionError) or "specified bucket" in str(error) or code == NOT_ABLE:
        return UserMistake
    if isinstance(error, FileNotFoundError):
        return FileNotFoundError
    if is_s3(scheme):
        known = importlib.import_module("botocore.exceptions")
        without = (known.NoCredentialsError, known.PartialCredentialsError, known.ProfileNotFound)
        if isinstance(error, without):
            return UserMistake
    if is_google(scheme) and _is_refused_by_google(error):
        return UserMistake
    package = type(error).__module__.partition(".")[0]
    return Trouble if isinstance(error, OSError) or package in NETWORKING else None


def reason_of(error: BaseException) -> str:
    """What an error says, in a line."""
    said = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    if not said and isinstance(error, TimeoutError):
        said = "no answer came in time"
    return " ".join((said or repr(error)).split())[:300]


def _is_refused_by_google(error: Exception) -> bool:
    # Its client has no class of its own for what is forbidden, nor for a request that is wrong.
    return (
        (isinstance(error, OSError) and str(error).startswith("Forbidden"))
        or (isinstance(error, ValueError) and str(error).startswith("Bad Request"))
        or getattr(error, "code", None) == UNAUTHORIZED
        or type(error).__name__ == "DefaultCredentialsError"
    )


def _code(error: Exception) -> str:
    """What S3 calls an error; nothing where it is none of S3's."""
    response = getattr(error.__cause__, "response", None)
    return str(response.get("Error", {}).get("Code", "")) if isinstance(response, dict) else ""
