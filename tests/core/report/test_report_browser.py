"""The page in a real browser: it works by mouse and by keyboard, asks nobody for anything, and fits."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from browser import Browser
from report_records import fake_run, made_run, record

from prover_core.evaluation.pair_tables import read_pairs
from prover_core.report import ReportOptions, collect, render
from prover_core.store import RunStore

NAMES = "[...document.querySelectorAll('button.name bdi')].map(e => e.textContent)"
LABELS = "[...document.querySelectorAll('.draw text')].filter(t => t.getClientRects().length)"
COUNT = "document.querySelector('.count').textContent"

CONTRAST = """
(() => {
  const channel = (v) => { v /= 255; return v <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4; };
  const light = ([r, g, b]) => .2126 * channel(r) + .7152 * channel(g) + .0722 * channel(b);
  const parse = (c) => (c.match(/[\\d.]+/g) || []).map(Number);
  const ground = (e) => {
    for (; e; e = e.parentElement) {
      const c = parse(getComputedStyle(e).backgroundColor);
      if (c.length === 3 || c[3] === 1) return c;
    }
    return [255, 255, 255];
  };
  const poor = [];
  for (const e of document.querySelectorAll('body *')) {
    if (![...e.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim())) continue;
    if (e.closest('[disabled], .visually-hidden, script, noscript') || !e.getClientRects().length) continue;
    const svg = e.closest('svg');
    if (svg && /(^| )on-/.test(e.getAttribute('class') || '')) continue;
    const style = getComputedStyle(e);
    const a = light(parse(svg ? style.fill : style.color)), b = light(ground(e));
    const ratio = (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
    if (ratio < 4.5) poor.push(`${e.tagName}.${e.className.baseVal ?? e.className}: ${ratio.toFixed(2)}`);
  }
  return [...new Set(poor)];
})()
"""


@pytest.fixture
def page(chromium_page: Browser) -> Iterator[Browser]:
    """The browser; whatever a test does, the page logs no error and asks for nothing but itself."""
    chromium_page.console.clear()
    chromium_page.requests.clear()
    yield chromium_page
    assert chromium_page.console == []
    assert [url for url in chromium_page.requests if not url.startswith("file://")] == []
    assert all(url.partition("#")[0].endswith(".html") for url in chromium_page.requests)


def _written(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two real runs of the fake prover, one with fewer tactics, and a pairing table."""
    tmp_path = tmp_path_factory.mktemp("two")
    few = ("intros.", "assumption.", "trivial.")
    runs = [fake_run(tmp_path / "all", attempts=2), fake_run(tmp_path / "few", tactics=few)]
    (tmp_path / "pairs.csv").write_text(
        "problem,fake,lean4,equivalence,statement_lean4\n"
        "falsum,fake:falsum,falsum,differs,theorem falsum : True\nidentity,fake:identity,id,audited,\n"
    )
    data = collect(runs, pairs=read_pairs(str(tmp_path / "pairs.csv")))
    return _written(tmp_path / "two.html", render(data))


def _choose(page: Browser, ident: str, value: str) -> None:
    page.js(
        f"(() => {{ const s = document.getElementById({ident!r}); s.value = {value!r};"
        " if (s.value !== " + repr(value) + ") throw new Error('no such choice');"
        " s.dispatchEvent(new Event('change', {bubbles: true})); })()"
    )


def _search(page: Browser, text: str) -> None:
    page.js("document.getElementById('q').focus(); document.getElementById('q').select()")
    page.type(text)
    page.js("new Promise((done) => setTimeout(done, 120))")  # the page waits 80 ms for the next letter


def test_it_fits_and_can_be_read_in_every_size_and_theme(page: Browser, two: Path) -> None:
    for width in (1280, 768, 390, 360):
        for dark in (False, True):
            page.open(two, width, dark=dark)
            assert page.js("document.documentElement.scrollWidth") <= width
            page.js("document.querySelectorAll('button.name')[0].click();"
                    "document.querySelectorAll('details').forEach(d => { d.open = true; })")  # fmt: skip
            assert page.js("document.documentElement.scrollWidth") <= width
            assert page.js(CONTRAST) == []
            assert page.js(f"{LABELS}.filter(t => t.getBoundingClientRect().height < 10.5).length") == 0


def test_labels_of_charts_stay_inside_them(page: Browser, two: Path) -> None:
    for width in (1280, 360):
        page.open(two, width)
        outside = page.js(
            f"{LABELS}.filter(t => {{ const r = t.getBoundingClientRect();"
            "const box = t.closest('.card').getBoundingClientRect();"
            "return r.left < box.left || r.right > box.right; }).map(t => t.textContent)"
        )
        assert outside == []


def test_sorting(page: Browser, two: Path) -> None:
    page.open(two)
    names = page.js(NAMES)
    assert len(names) == 36
    head = "document.querySelector('th[data-by=\"{}\"]')"
    page.js(head.format("name") + ".querySelector('button').click()")
    assert page.js(NAMES) == sorted(names)
    assert page.js(head.format("name") + ".getAttribute('aria-sort')") == "ascending"
    page.js(head.format("name") + ".querySelector('button').click()")
    assert page.js(NAMES) == sorted(names, reverse=True)
    assert page.js(head.format("name") + ".getAttribute('aria-sort')") == "descending"
    _choose(page, "sort", "run0/")
    cells = page.js(
        "[...document.querySelectorAll('tr.row')].map(r => r.querySelectorAll('td.status')[0].className)"
    )
    proved = sum("st-p" in cell for cell in cells)
    assert 20 < proved < 36 and all("st-p" in cell for cell in cells[:proved])
    assert page.js(head.format("run0") + ".getAttribute('aria-sort')") == "ascending"
    assert page.js(head.format("name") + ".getAttribute('aria-sort')") is None
    _choose(page, "sort", "default/")
    assert page.js(NAMES) == names


def test_filtering(page: Browser, two: Path) -> None:
    page.open(two)
    both, some, none, only = (
        _chosen(page, "f-status", value) for value in ("all", "any", "none", "o0")
    )  # fmt: skip
    assert both | only <= some and not (both & only) and not (some & none) and len(some | none) == 36
    assert _chosen(page, "f-status", "split") == some - both == only
    _choose(page, "f-status", "")
    assert _chosen(page, "f-eq", "differs") == {"falsum"}
    assert _chosen(page, "f-eq", "vouched") == {"identity"}
    _choose(page, "f-eq", "")
    areas = page.js("[...document.getElementById('f-area').options].map(o => o.value).filter(Boolean)")
    assert sum(len(_chosen(page, "f-area", area)) for area in areas) == 36
    _choose(page, "f-area", "")
    _search(page, "AND_SWAP")
    assert page.js(NAMES) == ["and_swap"]
    _search(page, "zzz no such thing")
    assert page.js(COUNT) == "No theorem is like that."


def _chosen(page: Browser, ident: str, value: str) -> set[str]:
    _choose(page, ident, value)
    return set(page.js(NAMES))


def test_by_keyboard_alone(page: Browser, two: Path) -> None:
    page.open(two)
    page.press("Tab")
    assert page.js("document.activeElement.className") == "skip"
    page.press("Enter")
    page.js("new Promise(done => setTimeout(done, 300))")  # what the link's jump does to the focus is over
    page.js("document.getElementById('size').blur()")
    page.js("document.getElementById('sort').focus()")
    for _ in range(40):
        page.press("Tab")
        if page.js("document.activeElement.className") == "name":
            break
    assert page.js("document.activeElement.getAttribute('aria-expanded')") == "false"
    page.press("Enter")
    page.wait("document.activeElement.getAttribute('aria-expanded') == 'true'", 10)
    assert page.js("!!document.querySelector('tr.detail pre')")
    assert page.js("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    page.press("Space")
    page.wait("document.querySelector('tr.detail') === null", 10)


def test_the_theme_can_be_switched_and_is_kept(page: Browser, two: Path) -> None:
    ground = "getComputedStyle(document.body).backgroundColor"
    page.open(two, dark=True)
    dark = page.js(ground)
    page.js("document.getElementById('theme').click()")
    light = page.js(ground)
    assert light != dark and page.js("document.getElementById('theme').textContent") == "Dark"
    page.open(two, dark=True)
    assert page.js(ground) == light
    page.js("localStorage.clear()")
    page.open(two, dark=False)
    assert page.js(ground) == light


def test_a_theorem_opened_shows_statement_proof_and_the_other_prover(page: Browser, two: Path) -> None:
    page.open(two)
    _search(page, "identity")
    page.js("document.querySelector('button.name').click()")
    texts = page.js("[...document.querySelectorAll('tr.detail .side')].map(e => e.innerText)")
    assert len(texts) == 2 and texts[0].startswith("fake fake:identity") and texts[1].startswith("lean4")
    assert "a -> a" in texts[0] and "all proved" in texts[0] and "few proved" in texts[0]
    page.js("document.querySelector('button.name').click()")
    _search(page, "falsum")
    page.js("document.querySelector('button.name').click()")
    assert "theorem falsum : True" in page.js("document.querySelector('tr.detail').innerText")
    link = page.js("document.querySelector('tr.detail a').getAttribute('href')")
    assert link == "#t=falsum"


def test_a_link_leads_to_its_theorem(page: Browser, two: Path) -> None:
    page.open(two)
    page.js(f"location.hash = '#t={quote('or_swap')}'")
    page.wait("document.querySelectorAll('tr.detail').length === 1")
    assert page.js("document.querySelector('tr.detail').previousSibling.textContent").startswith("or_swap")


def test_a_search_tree_is_drawn_when_it_is_asked_for(page: Browser, tmp_path: Path) -> None:
    run = fake_run(tmp_path / "run")
    page.open(_written(tmp_path / "run.html", render(collect([run]))))
    proofs = {r.name: r.proof for r in RunStore.open(run).records() if len(r.proof) > 2}
    assert len(proofs) > 5
    for name, proof in list(proofs.items())[:3]:
        _search(page, name)
        page.js("document.querySelector('button.name').click()")
        assert page.js("document.querySelectorAll('.branch').length") == 0
        page.js("document.querySelector('details.tree').open = true")
        page.wait("document.querySelectorAll('.branch').length > 0")
        way = page.js("[...document.querySelectorAll('.tactic.way code')].map(e => e.textContent)")
        assert [f"{tactic.rstrip('.')}." for tactic in way] == list(proof)
        assert page.js("document.querySelectorAll('.tree-picture path.way').length") == len(proof)
        refused = page.js(
            "(() => { const d = document.querySelector('.refused'); d.open = true; return 1; })()"
        )
        assert refused == 1
        page.wait("document.querySelectorAll('.refused li').length > 0")
        assert page.js("document.querySelector('.goals').textContent").strip()
        said = page.js("document.querySelector('.tree-box .note').textContent")
        assert said.endswith("with tactics tried; the way of the proof stands out.")
        page.js("document.querySelector('button.name').click()")


def test_the_tree_of_a_search_that_found_nothing_shows_no_way_and_fits(page: Browser, tmp_path: Path) -> None:
    run = fake_run(tmp_path / "run", tactics=("intros.", "split.", "left.", "right."))
    failed = next(r.name for r in RunStore.open(run).records() if not r.proved and r.tries > 20)
    page.open(_written(tmp_path / "run.html", render(collect([run, run]))), 390)
    _search(page, failed)
    page.js(
        "document.querySelector('button.name').click(); document.querySelector('details.tree').open = true"
    )
    page.wait("document.querySelectorAll('.branch').length > 0")
    assert page.js("document.querySelector('.tree-box .note').textContent").endswith("with tactics tried.")
    assert page.js("document.querySelectorAll('.tree-picture path').length") > 3
    assert page.js("document.querySelectorAll('.tree-picture path.way').length") == 0
    assert page.js("(e => e.scrollWidth - e.clientWidth)(document.querySelector('.tree-scroll'))") <= 0


HOSTILE = "</script><img src=x onerror=window.hacked=1><script>window.hacked=1</script>&amp;\"'"


def test_hostile_text_is_shown_and_does_nothing(page: Browser, tmp_path: Path) -> None:
    run = made_run(tmp_path / "run", [
        record(f"a{HOSTILE}", statement=HOSTILE, proof_text=f"{HOSTILE}!", metadata={"area": HOSTILE}),
        record("b", "crashed", error=HOSTILE, error_class=HOSTILE),
    ])  # fmt: skip
    page.open(
        _written(tmp_path / "x.html", render(collect([run], labels=[HOSTILE]), ReportOptions(title=HOSTILE)))
    )
    page.js("document.querySelectorAll('button.name').forEach(b => b.click())")
    assert page.js("window.hacked") is None
    assert page.js("document.querySelectorAll('img').length") == 0
    assert page.js("document.querySelector('h1').textContent") == HOSTILE
    assert f"a{HOSTILE}" in page.js(NAMES)
    shown = page.js("[...document.querySelectorAll('tr.detail pre')].map(e => e.textContent)")
    assert sorted(shown) == ["!", HOSTILE, "Lemma b : True."]


def test_a_browser_that_cannot_unpack_gets_the_same(page: Browser, two: Path) -> None:
    page.open(two)
    names = page.js(NAMES)
    made = page.call("Page.addScriptToEvaluateOnNewDocument", source="delete window.DecompressionStream")
    try:
        page.open(two)
        assert page.js("typeof DecompressionStream") == "undefined"
        assert page.js(NAMES) == names
        _search(page, "and_swap")
        page.js("document.querySelector('button.name').click()")
        page.js("document.querySelector('details.tree').open = true")
        page.wait("document.querySelectorAll('.branch').length > 0")
    finally:
        page.call("Page.removeScriptToEvaluateOnNewDocument", identifier=made["identifier"])


def test_without_scripts_the_charts_are_there(page: Browser, two: Path) -> None:
    page.call("Emulation.setScriptExecutionDisabled", value=True)
    try:
        page.call("Page.navigate", url=two.as_uri())
        page.wait("document.readyState === 'complete'")
        assert page.js("document.querySelectorAll('figure').length") >= 6
        assert "needs JavaScript" in page.js("document.querySelector('noscript').textContent")
    finally:
        page.call("Emulation.setScriptExecutionDisabled", value=False)


def test_it_can_be_printed(page: Browser, two: Path) -> None:
    page.open(two)
    page.call("Emulation.setEmulatedMedia", media="print")
    try:
        assert page.js("getComputedStyle(document.querySelector('nav')).display") == "none"
        assert page.js("getComputedStyle(document.querySelector('.controls')).display") == "none"
        assert len(page.call("Page.printToPDF", printBackground=True)["data"]) > 20_000
    finally:
        page.call("Emulation.setEmulatedMedia", media="")


def test_ten_thousand_theorems(page: Browser, tmp_path: Path) -> None:
    run = made_run(tmp_path / "run", [
        record(f"theorem_{i:05}", "proved" if i % 3 else "failed", seconds_total=(i * 7919 % 10_007) / 100,
               statement=f"Lemma theorem_{i} : forall n m : nat, {i} + n * {i * 31} = m -> {'x' * (i % 97)}.",
               proof_text=f"Proof. intros; rewrite lemma_{i * 17}; lia. (* {'y' * (i % 203)} *) Qed.",
               metadata={"area": f"Area{i % 40}"})
        for i in range(10_000)
    ])  # fmt: skip
    text = render(collect([run]))
    assert len(text.encode()) < 15_000_000
    page.open(_written(tmp_path / "large.html", text))
    assert page.js(COUNT) == "10,000 theorems, 1 to 50 shown"
    assert page.js("document.querySelectorAll('tr.row').length") == 50
    page.js("document.querySelector('[data-go=next]').click()")
    assert page.js(COUNT) == "10,000 theorems, 51 to 100 shown"
    _search(page, f"lemma_{1234 * 17};")
    assert page.js(NAMES) == ["theorem_01234"]
