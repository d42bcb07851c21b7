"""The objects of one folder of a store, through fsspec: listed, read, and replaced whole.

An object is replaced in one step by every store that is meant here, so a reader sees the old one or
the new one. Amazon S3 and servers like it also replace one only if it is the one that was seen
last, which keeps two writers from losing each other's lines.
"""

import contextlib
import importlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from pipeline.errors import UserMistake
from pipeline.stores.addresses import LOCAL_SCHEME, split_address
from pipeline.stores.patience import START_PATIENCE, Trouble, patience_of

EXTRAS = {"s3": "s3", "s3a": "s3", "gs": "gs", "gcs": "gs"}
"""The extras of this package that bring what a scheme needs."""
ROOTED = {LOCAL_SCHEME, "memory"}
"""Schemes whose names begin with a slash."""
ENDPOINTS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")
EMULATOR = "STORAGE_EMULATOR_HOST"
"""Where Google's storage is another server."""
AMAZON = "amazonaws.com"
PART_BYTES = 1 << 29
"""Only objects of more than two of these are put there in parts, which S3 does unconditionally."""
CONNECT_SECONDS = 5.0
SLOWEST_LINE = 1 << 16
"""Bytes per second; an upload that takes longer than this is given up."""
REQUESTS_AT_ONCE = 20
ETAG = "ETag"
"""The mark of a version by which S3 knows it again."""
VERSIONS = ("etag", "generation", "mtime", "LastModified", "created")
"""What other stores call theirs; the first that is there counts, with the size."""
CONFLICTS = {"PreconditionFailed", "ConditionalRequestConflict"}
NETWORKING = {"aiohttp", "aiobotocore", "botocore", "fsspec", "gcsfs", "google"}
"""Packages whose errors are those of a store."""


class Overtaken(Exception):  # noqa: N818 - same
    """Somebody else has written the object meanwhile."""


@dataclass(frozen=True, slots=True)
class Found:
    """An object that is there: a mark of its version, and its bytes."""

    version: str
    size: int


@dataclass(frozen=True, slots=True)
class Objects:
    """The objects whose names begin with one place.

    Every call raises `Trouble` where trying again may help, and `UserMistake` where only the user
    can: no such bucket, no rights, no credentials.
    """

    system: Any
    address: str
    scheme: str
    place: str
    endpoint: str

    def found(self) -> dict[str, Found]:
        """All objects by their names within the place."""
        with self._told():
            listed = self.system.find(self.place, detail=True)
        prefix = f"{self.place}/"
        return {
            name.removeprefix(prefix): _found(each)
            for name, each in listed.items()
            if name.startswith(prefix) and not name.endswith("/")
        }

    def fitting(self) -> list[str]:
        """The addresses of the places that fit this one, whose name has wildcards."""
        with self._told():
            places = self.system.glob(self.place)
        return [
            f"{self.scheme}://{'/' * (self.scheme == LOCAL_SCHEME)}{one.strip('/')}"
            for one in places
        ]

    def read(self, name: str) -> bytes:
        """The content of an object. Raises `FileNotFoundError` where it has gone."""
        # In one request, so that no other version's end comes with it.
        whole = {"max_concurrency": 1} if self.replaces_by_version else {}
        with self._told():
            content: bytes = self.system.cat_file(self._path(name), **whole)
        return content

    def write(self, name: str, content: bytes, last: str | None) -> str:
        """Put an object there in one step; the mark of its version.

        `last` is the version that it takes the place of, None where there is none; a store that
        is able to refuses if it holds another.

        Raises:
            Overtaken: it holds another.
        """
        if self.replaces_by_version:
            return self._write_to_s3(name, content, last)
        with self._told():
            self.system.makedirs(self._path(name).rpartition("/")[0], exist_ok=True)
            if last is None:
                self._create(name, content)
            else:
                self.system.pipe_file(self._path(name), content)
            return _found(self.system.info(self._path(name))).version

    def remove(self, name: str) -> None:
        """Remove an object, if it is there."""
        with self._told(), contextlib.suppress(FileNotFoundError):
            self.system.rm_file(self._path(name))

    def version(self, name: str) -> str | None:
        """The mark of an object's version; None where it is not there."""
        with self._told(), contextlib.suppress(FileNotFoundError):
            return _found(self.system.info(self._path(name))).version
        return None

    @property
    def replaces_by_version(self) -> bool:
        """Whether it is asked to replace only what was seen last; it may not heed that."""
        return EXTRAS.get(self.scheme) == "s3"

    def _path(self, name: str) -> str:
        return f"{self.place}/{name}"

    def _create(self, name: str, content: bytes) -> None:
        try:
            self.system.pipe_file(self._path(name), content, mode="create")
        except FileExistsError as error:
            raise Overtaken(name) from error

    def _write_to_s3(self, name: str, content: bytes, last: str | None) -> str:
        only_if = {"IfNoneMatch": "*"} if last is None else {"IfMatch": last}
        try:
            with self._told():
                # The client has no limit of its own for what it sends, nor for a server's leave
                # to send it.
                answer = self.system.pipe_file(
                    self._path(name),
                    content,
                    chunksize=PART_BYTES,
                    timeout=_answer_seconds() + len(content) / SLOWEST_LINE,
                    **only_if,
                )
        except FileNotFoundError as error:
            raise Overtaken(name) from error
        # A very large object is put there in parts, and then the answer says no version.
        told = (answer or {}).get(ETAG) or self.version(name)
        if told is None:
            raise Overtaken(name)
        return str(told)

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        """Tell errors apart by whether trying again may help."""
        try:
            yield
        except (Overtaken, Trouble):
            raise
        except Exception as error:
            kind = _kind(error, self.scheme)
            if kind is FileNotFoundError:
                raise
            if kind is Overtaken:
                raise Overtaken(str(error)) from error
            if kind is UserMistake:
                raise UserMistake(
                    f"The store of {self.address} refuses ({_reason(error)}); check the bucket's "
                    "name, your credentials and your rights."
                ) from error
            if kind is Trouble:
                raise Trouble(_reason(error)) from error
            raise


