"""The documents that tell a client where everything is: OpenID configuration, instance discovery,
signing keys.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from pluton_rclone.emulator.hosts import CLOUDS, Service, place

from .aadsts import EntraError
from .endpoint import Endpoint
from .keys import signing_key

# As the live service lists its clouds; source: entra-instance-discovery.json of the facts (MSAL.js,
# MIT).
_METADATA = [
    {"preferred_network": network, "preferred_cache": cache, "aliases": aliases}
    for network, cache, aliases in (
        (
            "login.microsoftonline.com",
            "login.windows.net",
            [
                "login.microsoftonline.com",
                "login.windows.net",
                "login.microsoft.com",
                "sts.windows.net",
            ],
        ),
        (
            "login.partner.microsoftonline.cn",
            "login.partner.microsoftonline.cn",
            ["login.partner.microsoftonline.cn", "login.chinacloudapi.cn"],
        ),
        ("login.microsoftonline.de", "login.microsoftonline.de", ["login.microsoftonline.de"]),
        (
            "login.microsoftonline.us",
            "login.microsoftonline.us",
            ["login.microsoftonline.us", "login.usgovcloudapi.net"],
        ),
        (
            "login-us.microsoftonline.com",
            "login-us.microsoftonline.com",
            ["login-us.microsoftonline.com"],
        ),
    )
]

_INSTANCE_NAMES = {
    "global": ("microsoftonline.com", "graph.windows.net", "https://pas.windows.net"),
    "us": ("microsoftonline.us", "graph.windows.net", "https://pasff.usgovcloudapi.net"),
    "de": ("microsoftonline.de", "graph.cloudapi.de", "https://pas.cloudapi.de"),
    "cn": ("partner.microsoftonline.cn", "graph.chinacloudapi.cn", "https://pas.chinacloudapi.cn"),
}

_CLAIMS = (
    "sub iss cloud_instance_name cloud_instance_host_name cloud_graph_host_name msgraph_host aud "
    "exp iat "
    "auth_time acr nonce preferred_username name tid ver at_hash c_hash email"
)


def openid_configuration(endpoint: Endpoint) -> dict[str, Any]:
    """Members as in entra-openid-configuration.json."""
    instance, old_graph, rbac = _INSTANCE_NAMES[endpoint.cloud]
    graph = CLOUDS[endpoint.cloud].graph
    return {
        "token_endpoint": endpoint.address("oauth2/v2.0/token"),
        "token_endpoint_auth_methods_supported": [
            "client_secret_post",
            "private_key_jwt",
            "client_secret_basic",
        ],
        "jwks_uri": endpoint.address("discovery/v2.0/keys"),
        "response_modes_supported": ["query", "fragment", "form_post"],
        "subject_types_supported": ["pairwise"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "response_types_supported": ["code", "id_token", "code id_token", "id_token token"],
        "scopes_supported": ["openid", "profile", "email", "offline_access"],
        "issuer": endpoint.issuer,
        "request_uri_parameter_supported": False,
        "userinfo_endpoint": f"https://{graph}/oidc/userinfo",
        "authorization_endpoint": endpoint.address("oauth2/v2.0/authorize"),
        "device_authorization_endpoint": endpoint.address("oauth2/v2.0/devicecode"),
        "http_logout_supported": True,
        "frontchannel_logout_supported": True,
        "end_session_endpoint": endpoint.address("oauth2/v2.0/logout"),
        "claims_supported": _CLAIMS.split(),
        "tenant_region_scope": None if endpoint.tenant is None else "WW",
        "cloud_instance_name": instance,
        "cloud_graph_host_name": old_graph,
        "msgraph_host": graph,
        "rbac_url": rbac,
    }


def instance_discovery(authorization_endpoint: str, api_version: str) -> dict[str, Any]:
    """Whether an authority's host is one of Microsoft's; the older api-version 1.0 answers without
    the list.

    Raises EntraError 50049 for any other host.
    """
    address = urlsplit(authorization_endpoint)
    placed = place(address.hostname or "")
    if placed is None or placed[1] is not Service.LOGIN:
        raise EntraError(50049)
    tenant = address.path.strip("/").split("/", 1)[0] or "common"
    answer: dict[str, Any] = {
        "tenant_discovery_endpoint": f"https://{address.hostname}/{tenant}/v2.0/.well-known/openid-configuration",
        "api-version": api_version,
        "metadata": _METADATA,
    }
    if api_version == "1.0":
        del answer["metadata"]
    return answer


def keys(endpoint: Endpoint) -> dict[str, Any]:
    """The public keys, JWKS."""
    return {"keys": [signing_key().jwk(endpoint.issuer)]}
