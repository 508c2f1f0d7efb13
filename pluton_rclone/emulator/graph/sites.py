"""SharePoint sites: search, by address, subsites, libraries, followed sites; every list in
pages."""

from __future__ import annotations

import base64
from typing import Any

from pluton_rclone.emulator.directory import Grant
from pluton_rclone.emulator.drives import refusals
from pluton_rclone.emulator.drives.drive import Site

from . import access
from .bodies import drive_body, selected, site_body
from .call import Answer, Call, json_answer
from .items import next_link
from .service import Graph

PAGE = 200  # where the lists of many programs stop (abraunegg/onedrive issue 2771)


def search(graph: Graph, call: Call, grant: Grant) -> Answer:
    """GET /sites?search="""
    access.check_sites(grant)
    term = (call.query.get("search") or call.query.get("$search") or "*").strip('"')
    words = [word.rstrip("*").lower() for word in term.split()]
    found = [
        site
        for site in graph.files.sites_of(grant.tenant)
        if (grant.person is None or site.admits(grant.person.username)) and _matches(site, words)
    ]
    return page(graph, call, [site_body(site) for site in found], "sites")


def _matches(site: Site, words: list[str]) -> bool:
    text = f"{site.title} {site.name} {site.path}".lower()
    return all(word in text for word in words)


def page(graph: Graph, call: Call, bodies: list[dict[str, Any]], kind: str) -> Answer:
    """A part of a list, with the address of the next part"""
    start = _start(call.query.get("$skiptoken"))
    top = call.query.get("$top", "")
    size = min(int(top), PAGE) if top.isdigit() and top != "0" else PAGE
    select = call.query.get("$select")
    answer: dict[str, Any] = {
        "@odata.context": f"{graph.graph_root(call.cloud)}/$metadata#{kind}",
        "value": [selected(body, select) for body in bodies[start : start + size]],
    }
    if start + size < len(bodies):
        token = base64.urlsafe_b64encode(f"s!{start + size}".encode()).decode().rstrip("=")
        answer["@odata.nextLink"] = next_link(call, **{"$skiptoken": token})
    return json_answer(200, answer)


def _start(token: str | None) -> int:
    if not token:
        return 0
    try:
        return int(
            base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)).decode().removeprefix("s!")
        )
    except ValueError:
        raise refusals.invalid_request(
            "The $skiptoken is not valid.", "invalidQueryOption"
        ) from None


def site(graph: Graph, call: Call, grant: Grant, found: Site) -> Answer:
    """GET of one site"""
    access.check_site(grant, found)
    context = f"{graph.graph_root(call.cloud)}/$metadata#sites/$entity"
    return json_answer(
        200, selected({"@odata.context": context, **site_body(found)}, call.query.get("$select"))
    )


def subsites(graph: Graph, call: Call, grant: Grant, found: Site) -> Answer:
    """GET sites of a site"""
    access.check_site(grant, found)
    person = grant.person
    inner = [each for each in found.subsites if person is None or each.admits(person.username)]
    return page(graph, call, [site_body(each) for each in inner], "sites")


def libraries(graph: Graph, call: Call, grant: Grant, found: Site) -> Answer:
    """GET drives of a site"""
    access.check_libraries(grant, found)
    return page(graph, call, [drive_body(each) for each in found.libraries], "drives")


def permit(graph: Graph, call: Call, grant: Grant, found: Site, body: dict[str, Any]) -> Answer:
    """POST permissions: an administrator's tool gives an app with Sites.Selected one site"""
    if "Sites.FullControl.All" not in grant.scopes:
        raise refusals.access_denied()
    roles = body.get("roles")
    identities = body.get("grantedToIdentities") or body.get("grantedTo")
    try:
        role = roles[0] if isinstance(roles, list) else ""
        app = identities[0]["application"] if isinstance(identities, list) else {}
        client_id, name = str(app["id"]), str(app.get("displayName", ""))
    except (IndexError, KeyError, TypeError, AttributeError):
        raise refusals.invalid_request() from None
    if role not in ("read", "write", "owner", "fullcontrol"):
        raise refusals.invalid_request("The role is not valid.")
    found.selected_apps[client_id] = role
    granted = [{"application": {"id": client_id, "displayName": name}}]
    return json_answer(
        201,
        {
            "id": str(len(found.selected_apps)),
            "@deprecated.GrantedToIdentities": "GrantedToIdentities has been deprecated. Refer to "
            "GrantedToIdentitiesV2",
            "roles": [role],
            "grantedToIdentities": granted,
            "grantedToIdentitiesV2": granted,
        },
    )


def followed(graph: Graph, call: Call, grant: Grant) -> Answer:
    """GET /me/followedSites"""
    if grant.person is None:
        raise refusals.invalid_request(
            "/me request is only valid with delegated authentication flow."
        )
    access.check_sites(grant)
    bodies = [site_body(each) for each in graph.files.followed_by(grant.person.username)]
    for number, body in enumerate(bodies, 1):
        body["sharepointIds"]["listItemId"] = str(number)
    return page(graph, call, bodies, "sites")


def find(graph: Graph, grant: Grant, site_id: str) -> Site:
    """The site with an id: "root", a host name, host,collection,web, or only the collection's
    GUID."""
    if site_id == "root":
        return graph.files.root_site(grant.tenant)
    graph.files.root_site(grant.tenant)
    found = graph.files.site(site_id) or graph.files.site_at(site_id, "")
    if found is None:
        for each in graph.files.sites_of(grant.tenant):
            if each.collection_id == site_id.lower():
                return each
        raise refusals.not_found()
    return found


def find_at(graph: Graph, grant: Grant, host: str, path: str) -> Site:
    """The site of `/sites/{host}:/{path}`; the host "root" is the organisation's own."""
    graph.files.root_site(grant.tenant)
    if host == "root":
        host = graph.files.site_host(grant.tenant)
    found = graph.files.site_at(host, f"/{path.strip('/')}".rstrip("/"))
    if found is None:
        raise refusals.not_found()
    return found
