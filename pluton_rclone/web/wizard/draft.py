"""A storage in the seven steps: the library's walk, and what the page keeps beside it."""

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

from ..plumbing.context import see_other, session
from ..plumbing.view import draw, link

# The guide's seven steps: part of the address, and title.
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

# The pages that ask for the library's next step, if their name is another one.
_PAGES = {"sign_in": "authorize", "drive_type": "type", "consent": "authorize"}


class Begun(NamedTuple):
    """A sign-in that has begun, and whether in a window of its own."""

    flow: Flow
    window: bool


@dataclass
class Draft:
    """One storage that is being added, or re-authorized (`storage` is its remote's name then).
    `setup` and `flows` hold tokens and PKCE verifiers: the browser gets only what a template picks.
    """

    setup: StorageSetup = field(repr=False)
    id: str = field(default_factory=lambda: secrets.token_urlsafe(12))
    storage: str | None = None
    flows: dict[str, Begun] = field(default_factory=dict, repr=False)  # sign-ins by their state
    begun: int = 0  # so many sign-ins
    failure: PlutonRcloneError | None = None  # how the last sign-in was refused
    blocked_window: bool = False  # the browser did not let us open the sign-in window
    sites: dict[str, Site] = field(default_factory=dict)  # what was listed: only that can be chosen
    drives: dict[str, Drive] = field(default_factory=dict)
    site_name: str = ""
    options: dict[str, Any] = field(default_factory=dict, repr=False)  # as the form had them
    options_seen: bool = False
    job: str | None = None  # the test or the saving that was last started
    waiting: str | None = None  # the device code, or rclone's own sign-in, that is waited for
    saved: str | None = None  # the remote's name, once it is a storage
    changed: float = field(default_factory=time.time)

    @property
    def steps(self) -> tuple[str, ...]:
        """The parts of the walk that this draft goes through."""
        return ORDER if self.storage is None else AGAIN

    def next_step(self) -> str:
        """The first step that is not done; "save" when all are."""
        if self.storage is not None:
            return "save" if self.setup.signed_in else "authorize"
        wanted = self.setup.next_steps[0]
        step = _PAGES.get(wanted, wanted)
        return "save" if step == "options" and self.options_seen else step

    def may_see(self, step: str) -> bool:
        """Whether everything before a step is done."""
        if step not in self.steps:
            return False
        if step == "type" and self.setup.signed_in:  # also if a SharePoint permission is missing
            return True
        return self.steps.index(step) <= self.steps.index(self.next_step())

    def forget_drive(self) -> None:
        """After another sign-in, or another type: what was listed or tested does not count."""
        self.drives, self.sites, self.site_name, self.job = {}, {}, "", None


def draft_of(request: Request, step: str = "") -> Draft:
    """The draft that the address names, of this session. HTTPException 404 without one, and 303, on
    to the step that comes first, if `step` may not be seen yet."""
    found = session(request).drafts.get(request.path_params["setup"])
    if not isinstance(found, Draft):
        what = "This storage is not being added here"
        raise HTTPException(404, f"{what}: it was saved, given up, or begun by somebody else.")
    found.changed = time.time()
    if found.saved or (step and not found.may_see(step)):
        raise HTTPException(303, headers=dict(onward(request, found).headers))
    return found


def onward(request: Request, draft: Draft, step: str = "") -> Response:
    """On to a step, by default the next one; to the storage once it is one: the browser's Back
    leads to forms that are over."""
    if draft.saved:
        return see_other(request, "storages", draft.saved, more="?new=yes")
    return see_other(request, "setups", draft.id, step or draft.next_step())


def draw_step(
    request: Request, draft: Draft | None, step: str, template: str = "", **values: Any
) -> HTMLResponse:
    """The page of a step, or another one of it, with the steps beside it."""
    steps = rail(request, draft, step)
    return draw(request, template or f"{step}.html", draft=draft, steps=steps, **values)


def rail(request: Request, draft: Draft | None, current: str) -> list[dict[str, Any]]:
    """The steps in the list beside the page: seven, or two if a storage is re-authorized."""
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
