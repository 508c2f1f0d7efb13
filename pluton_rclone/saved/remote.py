"""A saved remote: one section of an rclone.conf, its options, its token, and its rclone."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from pluton_rclone.conf.conf import Conf
from pluton_rclone.errors import (
    AccessDenied,
    OptionInvalid,
    RemoteError,
    RemoteIncomplete,
    StorageNotFound,
    TokenExpired,
)
from pluton_rclone.rclone import commands, locations
from pluton_rclone.values import paths
from pluton_rclone.values.token_text import ANY, TOKEN, token_digest

from .renewal import good_token, is_ours_to_renew, stored_token
from .wrapping import below

if TYPE_CHECKING:
    from pluton_rclone.microsoft.entra.account import Kind
    from pluton_rclone.microsoft.entra.token import Token
    from pluton_rclone.microsoft.graph.graph import Graph
    from pluton_rclone.microsoft.http import Http
    from pluton_rclone.rclone.results import About
    from pluton_rclone.remote.onedrive import OneDriveRemote

    from .rclone import SavedRclone


class SavedRemote:
    """The remote called `name` in `conf`; `make_rclone` makes its engine on first use. It reads
    rclone.conf afresh each time: what others change there holds at once."""

    def __init__(self, conf: Conf, name: str, make_rclone: Callable[[], SavedRclone]) -> None:
        self.conf = conf
        self.name = name
        self._make_rclone = make_rclone
        self._rclone: SavedRclone | None = None

    @property
    def rclone(self) -> SavedRclone:
        """The engine for this remote alone. RcloneNotFound."""
        if self._rclone is None:
            self._rclone = self._make_rclone()
        return self._rclone

    @property
    def section(self) -> dict[str, str]:
        """The section of rclone.conf as it is. It holds secrets."""
        return self.conf.whole_section(self.name)

    @property
    def options(self) -> OneDriveRemote:
        """The section as a remote. RemoteIncomplete, TokenExpired or OptionInvalid when rclone
        could not use it."""
        return self.options_with()

    def options_with(self, **changes: Any) -> OneDriveRemote:
        """As `options`, with these changes, also of what could not be used."""
        from pluton_rclone.remote.onedrive import OneDriveRemote

        try:
            return OneDriveRemote.from_section(self.section, **changes)
        except OptionInvalid as problem:
            if problem.details.get("option") != TOKEN:
                raise
            what = f"The token of {self.title!r} cannot be used."
            raise TokenExpired(what, why=problem.why, storage=self.title) from None

    @property
    def onedrives(self) -> list[OneDriveRemote]:
        """The options of what it lies on: its own, or, of a crypt and the like, those below it."""
        names = below(self.conf, self.name)
        return [self.options if name == self.name else self.conf.remote(name) for name in names]

    def options_to_sign_in(self) -> OneDriveRemote:
        """As `options`; a token that is missing or cannot be used does not stand in the way of
        another one."""
        try:
            return self.options
        except (TokenExpired, RemoteIncomplete) as problem:
            if "drive_id" in problem.details.get("missing", ()):
                raise
            from pluton_rclone.remote.onedrive import OneDriveRemote

            return OneDriveRemote.from_section({**self.section, TOKEN: ANY})

    @property
    def title(self) -> str:
        """The friendly name; the remote's name where there is none, or no such remote any more."""
        with suppress(StorageNotFound):
            return self.section.get("description") or self.name
        return self.name

    def path_in_drive(self, path: str) -> str:
        """The path from the drive's root of one that is relative to the base folder."""
        section = self.section
        inside = paths.in_drive(path, section.get("pluton_base_folder", ""))
        rooted = path.startswith("/") and section.get("type") != "onedrive"  # sftp:/srv, sftp:srv
        return "/" * rooted + inside

    def at(self, path: str = "") -> str:
        """The rclone location of a path, the same for rclone itself with this rclone.conf."""
        drive = self.conf.drive_of(self.name)
        if drive == self.name:
            return locations.remote(drive, self.path_in_drive(path))
        inside = paths.in_drive(path)
        return locations.remote(drive if path.startswith("/") else self.name, inside)

    def about(self) -> About:
        """The room on the drive; nothing is known of one of which only a folder is open to us."""
        try:
            return self.rclone.about(self.at("/"))
        except AccessDenied:
            if not self.section.get("root_folder_id"):
                raise
            from pluton_rclone.rclone.results import About

            return About()

    def token(self) -> Token:
        """The token as it is stored. TokenExpired when there is none."""
        return stored_token(self.options.to_section())

    def usable_token(self, http: Http | None = None) -> Token:
        """A token that Graph takes now, for use beside an rclone: what only rclone can renew is
        left to it. TokenExpired if it has not done so yet."""
        remote = self.options
        if not remote.client_credentials and not is_ours_to_renew(self.section):
            token = stored_token(remote.to_section())
            if token.expired():
                raise TokenExpired("The stored token has expired; rclone is renewing it.")
            return token
        return self.graph_token(http)

    def graph_token(self, http: Http | None = None, *, refused: str | None = None) -> Token:
        """A token that Graph takes now, renewed if it has expired or is `refused`."""
        remote = self.options
        if remote.client_credentials:
            from .registration import app_token

            return app_token(remote.to_section(), http)
        if is_ours_to_renew(self.section):
            without = {token_digest(refused)} if refused else ()
            return good_token(self.conf, self.name, refused=without)
        token = stored_token(remote.to_section())
        if token.expired() or token.access_token == refused:
            self.renew(refused=refused is not None)
            token = self.token()
        return token

    def renew(self, *, refused: bool = False) -> str:
        """Renews the token and keeps it; says how. Only rclone can renew tokens of its own
        registration: when they have expired, or Microsoft `refused` them. ConfigNotWritable: it is
        not renewed."""
        remote = self.options
        if remote.client_credentials:
            self.graph_token()
            return "fetched anew for each run"
        token = stored_token(remote.to_section())
        if is_ours_to_renew(self.section):
            good_token(self.conf, self.name, refused={token_digest(token.access_token)})
            return "renewed just now"
        if not token.expired() and not refused:
            return "rclone renews it after that"
        self.rclone.renew()
        # In each of its tries rclone asks for a token five times, a second apart (oauthutil.go).
        self.rclone.execute(commands.simple("about", self.at("/"), low_level_retries=2))
        return "renewed by rclone just now"

    def graph(self, http: Http | None = None) -> Graph:
        """Microsoft Graph for this remote's account, with a valid token: close it. RemoteError
        where the token is SharePoint's, for an address of its own (tenant_url)."""
        from pluton_rclone.microsoft.clouds import cloud
        from pluton_rclone.microsoft.graph.graph import Graph

        def renewed(refused: str) -> Token:
            return self.graph_token(http, refused=refused)

        if self.options.tenant_url:
            what = f"Microsoft Graph does not take the token of {self.title!r}."
            why = "it is one of SharePoint, for the address in its option tenant_url"
            advice = "For this, connect the account another time, without tenant_url."
            raise RemoteError(what, why=why, advice=advice)
        place, token = cloud(self.options.region), self.graph_token(http)
        kind: Kind | None = "application" if self.options.client_credentials else None
        return Graph(place, token, http=http, renew=renewed, saved=True, kind=kind)
