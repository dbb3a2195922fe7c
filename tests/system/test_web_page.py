"""The monitor's page in Chromium: every panel shows something, nothing complains, news arrive, a keyboard and 400 pixels are enough; alerts are acted on with the token and
not without; without a store it says so.

Usage: test_web_page.py BIN_FOLDER [FOLDER_FOR_PICTURES]"""

import pathlib
import subprocess
import sys
import tempfile

from browser import Browser, chromium
from served_store import LIMIT_S, Served

SKIPPED = 77
READY = "document.body !== null && document.body.dataset.ready === 'yes' && document.getElementById('status').textContent === 'live'"
CHARTS = ["traffic", "shares", "latency", "quality", "history", "histogram", "kpi", "trainings", "studies"]


def text_of(b, panel):
    return b.evaluate(f"document.getElementById('{panel}-body').innerText")


def shows_every_panel(b, s):
    for panel, words in {"alerts": "Column age has drifted", "models": "b1c2d3e4f5a6", "drift": "hours-per-week", "publishers": "spool_full 990", "trainings": "round 40",
                         "studies": "30 trials"}.items():
        assert words in text_of(b, panel), f"{panel}: {text_of(b, panel)}"
    for panel in CHARTS:
        rows = b.evaluate(f"document.querySelectorAll('#{panel}-body tbody tr').length")
        assert rows > 0, f"{panel} has no table behind its chart"
    assert "<b>" in b.evaluate("document.getElementById('alerts-body').textContent"), "text of others is no markup"
    assert b.evaluate("document.querySelectorAll('#alerts-body b').length") == 0
    if b.evaluate("typeof Chart") == "function":
        names = b.evaluate("[...document.querySelectorAll('canvas')].map((c) => c.getAttribute('role') + ' ' + c.getAttribute('aria-label'))")
        assert len(names) == len(CHARTS) and all(n.startswith("img ") and len(n) > 20 for n in names), names
    assert b.complaints == [], b.complaints


def news_arrive(b, s):
    before = b.evaluate("document.querySelectorAll('#traffic-body tbody tr').length")
    b.evaluate("new Promise((r) => setTimeout(r, 1500))")
    s.tell("alert")
    s.tell("window")
    b.wait_until("document.getElementById('alerts-body').innerText.includes('4. kpi')")
    b.wait_until(f"document.querySelectorAll('#traffic-body tbody tr').length === {before + 1}")


def a_keyboard_is_enough(b, s):
    b.press("Tab", 9)
    assert b.evaluate("document.activeElement.className") == "skip"
    assert b.evaluate("getComputedStyle(document.activeElement).outlineStyle") != "none", "focus can't be seen"
    order = []
    for _ in range(40):
        b.press("Tab", 9)
        order.append(b.evaluate("document.activeElement.id || document.activeElement.textContent.slice(0, 40) || document.activeElement.tagName"))
        if order[-1] == "education":
            break
    assert order[0] == "model" and order[-1] == "education", order
    b.call("Input.dispatchKeyEvent", type="keyDown", key="Enter", code="Enter", windowsVirtualKeyCode=13, text="\r")
    b.call("Input.dispatchKeyEvent", type="keyUp", key="Enter", code="Enter", windowsVirtualKeyCode=13)
    b.wait_until("document.getElementById('feature').value === 'education' && document.getElementById('history-body').innerHTML.includes('Drift of education')")
    unnamed = b.evaluate("[...document.querySelectorAll('select,button,[role=region],section')].filter((e) => !(e.labels?.length || e.getAttribute('aria-label') || "
                         "e.getAttribute('aria-labelledby') || e.textContent.trim())).map((e) => e.outerHTML.slice(0, 80))")
    assert unnamed == [], unnamed


def fits(b, width):
    """Charts follow a new width a moment later."""
    b.wait_until(f"innerWidth === {width} && document.documentElement.scrollWidth <= {width}")


