"""The page for everybody: by eye in every light, by ear, by finger, on paper; and nobody gets in."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from browser import Browser
from report_records import fake_run, made_run, record

from prover_core.evaluation.pair_tables import read_pairs
from prover_core.report import collect, render

# Ratio of contrast of each label in a bar to the bar under its middle.
ON_BARS = """
(() => {
  const channel = (v) => { v /= 255; return v <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4; };
  const light = (c) => { const [r, g, b] = c.match(/[\\d.]+/g).map(Number);
    return .2126 * channel(r) + .7152 * channel(g) + .0722 * channel(b); };
  const poor = [];
  for (const text of document.querySelectorAll('.draw text[class^=on-]')) {
    if (!text.getClientRects().length) continue;
    const kind = text.getAttribute('class').slice(3);
    const bar = text.closest('svg').querySelector('rect.part.' + kind);
    const fill = getComputedStyle(bar).fill, style = getComputedStyle(text);
    const under = fill.startsWith('url') ? style.stroke : fill; // on hatching, letters have a rim
    const [a, b] = [light(style.fill), light(under)].sort((x, y) => y - x);
    if ((a + .05) / (b + .05) < 4.5) poor.push(`${kind}: ${((a + .05) / (b + .05)).toFixed(2)}`);
  }
  return [...new Set(poor)];
})()
"""

# What can be pressed and is smaller than so many pixels; links within running text apart.
SMALL = """
(() => [...document.querySelectorAll('button, select, input, summary, nav a, .facts a')].filter((e) => {
  const r = e.getBoundingClientRect();
  return r.height && !e.closest('.skip') && (r.height < %d || r.width < %d);
}).map((e) => `${e.tagName}.${e.className} ${e.textContent.slice(0, 20)}: ${e.offsetHeight}`))()
"""
NAMES = "[...document.querySelectorAll('button.name bdi')].map(e => e.textContent)"


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two runs that disagree, each ending of an attempt among them, and what the machinery broke."""
    folder = tmp_path_factory.mktemp("reader")
    endings = ("proved", "failed", "out_of_budget", "rejected", "unchecked", "crashed", "unavailable")
    one = [record(f"t{i}{j:02}", status, metadata={"area": f"area {j % 3}"})
           for i, status in enumerate(endings) for j in range(12)]  # fmt: skip
    two = [record(f"t{i}{j:02}", endings[j % 7]) for i in range(7) for j in range(10)]
    (folder / "p.csv").write_text("problem,coq,lean4,equivalence\nthis,t000,x,audited\nthat,t100,y,differs\n")
    runs = [made_run(folder / "one", one), made_run(folder / "two", two)]
    text = render(collect(runs, pairs=read_pairs(str(folder / "p.csv"))))
    (folder / "page.html").write_text(text, encoding="utf-8")
    return folder / "page.html"


@pytest.fixture
def browser(chromium_page: Browser) -> Iterator[Browser]:
    """The browser, its notes empty."""
    chromium_page.console.clear()
    chromium_page.requests.clear()
    yield chromium_page
    chromium_page.call("Emulation.setEmulatedMedia", media="", features=[])


def _media(browser: Browser, media: str = "", **features: str) -> None:
    given = [{"name": name.replace("_", "-"), "value": value} for name, value in features.items()]
    browser.call("Emulation.setEmulatedMedia", media=media, features=given)


def test_labels_in_bars_can_be_read_in_light_and_dark(browser: Browser, page: Path, tmp_path: Path) -> None:
    real = tmp_path / "real.html"
    real.write_text(render(collect([fake_run(tmp_path / "run", attempts=2)])), encoding="utf-8")
    for path in (page, real):
        for dark in (False, True):
            browser.open(path, dark=dark)
            assert browser.js("document.querySelectorAll('.draw text[class^=on-]').length") > 8
            assert browser.js(ON_BARS) == []


