"""The policy that comes with each page lets the app's own parts work, and nothing else in."""

from tests.browser.conftest import rested
from tests.browser.test_offering import ready, run

PAGES = ("compare", "grad_cam", "mlp", "lstm", "methods")


def test_the_pages_ask_for_nothing_that_the_policy_refuses_and_another_site_s_is(visit, server):
    page = visit()
    said = []
    page.on("console", lambda message: said.append(message.text))
    page.on("request", lambda request: said.append(f"to {request.url}"))
    run(ready(page))
    page.locator('.frame[data-drawn^="answer"]').wait_for()
    for name in PAGES:
        page.goto(f"{server}/{name}")
        page.get_by_role("heading").first.wait_for()
        rested(page)
    assert not [line for line in said if "Content Security Policy" in line]
    sent = {line.removeprefix("to ").split(":", 1)[0] for line in said if line.startswith("to ")}
    assert sent <= {"http", "ws", "data", "blob"}
    assert all(server in line for line in said if line.startswith(("to http", "to ws")))
    refused = page.evaluate(
        """() => new Promise(done => {
            document.addEventListener("securitypolicyviolation", found =>
                done(found.effectiveDirective), {once: true});
            const picture = new Image();
            picture.src = "http://127.0.0.2:9/x.png";
        })"""
    )
    assert refused == "img-src"
