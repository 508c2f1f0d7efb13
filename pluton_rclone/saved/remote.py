"""A saved remote: one section of rclone.conf, with its options, its token and its rclone engine."""

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
    rclone.conf each time, so changes by others take effect at once."""

    def __init__(self, conf: Conf, name: str, make_rclone: Callable[[], SavedRclone]) -> None:
        self.conf = conf
        self.name = name
        self._make_rclone = make_rclone
        self._rclone: SavedRclone | None = None

    @property
    def rclone(self) -> SavedRclone:
        """The engine for this remote only. RcloneNotFound."""
        if self._rclone is None:
            self._rclone = self._make_rclone()
        return self._rclone

    @property
    def section(self) -> dict[str, str]:
        """The section of rclone.conf as stored. It contains secrets."""
        return self.conf.whole_section(self.name)

    @property
    def options(self) -> OneDriveRemote:
        """The section as a remote. RemoteIncomplete, TokenExpired or OptionInvalid if rclone could
        not use it."""
        return self.options_with()

    def options_with(self, **changes: Any) -> OneDriveRemote:
        """As `options`, with these changes, which may replace invalid options."""
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
        """The options of the OneDrives below: its own, or those that a crypt and the like wraps."""
        names = below(self.conf, self.name)
        return [self.options if name == self.name else self.conf.remote(name) for name in names]

    def options_to_sign_in(self) -> OneDriveRemote:
        """As `options`, but a missing or unusable token is ignored, since it is to be replaced."""
        try:
            return self.options
        except (TokenExpired, RemoteIncomplete) as problem:
            if "drive_id" in problem.details.get("missing", ()):
                raise
            from pluton_rclone.remote.onedrive import OneDriveRemote

            return OneDriveRemote.from_section({**self.section, TOKEN: ANY})

    @property
    def title(self) -> str:
        """The friendly name; the remote's name if it has none or the remote no longer exists."""
        with suppress(StorageNotFound):
            return self.section.get("description") or self.name
        return self.name

    def path_in_drive(self, path: str) -> str:
        """The path from the drive's root of a path that is relative to the base folder."""
        section = self.section
        inside = paths.in_drive(path, section.get("pluton_base_folder", ""))
        rooted = path.startswith("/") and section.get("type") != "onedrive"  # sftp:/srv, sftp:srv
        return "/" * rooted + inside

    def at(self, path: str = "") -> str:
        """The rclone location of a path, for any rclone that uses this rclone.conf."""
        drive = self.conf.drive_of(self.name)
        if drive == self.name:
            return locations.remote(drive, self.path_in_drive(path))
        inside = paths.in_drive(path)
        return locations.remote(drive if path.startswith("/") else self.name, inside)

    def about(self) -> About:
        """The drive's space; unknown if only a folder of the drive is accessible."""
        try:
            return self.rclone.about(self.at("/"))
        except AccessDenied:
            if not self.section.get("root_folder_id"):
                raise
            from pluton_rclone.rclone.results import About

            return About()

    def token(self) -> Token:
        """The stored token. TokenExpired if there is none."""
        return stored_token(self.options.to_section())

    def usable_token(self, http: Http | None = None) -> Token:
        """A token that Graph accepts now, for use while an rclone runs. A token that only rclone
        can renew is left to rclone. TokenExpired if it has not renewed it yet."""
        if self.options.client_credentials or is_ours_to_renew(self.section):
            return self.graph_token(http)
        token = self.token()
        if token.expired():
            raise TokenExpired("The stored token has expired; rclone is renewing it.")
        return token

    def graph_token(self, http: Http | None = None, *, refused: str | None = None) -> Token:
        """A token that Graph accepts now, renewed if it has expired or is `refused`."""
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
        """Renew and store the token; return how. Only rclone can renew tokens of its own
        registration, once they have expired or Microsoft `refused` them. ConfigNotWritable if it
        cannot be stored; then it is not renewed."""
        remote = self.options
        if remote.client_credentials:
            self.graph_token()
            return "requested for each run"
        token = stored_token(remote.to_section())
        if is_ours_to_renew(self.section):
            good_token(self.conf, self.name, refused={token_digest(token.access_token)})
            return "renewed just now"
        if not token.expired() and not refused:
            return "rclone renews it after that"
        self.rclone.renew()
        # In each try, rclone asks for a token five times, a second apart (oauthutil.go).
        self.rclone.execute(commands.simple("about", self.at("/"), low_level_retries=2))
        return "renewed by rclone just now"

    def graph(self, http: Http | None = None) -> Graph:
        """Microsoft Graph for this remote's account, with a valid token; the caller closes it.
        RemoteError if the token is SharePoint's, for its own address (tenant_url)."""
        from pluton_rclone.microsoft.clouds import cloud
        from pluton_rclone.microsoft.graph.graph import Graph

        def renewed(refused: str) -> Token:
            return self.graph_token(http, refused=refused)

        if self.options.tenant_url:
            what = f"Microsoft Graph does not accept the token of {self.title!r}."
            why = "it is for SharePoint, for the address in its option tenant_url"
            advice = "For this, connect the account once more, without tenant_url."
            raise RemoteError(what, why=why, advice=advice)
        place, token = cloud(self.options.region), self.graph_token(http)
        kind: Kind | None = "application" if self.options.client_credentials else None
        return Graph(place, token, http=http, renew=renewed, saved=True, kind=kind)