@pytest.mark.parametrize("chosen", ["", "dark"])
def test_paper_is_white_however_dark_the_screen_is(browser: Browser, page: Path, chosen: str) -> None:
    browser.open(page, dark=True)
    try:
        if chosen:
            browser.js("document.getElementById('theme').click(); document.getElementById('theme').click()")
            assert browser.js("document.documentElement.dataset.theme") == "dark"
        _media(browser, "print", prefers_color_scheme="dark")
        colours = browser.js(
            "['body', 'h1', '.card', '.draw text.name'].map(s => getComputedStyle(document.querySelector(s)))"
            ".map((s, i) => [s.color, s.fill, s.backgroundColor][[2, 0, 2, 1][i]])"
        )
        assert colours == ["rgb(255, 255, 255)", "rgb(27, 31, 36)", "rgb(255, 255, 255)", "rgb(27, 31, 36)"]
    finally:
        browser.js("localStorage.clear()")


def test_everything_is_large_enough_for_a_finger(browser: Browser, page: Path) -> None:
    opened = "document.querySelector('button.name').click()"
    browser.open(page, 390)
    browser.js(opened)
    assert browser.js(SMALL % (44, 24)) == []
    browser.open(page, 1280)
    browser.js(opened)
    assert browser.js(SMALL % (24, 24)) == []


def test_by_ear_the_table_is_a_table_on_a_phone_too(browser: Browser, page: Path) -> None:
    for width in (1280, 390):
        browser.open(page, width)
        nodes = browser.call("Accessibility.getFullAXTree")["nodes"]
        found: dict[str, list[str]] = {}
        for node in nodes:
            if not node.get("ignored"):
                name = node.get("name", {}).get("value", "")
                found.setdefault(node["role"]["value"], []).append(name)
        assert "Theorems" in found["table"]
        rows = browser.js("document.querySelectorAll('tr.row').length")
        assert rows == 50 and len(found["rowheader"]) >= rows and len(found["cell"]) >= 4 * rows
        assert all(found["rowheader"]) and all(found["button"])
        drawings = browser.js("document.querySelectorAll('figure').length")
        assert len(found["image"]) == drawings and all(found["image"])
        assert any(name.startswith("t000") or name == "this" for name in found["rowheader"])


def test_headings_leave_out_no_level(browser: Browser, page: Path) -> None:
    browser.open(page)
    browser.js("document.querySelectorAll('button.name')[0].click()")
    levels = browser.js("[...document.querySelectorAll('h1, h2, h3, h4, h5')].map(h => Number(h.tagName[1]))")
    assert levels[0] == 1 and all(b - a <= 1 for a, b in itertools.pairwise(levels))


def test_who_wants_no_motion_gets_none(browser: Browser, page: Path) -> None:
    behaviour = "getComputedStyle(document.documentElement).scrollBehavior"
    browser.open(page)
    _media(browser, prefers_reduced_motion="no-preference")
    assert browser.js(behaviour) == "smooth"
    _media(browser, prefers_reduced_motion="reduce")
    assert browser.js(behaviour) == "auto"
    moving = (
        "[...document.querySelectorAll('*')].filter(e => getComputedStyle(e).transitionDuration !== '0s' ||"
    )
    assert browser.js(moving + " getComputedStyle(e).animationName !== 'none').length") == 0


def test_whatever_has_the_focus_shows_it(browser: Browser, page: Path) -> None:
    browser.open(page)
    browser.js("document.querySelectorAll('button.name')[0].click()")
    seen = set()
    for _ in range(60):
        browser.press("Tab")
        kind, style, width = browser.js(
            "(() => { const e = document.activeElement, s = getComputedStyle(e);"
            "return [e.tagName + '.' + e.className, s.outlineStyle, parseFloat(s.outlineWidth)]; })()"
        )
        assert style != "none" and width >= 2, kind
        seen.add(kind.split(".")[0])
    assert {"A", "BUTTON", "SUMMARY", "INPUT", "SELECT", "DIV"} <= seen


