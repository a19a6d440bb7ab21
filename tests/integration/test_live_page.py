"""The live page, served by a real salt-api and looked at in a real browser, on a desk and on a phone."""

import json
import os
from pathlib import Path

import pytest

from tests.support.browser import DESKTOP, PHONE, Browser
from tests.support.copying import Copying, heal, plant_random, slowed
from tests.support.live_page import open_page, open_transfer, sign_in
from tests.support.salt_api import post, salt_api, token_of
from transferplan import units

USERS = ("ann", "bob", "root")
OPENED = {"ann": ["*"], "bob": ["gamma"]}
HOSTILE = '<img src=x onerror=alert(1)>"&\'<script>alert(2)</script>'
TAB_STOPS = 200  # more than there are from the list to its end and around, even where every test before left a card
PICTURES = os.environ.get("LIVE_PAGE_PICTURES")  # a directory, for whoever wants to look at them


@pytest.fixture(scope="module")
def api(lab):
    with salt_api(lab, USERS, transfer_viewers=OPENED) as address:
        yield address


@pytest.fixture
def clean_lab(lab, api):
    """The lab with an empty /srv. What else is there may change: salt-api and the browser keep their connections."""
    yield lab
    for name in lab.minions:
        lab.machine(name).run(["find", "/srv", "-mindepth", "1", "-delete"])


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with Browser(tmp_path_factory.mktemp("browser")) as browser:
        yield browser


@pytest.fixture
def page(browser, api):
    """The page as somebody opens it anew; whatever went wrong in it fails the test."""
    open_page(browser, api)
    yield browser
    assert browser.said == []


@pytest.fixture
def signed_in(page):
    def signed_in(user):
        sign_in(page, user)
        return page

    return signed_in


@pytest.fixture
def copied(clean_lab, run, alpha):
    """A proved copy of a tree whose name is an attack."""
    alpha.run(["mkdir", "-p", f"/srv/{HOSTILE.replace('/', '_')}/below"])
    return run(src=f"alpha:/srv/{HOSTILE.replace('/', '_')}", dst="beta:/srv/copy").data


def keep_picture(browser, name):
    if PICTURES:
        browser.picture(Path(PICTURES) / f"{name}.png")


def fits(browser):
    """Nothing sticks out of the window to the right."""
    return browser.run("document.documentElement.scrollWidth <= window.innerWidth")


def await_reached_by_tab(browser, wanted):
    """Press Tab until everything has had the focus whose text begins with one of these words."""
    left, stops = set(wanted), []
    while left and len(stops) < TAB_STOPS:
        browser.press("Tab")
        stops.append(browser.run("document.activeElement.innerText.trim()"))
        left -= {word for word in left if stops[-1].startswith(word)}
    assert not left, stops


# --- who -------------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_who_is_not_known_is_told_so_and_sees_nothing(page):
    page.fill("#username", "ann")
    page.fill("#password", "wrong")
    page.fill("#eauth", "file")
    page.press("Enter")
    page.await_text("These are not known. Try again.")
    assert page.run("document.querySelector('#view').textContent") == ""
    assert page.run("document.activeElement !== document.body")
    page.said.clear()  # the browser itself notes the 401
    keep_picture(page, "login")


def test_no_cookie_is_kept_and_the_token_is_gone_after_signing_out(signed_in):
    page = signed_in("ann")
    page.await_text("Nothing runs.")
    assert page.run("document.cookie") == ""
    cookies = page.ask("Network.getCookies")["cookies"]
    assert cookies == []
    page.click("#leave")
    page.await_true("!document.querySelector('#login').hidden && sessionStorage.length === 0")


def test_a_user_sees_only_what_they_may(clean_lab, api, copied, signed_in):
    page = signed_in("bob")
    page.await_text("No minion keeps a record")
    page.run(f"location.hash = '#/transfer/{copied['transfer']}'")
    page.await_text("nobody who answered knows of transfer")
    assert "copy" not in page.text()


