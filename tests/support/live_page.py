"""The live page in a browser, up to where its user is signed in."""

from tests.support.browser import DESKTOP


def open_page(browser, api):
    """As somebody opens it anew, on a desk; return when it asks who is there."""
    browser.size(*DESKTOP)
    browser.open(f"{api}/static/icon.svg")
    browser.await_true("location.pathname === '/static/icon.svg' && document.readyState === 'complete'")
    browser.run("sessionStorage.clear()")
    browser.said.clear()
    browser.open(f"{api}/app")
    browser.await_true("document.querySelector('#username') !== null && !document.querySelector('#login').hidden")


def sign_in(browser, user):
    """Return when the page shows what this user may see."""
    browser.fill("#username", user)
    browser.fill("#password", user[::-1])
    browser.fill("#eauth", "file")
    browser.press("Enter")
    browser.await_true("document.querySelector('#login').hidden")


def open_transfer(browser, transfer):
    browser.run(f"location.hash = '#/transfer/{transfer}'")
    browser.await_text(f"transfer {transfer}")
