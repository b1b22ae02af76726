"""Everybody can use it: axe on every page, the keyboard alone, a focus that shows."""

import base64
import io
import re
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import TimeoutError as Never
from playwright.sync_api import expect

from tests.browser.conftest import later, newcomer, rested, steady, unroll, until
from tests.browser.test_offering import RUN, choose, ready
from tests.conftest import ROOT
from tests.hostile.conftest import SOAK
from ui import forms
from xai_core.explainer import explaining

pytestmark = pytest.mark.timeout(900)

WINDOWS = {"wide": {"width": 1366, "height": 768}, "phone": {"width": 390, "height": 844}}
THEMES = ("light", "dark")
LESSONS = ROOT / "xai_core" / "lessons"
"""Each has a page of its name."""

STREAMLITS = (
    # Its navigation puts what groups the links between the list and its items.
    ("list", '[data-testid="stSidebarNavItems"]'),
    ("listitem", '[data-testid="stSidebarNavItems"] li'),
)
"""Findings that are Streamlit's own, by axe's rule and by where they are."""

LOOK = """async streamlits => {
  const grave = ["serious", "critical"];
  // a rule that tells of nothing grave costs as much as one that does
  const light = axe._audit.rules.filter(rule => rule.impact && !grave.includes(rule.impact));
  const rules = Object.fromEntries(light.map(rule => [rule.id, {enabled: false}]));
  const how = {resultTypes: ["violations"], elementRef: true, preload: false, rules};
  const found = await axe.run(document, how);
  return found.violations.flatMap(rule => rule.nodes
    .filter(node => grave.includes(node.impact))
    .map(node => ({
      said: `${rule.id} ${node.target}: ${node.failureSummary} ${node.html.slice(0, 300)}`,
      known: streamlits.findIndex(([id, place]) => id === rule.id && node.element?.matches(place)),
    })));
}"""

FITS = """() => [document.documentElement, document.querySelector('[data-testid="stMain"]')]
  .every(part => part.scrollWidth <= part.clientWidth)"""
"""Whether nothing is wider than the window, which all that is drawn has to hear of first."""

THEMED = """theme => {
  const app = getComputedStyle(document.querySelector(".stApp"));
  const probe = document.body.appendChild(document.createElement("i"));
  const parts = document.querySelectorAll("[data-testid=stBidiComponentIsolated]");
  const same = [...parts].every(part => {
    probe.style.color = getComputedStyle(part).getPropertyValue("--st-text-color");
    return getComputedStyle(probe).color === app.color;
  });
  probe.remove();
  return app.colorScheme === theme && same;
}"""
"""Whether all has the theme's colours, the parts of ours last."""

OPEN = '[data-testid="stPopoverBody"], [role="dialog"]'
WAYS = ".st-key-model-buttons button, .st-key-photo-buttons button"


