"""A storage in the seven steps: the library's setup, and the page's own state."""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from pluton_rclone.errors import PlutonRcloneError
from pluton_rclone.microsoft.entra.redirect import Flow
from pluton_rclone.microsoft.graph.drives import Drive, Site
from pluton_rclone.setup.connect import StorageSetup
from pluton_rclone.storages.storage import Storage

from ..plumbing.context import page_of, see_other, session, storage_of
from ..plumbing.view import draw, link

# The guide's seven steps: the part of the address, and the title.
TITLES = {
    "add": "Add storage",
    "name": "Name",
    "authorize": "Authorize",
    "type": "Drive type",
    "location": "Location",
    "options": "Options",
    "save": "Test and save",
}
ORDER = tuple(TITLES)
# Re-authorizing changes neither drive nor options.
AGAIN = ("authorize", "save")

# The pages for the library's next steps that have another name.
_PAGES = {"sign_in": "authorize", "drive_type": "type", "consent": "authorize"}


class Begun(NamedTuple):
    """A sign-in that was started, and whether in its own window."""

    flow: Flow
    window: bool


@dataclass
class Draft:
    """One storage that is being added, or re-authorized (then `storage` is its remote's name).
    `setup` and `flows` contain tokens and PKCE verifiers: the browser gets only what a template
    selects."""

    setup: StorageSetup = field(repr=False)
    id: str = field(default_factory=lambda: secrets.token_urlsafe(12))
    storage: str | None = None
    flows: dict[str, Begun] = field(default_factory=dict, repr=False)  # sign-ins by state
    begun: int = 0  # the number of sign-ins started
    failure: PlutonRcloneError | None = None  # why the last sign-in was refused
    blocked_window: bool = False  # the browser blocked the sign-in window
    sites: dict[str, Site] = field(default_factory=dict)  # as listed: only these can be chosen
    drives: dict[str, Drive] = field(default_factory=dict)
    site_listed: str = ""  # whose libraries `drives` are
    site_name: str = ""  # of the chosen library
    options: dict[str, Any] = field(default_factory=dict, repr=False)  # as in the form
    options_seen: bool = False
    job: str | None = None  # the test or saving last started
    waiting: str | None = None  # the device code, or rclone's own sign-in, being waited for
    saved: str | None = None  # the remote's name, once it is a storage
    changed: float = field(default_factory=time.time)

    @property
    def steps(self) -> tuple[str, ...]:
        """The steps of this draft."""
        return ORDER if self.storage is None else AGAIN

    def next_step(self) -> str:
        """The first step that is not done; "save" if all are."""
        if self.storage is not None:
            return "save" if self.setup.signed_in else "authorize"
        wanted = self.setup.next_steps[0]
        step = _PAGES.get(wanted, wanted)
        return "save" if step == "options" and self.options_seen else step

    def may_see(self, step: str) -> bool:
        """Whether all steps before this one are done."""
        if step not in self.steps:
            return False
        if step == "type" and self.setup.signed_in:  # also if a SharePoint permission is missing
            return True
        return self.steps.index(step) <= self.steps.index(self.next_step())

    def forget_drive(self) -> None:
        """After another sign-in, or another type: discard listed drives and test results."""
        self.drives, self.sites, self.site_name, self.job = {}, {}, "", None


def draft_of(request: Request, step: str = "") -> Draft:
    """This session's draft named in the address. HTTPException 404 if there is none, and 303, to
    the step that comes first, if `step` may not be seen yet."""
    found = session(request).drafts.get(request.path_params["setup"])
    if not isinstance(found, Draft):
        what = "This storage is no longer being added here"
        why = "it was saved or cancelled, someone else started it, or the page was restarted"
        raise HTTPException(404, f"{what}: {why}.")
    found.changed = time.time()
    if found.saved or (step and not found.may_see(step)):
        raise HTTPException(303, headers=dict(onward(request, found).headers))
    return found


def storage_signed_in_to(request: Request, draft: Draft) -> Storage | None:
    """The storage that is re-authorized, under its current name; None for a new one.
    StorageNotFound if it is gone, or another one has its name by now."""
    if draft.storage is None:
        return None
    draft.storage = draft.setup.name_now(page_of(request).storages.conf, draft.storage)
    return storage_of(request, "change", draft.storage)


def onward(request: Request, draft: Draft, step: str = "") -> Response:
    """Redirect to a step, by default the next one, or to the storage once saved: the browser's Back
    leads to outdated forms."""
    if draft.saved:
        return see_other(request, "storages", draft.saved, more="?new=yes")
    return see_other(request, "setups", draft.id, step or draft.next_step())


def draw_step(
    request: Request, draft: Draft | None, step: str, template: str = "", **values: Any
) -> HTMLResponse:
    """The page of a step, or another template for it, with the list of steps."""
    steps = rail(request, draft, step)
    return draw(request, template or f"{step}.html", draft=draft, steps=steps, **values)


def rail(request: Request, draft: Draft | None, current: str) -> list[dict[str, Any]]:
    """The list of steps beside the page: seven, or two if a storage is re-authorized."""
    names = ORDER if draft is None else draft.steps
    reached = names.index("name" if draft is None else draft.next_step())
    steps = []
    for position, name in enumerate(names):
        state, address = "done" if position < reached else "ahead", None
        if name == current:
            state = "current"
        elif name == "location" and draft is not None and draft.setup.drive_type == "personal":
            state = "skipped"
        elif state == "done" and name != "add" and draft is not None and draft.may_see(name):
            address = link(request, "setups", draft.id, name)
        steps.append({"title": TITLES[name], "state": state, "link": address})
    return steps
