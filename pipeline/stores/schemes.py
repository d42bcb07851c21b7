"""The schemes of addresses, and the file system behind each."""

import importlib
import os
from collections.abc import Mapping
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from pipeline.stores.addresses import LOCAL_SCHEME
from pipeline.stores.patience import START_PATIENCE, patience_of

EXTRAS = {"s3": "s3", "s3a": "s3", "gs": "gs", "gcs": "gs"}
"""The extras of this package that bring what a scheme needs."""
CLIENTS = {"s3": "s3fs", "gs": "gcsfs"}
"""What an extra brings."""
ROOTED = {LOCAL_SCHEME, "memory"}
"""Schemes whose names begin with a slash."""
ENDPOINTS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")
EMULATOR = "STORAGE_EMULATOR_HOST"
"""Where Google's storage is another server."""
AMAZON = "amazonaws.com"
CONNECT_SECONDS = 5.0
SLOWEST_LINE = 1 << 16
"""Bytes per second; an upload that takes longer than this is given up."""
REQUESTS_AT_ONCE = 20


def is_s3(scheme: str) -> bool:
    """Whether it is S3's protocol."""
    return EXTRAS.get(scheme) == "s3"


def is_google(scheme: str) -> bool:
    """Whether it is that of Google's storage."""
    return EXTRAS.get(scheme) == "gs"


def answer_seconds(size: int = 0) -> float:
    """How long a request may take that sends so many bytes, and no longer than it is tried."""
    return max(CONNECT_SECONDS, patience_of(START_PATIENCE)) + size / SLOWEST_LINE


def file_system(scheme: str) -> Any:
    """The file system of a scheme, which makes every request once.

    Raises:
        ImportError: a package is missing.
        ValueError: there is none, or the settings are wrong.
    """
    fsspec = importlib.import_module("fsspec")
    if is_google(scheme):
        return _of_google(fsspec.config.conf.get(scheme, {}))
    if not is_s3(scheme):
        return fsspec.filesystem(scheme, use_listings_cache=False)
    system = fsspec.filesystem(scheme, **_of_s3(fsspec.config.conf.get(scheme, {})))
    # Trying again is ours to do: whatever is tried must first know that it still may.
    system.retries = 1
    system.connect()
    return system


def endpoint_of(scheme: str, system: Any) -> str:
    """The server of a scheme, where it is not the scheme's own."""
    server = ""
    if is_s3(scheme):
        server = system.s3.meta.endpoint_url
    elif is_google(scheme):
        server = _emulator()
    url = urlsplit(server)
    return "" if AMAZON in (url.hostname or "") else url.netloc.rpartition("@")[2]


def _emulator() -> str:
    named = os.environ.get(EMULATOR, "")
    return f"http://{named}" if named and "://" not in named else named


def _of_s3(set_by_user: Mapping[str, Any]) -> dict[str, Any]:
    ours = {
        "retries": {"max_attempts": 0},
        "connect_timeout": CONNECT_SECONDS,
        "read_timeout": answer_seconds(),
        "max_pool_connections": REQUESTS_AT_ONCE,
    }
    options: dict[str, Any] = {
        "use_listings_cache": False,
        "config_kwargs": ours | dict(set_by_user.get("config_kwargs", {})),
    }
    # fsspec keeps one file system for all who ask for the same, so they must say for which.
    endpoint = next((os.environ[name] for name in ENDPOINTS if os.environ.get(name)), None)
    if endpoint is not None and "endpoint_url" not in set_by_user:
        options["endpoint_url"] = endpoint
    return options


def _of_google(set_by_user: Mapping[str, Any]) -> Any:
    """Google's JSON interface; the client's newer class asks another service first."""
    core = importlib.import_module("gcsfs.core")
    aiohttp = importlib.import_module("aiohttp")
    limits = aiohttp.ClientTimeout(
        total=None, sock_connect=CONNECT_SECONDS, sock_read=answer_seconds()
    )
    options: dict[str, Any] = {"use_listings_cache": False, "requests_timeout": limits}
    emulator = _emulator()
    if emulator:
        # One file system is kept for all who ask for the same, so they must say for which; and
        # nobody's credentials are meant for it.
        options |= {"endpoint_url": emulator, "token": "anon", "project": "emulator"}
    system = core.GCSFileSystem(**(options | dict(set_by_user)))
    # As for S3; the client has no setting for it.
    system._request = partial(type(system)._request.__wrapped__, system)  # noqa: SLF001 - same
    return system