def opened(address: str) -> Objects:
    """The objects of an address.

    Raises:
        UserMistake: the scheme is not known, a package is missing, or the settings are wrong.
    """
    scheme, place = split_address(address)
    system = _system(scheme, address)
    if scheme in ROOTED:
        place = f"/{place}"
    server = ""
    if EXTRAS.get(scheme) == "s3":
        server = system.s3.meta.endpoint_url
    elif EXTRAS.get(scheme) == "gs":
        server = os.environ.get(EMULATOR, "")
    url = urlsplit(server)
    endpoint = "" if AMAZON in (url.hostname or "") else url.netloc.rpartition("@")[2]
    return Objects(system, address, scheme, place, endpoint)


def _system(scheme: str, address: str) -> Any:
    """The file system behind a scheme.

    Raises:
        UserMistake: there is none, or it needs a package or settings.
    """
    try:
        fsspec = importlib.import_module("fsspec")
        system = fsspec.filesystem(scheme, **_options(scheme, fsspec.config.conf))
        if EXTRAS.get(scheme) == "s3":
            # Trying again is ours to do: whatever is tried must first know that it still may.
            system.retries = 1
            system.connect()
    except ImportError as error:
        extra = EXTRAS.get(scheme)
        how = f"pip install 'speclrm[{extra}]'" if extra else "install the package that it names"
        raise UserMistake(
            f"{address} needs a package that is not here ({error}): {how}."
        ) from error
    except ValueError as error:
        raise UserMistake(
            f"{address} cannot be used ({error}); run directories may be s3://BUCKET/…, "
            "gs://BUCKET/…, or folders."
        ) from error
    except Exception as error:
        if _kind(error, scheme) is None:
            raise
        raise UserMistake(f"{address} cannot be used ({_reason(error)}).") from error
    return system


def _options(scheme: str, configured: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    options: dict[str, Any] = {"use_listings_cache": False}
    if EXTRAS.get(scheme) == "s3":
        ours = {
            "retries": {"max_attempts": 0},
            "connect_timeout": CONNECT_SECONDS,
            "read_timeout": _answer_seconds(),
            "max_pool_connections": REQUESTS_AT_ONCE,
        }
        set_by_user = configured.get(scheme, {})
        options["config_kwargs"] = ours | dict(set_by_user.get("config_kwargs", {}))
        # fsspec keeps one file system for all who ask for the same, so they must say for which.
        endpoint = next((os.environ[name] for name in ENDPOINTS if os.environ.get(name)), None)
        if endpoint is not None and "endpoint_url" not in set_by_user:
            options["endpoint_url"] = endpoint
    return options


def _answer_seconds() -> float:
    """How long a store may be silent within one request, which is no longer than it is tried."""
    return max(CONNECT_SECONDS, patience_of(START_PATIENCE))


def _kind(error: Exception, scheme: str) -> type[Exception] | None:
    """What an error of a store comes to; None for one that is no store's."""
    code = _code(error)
    if isinstance(error, FileExistsError) or code in CONFLICTS:
        return Overtaken
    if isinstance(error, PermissionError) or "specified bucket" in str(error):
        return UserMistake
    if isinstance(error, FileNotFoundError):
        return FileNotFoundError
    if EXTRAS.get(scheme) == "s3":
        known = importlib.import_module("botocore.exceptions")
        without = (known.NoCredentialsError, known.PartialCredentialsError, known.ProfileNotFound)
        if isinstance(error, without):
            return UserMistake
    package = type(error).__module__.partition(".")[0]
    return Trouble if isinstance(error, OSError) or package in NETWORKING else None


def _code(error: Exception) -> str:
    """What S3 calls an error; nothing where it is none of S3's."""
    response = getattr(error.__cause__, "response", None)
    return str(response.get("Error", {}).get("Code", "")) if isinstance(response, dict) else ""


def _reason(error: Exception) -> str:
    said = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    if not said and isinstance(error, TimeoutError):
        said = "no answer came in time"
    return " ".join((said or repr(error)).split())[:300]


def _found(listed: Mapping[str, Any]) -> Found:
    size = int(listed["size"])
    if listed.get(ETAG):
        return Found(str(listed[ETAG]), size)
    mark = next((listed[name] for name in VERSIONS if listed.get(name) is not None), "")
    # A listing and a question for one object may write the same time differently.
    mark = mark.timestamp() if isinstance(mark, datetime) else mark
    return Found(f"{mark} {size}", size)