# Whether what a script of the page's own asked for was let through, and which rules spoke.
BREAK_IN = """
new Promise((done) => {
  const rules = [];
  addEventListener('securitypolicyviolation', (e) => rules.push(e.effectiveDirective));
  const put = (tag, set) => document.body.append(Object.assign(document.createElement(tag), set));
  put('script', { textContent: 'window.hacked = "script"' });
  put('script', { src: 'data:text/javascript,window.hacked="address"' });
  put('style', { textContent: 'body { background: rgb(1, 2, 3) !important }' });
  put('img', { src: 'http://127.0.0.1:9/x.png', onerror: null });
  put('iframe', { src: 'http://127.0.0.1:9/' });
  put('div', { innerHTML: '<p onclick="window.hacked = 1" id="click">x</p>' });
  document.getElementById('click').click();
  fetch('http://127.0.0.1:9/').catch(() => {});
  try { new WebSocket('ws://127.0.0.1:9/'); } catch { /* as good */ }
  const form = document.createElement('form');
  form.action = 'http://127.0.0.1:9/'; document.body.append(form); form.submit();
  setTimeout(() => { try { eval('window.hacked = "eval"'); } catch { /* as it should */ } }, 0);
  const ground = () => getComputedStyle(document.body).backgroundColor;
  setTimeout(() => done([window.hacked ?? null, ground(), [...new Set(rules)].sort()]), 400);
})
"""


def test_the_policy_lets_nothing_in_and_nothing_out(browser: Browser, page: Path) -> None:
    browser.open(page)
    browser.requests.clear()
    hacked, ground, rules = browser.js(BREAK_IN)
    assert hacked is None and ground != "rgb(1, 2, 3)"
    assert {"connect-src", "form-action", "frame-src", "img-src", "script-src-attr", "script-src-elem",
            "style-src-elem"} <= set(rules)  # fmt: skip
    assert browser.js("location.protocol") == "file:"
    browser.console.clear()


def test_a_link_shows_its_theorem_among_many_of_like_name_and_whatever_is_filtered(
    browser: Browser, tmp_path: Path
) -> None:
    run = made_run(tmp_path / "run", [record(f"t{i:03}x") for i in range(120)] + [record("t")])
    (tmp_path / "page.html").write_text(render(collect([run])), encoding="utf-8")
    browser.open(tmp_path / "page.html")
    browser.js("(() => { const s = document.getElementById('f-status'); s.value = 'none';"
               "s.dispatchEvent(new Event('change')); })()")  # fmt: skip
    assert browser.js(NAMES) == []
    for name in ("t", "t110x", "t003x"):
        browser.js(f"location.hash = '#t={quote(name)}'")
        browser.wait(f"document.activeElement.textContent === {name!r}")
        browser.wait("Math.abs(document.activeElement.getBoundingClientRect().top) < innerHeight")
        assert name in browser.js(NAMES) and len(browser.js(NAMES)) > 20
        assert browser.js("document.activeElement.getAttribute('aria-expanded')") == "true"
    assert browser.js("document.getElementById('f-status').value") == ""


def test_the_filters_count_what_the_comparison_counts(browser: Browser, page: Path) -> None:
    browser.open(page)
    table = browser.js(
        "[...document.querySelectorAll('#comparison tbody tr')[0].children].map(c => c.textContent)"
    )
    _, _, _, both, only_a, only_b, *_ = table

    def count(value: str) -> Any:
        browser.js("(() => { const s = document.getElementById('f-status');"
                   f"s.value = '{value}'; s.dispatchEvent(new Event('change')); }})()")  # fmt: skip
        return browser.js("document.querySelectorAll('tr.row').length")

    assert [count(value) for value in ("all", "o0", "o1")] == [int(both), int(only_a), int(only_b)]
    assert count("split") == int(only_a) + int(only_b) > 0


def test_many_runs_with_long_names_stay_on_the_page(browser: Browser, tmp_path: Path) -> None:
    endings = ("proved", "failed", "rejected", "crashed")
    runs = [
        made_run(tmp_path / f"{i:02}-a-run-whose-name-says-all-about-it", [
            record(f"t{j}", endings[(i + j) % 4], metadata={"area": f"a/long/folder/Area{j % 3}"})
            for j in range(9)
        ]) for i in range(11)
    ]  # fmt: skip
    (tmp_path / "page.html").write_text(render(collect(runs)), encoding="utf-8")
    for width in (1440, 1280, 768, 390):
        browser.open(tmp_path / "page.html", width)
        assert browser.js("document.documentElement.scrollWidth") <= width
    shared = "path.line.s0.d1"  # the ninth has the colour of the first, and dashes, in lines and legends
    assert browser.js(f"document.querySelectorAll('#passk svg.wide {shared}').length") in (0, 2)
    assert browser.js(f"document.querySelectorAll('#cactus svg.wide {shared}').length") == 2
