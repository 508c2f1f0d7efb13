"""The pages that a person sees: pick an account, second factor, permissions, device code, refusals.

Plain forms that work without scripts; every button has an id, for browsers that are driven by a
test.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from html import escape

from pluton_rclone.emulator.directory import Person

from .scopes import CONSENT_TEXTS
from .sessions import Flow

_STYLE = """
body{font:16px/1.5 'Segoe UI',system-ui,sans-serif;margin:0;background:#f2f2f2;color:#1b1b1b}
main{max-width:26rem;margin:3rem auto;padding:2.5rem;background:#fff;box-shadow:0 2px 6px #0003}
h1{font-size:1.4rem;font-weight:600;margin:.2rem 0 1rem}
header,small{color:#666}
button,input[type=text]{font:inherit;padding:.4rem 1.2rem;border:1px solid #888;background:#fff;
 margin:.2rem .3rem .2rem 0}
input[type=text]{width:90%;padding:.4rem}
button.account{display:block;width:100%;text-align:left;border-color:#ddd;padding:.7rem}
button.main{background:#0067b8;border-color:#0067b8;color:#fff}
li{margin:.3rem 0}
pre{white-space:pre-wrap;font-size:.8rem;color:#666}
"""


def page(title: str, content: str) -> str:
    """A whole document; `content` is HTML, `title` is text."""
    return (
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head>"
        "<body><main><header>Microsoft &middot; emulated on this "
        f"machine</header><h1>{escape(title)}</h1>"
        f"{content}</main></body></html>"
    )


def form(name: str, action: str, fields: Mapping[str, str], content: str) -> str:
    """A form with hidden fields."""
    hidden = "".join(
        f'<input type="hidden" name="{escape(key)}" value="{escape(value)}">'
        for key, value in fields.items()
    )
    return f'<form id="{name}" method="post" action="{escape(action)}">{hidden}{content}</form>'


def button(name: str, value: str, label: str, *, kind: str = "") -> str:
    """A button that sends `answer`; its id is its value."""
    style = f' class="{kind}"' if kind else ""
    return (
        f'<button type="submit" id="{escape(value)}" name="{escape(name)}" '
        f'value="{escape(value)}"{style}>'
        f"{escape(label)}</button>"
    )


def _way(flow: Flow) -> tuple[str, dict[str, str]]:
    return flow.endpoint.address("login"), {"flow": flow.id}


def sign_in(flow: Flow, accounts: Iterable[Person]) -> str:
    """The account picker: a button for each of `accounts`, or a name typed in."""
    action, fields = _way(flow)
    tiles = "".join(
        f'<button type="submit" class="account" id="account-{escape(person.username)}" '
        'name="account" '
        f'value="{escape(person.username)}">{escape(person.name)}'
        f"<br><small>{escape(person.username)}</small></button>"
        for person in accounts
    )
    typed = (
        '<p><label for="username">Use another account</label><br>'
        '<input type="text" id="username" name="username" autocomplete="off" '
        f'value="{escape(flow.login_hint)}"></p>'
        + button("answer", "next", "Next", kind="main")  # the first one is what Enter presses
        + button("answer", "cancel", "Cancel")
    )
    content = form("accounts", action, fields, tiles) + form("signin", action, fields, typed)
    return page("Sign in", f"<p>to continue to <b>{escape(flow.app.name)}</b></p>{content}")


def second_factor(flow: Flow) -> str:
    """The second factor, for which a real person picks up the phone."""
    action, fields = _way(flow)
    content = "<p>Open your Authenticator app, and approve the request.</p>" + form(
        "multifactor",
        action,
        fields,
        button("answer", "cancel", "Cancel") + button("answer", "approve", "Approve", kind="main"),
    )
    return page("Approve sign in request", content)


def consent(flow: Flow, permissions: Iterable[str], *, for_tenant: bool) -> str:
    """The permissions asked for, in Microsoft's words, and the two buttons."""
    assert flow.person is not None
    action, fields = _way(flow)
    lines = "".join(
        f'<li data-permission="{escape(name)}">{escape(CONSENT_TEXTS.get(name, name))}</li>'
        for name in sorted(permissions)
    )
    choice = ""
    if flow.admin_consent:
        choice = (
            "<p>If you accept, this app will get access to the specified resources for all "
            "users.</p>"
        )
    elif for_tenant:
        choice = (
            '<p><label><input type="checkbox" id="organisation" name="organisation" value="yes"> '
            "Consent on behalf of your organization</label></p>"
        )
    buttons = button("answer", "cancel", "Cancel") + button(
        "answer", "accept", "Accept", kind="main"
    )
    content = (
        f"<p>{escape(flow.person.username)}</p>"
        f"<p><b>{escape(flow.app.name)}</b><br>This app would like to:</p>"
        f"<ul>{lines}</ul>" + form("consent", action, fields, choice + buttons)
    )
    return page("Permissions requested", content)


def confirm_device(flow: Flow) -> str:
    """After a device code: is this the app that you meant?"""
    action, fields = _way(flow)
    content = "<p>Do not continue if this is not the app that showed you the code.</p>" + form(
        "confirm",
        action,
        fields,
        button("answer", "cancel", "Cancel")
        + button("answer", "continue", "Continue", kind="main"),
    )
    return page(f"Are you trying to sign in to {flow.app.name}?", content)


def enter_code(action: str, *, wrong: bool) -> str:
    """The page on which the device code is typed."""
    note = (
        '<p id="wrong">That code did not work. Check the code and try again.</p>' if wrong else ""
    )
    content = note + form(
        "devicecode",
        action,
        {},
        '<p><label for="otc">Code</label><br><input type="text" id="otc" name="otc" '
        'autocomplete="off"></p>' + button("answer", "next", "Next", kind="main"),
    )
    return page("Enter code to allow access", content)


def done(title: str, text: str) -> str:
    """The last page of a sign-in that ends at no redirect address."""
    return page(title, f'<p id="done">{escape(text)}</p>')


def refusal(description: str, flow: Flow | None) -> str:
    """Microsoft's own error page, with a button back to the app if it can be reached."""
    way_back = ""
    if flow is not None and (flow.redirect_uri is not None or flow.device is not None):
        action, fields = _way(flow)
        way_back = form(
            "refused", action, fields, button("answer", "return", "Back to the application")
        )
    return page(
        "Sorry, but we're having trouble signing you in.",
        f'<pre id="error">{escape(description)}</pre>{way_back}',
    )


def form_post(address: str, fields: Mapping[str, str]) -> str:
    """response_mode=form_post: the answer as a form that sends itself."""
    content = form(
        "hiddenform",
        address,
        fields,
        "<p>Script is disabled. Click Submit to continue.</p><button>Submit</button>",
    )
    return (
        '<!DOCTYPE html><html><head><meta charset="utf-8"><title>Working...</title></head><body>'
        f"{content}<script>document.forms[0].submit();</script></body></html>"
    )
