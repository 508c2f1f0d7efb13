"""The caller, other people, and their drives: /me, /users, /me/drives, /drives/{id}."""

from __future__ import annotations

from typing import Any

from pluton_rclone.emulator.directory import Grant, Person
from pluton_rclone.emulator.drives import refusals
from pluton_rclone.emulator.drives.drive import Drive

from . import access
from .bodies import drive_body, selected
from .call import Answer, Call, json_answer
from .service import Graph
from .sites import page


def me(graph: Graph, call: Call, grant: Grant) -> Answer:
    """GET /me"""
    access.check_profile(grant)
    return json_answer(200, _user(graph, call, _person(grant)))


def user(graph: Graph, call: Call, grant: Grant, name: str) -> Answer:
    """GET /users/{name}"""
    access.check_profile(grant)
    return json_answer(200, _user(graph, call, find(graph, grant, name)))


def users(graph: Graph, call: Call, grant: Grant) -> Answer:
    """GET /users, for which `User.Read` does not suffice."""
    access.check_users(grant)
    tenant = [one for one in graph.world.people.values() if one.tenant is grant.tenant]
    return page(graph, call, [_user(graph, call, one) for one in tenant], "users")


def find(graph: Graph, grant: Grant, name: str) -> Person:
    """The person with a user name or id in the caller's organisation; 404 if there is none."""
    for person in graph.world.people.values():
        if name.lower() in (person.username, person.id) and person.tenant is grant.tenant:
            return person
    raise refusals.not_found()


def _person(grant: Grant) -> Person:
    if grant.person is None:
        raise refusals.invalid_request(
            "/me request is only valid with delegated authentication flow."
        )
    return grant.person


def _user(graph: Graph, call: Call, person: Person) -> dict[str, Any]:
    given, _, family = person.name.partition(" ")
    personal = person.tenant.personal
    body = {
        "@odata.context": f"{graph.graph_root(call.cloud)}/$metadata#users/$entity",
        "displayName": person.name,
        "givenName": given,
        "surname": family,
        "mail": person.username,
        "userPrincipalName": person.username,
        "id": person.cid if personal else person.id,
    }
    return selected(body, call.query.get("$select"))


def own_drive(graph: Graph, call: Call, grant: Grant) -> Drive:
    """The drive of /me/drive; 404 if none can be made (me-drive-not-provisioned.json)."""
    person = _person(grant)
    access.check_own_drives(grant)
    if not person.licensed:
        raise refusals.not_found()
    return graph.files.drive_of(person)


def drive_of_user(graph: Graph, call: Call, grant: Grant, name: str) -> Drive:
    """The drive of /users/{name}/drive."""
    person = find(graph, grant, name)
    if not person.licensed:
        raise refusals.not_found()
    drive = graph.files.drive_of(person)
    access.check_drive(grant, drive, drive.root, write=False)
    return drive


def drive(graph: Graph, call: Call, grant: Grant, drive: Drive) -> Answer:
    """GET of a drive"""
    if not drive.root_readable:
        raise unreadable()
    body = {
        "@odata.context": f"{graph.graph_root(call.cloud)}/$metadata#drives/$entity",
        **drive_body(drive),
    }
    return json_answer(200, selected(body, call.query.get("$select")))


def own_drives(graph: Graph, call: Call, grant: Grant) -> Answer:
    """GET /me/drives"""
    person = _person(grant)
    access.check_own_drives(grant)
    return drives(graph, call, graph.files.drives_of(person))


def drives(graph: Graph, call: Call, found: list[Drive]) -> Answer:
    """A list of drives in one page"""
    select = call.query.get("$select")
    return json_answer(
        200,
        {
            "@odata.context": f"{graph.graph_root(call.cloud)}/$metadata#drives",
            "value": [selected(drive_body(drive), select) for drive in found],
        },
    )


def unreadable() -> Exception:
    """What a phantom drive answers (rclone issue 8695)."""
    return refusals.invalid_request("ObjectHandle is Invalid")