@pytest.mark.slow
def test_a_name_in_the_arguments_opens_nothing_over_the_network(api, copied):
    asked = {"client": "runner", "fun": "transfer.overview", "kwarg": {"__pub_user": "root", "__user__": "ann"}}
    status, told = post(api, [asked], token_of(api, "bob"))
    assert (status, told["transfers"], told["viewer"]["name"]) == (200, [], "bob")


def test_whoever_may_look_may_not_act(api, copied):
    asked = {"client": "runner", "fun": "transfer.cancel", "kwarg": {"transfer": copied["transfer"]}}
    status, told = post(api, [asked], token_of(api, "ann"))
    assert status == 401 or "transfer" not in (told or {})


# --- what ------------------------------------------------------------------------------------------------------------


def test_hostile_names_are_text_and_nothing_else(signed_in, copied):
    page = signed_in("ann")
    page.await_text("<img src=x onerror=alert(1)>")
    assert page.run("document.querySelectorAll('#view img, #view script').length") == 0
    open_transfer(page, copied["transfer"])
    page.await_text("ok: what arrived is proved")
    page.await_text("<script>alert(2)<_script>")
    assert page.run("document.querySelectorAll('#view img, #view script').length") == 0
    assert fits(page)
    page.size(*PHONE)
    assert fits(page)
    keep_picture(page, "hostile-phone")


def test_markup_that_finds_its_way_into_a_script_is_stopped_by_the_policy_of_contents(page):
    assert page.run("""(() => { try { document.body.innerHTML = '<b>x</b>'; return 'taken'; }
                               catch (why) { return why.name; } })()""") == "TypeError"
    inline = "const s = document.createElement('script'); s.append('window.ran = 1'); document.body.append(s)"
    page.run(f"try {{ {inline} }} catch (why) {{}}")
    assert page.run("window.ran") is None
    page.said.clear()  # the browser tells what it forbade


def test_a_copy_is_seen_while_it_runs_and_when_it_is_proved(clean_lab, alpha, beta, signed_in):
    plant_random(alpha, "/srv/big", 80_000_000)  # a minute and a half, unless it is healed
    page = signed_in("ann")
    with slowed(beta, "6mbit"), Copying(clean_lab, "alpha:/srv/big", "beta:/srv/", lease="30s") as copying:
        copying.await_arrived()
        page.await_true("document.querySelector('.card.running .bar[role=progressbar]') !== null")
        page.await_true("/iB\\/s/.test(document.querySelector('.card.running .pace')?.innerText)")
        keep_picture(page, "list-desktop")
        open_transfer(page, copying.transfer)
        page.await_true("document.querySelectorAll('polyline.curve').length > 0")
        page.await_true("[...document.querySelectorAll('.link .host')].map(e => e.innerText).join() === 'alpha,beta'")
        keep_picture(page, "running-desktop")
        page.size(*PHONE, dark=True)
        keep_picture(page, "running-phone-dark")
        assert fits(page)
        heal(clean_lab)
        done = copying.finish()
        page.await_text("ok: what arrived is proved")
    page.await_text(done.data["receipt"]["root"])
    assert "yes, by readback" in page.text()
    keep_picture(page, "proved-phone-dark")
    page.size(*DESKTOP)
    keep_picture(page, "proved-desktop")
    assert page.run("document.querySelector('svg.chart').getAttribute('aria-label')").startswith("Throughput over")
    page.click("a[href='#/']")
    page.await_text("Recent")
    keep_picture(page, "recent-desktop")


@pytest.mark.slow
def test_what_a_doctor_finds_is_told_with_what_to_do(clean_lab, copied, beta, signed_in):
    page = signed_in("ann")
    page.click("a[href='#/doctor']")
    page.await_text("Nothing is left over, and nothing is odd.")
    stray = "/srv/.salt-transfer-0123456789abcdef0123456789abcdef"
    beta.run(["mkdir", "-m", "700", stray])
    try:
        page.run("location.hash = '#/'")
        page.await_text("Nothing runs.")
        page.run("location.hash = '#/doctor'")
        page.await_true("document.querySelector('.finding') !== null")
        assert "beta" in page.text()
        keep_picture(page, "doctor-desktop")
    finally:
        beta.run(["rmdir", stray])


