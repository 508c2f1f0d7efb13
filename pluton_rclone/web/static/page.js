// The page works without this file; with it, parts renew themselves and the sign-in has a window of its own.
"use strict";

const said = document.getElementById("said");
const AT_ONCE = 6; // parts that are asked for: half of what the server lets one person ask
const say = (text) => { if (said && text && said.textContent !== text) said.textContent = text; };

async function fetchPart(address, options) {
  const answer = await fetch(address, { credentials: "same-origin", ...options });
  if (answer.status >= 500 || answer.status === 429) throw new Error(String(answer.status)); // asked again
  return answer;
}

function show(into, html) {
  into.innerHTML = html; // drawn and escaped by the server; the policy lets no script in it run
  prepare(into);
  return into.firstElementChild;
}

// The part of a page, this one as it is now or another one, that has the id; null if it is not there.
async function partOf(answer, id) {
  return new DOMParser().parseFromString(await answer.text(), "text/html").getElementById(id);
}

// ---- parts that change while something goes on --------------------------------------------------------------------

function follow(part) {
  let busy = false, shown = part.innerHTML; // as the server drew it: what has not changed keeps its focus
  const timer = setInterval(async () => {
    if (busy) return;
    busy = true;
    try {
      const answer = await fetchPart(location.href);
      const now = await partOf(answer, part.id);
      if (answer.redirected || now?.dataset.every === undefined) {
        clearInterval(timer);
        if (answer.redirected) location.assign(answer.url); else location.reload();
      } else if (shown !== now.innerHTML) {
        shown = now.innerHTML;
        say(show(part, shown)?.dataset.say);
      }
    } catch {
      say("The server does not answer; trying again.");
    } finally {
      busy = false;
    }
  }, Number(part.dataset.every));
}

// One after another. The server refuses a browser that asks for many at once, as it may over HTTP/2.
async function fill(parts) {
  for (let part = parts.shift(); part; part = parts.shift()) {
    try {
      const now = await partOf(await fetchPart(part.dataset.lazy), "health");
      show(part, now.innerHTML); // a page that says why there is none has no such part
    } catch (error) {
      if (error.message === "429") parts.push(part); // the server has let us wait already
      else part.textContent = "This did not load. Reload the page to try again.";
    }
  }
}

// ---- searching as the person types --------------------------------------------------------------------------------

function search(form) {
  const field = form.elements.term;
  const into = document.getElementById(form.dataset.search);
  let timer = 0, last = field.defaultValue, turn = 0; // what the server searched for
  const typed = () => {
    clearTimeout(timer);
    timer = setTimeout(async () => {
      if (field.value === last) return;
      last = field.value;
      const mine = ++turn;
      try {
        const answer = await fetchPart(`${location.pathname}?term=${encodeURIComponent(last)}`);
        const found = await partOf(answer, into.id);
        if (mine !== turn) return; // an answer to an older question
        say(show(into, found.innerHTML)?.dataset.say);
      } catch {
        say("The search did not work; press Search.");
      }
    }, 250);
  };
  field.addEventListener("input", typed);
  typed(); // a quick person typed before this file had run
}

// ---- a field is checked as the person leaves it -------------------------------------------------------------------

function check(form) {
  form.addEventListener("change", async (event) => {
    const field = event.target, box = field.closest("[data-field]");
    if (!box || field.type === "password") return;
    const name = box.dataset.field;
    const body = new URLSearchParams({ field: name, anti_forgery: form.elements.anti_forgery.value });
    if (field.type !== "checkbox" || field.checked) body.set(name, field.value);
    try {
      const answer = await fetchPart(form.dataset.check, { method: "POST", body });
      const fault = answer.ok ? (await answer.json()).fault : "";
      document.getElementById(`${name}-fault`).textContent = fault;
      if (fault) field.setAttribute("aria-invalid", "true"); else field.removeAttribute("aria-invalid");
    } catch { /* the form is checked again when it is sent */ }
  });
}

// ---- the sign-in window -------------------------------------------------------------------------------------------

function signIn(form) {
  const blocked = document.getElementById("blocked"), waiting = document.getElementById("window");
  const name = form.dataset.window;
  let timer = 0, following = 0, here = false, pressed = null; // the button, whose name and value are sent along

  const inThisTab = (wasBlocked) => {
    clearTimeout(timer);
    here = true;
    form.removeAttribute("target");
    form.elements.window.value = "no";
    form.elements.blocked.value = wasBlocked ? "yes" : "no";
    form.requestSubmit(pressed);
  };
  const wait = () => {
    waiting.hidden = false;
    pressed.hidden = true; // the notice has the button now
    waiting.focus();
    say("Continue in the Microsoft window.");
    if (following) return;
    following = setInterval(async () => {
      try {
        const answer = await fetchPart(form.dataset.status);
        const over = answer.redirected || !answer.ok; // the session has ended, or the storage is saved
        const found = over ? null : await answer.json();
        if (found?.state === "waiting") return;
        clearInterval(following);
        if (found) location.assign(found.next); else location.reload(); // which says it
      } catch {
        say("The server does not answer; trying again.");
      }
    }, 1000);
  };

  form.addEventListener("submit", (event) => {
    if (here || event.submitter?.hasAttribute("formaction")) { form.removeAttribute("target"); return; }
    pressed = event.submitter;
    const opened = window.open("", name, "popup,width=520,height=720");
    if (!opened || opened.closed) {
      event.preventDefault();
      waiting.hidden = true;
      pressed.hidden = false;
      blocked.hidden = false;
      blocked.focus();
      timer = setTimeout(inThisTab, 3000, true);
      return;
    }
    form.target = name;
    form.elements.window.value = "yes";
    wait();
  });
  blocked.querySelector("[data-now]").addEventListener("click", () => inThisTab(true));
  waiting.querySelector("[data-here]").addEventListener("click", () => inThisTab(false));
  waiting.querySelector("[data-again]").addEventListener("click", () => form.requestSubmit(pressed));
}

// ---- every page, and every part that comes later ------------------------------------------------------------------

function prepare(root) {
  for (const time of root.querySelectorAll("time[datetime]")) {
    const when = new Date(time.dateTime);
    time.title = time.textContent;
    time.textContent = when.toLocaleString([], { dateStyle: "medium", timeStyle: "short" });
  }
  for (const button of root.querySelectorAll("[data-copy]")) {
    button.hidden = false;
    button.addEventListener("click", async () => {
      const field = document.getElementById(button.dataset.copy);
      field.select();
      try { await navigator.clipboard.writeText(field.value); } catch { document.execCommand("copy"); }
      button.textContent = "Copied";
      say("Copied.");
    });
  }
}

// What takes a while says so, once the form is on its way.
for (const form of document.querySelectorAll("form[data-busy]")) {
  form.addEventListener("submit", (event) => setTimeout(() => {
    event.submitter.disabled = true;
    event.submitter.textContent = form.dataset.busy;
    say(form.dataset.busy);
  }));
}

document.querySelectorAll("[data-every]").forEach(follow);
prepare(document);
const lazy = [...document.querySelectorAll("[data-lazy]")];
for (let at = 0; at < AT_ONCE; at++) fill(lazy);
document.querySelectorAll("[data-search]").forEach(search);
document.querySelectorAll("[data-check]").forEach(check);
document.querySelectorAll("form[data-window]").forEach(signIn);
if (document.body.dataset.back !== undefined) window.close();
document.querySelector("[data-focus]")?.focus();
