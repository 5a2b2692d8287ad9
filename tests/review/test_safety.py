"""Who may ask: token, cookie, host, origin, body, headers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from secateur.review.app import application
from secateur.review.folder import RecordingsFolder
from secateur.review.safety import LARGEST_BODY, Access
from secateur.review.session import ReviewSession
from tests.support.review_pages import HOST, PORT


@pytest.fixture(scope="module")
def access() -> Access:
    return Access(PORT, ("ward-7.example",))


@pytest.fixture(scope="module")
def server(tiny_cohort: Path, access: Access) -> Iterator[TestClient]:
    """A browser that knows nothing yet."""
    session = ReviewSession(RecordingsFolder(tiny_cohort))
    with TestClient(application(session, access), base_url=HOST) as client:
        yield client


@pytest.fixture
def stranger(server: TestClient) -> TestClient:
    """The same server, asked by somebody else."""
    return TestClient(server.app, base_url=HOST, follow_redirects=False)


@pytest.fixture
def guest(server: TestClient, access: Access) -> TestClient:
    """Somebody who has opened the printed address."""
    client = TestClient(server.app, base_url=HOST, follow_redirects=False)
    assert client.get("/", params={"token": access.token}).status_code == 303
    client.base_url = f"{HOST}{access.path}"
    return client


@pytest.mark.parametrize("known", [False, True])
def test_nothing_is_told_without_the_cookie(
    stranger: TestClient, access: Access, known: bool
) -> None:
    """Even where the path is known."""
    if known:
        stranger.base_url = f"{HOST}{access.path}"
    for path in ("/", "/static/review.css", "/api/recordings", "/api/recordings/x/traces"):
        response = stranger.get(path)
        assert response.status_code == 401
        assert "token" in response.json()["error"]
    assert stranger.post("/api/recordings/x/acts", json={}).status_code == 401


def test_the_token_becomes_a_cookie_that_scripts_and_other_sites_cannot_use(
    stranger: TestClient, access: Access
) -> None:
    response = stranger.get("/", params={"token": access.token})
    assert (response.status_code, response.headers["location"]) == (303, access.path)
    cookie = response.headers["set-cookie"]
    assert "httponly" in cookie.lower()
    assert "samesite=strict" in cookie.lower()
    assert access.token not in cookie
    # a server on another port of this host gets no cookie, for it doesn't lie below this path
    assert f"Path={access.path}" in cookie
    assert len(access.path) > 20
    assert access.token not in access.path
    assert stranger.get(f"{access.path}api/recordings").status_code == 200
    assert stranger.get("/api/recordings").status_code == 401


@pytest.mark.parametrize("token", ["", "x", "é", "0" * 43])
def test_another_token_opens_nothing(stranger: TestClient, token: str) -> None:
    response = stranger.get("/", params={"token": token})
    assert response.status_code in (401, 403)
    assert "set-cookie" not in response.headers


@pytest.mark.parametrize("cookie", ["", "x", '"', "a=b; =;;", f"secateur-{PORT}="])
def test_another_cookie_opens_nothing(stranger: TestClient, access: Access, cookie: str) -> None:
    assert (
        stranger.get(f"{access.path}api/recordings", headers={"cookie": cookie}).status_code == 401
    )


@pytest.mark.parametrize(
    "host", ["evil.example", f"evil.example:{PORT}", "127.0.0.1", "127.0.0.1:1", "", "[::1]"]
)
def test_a_name_that_was_led_here_is_refused(guest: TestClient, host: str) -> None:
    assert guest.get("/api/recordings", headers={"host": host}).status_code == 403


@pytest.mark.parametrize(
    "host",
    [f"127.0.0.1:{PORT}", f"localhost:{PORT}", f"LOCALHOST:{PORT}", f"ward-7.example:{PORT}"],
)
def test_own_names_are_taken(guest: TestClient, access: Access, host: str) -> None:
    cookie = "; ".join(f"{name}={value}" for name, value in guest.cookies.items())
    headers = {"host": host, "cookie": cookie}
    assert guest.get("/api/recordings", headers=headers).status_code == 200


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", f"https://127.0.0.1:{PORT}", "http://127.0.0.1:1"]
)
def test_a_page_of_another_site_is_refused(guest: TestClient, origin: str) -> None:
    for response in (
        guest.post("/api/recordings/x/acts", json={}, headers={"origin": origin}),
        guest.get("/api/recordings", headers={"origin": origin}),
    ):
        assert response.status_code == 403
        assert "another site" in response.json()["error"]


def test_a_form_of_another_site_is_refused(guest: TestClient) -> None:
    plain = {"content-type": "text/plain"}
    assert guest.post("/api/recordings/x/acts", content="{}", headers=plain).status_code == 403
    for site in ("cross-site", "same-site"):
        crossed = {"sec-fetch-site": site, "sec-fetch-mode": "no-cors"}
        assert guest.post("/api/recordings/x/acts", json={}, headers=crossed).status_code == 403
        assert guest.get("/api/recordings", headers=crossed).status_code == 403


def test_bodies_are_bounded(guest: TestClient) -> None:
    text = b'"' + b"x" * LARGEST_BODY + b'"'
    kind = {"content-type": "application/json"}
    response = guest.post("/api/recordings/x/acts", content=text, headers=kind)
    assert response.status_code == 413

    def pieces() -> Iterator[bytes]:
        for _ in range(40):
            yield b"x" * 4096

    assert guest.post("/api/recordings/x/acts", content=pieces(), headers=kind).status_code == 413


def test_every_answer_carries_the_policy(guest: TestClient, stranger: TestClient) -> None:
    for response in (guest.get("/api/recordings"), stranger.get("/"), guest.get("/nothing")):
        policy = response.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert response.headers["x-content-type-options"] == "nosniff"
        assert response.headers["referrer-policy"] == "no-referrer"
        assert "server" not in response.headers


@pytest.mark.parametrize(
    "path",
    ["/static/../app.py", "/static/%2e%2e/app.py", "/static/..%2fapp.py", "/static//etc/passwd"],
)
def test_static_files_come_from_their_folder_alone(guest: TestClient, path: str) -> None:
    response = guest.get(path)
    assert response.status_code == 404
    assert "starlette" not in response.text