# --- how -------------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_it_says_so_when_salt_api_does_not_answer_and_goes_on_when_it_does(clean_lab, signed_in):
    page = signed_in("ann")
    page.await_text("Nothing runs.")
    page.ask("Network.enable")
    offline = {"latency": 0, "downloadThroughput": -1, "uploadThroughput": -1}
    page.ask("Network.emulateNetworkConditions", offline=True, **offline)
    page.run("dispatchEvent(new HashChangeEvent('hashchange'))")
    page.await_text("salt-api does not answer")
    assert page.run("document.querySelector('#news').getAttribute('aria-live')") == "assertive"
    page.ask("Network.emulateNetworkConditions", offline=False, **offline)
    page.await_text("Updated")
    page.said.clear()  # the browser itself notes what did not get through


def test_everything_is_reached_by_the_keyboard_and_named_for_who_does_not_see(signed_in, copied):
    page = signed_in("ann")
    page.await_text(f"alpha:/srv/{HOSTILE[:4]}")
    await_reached_by_tab(page, ["Transfers", "Doctor", "Sign out", "alpha:/srv/<img"])
    nameless = "[...document.querySelectorAll('a, button, input, [role=img], [role=progressbar], section')]"
    unnamed = page.run(f"""{nameless}.filter(e => !e.hidden && e.offsetParent !== null).filter(e =>
        !(e.innerText?.trim() || e.getAttribute('aria-label') || e.labels?.length)).map(e => e.outerHTML)""")
    assert unnamed == []
    visible = "[...document.querySelectorAll('h1, h2, h3, h4')].filter(e => e.offsetParent)"
    headings = page.run(f"{visible}.map(e => e.tagName)")
    assert headings[:2] == ["H1", "H2"]


@pytest.mark.slow
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_every_text_can_be_read_against_what_is_behind_it(signed_in, copied, dark):
    page = signed_in("ann")
    page.size(*DESKTOP, dark=dark)
    open_transfer(page, copied["transfer"])
    page.await_text("ok: what arrived is proved")
    assert page.run(FAINT) == []


# The texts whose contrast with the first opaque paper behind them is below 4.5, as WCAG counts it.
FAINT = """(() => {
  const parts = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const linear = (c) => (c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  const light = ([r, g, b]) => 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
  const behind = (e) => { for (; e; e = e.parentElement) {
    const paper = parts(getComputedStyle(e).backgroundColor); if (paper.length < 4 || paper[3] === 1) return paper; }
    return [255, 255, 255]; };
  const own = (e) => [...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim());
  return [...document.body.querySelectorAll('*')].filter((e) => e.offsetParent && own(e)).map((e) => {
    const [one, other] = [light(parts(getComputedStyle(e).color)), light(behind(e))].sort((x, y) => y - x);
    return [(one + 0.05) / (other + 0.05), e.tagName, e.innerText.slice(0, 40)];
  }).filter(([contrast]) => contrast < 4.5);
})()"""


def test_what_has_the_focus_keeps_it_whatever_comes_and_goes_around_it(page):
    kept = page.run("""import('/static/dom.js').then(({ element, show }) => {
      const view = document.querySelector('#view');
      const card = (key) => element('li', { 'data-key': key }, element('a', { href: `#/${key}` }, key));
      const list = (...keys) => element('ul', { 'data-key': 'Recent' }, keys.map(card));
      show(view, list('b', 'c'));
      view.querySelector('[data-key=c] a').focus();
      const seen = () => `${document.activeElement.textContent} of ${view.innerText.split(/\\s+/).join(' ')}`;
      return [[element('p', 'alpha is silent'), list('a', 'b', 'c')], [list('c', 'd')], [list('c'), element('p', 'x')]]
        .map((children) => { show(view, ...children); return seen(); });
    })""")
    assert kept == ["c of alpha is silent a b c", "c of c d", "c of c x"]