class Walk:
    """A walk through the app: what axe found in each state, and what is wider than the window.

    Each state is looked at in both themes and both windows: wide in one theme and narrow in the
    other, in turn, and in all four pairs by `make soak`.
    """

    def __init__(self, page, axe):
        self.page, self.axe = page, axe
        self.ours, self.known, self.wide, self.covered = [], set(), [], []
        self.themes = list(THEMES)

    def look(self, state):
        """Look at a state in each theme and in each window."""
        rested(self.page)
        windows = list(WINDOWS.items())
        for turn, theme in enumerate(self.themes):
            self.page.emulate_media(color_scheme=theme, reduced_motion="reduce")
            self.page.wait_for_function(THEMED, arg=theme)
            for window, size in windows if SOAK else windows[turn :: len(self.themes)]:
                self.page.set_viewport_size(size)
                later(self.page)
                self._look(f"{state}, {window}, {theme}")
        self.page.set_viewport_size(WINDOWS["wide"])
        self.themes.reverse()  # the next state begins in the theme that there is

    def _look(self, state):
        if not self.page.evaluate("!!window.axe"):
            self.page.evaluate(self.axe)
        for found in self.page.evaluate(LOOK, [list(each) for each in STREAMLITS]):
            if found["known"] >= 0:
                self.known.add(found["known"])
            else:
                self.ours.append(f"{state}: {found['said']}")
        try:
            self.page.wait_for_function(FITS, timeout=10_000)
        except Never:
            self.wide.append(state)

    def glance(self, state, turn):
        """Look at a state once, in one of the themes and one of the windows by turns."""
        theme = THEMES[turn % 2]
        self.page.emulate_media(color_scheme=theme, reduced_motion="reduce")
        self.page.wait_for_function(THEMED, arg=theme)
        window = list(WINDOWS)[turn // 2 % 2]
        self.page.set_viewport_size(WINDOWS[window])
        later(self.page)
        self._look(f"{state}, {window}, {theme}")
        self.page.set_viewport_size(WINDOWS["wide"])

    def title(self, address):
        """Look whether the narrow window's header lies over the page's title."""
        self.page.set_viewport_size(WINDOWS["phone"])
        title = self.page.get_by_role("heading").first
        steady(title)
        header = self.page.get_by_test_id("stHeader").bounding_box()
        if title.bounding_box()["y"] < header["y"] + header["height"]:
            self.covered.append(address)
        self.page.set_viewport_size(WINDOWS["wide"])

    def unfold(self):
        """Open what is folded."""
        folded = self.page.locator("details:not([open]) > summary")
        for _ in range(min(folded.count(), 8)):
            folded.first.scroll_into_view_if_needed()
            steady(folded.first)
            folded.first.click()
            rested(self.page)

    def ways(self):
        """Open what changes the model and the photo, one after the other."""
        for at in range(self.page.locator(WAYS).count()):
            way = self.page.locator(WAYS).nth(at)
            name = way.inner_text().split("\n")[0]
            way.scroll_into_view_if_needed()
            way.click()
            opened = self.page.locator(OPEN).first
            opened.wait_for()
            steady(opened)
            self.look(name)
            self.page.keyboard.press("Escape")
            opened.wait_for(state="hidden")
            rested(self.page)


@pytest.fixture(scope="module")
def axe():
    """Return the script of axe-core."""
    found = find_spec("axe_playwright_python")
    return (Path(found.origin).parent / "axe.min.js").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def pages(browser, serving):
    """Return the address of every page, from the navigation."""
    context = newcomer(browser)
    page = context.new_page()
    page.goto(serving[0])
    ready(page)
    links = page.get_by_test_id("stSidebarNavLink")
    found = [link.get_attribute("href") for link in links.all()]
    context.close()
    assert len(found) > 1
    return found


@pytest.fixture(scope="module")
def walk(browser, serving, pages, axe):
    """Return what was found on a walk through every page and state of it."""
    context = newcomer(browser, viewport=WINDOWS["wide"], reduced_motion="reduce")
    page = context.new_page()
    walk = Walk(page, axe)
    page.goto(serving[0])
    ready(page)
    walk.title(serving[0])
    walk.look("before a run")
    walk.ways()
    unroll(page.get_by_role("combobox", name="Method"))
    walk.look("the list of methods")
    page.keyboard.press("Escape")
    walk.unfold()
    walk.look("before a run, unfolded")
    press(page.get_by_role("button", name=RUN))
    page.get_by_text("Before you believe it").wait_for()
    walk.look("an answer")
    press(page.get_by_role("button", name="Hide the strongest parts and ask again"))
    page.get_by_text("What else hiding did").wait_for()
    # the verdict stands first
    verdict = r"The (map (passes|fails) the hiding test|hiding test leaves a doubt|map was not)"
    expect(page.locator(".v-doubt li").first).to_have_text(re.compile(verdict))
    press(page.get_by_role("button", name="Pin 1 Grad-CAM"))
    walk.unfold()
    walk.look("an answer, its doubt measured, unfolded")
    for address in apart(pages):
        page.goto(address)
        page.get_by_role("heading").first.wait_for()
        rested(page)
        if page.locator(".st-key-rail").count():
            run_of(page)  # the photo's answer is there
        walk.title(address)
        walk.look(address)
    for turn, address in enumerate(each for each in pages if each not in apart(pages)):
        page.goto(address)  # a lesson, like the first but for its formula and its figures
        page.get_by_role("heading").first.wait_for()
        rested(page)
        walk.glance(address, turn)
    yield walk
    context.close()


def lesson(address):
    """Whether a page is one of those that teach a method, which are alike."""
    return address.rsplit("/", 1)[-1] in {path.stem for path in LESSONS.glob("*.py")}


def apart(pages):
    """Return the pages without the lessons after the first."""
    lessons = [address for address in pages if lesson(address)]
    return [address for address in pages if address not in lessons[1:]]


def press(button):
    button.scroll_into_view_if_needed()
    steady(button)
    button.click()


def test_axe_finds_nothing_of_ours(walk):
    assert not walk.ours, "\n".join(walk.ours)


def test_what_is_listed_as_streamlits_is_found(walk):
    assert walk.known == set(range(len(STREAMLITS)))


def test_nothing_overflows_sideways(walk):
    assert not walk.wide, walk.wide


def test_the_title_stands_clear_of_the_header(walk):
    assert not walk.covered, walk.covered


FOCUSED = """() => {
  let at = document.activeElement;
  while (at?.shadowRoot?.activeElement) at = at.shadowRoot.activeElement;
  return at;
}"""


def focused(page):
    """Return the element that has the keyboard's focus, in whatever part of ours it is."""
    return page.evaluate_handle(FOCUSED).as_element()


def tab_to(page, locator, most, key="Tab"):
    """Press Tab until an element has the focus; return how often."""
    for times in range(1, most + 1):
        page.keyboard.press(key)
        if locator.evaluate("(it, at) => it === at", focused(page)):
            return times
    pytest.fail(f"{most} tabs do not lead to {locator}")


def test_the_keyboard_alone_leads_to_a_finished_pinned_and_compared_run(visit):
    page = ready(visit())
    rested(page)
    page.keyboard.press("Tab")
    assert focused(page).inner_text() == "Skip to the question"
    expect(page.get_by_text("Skip to the question")).to_be_in_viewport(ratio=1)
    asked = page.get_by_role("combobox", name="Class to explain")

    def there():
        page.get_by_text("Skip to the question").focus()
        page.keyboard.press("Enter")
        later(page)  # a run of the page may draw the list anew
        return asked.evaluate("(it, at) => it === at", focused(page))

    until(page, there)
    run = page.get_by_role("button", name=RUN)
    assert tab_to(page, run, 8) <= 8
    page.keyboard.press("Enter")
    page.get_by_text("Before you believe it").wait_for()
    rested(page)
    expect(run).to_be_focused()
    pin = page.get_by_role("button", name="Pin 1 Grad-CAM")
    tab_to(page, pin, 20)
    page.keyboard.press("Enter")
    expect(pin).to_have_attribute("aria-pressed", "true")
    rested(page)
    expect(pin).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Remove 1 Grad-CAM")).to_be_focused()
    # back to the method, and another run
    tab_to(page, page.get_by_role("combobox", name="Method"), 40, "Shift+Tab")
    page.keyboard.type("Occlusion")
    page.get_by_role("option", name="Occlusion").wait_for()
    page.keyboard.press("Enter")
    page.get_by_role("slider", name="Patch height").wait_for()
    rested(page)
    page.keyboard.press("Control+Enter")
    pin = page.get_by_role("button", name="Pin 2 Occlusion")
    pin.wait_for()
    rested(page)
    tab_to(page, pin, 40)
    page.keyboard.press("Enter")
    expect(pin).to_have_attribute("aria-pressed", "true")
    rested(page)
    tab_to(page, page.get_by_role("button", name="Compare the 2 pinned runs"), 4)
    page.keyboard.press("Enter")
    panels = page.locator(".compared figure")
    expect(panels).to_have_count(2)
    page.locator(".compared .panels[data-drawn]").wait_for()
    rested(page)
    # to the figure, and its strongest place in both
    tab_to(page, panels.first.locator(".picture"), 40)
    page.keyboard.press("m")
    for panel in (panels.first, panels.last):
        expect(panel.locator(".value")).not_to_have_text("")
    expect(page.locator(".compared .aloud")).to_contain_text("2 Occlusion")


def skip(page):
    """Follow the skip link."""
    page.get_by_text("Skip to the question").focus()
    page.keyboard.press("Enter")


def run_of(page):
    """Return the button that runs, once it can be pressed."""
    # a second one, on a page that has it, goes on from what ran
    run = page.locator('.st-key-rail [data-testid="stBaseButton-primary"]').first
    expect(run).to_be_enabled()
    rested(page)
    return run


def front(cls):
    """Return what a method's controls in sight are to the keyboard."""
    declared = forms.split(forms.honoured(cls, cls.engines[0].name))[0]
    return tuple((param.kind, bool(param.linked), bool(param.help)) for param in declared)


def test_eight_tabs_lead_to_run_whatever_the_method(visit):
    page = ready(visit())
    for cls in {front(cls): cls for cls in explaining("classification").values()}.values():
        choose(page, "Method", cls.title)
        expect(page.locator(".st-key-method-card")).to_contain_text(cls.shows)
        run = run_of(page)
        skip(page)
        tab_to(page, run, 8)
    # and where a pair is unlinked
    choose(page, "Method", "Occlusion")
    page.get_by_role("slider", name="Patch height and width").wait_for()
    rested(page)
    skip(page)
    tab_to(page, page.get_by_role("switch", name="Linked"), 6)  # what is folded has no role
    page.keyboard.press("Space")
    page.get_by_role("slider", name="Patch width").wait_for()
    run = run_of(page)
    skip(page)
    tab_to(page, run, 8)


def test_on_every_page_a_skip_link_comes_first_and_eight_tabs_lead_to_run(visit, pages):
    page, benches = ready(visit()), 0
    main = page.get_by_test_id("stMain")
    looked = pages if SOAK else apart(pages)  # the other lessons are like the first
    for address in looked:
        page.goto(address)
        page.get_by_role("heading").first.wait_for()
        rested(page)
        page.keyboard.press("Tab")
        assert focused(page).inner_text().startswith("Skip to ")
        page.keyboard.press("Enter")
        until(page, lambda: main.evaluate("(it, at) => it.contains(at)", focused(page)))
        if page.locator(".st-key-rail").count():
            benches += 1
            run = run_of(page)  # the answer to the photo has come, and nothing else will
            later(page)
            rested(page)
            skip(page)
            # Streamlit's date is four stops: year, month, day and its calendar
            dates = page.locator('.st-key-rail [data-testid="stDateInput"]').count()
            tab_to(page, run, 8 + 3 * dates)
    assert benches >= 2 + sum(lesson(address) for address in looked)


HEARD = """() => {
  window.heard = [];
  const parts = [...document.querySelectorAll("[data-testid=stBidiComponentIsolated]")];
  const inside = part => part.shadowRoot?.querySelector(".aloud[role=status]");
  const region = parts.map(inside).find(Boolean);
  new MutationObserver(() => region.textContent && window.heard.push(region.textContent))
    .observe(region, {childList: true, characterData: true, subtree: true});
}"""


def test_each_end_of_a_run_is_heard_once(visit):
    page = ready(visit())
    rested(page)
    said = "Grad-CAM has ended: the answer is there."
    page.evaluate(HEARD)

    def ends():
        return page.evaluate("window.heard").count(said)

    for turn in (1, 2):  # the second one in the same words
        rested(page)
        press(page.get_by_role("button", name=RUN))
        page.get_by_role("button", name=f"Pin {turn} Grad-CAM").wait_for()
        until(page, lambda turn=turn: ends() == turn)
    press(page.get_by_role("button", name="Pin 1 Grad-CAM"))  # no event of its own
    expect(page.get_by_role("button", name="Pin 1 Grad-CAM")).to_have_attribute(
        "aria-pressed", "true"
    )
    rested(page)
    later(page)
    assert ends() == 2
    # what was there before is no news after F5, nor on the way back from another page
    page.reload()
    ready(page)
    rested(page)
    later(page)
    expect(page.locator(".aloud[role=status]")).to_have_text("")
    page.get_by_role("link", name="Methods").click()
    page.get_by_role("heading", name="Methods").wait_for()
    expect(page.get_by_text("Skip to the question")).to_have_count(0)  # it goes with its page
    page.get_by_role("link", name="Offering").click()
    ready(page)
    rested(page)
    later(page)
    expect(page.locator(".aloud[role=status]")).to_have_text("")
    expect(page.get_by_text("Skip to the question")).to_have_count(1)


RING = 3.0
"""The contrast, of what shows the focus with what was there before, that WCAG asks for."""


TOP = """() => {
  const first = document.body.insertBefore(document.createElement("i"), document.body.firstChild);
  first.tabIndex = -1;
  first.focus();
  first.remove();
}"""
"""From here Tab leads to the page's first stop."""

STILL = """() => {
  const rest = new CSSStyleSheet();
  rest.replaceSync(`*, *::before, *::after {
    transition: none !important; animation: none !important; caret-color: transparent !important;
  }`);
  const parts = document.querySelectorAll("[data-testid=stBidiComponentIsolated]");
  for (const root of [document, ...[...parts].map(part => part.shadowRoot).filter(Boolean)])
    root.adoptedStyleSheets = [...root.adoptedStyleSheets, rest];
}"""
"""Nothing moves by itself from here on, and no caret blinks: a picture need not wait for it."""

STOP = """async () => {
  let at = document.activeElement;
  while (at?.shadowRoot?.activeElement) at = at.shadowRoot.activeElement;
  if (at === document.body) return null;
  for (let before = "", same = 0; same < 4;) {
    const { x, y, width, height } = at.getBoundingClientRect();
    const now = [x, y, width, height].join();
    same = now === before ? same + 1 : 0;
    before = now;
    await new Promise(requestAnimationFrame);
  }
  const { x, y, width, height } = at.getBoundingClientRect();
  window.stop_ = at;
  const name = (at.ariaLabel || at.innerText || at.outerHTML).slice(0, 60);
  return { name, x, y, width, height };
}"""
"""Where the focus is, once it has come to rest there; null at the end of the page."""


def pixels(page, stop):
    """Return a part of the window as it stands, float64 [height, width, 3], 0..1."""
    left, top = max(stop["x"] - 8, 0), max(stop["y"] - 8, 0)
    right = min(stop["x"] + stop["width"] + 8, page.viewport_size["width"])
    low = min(stop["y"] + stop["height"] + 8, page.viewport_size["height"])
    clip = {"x": left, "y": top, "width": right - left, "height": low - top, "scale": 1}
    given = {"clip": clip, "optimizeForSpeed": True}
    taken = base64.b64decode(page.devtools.send("Page.captureScreenshot", given)["data"])
    return np.asarray(Image.open(io.BytesIO(taken)).convert("RGB"), np.float64) / 255


def luminance(colours):
    linear = np.where(colours <= 0.04045, colours / 12.92, ((colours + 0.055) / 1.055) ** 2.4)
    return linear @ np.array([0.2126, 0.7152, 0.0722]) + 0.05


def ring(page, stop):
    """Return how many pixels stand out where the focus is, against when it is elsewhere."""
    with_it = luminance(pixels(page, stop))
    page.evaluate("stop_.blur()")
    without = luminance(pixels(page, stop))
    page.evaluate("stop_.focus({preventScroll: true, focusVisible: true})")
    return int((np.maximum(with_it, without) / np.minimum(with_it, without) >= RING).sum())


def stops_of(page, most, top):
    """Press Tab from the top of the page, or of what the navigation leads to; yield each stop."""
    if top:
        page.evaluate(TOP)
    else:
        page.get_by_test_id("stMain").focus()
    for _ in range(most):
        page.keyboard.press("Tab")
        stop = page.evaluate(STOP)
        if stop is None:
            break
        yield stop


def test_the_focus_shows_at_every_stop(visit, pages):
    page = visit()
    page.devtools = page.context.new_cdp_session(page)
    page.set_viewport_size(WINDOWS["wide"])
    page.emulate_media(color_scheme=THEMES[0], reduced_motion="reduce")
    faint, stops = [], []
    # the lesson first: it plays while nothing has run
    looked = sorted(apart(pages), key=lesson, reverse=True)
    # the others' controls are of the same kinds: `make soak` looks at them, too
    looked = looked if SOAK else [each for each in looked if each == pages[0] or lesson(each)]
    for turn, address in enumerate(looked):
        page.goto(address)
        page.get_by_role("heading").first.wait_for()
        if address == pages[0] or lesson(address):
            ready(page)
        if address == pages[0]:
            press(page.get_by_role("button", name=RUN))
            page.get_by_text("Before you believe it").wait_for()
        rested(page)
        page.evaluate(STILL)
        # the front page, where every kind of control stands, in both; the others in turn
        for theme in THEMES if SOAK or address == pages[0] else (THEMES[turn % 2],):
            page.emulate_media(color_scheme=theme, reduced_motion="reduce")
            page.wait_for_function(THEMED, arg=theme)
            later(page)
            # the navigation is the same on every page, and the front page's is walked
            top = address == pages[0]
            for stop in stops_of(page, 45 if lesson(address) or top else 25, top):
                shown = ring(page, stop)
                stops.append((theme, stop["name"]))
                if shown < min(stop["width"], 24):
                    faint.append(f"{address}, {theme}, {stop['name']!r}: {shown} pixels")
    for theme in THEMES:
        assert sum(each == theme for each, _ in stops) > (80 if SOAK else 30)
    assert (THEMES[0], "Step of the film") in stops  # the lesson to its recording
    assert not faint, "\n".join(faint)
