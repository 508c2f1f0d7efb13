"""The storages of a plan: those of rclone.conf by name, or the drives of an organisation."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from fnmatch import fnmatchcase

import msgspec

from pluton_rclone import errors
from pluton_rclone.microsoft.graph.drives import Drive
from pluton_rclone.microsoft.graph.graph import AT_ONCE, Graph
from pluton_rclone.pace.ledger import account_of
from pluton_rclone.rclone.runner import nothing
from pluton_rclone.remote.names import derive_name
from pluton_rclone.storages.storage import Storage, Storages

from .plan import AtOnce, Which

Notice = Callable[[str], None]
Turn = Callable[[Mapping[str, str]], AbstractContextManager[None]]
"""Holds a slot in each of some `limits`."""
_UNFIT = re.compile(r"""[/%&<>"'^]""")  # not allowed in the name of a Prefect limit
_BELOW = {"root_folder_id", "pluton_base_folder"}
"""A storage with one of these options begins below its drive's root."""
_ITS_OWN = ("root_folder_id", "base_folder", "base_folder_id", "account_id", "account_name")
"""Options of a storage that do not apply to a new storage made from it."""


class Target(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A storage as sent to another machine: the name of its remote. `like` is the app-only remote
    whose registration and options it gets if rclone.conf does not have it yet."""

    name: str
    like: str = ""
    title: str = ""
    drive_id: str = ""
    drive_type: str = ""


def targets(wanted: Iterable[Which], storages: Storages, notice: Notice = nothing) -> list[Target]:
    """Each storage of the plan, once. StorageNotFound for a name that no storage has."""
    found: dict[str, Target] = {}
    names = _Names(storages)
    for which in wanted:
        of_these = _of_tenant(which, storages, names, notice) if which.tenant_of else ()
        for target in of_these or _named(which, storages):
            found.setdefault(target.name, target)
    return list(found.values())


def _named(which: Which, storages: Storages) -> Iterator[Target]:
    sections = storages.conf.sections().items()
    ours = {name: one.get("description") for name, one in sections if one["type"] == "onedrive"}
    for pattern in which.names:
        names = [
            name
            for name, title in ours.items()
            if _fits(name, pattern) or _fits(title or name, pattern)
        ]
        if not names:
            what = f"No storage is called {pattern!r} in {storages.path}."
            step = errors.NextStep.LIST_STORAGES
            raise errors.StorageNotFound(what, next_step=step, name=pattern)
        yield from (Target(name=name) for name in names)


class _Names:
    """Names for the drives of organisations; all entries of a plan share one instance, so that
    names given for one are known to the others."""

    def __init__(self, storages: Storages) -> None:
        self._storages = storages
        self._taken = {*storages.conf.taken(), *storages}
        self._known = {
            (one.get("client_id"), one.get("drive_id")): name
            for name, one in storages.conf.sections().items()
            if not _BELOW & one.keys()
        }

    def of(self, app: str, drive: Drive, title: str) -> str:
        """The name of the app's storage for this drive, existing or new."""
        name = self._known.get((app, drive.id))
        name = name or derive_name(title, self._taken, self._storages.binary.version)
        self._known[app, drive.id] = name
        self._taken.add(name)
        return name


def _of_tenant(which: Which, storages: Storages, names: _Names, notice: Notice) -> list[Target]:
    """The drives of an organisation's users and sites, from all pages."""
    template = storages[which.tenant_of]
    if not template.remote.client_credentials:
        what = f"{which.tenant_of!r} is not app-only: it can access only one account's drives."
        raise errors.OptionInvalid(what, option="tenant_of")
    app, made = template.remote.client_id, []
    with template.graph() as graph:
        for owner, drive in _drives(which, graph, notice):
            title = f"{template.name} {owner}"
            name = names.of(app, drive, title)
            of = {"like": template.remote_name, "drive_id": drive.id, "drive_type": drive.type}
            made.append(Target(name=name, title=title, **of))
    if not made:
        what = f"No drive in the organisation of {which.tenant_of!r} matches."
        why = f"wanted: {', '.join((*which.users, *which.sites)) or 'nobody'}"
        advice = "Check the names of users and sites in the plan; * matches any characters."
        raise errors.StorageNotFound(what, why=why, advice=advice, name=which.tenant_of)
    return made


def _drives(which: Which, graph: Graph, notice: Notice) -> Iterator[tuple[str, Drive]]:
    def of_user(user: str) -> Drive | None:
        try:
            return graph.user_drive(user)
        except (errors.DriveNotFound, errors.AccessDenied) as problem:
            notice(f"{user} is left out: {problem}")  # without a licence, or never opened
            return None

    if which.users:
        users = [user for user in graph.users() if _any(which.users, user)]
        with ThreadPoolExecutor(AT_ONCE, "users") as executor:
            for user, drive in zip(users, executor.map(of_user, users), strict=True):
                if drive is not None:
                    yield user, drive
    for site in graph.sites() if which.sites else ():
        if _any(which.sites, site.name, site.web_url):
            libraries = graph.libraries(site)
            for note in libraries.notes:
                notice(f"{site.name}: {note}")
            yield from ((f"{site.name} {library.name}", library) for library in libraries)


def _any(patterns: Iterable[str], *texts: str) -> bool:
    return any(_fits(text.lower(), one.lower()) for one in patterns for text in texts)


def _fits(text: str, pattern: str) -> bool:
    """Whether `text` matches; only * and ? are wildcards, as names may contain brackets."""
    return fnmatchcase(text, pattern.replace("[", "[[]"))


def storage_of(storages: Storages, target: Target) -> Storage:
    """The storage, added to rclone.conf if new. StorageNotFound; StorageExists if another drive has
    its name."""
    if target.like and target.name not in storages.conf:
        remote = storages[target.like].remote.replace(
            drive_id=target.drive_id,
            drive_type=target.drive_type,
            description=target.title,
            **dict.fromkeys(_ITS_OWN, ""),
        )
        with suppress(errors.StorageExists):  # another task has just added it
            storages.conf.add(target.name, remote.to_section())
    found = storages[target.name]
    if target.drive_id and found.remote.drive_id != target.drive_id:
        what = f"The storage {target.name!r} has a drive other than the one in the plan."
        raise errors.StorageExists(what, name=target.name)
    return found


def limits(storages: Storages, target: Target) -> dict[str, str]:
    """The limits that the storage shares: `account` and, except for a personal drive, `tenant`,
    each with the limit's name. Empty if there is no such storage, which its step will report."""
    try:
        section = storage_of(storages, target).section_with_secrets()
    except errors.PlutonRcloneError:
        return {}
    region, tenant, app, account = account_of(section)
    found = {"account": f"account {account}"}
    if section.get("drive_type") != "personal":
        found["tenant"] = f"tenant {tenant} app {app}"
    names = {kind: f"pluton-rclone {region} {name}" for kind, name in found.items()}
    return {kind: _UNFIT.sub("-", name) for kind, name in names.items()}


def slots(at_once: AtOnce) -> Turn:
    """Limits within this process; a caller waits for its slots."""
    made: dict[str, threading.Semaphore] = {}

    @contextmanager
    def held(shared: Mapping[str, str]) -> Iterator[None]:
        with ExitStack() as stack:
            for kind, name in shared.items():  # always in the same order, which avoids deadlock
                slot = threading.Semaphore(getattr(at_once, kind))
                stack.enter_context(made.setdefault(name, slot))
            yield

    return held
