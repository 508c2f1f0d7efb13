"""Scopes: in a request, on a consent page, in an answer."""

from __future__ import annotations

from dataclasses import dataclass

from pluton_rclone.emulator.hosts import CLOUDS

from .aadsts import EntraError

OPENID = frozenset({"openid", "profile", "email", "offline_access"})

# Delegated permissions and their text on the consent page; source: permissions.json of the facts.
CONSENT_TEXTS = {
    "Files.Read": "Read your files",
    "Files.ReadWrite": "Have full access to your files",
    "Files.Read.All": "Read all files that you have access to",
    "Files.ReadWrite.All": "Have full access to all files you have access to",
    "Sites.Read.All": "Read items in all site collections",
    "Sites.ReadWrite.All": "Edit or delete items in all site collections",
    "Sites.Selected": "Access selected Sites, on behalf of the signed-in user",
    "Sites.FullControl.All": "Have full control of all your site collections",
    "Files.ReadWrite.AppFolder": "Have full access to the application's folder",
    "Files.SelectedOperations.Selected": "Access selected Files, on behalf of the signed-in user",
    "User.Read": "Sign you in and read your profile",
    "offline_access": "Maintain access to data you have given it access to",
}

ADMIN_ONLY = frozenset({"Sites.FullControl.All"})

# Users cannot consent to these under Microsoft's managed policy (MC1097272, July and August 2025).
MANAGED = frozenset(
    {"Files.Read.All", "Files.ReadWrite.All", "Sites.Read.All", "Sites.ReadWrite.All"}
)

_BY_LOWER_NAME = {name.lower(): name for name in CONSENT_TEXTS if name not in OPENID}


@dataclass(frozen=True)
class Scopes:
    """What a request asked for: permissions of Graph by short name, and the OpenID ones."""

    graph: frozenset[str] = frozenset()
    openid: frozenset[str] = frozenset()
    default: bool = False  # /.default: everything in the registration

    @property
    def consented(self) -> frozenset[str]:
        """The permissions that need consent; `openid` includes reading the profile."""
        return self.graph | ({"User.Read"} if "openid" in self.openid else frozenset())


def parse(scope: str, *, cloud: str, app: str) -> Scopes:
    """Read the `scope` parameter: names separated by spaces, short or with the cloud's Graph in
    front.

    Raises EntraError: 70011 (no such resource, `.default` beside others), 500011 (Graph of another
    cloud), 650053 (Graph has no such permission).
    """
    graph: set[str] = set()
    openid: set[str] = set()
    default = False
    for word in scope.split():
        name = word
        if "://" in word:
            resource, _, name = word.rpartition("/")
            host = resource.split("://", 1)[1].rstrip("/").lower()
            if host != CLOUDS[cloud].graph:
                if any(host == other.graph for other in CLOUDS.values()):
                    raise EntraError(500011, resource=resource.rstrip("/"), tenant=cloud)
                raise EntraError(70011, scope=word)
        if name.lower() in OPENID:
            openid.add(name.lower())
        elif name == ".default":
            default = True
        elif name.lower() in _BY_LOWER_NAME:
            graph.add(_BY_LOWER_NAME[name.lower()])
        else:
            raise EntraError(650053, app=app, scope=name)
    if default and graph:
        raise EntraError(70011, scope=scope)
    return Scopes(frozenset(graph), frozenset(openid), default)


def render(graph: frozenset[str], openid: frozenset[str], *, cloud: str) -> str:
    """The `scope` member of an answer: full names, then the OpenID ones; offline_access is not
    repeated."""
    prefix = f"https://{CLOUDS[cloud].graph}/"
    names = [prefix + name for name in sorted(graph)]
    return " ".join([*names, *(name for name in ("profile", "openid", "email") if name in openid)])