def contrast_holds(b):
    """At least 4.5 to 1 (WCAG AA) for the colours of text on both grounds."""
    colours = b.evaluate("""['--ground','--panel','--text','--quiet','--link','--good','--warn','--bad'].map((n) => getComputedStyle(document.documentElement).getPropertyValue(n).trim())""")

    def luminance(c):
        v = [int(c[i:i + 2], 16) / 255 for i in (1, 3, 5)]
        v = [x / 12.92 if x <= 0.04045 else ((x + 0.055) / 1.055) ** 2.4 for x in v]
        return 0.2126 * v[0] + 0.7152 * v[1] + 0.0722 * v[2]

    for ground in colours[:2]:
        for c in colours[2:]:
            a, z = sorted((luminance(ground), luminance(c)))
            assert (z + 0.05) / (a + 0.05) >= 4.5, f"{c} on {ground}: {(z + 0.05) / (a + 0.05):.2f}"


def without_a_store(b, bin_folder, folder):
    process = subprocess.Popen([pathlib.Path(bin_folder) / "flywheel-monitor", "--connect", f"ipc://{folder}/bus", "--dashboard", "127.0.0.1:0", "--store", folder / "none"],
                               stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    try:
        for line in process.stderr:
            if "http://" in line:
                break
        b.open(line[line.index("http://"):].strip())
        b.wait_until("document.body !== null && document.body.dataset.ready === 'yes'")
        text = b.evaluate("document.body.innerText")
        assert "no such file" in text or "No window was closed yet" in text, text
    finally:
        process.terminate()
        assert process.wait(LIMIT_S) == 0


def a_report_shows_the_same(b, s, folder):
    s.tell(f"report {folder}/r.html")
    b.open((folder / "r.html").as_uri())
    b.wait_until("document.body !== null && document.body.dataset.ready === 'yes' && document.title.endsWith('flywheel report')")
    shows_every_panel(b, s)
    assert b.evaluate("performance.getEntriesByType('resource').length") == 0, "something was asked for"
    assert b.evaluate("[...document.querySelectorAll('main section')].every((e) => !e.hidden)")
    assert "all is well" in b.evaluate("document.getElementById('status').textContent")


TOKEN = "0123456789abcdef0123456789abcdef"
WORDS = "document.getElementById('acts-words').textContent"
STATE = "document.querySelector('article[aria-label^=\"Alert {}:\"]').className"


def buttons(b, alert):
    return b.evaluate(f"[...document.querySelectorAll('article[aria-label^=\"Alert {alert}:\"] button')].map((e) => e.textContent)")


def press_enter(b):
    b.call("Input.dispatchKeyEvent", type="keyDown", key="Enter", code="Enter", windowsVirtualKeyCode=13, text="\r")
    b.call("Input.dispatchKeyEvent", type="keyUp", key="Enter", code="Enter", windowsVirtualKeyCode=13)


def give_token(b, token):
    b.evaluate("document.getElementById('token').focus()")
    b.call("Input.insertText", text=token)
    press_enter(b)


def press_button(b, alert, title):
    """By the keyboard."""
    b.evaluate(f"[...document.querySelectorAll('article[aria-label^=\"Alert {alert}:\"] button')].find((e) => e.textContent === '{title}').focus()")
    press_enter(b)


def reads_alone(b, s):
    """Without a token file nobody is asked for a token."""
    assert b.evaluate("getComputedStyle(document.getElementById('acts')).display") == "none"
    assert b.evaluate("document.querySelectorAll('#alerts-body button').length") == 0


def acts_with_the_token(b, bin_folder, folder, pictures):
    token = folder / "token"
    token.write_text(TOKEN + "\n")
    token.chmod(0o600)
    with Served(bin_folder, folder, token) as s:
        b.open(f"http://me:{TOKEN}@{s.address}/page.css")      # the browser is given the password once, and keeps it
        b.wait_until("document.readyState === 'complete'")
        b.size(1300, 900)
        b.open(f"http://{s.address}/")
        b.wait_until(READY)
        assert buttons(b, 1) == [], "buttons without the token"
        assert b.evaluate("document.getElementById('token').labels[0].textContent.trim()") == "Token"
        give_token(b, "0123456789abcdef-wrong")
        b.wait_until(f"{WORDS}.includes('not the monitor')")
        assert buttons(b, 1) == [] and b.evaluate("sessionStorage.length") == 0
        b.complaints.clear()           # Chromium tells of each 401
        give_token(b, TOKEN)
        b.wait_until(f"{WORDS}.includes('until this tab') && document.querySelectorAll('#alerts-body button').length === 5")
        assert buttons(b, 1) == ["Acknowledge", "Silence for an hour", "Resolve"] and buttons(b, 2) == ["Silence for an hour", "Resolve"] and buttons(b, 3) == []
        assert b.evaluate("localStorage.length") == 0 and b.evaluate("document.cookie") == "" and b.evaluate("document.getElementById('token').value") == ""
        press_button(b, 1, "Acknowledge")
        b.wait_until(f"{WORDS} === 'Alert 1 is acknowledged.' && {STATE.format(1)}.includes('acknowledged')")
        assert b.evaluate("document.activeElement.id") == "acts-words", "the focus is lost"
        press_button(b, 1, "Silence for an hour")
        b.wait_until(f"{STATE.format(1)}.includes('silenced')")
        assert buttons(b, 1) == ["End the silence", "Resolve"] and b.evaluate("document.activeElement.textContent") == "End the silence"
        for look, width, dark in (("light", 1300, False), ("dark", 1300, True), ("phone", 400, False)):
            b.size(width, 900, dark)
            fits(b, width)
            low = b.evaluate("Math.min(...[...document.querySelectorAll('#alerts button')].filter((e) => e.offsetParent).map((e) => e.getBoundingClientRect().height))")
            assert low >= 32, f"a button of {low} pixels"
            if pictures:
                b.evaluate("new Promise((r) => setTimeout(r, 300))")
                b.picture(pathlib.Path(pictures) / f"acts-{look}.png")
        press_button(b, 1, "End the silence")
        b.wait_until(f"{STATE.format(1)}.includes('acknowledged')")
        b.evaluate("window.said = []; new MutationObserver(() => said.push(document.getElementById('acts-words').textContent)).observe(document.getElementById('acts-words'), {childList: true})")
        b.evaluate("(() => { const resolve = [...document.querySelectorAll('article[aria-label^=\"Alert 2:\"] button')].find((e) => e.textContent === 'Resolve'); resolve.click(); resolve.click(); })()")
        b.wait_until("said.includes('Alert 2 is resolved.') && said.includes('Alert 2: alert 2 is resolved already')")
        b.wait_until(f"{STATE.format(2)}.includes('resolved')")
        press_button(b, 1, "Resolve")
        b.wait_until(f"{WORDS} === 'Alert 1 is resolved.' && {STATE.format(1)}.includes('resolved')")
        b.evaluate("document.getElementById('forget-token').click()")
        b.wait_until(f"{WORDS} === 'The token is forgotten.'")
        assert b.evaluate("sessionStorage.length") == 0 and b.evaluate("document.activeElement.id") == "token"
        s.end()


def main(bin_folder, pictures=None):
    if chromium() is None:
        print("test_web_page: skipped, Chromium is not here")
        return SKIPPED
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        folder = pathlib.Path(name)
        with Served(bin_folder, folder) as s, Browser(folder) as b:
            for look, width, dark in (("light", 1300, False), ("dark", 1300, True), ("phone", 400, False)):
                b.size(width, 900, dark)
                b.open(f"http://{s.address}/")
                b.wait_until(READY)
                shows_every_panel(b, s)
                fits(b, width)
                contrast_holds(b)
                if pictures:
                    b.evaluate("new Promise((r) => setTimeout(r, 500))")
                    b.picture(pathlib.Path(pictures) / f"{look}.png")
            a_report_shows_the_same(b, s, folder)
            b.open(f"http://{s.address}/")
            b.wait_until(READY)
            reads_alone(b, s)
            a_keyboard_is_enough(b, s)
            news_arrive(b, s)
            assert b.complaints == [], b.complaints
            without_a_store(b, bin_folder, folder)
            (folder / "acts").mkdir()
            acts_with_the_token(b, bin_folder, folder / "acts", pictures)
    print("test_web_page: all that was asked for")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
