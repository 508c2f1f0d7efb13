"""Access checks: the permissions that an app was granted, within the rights of the person.

Source: permissions.json of the facts, `least_privilege_by_call`. Delegated permissions never exceed
the person's own rights; the forms without `.All` reach the signed-in person's own drive only.
"""

from __future__ import annotations

from pluton_rclone.emulator.directory import Grant
from pluton_rclone.emulator.drives import refusals
from pluton_rclone.emulator.drives.drive import Drive, Site
from pluton_rclone.emulator.drives.item import Actor, Item
from pluton_rclone.emulator.faults import GraphFault

_WRITE_ALL = frozenset({"Files.ReadWrite.All", "Sites.ReadWrite.All", "Sites.FullControl.All"})
_READ_ALL = _WRITE_ALL | {"Files.Read.All", "Sites.Read.All"}
_WRITE_OWN = _WRITE_ALL | {"Files.ReadWrite"}
_READ_OWN = _READ_ALL | {"Files.Read", "Files.ReadWrite"}
_PERSONAL = frozenset({"Files.Read", "Files.ReadWrite", "Files.Read.All", "Files.ReadWrite.All"})
_SITES = frozenset({"Sites.Read.All", "Sites.ReadWrite.All", "Sites.FullControl.All"})
_PROFILE = frozenset(
    {"User.Read", "User.ReadWrite", "User.Read.All", "User.ReadBasic.All", "Directory.Read.All"}
)


def _no_sharepoint() -> GraphFault:
    """The answer to personal accounts for everything below /sites (many reports, such as
    onedrive-api-docs 1773)."""
    return GraphFault(400, "BadRequest", "Tenant does not have a SPO license.")


def actor(grant: Grant) -> Actor:
    """The recorded author of a change."""
    person = grant.person
    if person is None:
        return Actor(grant.app.client_id, grant.app.name)
    return Actor(person.id, person.name, person.username)


def _scopes(grant: Grant) -> frozenset[str]:
    person = grant.person
    if person is not None and person.tenant.personal:
        return grant.scopes & _PERSONAL
    return grant.scopes


def check_drive(grant: Grant, drive: Drive, item: Item | None, *, write: bool) -> None:
    """Raise Graph's refusal unless that item (None: the drive as such) may be read or written."""
    person = grant.person
    scopes = _scopes(grant)
    if drive.tenant.cloud != grant.cloud:
        raise refusals.not_found()
    if person is None:
        _check_app(grant, drive, write=write)
        return
    if drive.owner is not None and drive.owner.username == person.username:
        if scopes.isdisjoint(_WRITE_OWN if write else _READ_OWN):
            raise refusals.access_denied()
        return
    if scopes.isdisjoint(_WRITE_ALL if write else _READ_ALL):
        raise refusals.access_denied()
    site = drive.site
    if site is not None and site.tenant is grant.tenant and site.admits(person.username):
        return
    if not _shared(item, person.username, write=write):
        raise refusals.access_denied()


def _check_app(grant: Grant, drive: Drive, *, write: bool) -> None:
    if drive.tenant is not grant.tenant:
        raise refusals.access_denied()
    if not grant.scopes.isdisjoint(_WRITE_ALL if write else _READ_ALL):
        return
    if drive.site is not None and "Sites.Selected" in grant.scopes:
        role = drive.site.selected_apps.get(grant.app.client_id)
        if role in ("write", "owner", "fullcontrol") or (role == "read" and not write):
            return
    raise refusals.access_denied()


def _shared(item: Item | None, username: str, *, write: bool) -> bool:
    while item is not None:
        rare = item.rare
        if rare is not None and (
            username in rare.writers or (not write and username in rare.readers)
        ):
            return True
        item = item.parent
    return False


def check_sites(grant: Grant) -> None:
    """Raise Graph's refusal unless sites may be searched and read; personal accounts have none."""
    if grant.person is not None and grant.person.tenant.personal:
        raise _no_sharepoint()
    if grant.scopes.isdisjoint(_SITES):
        raise refusals.access_denied("Access denied")


def check_site(grant: Grant, site: Site) -> None:
    """Raise Graph's refusal unless this site may be read."""
    if grant.person is None and grant.app.client_id in site.selected_apps:
        return
    check_sites(grant)
    check_membership(grant, site)


def check_libraries(grant: Grant, site: Site) -> None:
    """Raise Graph's refusal unless the site's libraries may be listed; file permissions suffice."""
    if grant.person is not None and grant.person.tenant.personal:
        raise _no_sharepoint()
    if grant.person is None and grant.app.client_id in site.selected_apps:
        return
    if grant.scopes.isdisjoint(_READ_ALL if grant.person is None else _READ_OWN):
        raise refusals.access_denied()
    check_membership(grant, site)


def check_membership(grant: Grant, site: Site) -> None:
    """Refuse sites of another organisation and those that do not admit the person."""
    if site.tenant is not grant.tenant:
        raise refusals.not_found()
    if grant.person is not None and not site.admits(grant.person.username):
        raise refusals.access_denied()


def check_profile(grant: Grant) -> None:
    """/me needs User.Read or more."""
    if grant.scopes.isdisjoint(_PROFILE):
        raise GraphFault(
            403, "Authorization_RequestDenied", "Insufficient privileges to complete the operation."
        )


def check_users(grant: Grant) -> None:
    """/users: least privileged is User.ReadBasic.All (Graph's user-list.md)."""
    if grant.scopes.isdisjoint(_PROFILE - {"User.Read", "User.ReadWrite"}):
        raise GraphFault(
            403, "Authorization_RequestDenied", "Insufficient privileges to complete the operation."
        )


def check_own_drives(grant: Grant) -> None:
    """/me/drive and /me/drives."""
    personal = grant.person is not None and grant.person.tenant.personal
    if grant.scopes.isdisjoint(_PERSONAL if personal else _READ_OWN | {"User.Read"}):
        raise refusals.access_denied()
