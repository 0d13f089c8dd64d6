"""The session's API."""

import httpx
import pytest

from tests.backend.web.conftest import PASSWORD, SignedIn

pytestmark = pytest.mark.store

WANG = {"name": "wang", "role": "operator", "title": "坐席 王芳", "home": "/operator"}


async def test_json_and_a_form_sign_in_alike(anonymous: httpx.AsyncClient) -> None:
    given = {"name": "wang", "password": PASSWORD}
    assert (await anonymous.post("/api/session", json=given)).json() == WANG
    assert (await anonymous.post("/api/session", data=given)).json() == WANG
    assert (await anonymous.get("/api/session")).json() == WANG


async def test_a_wrong_password_is_refused_in_plain_words(anonymous: httpx.AsyncClient) -> None:
    answer = await anonymous.post("/api/session", json={"name": "wang", "password": "wrong"})
    assert (answer.status_code, answer.json()) == (403, {"error": "refused", "message": "账号或密码不正确。"})


@pytest.mark.parametrize("body", [b"", b"{", b'{"name": "wang"}', b"[]"])
async def test_half_a_body_is_bad_input(anonymous: httpx.AsyncClient, body: bytes) -> None:
    answer = await anonymous.post("/api/session", content=body, headers={"content-type": "application/json"})
    assert (answer.status_code, answer.json()["error"]) == (422, "bad_input")


async def test_deleting_the_session_signs_out(signed_in: SignedIn) -> None:
    client = await signed_in("wang")
    assert (await client.delete("/api/session")).status_code == 204
    assert (await client.get("/api/session")).status_code == 401


async def test_the_api_describes_itself(anonymous: httpx.AsyncClient) -> None:
    paths = (await anonymous.get("/api/openapi.json")).json()["paths"]
    assert {"/api/alerts", "/api/visits/{visit_id}/accept", "/api/elders/{elder_id}/series", "/api/live"} <= paths.keys()
    assert not [path for path in paths if path.startswith("/operator")]