QUEUED = {
    "transfer": "a" * 32,
    "state": "waiting",
    "attempt": 1,
    "asked_by": {"user": "ann"},
    "began": None,
    "ends": [
        {"host": "alpha", "role": "source", "path": "/srv/data"},
        {"host": "beta", "role": "destination", "path": "/srv/data"},
    ],
    "waits": {
        "followed": True,
        "text": "waits for 5 min: beta takes part in 1 transfer, 2 wait before this one; its runner lives",
        "advice": "salt-run transfer.attach follows it",
    },
}


def shown(page, function, **told):
    """What the view shows by this function."""
    whole = json.dumps({"transfers": [QUEUED], "silent": [], "more": 0, "viewer": {"everything": True}, **told})
    return page.run(f"""Promise.all(['views', 'dom', 'model'].map((name) => import(`/static/${{name}}.js`))).then(
      ([views, {{ show }}, {{ Paces }}]) => {{
        const view = document.querySelector('#view');
        show(view, ...[views.{function}({whole}, new Paces())].flat(Infinity));
        return view.innerText.split(/\\s+/).join(' ');
    }})""")


def test_what_waits_for_busy_hosts_is_shown_as_a_state_of_its_own(page):
    listed = shown(page, "list")
    assert "Nothing runs. In the queue 1 alpha:/srv/data → beta:/srv/data waits for busy hosts" in listed
    assert QUEUED["waits"]["text"] in listed and "asked for by ann" in listed
    assert page.run("document.querySelector('.card.waiting .state').className") == "state quiet"
    closely = shown(page, "transfer", shown={**QUEUED, "outcome": None, "missing": []})
    assert all(QUEUED["waits"][name] in closely for name in ("text", "advice")) and "Throughput" not in closely


def test_where_no_host_could_be_looked_at_nothing_is_said_to_be_well(page):
    assert "what is left over is not known" in shown(page, "doctor", findings=[], examined=[], silent=["alpha"])
    assert "Nothing is left over" in shown(page, "doctor", findings=[], examined=["alpha"])


# --- what is reckoned in the browser -------------------------------------------------------------------------------


def reckoned(page, module, expression):
    return page.run(f"import('/static/{module}.js').then((it) => {expression})")


def test_numbers_are_the_same_words_as_on_the_command_line(page):
    sizes = [0, 1023, 1024, 30_000_000, 5 * 1024**4]
    spans = [0.04, 9.94, 12.3, 61, 3599, 3600, 100_000, 10**6]
    assert reckoned(page, "words", f"{sizes}.map(it.size)") == [units.size(each) for each in sizes]
    assert reckoned(page, "words", f"{spans}.map(it.span)") == [units.span(each) for each in spans]


def test_a_curve_becomes_a_rate_that_is_never_below_nothing(page):
    points = reckoned(page, "model", "it.throughput([[0, 0], [1, 100], [3, 100], [4, 0], ['x', 1], [5]])")
    assert points == [{"at": 0.5, "rate": 100}, {"at": 2, "rate": 0}, {"at": 3.5, "rate": 0}]


def test_an_average_counts_each_second_alike(page):
    assert reckoned(page, "model", "it.mean([[0, 100], [0.5, 900], [10, 1100], ['x', 1]])") == 100
    assert reckoned(page, "model", "[it.mean([]), it.mean([[1, 2]]), it.mean([[1, 2], [1, 3]])]") == [0, 0, 0]


@pytest.mark.slow
def test_a_pace_is_over_the_last_seconds_and_begins_anew_with_another_attempt(page):
    noted = "const p = new it.Paces(); for (const [at, bytes] of %s) p.note('k', at, bytes); return p.rate('k');"
    fast = "(() => { " + noted % "[[0, 0], [5, 0], [30, 2500], [40, 3500]]" + " })()"
    anew = "(() => { " + noted % "[[0, 500], [1, 600], [2, 0]]" + " })()"
    assert reckoned(page, "model", fast) == 100
    assert reckoned(page, "model", anew) is None
