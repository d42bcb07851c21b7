"""The objects of one folder of a store, through fsspec: listed, read, and replaced whole.

An object is replaced in one step by every store that is meant here, so a reader sees the old one or
the new one. S3 and Google's storage also replace one only if it is the one that was seen last,
which keeps two writers from losing each other's lines.
"""

import contextlib
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote

from pipeline.errors import UserMistake
from pipeline.stores.addresses import LOCAL_SCHEME, split_address
from pipeline.stores.failures import Overtaken, kind_of, reason_of, refused, told
from pipeline.stores.schemes import (
    EXTRAS,
    ROOTED,
    answer_seconds,
    endpoint_of,
    file_system,
    is_google,
    is_s3,
)

PART_BYTES = 1 << 29
"""Only objects of more than two of these are put there in parts, which S3 does unconditionally."""
ETAG, GENERATION = "ETag", "generation"
"""The marks of a version by which S3 and Google's storage know it again."""
NEVER = {ETAG: '"00000000000000000000000000000000"', GENERATION: "1"}
"""Marks that no version has."""
NO_OBJECT = "0"
"""The generation of what is not there."""
VERSIONS = ("etag", "mtime", "LastModified", "created")
"""What other stores call theirs; the first that is there counts, with the size."""


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
        try:
            with self._told():
                listed = self.system.find(self.place, detail=True)
        except FileNotFoundError as error:
            # Where only nothing lies, nothing is listed.
            raise self._no_bucket() from error
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
        whole = {"max_concurrency": 1} if is_s3(self.scheme) else {}
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
        if is_s3(self.scheme):
            return self._write_to_s3(name, content, last)
        if is_google(self.scheme):
            return self._write_to_google(name, content, last)
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

    def is_conditional(self, name: str, content: bytes) -> bool:
        """Whether what was asked of `write` is heeded; tried with an object that is there."""
        for last in (None, NEVER[GENERATION if is_google(self.scheme) else ETAG]):
            with contextlib.suppress(Overtaken):
                self.write(name, content, last)
                return False
        return True

    def _path(self, name: str) -> str:
        return f"{self.place}/{name}"

    def _no_bucket(self) -> UserMistake:
        return refused(self.address, f"there is no bucket {self.place.partition('/')[0]}")

    def _told(self) -> contextlib.AbstractContextManager[None]:
        return told(self.address, self.scheme)

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
                    timeout=answer_seconds(len(content)),
                    **only_if,
                )
        except FileNotFoundError as error:
            raise Overtaken(name) from error
        # A very large object is put there in parts, and then the answer says no version.
        found = (answer or {}).get(ETAG) or self.version(name)
        if found is None:
            raise Overtaken(name)
        return str(found)

    def _write_to_google(self, name: str, content: bytes, last: str | None) -> str:
        """Upload in one request, whose client has conditions for new objects only."""
        bucket, _, key = self._path(name).partition("/")
        boundary = secrets.token_hex(16)
        about = json.dumps({"name": key}).encode()
        parts = [(b"application/json", about), (b"application/octet-stream", content)]
        head = f"--{boundary}\r\nContent-Type: ".encode()
        body = b"".join(b"%s%s\r\n\r\n%s\r\n" % (head, kind, part) for kind, part in parts)
        try:
            with self._told():
                _, answer = self.system.call(
                    "POST",
                    self.system.base.replace("/storage/", "/upload/storage/")
                    + f"b/{quote(bucket)}/o",
                    uploadType="multipart",
                    ifGenerationMatch=NO_OBJECT if last is None else last,
                    headers={"Content-Type": f"multipart/related; boundary={boundary}"},
                    data=body + f"--{boundary}--".encode(),
                    timeout=answer_seconds(len(content)),
                )
        except FileNotFoundError as error:
            raise self._no_bucket() from error
        return str(json.loads(answer)[GENERATION])


def opened(address: str) -> Objects:
    """The objects of an address.

    Raises:
        UserMistake: the scheme is not known, a package is missing, or the settings are wrong.
    """
    scheme, place = split_address(address)
    system = _system(scheme, address)
    if scheme in ROOTED:
        place = f"/{place}"
    return Objects(system, address, scheme, place, endpoint_of(scheme, system))


def _system(scheme: str, address: str) -> Any:
    """The file system behind a scheme.

    Raises:
        UserMistake: there is none, or it needs a package or settings.
    """
    try:
        return file_system(scheme)
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
        if kind_of(error, scheme) is None:
            raise
        raise UserMistake(f"{address} cannot be used ({reason_of(error)}).") from error


def _found(listed: Mapping[str, Any]) -> Found:
    size = int(listed["size"])
    known = listed.get(ETAG) or listed.get(GENERATION)
    if known:
        return Found(str(known), size)
    mark = next((listed[name] for name in VERSIONS if listed.get(name) is not None), "")
    # A listing and a question for one object may write the same time differently.
    mark = mark.timestamp() if isinstance(mark, datetime) else mark
    return Found(f"{mark} {size}", size)
