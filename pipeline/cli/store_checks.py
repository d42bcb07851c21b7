"""The doctor's checks of stores: their clients, what is staged for them, and one by its address."""

import secrets
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version

from pipeline.cli.findings import Finding, State
from pipeline.errors import UserMistake
from pipeline.runs.unstaging import staged_runs
from pipeline.stores.addresses import is_address, root
from pipeline.stores.objects import opened
from pipeline.stores.patience import Trouble
from pipeline.stores.schemes import CLIENTS

CONTENT = b"speclrm doctor\n"


def client_findings() -> Iterator[Finding]:
    """The packages for stores; nobody needs one, so that a missing one is nothing to warn of."""
    for extra, package in CLIENTS.items():
        try:
            found = f"{package} {version(package)}"
        except PackageNotFoundError:
            found = f"not installed (pip install 'speclrm[{extra}]')"
        yield Finding(State.OK, f"{extra}://", found)


def staging_findings() -> Iterator[Finding]:
    """The runs of stores that have a staging folder here."""
    for run in staged_runs():
        where = f"{run.address} in {run.folder}"
        if run.holder is not None:
            yield Finding(State.OK, "staged run", f"{where} is being made by {run.holder}")
        elif run.waiting:
            advice = "repeat the command that made it: it uploads them"
            found = f"{where} has {run.waiting} files that wait for upload"
            yield Finding(State.WARNING, "staged run", found, advice)
        else:
            found = f"{where} was uploaded; the folder may be removed"
            yield Finding(State.OK, "staged run", found)
    yield Finding(State.OK, "staging", str(root()))


def store_findings(address: str) -> Iterator[Finding]:
    """Whether runs can be kept at an address: an object is written there, read, and removed."""
    name = f".speclrm-doctor-{secrets.token_hex(8)}"
    try:
        if not is_address(address):
            advice = "write it as s3://BUCKET/FOLDER"
            yield Finding(State.FAILURE, "store", f"{address} is no address in a store", advice)
            return
        objects = opened(address)
        objects.write(name, CONTENT, None)
        conditional = objects.is_conditional(name, CONTENT)
        there = objects.read(name) == CONTENT and name in objects.found()
        objects.remove(name)
    except Trouble as error:
        advice = "check its address and the network"
        yield Finding(State.FAILURE, "store", f"{address} does not answer ({error})", advice)
        return
    except UserMistake as error:
        yield Finding(State.FAILURE, "store", str(error), "docs/scale.md tells what it needs")
        return
    if not there:
        said = f"{address} does not list or return what was just written"
        yield Finding(State.FAILURE, "store", said, "use one that does")
    elif conditional:
        said = f"{address} keeps runs, and replaces an object only if it is the one that was seen"
        yield Finding(State.OK, "store", said)
    else:
        said = f"{address} keeps runs, but replaces an object whatever version it holds"
        advice = "let no two machines write to one run (docs/scale.md)"
        yield Finding(State.WARNING, "store", said, advice)
