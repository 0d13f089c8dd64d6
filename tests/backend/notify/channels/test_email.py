"""The e-mail channel against a real mail server."""

from collections.abc import Iterator
from email import message_from_bytes, policy
from typing import Any

import pytest
from aiosmtpd.controller import Controller

from backend.config import NotifyConfig
from backend.notify.channels import email
from backend.notify.channels.failure import NotDelivered
from backend.notify.channels.message import Message
from simulators.servers import free_port

BODY = {"case_id": 7, "step": "second", "priority": "high"}


class MailServer:
    """Answers DATA with each of `answers` in turn, then with the last, and keeps what it took."""

    def __init__(self) -> None:
        self.answers = ["250 taken"]
        self.refused: str | None = None
        self.taken: list[bytes] = []
        self.farewell = "221 bye"
        self.hangs_up = False

    async def handle_QUIT(self, server: Any, session: Any, envelope: Any) -> str:
        return self.farewell

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: list[str]) -> str:
        if self.refused is not None:
            return self.refused
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if answer.startswith("250"):
            self.taken.append(envelope.content)
        if self.hangs_up:
            server.transport.abort()
        return answer


@pytest.fixture
def server() -> Iterator[tuple[MailServer, NotifyConfig]]:
    handler = MailServer()
    controller = Controller(handler, hostname="127.0.0.1", port=free_port())
    controller.start()
    yield handler, NotifyConfig(smtp_host="127.0.0.1", smtp_port=controller.port, smtp_starttls=False, smtp_from="jiahu@centre.test")
    controller.stop()


def send(settings: NotifyConfig, address: str = "wang@family.test", timeout_s: float = 5) -> None:
    email.send(Message(address, "the-key", "家护 Jiahu: 跌倒 Fall", "跌倒 Fall\n", BODY), settings, timeout_s=timeout_s)


def test_a_mail_arrives_readable_and_a_repeat_has_the_same_message_id(server: tuple[MailServer, NotifyConfig]) -> None:
    handler, settings = server
    for _ in range(2):
        send(settings)
    mails = [message_from_bytes(content, policy=policy.default) for content in handler.taken]
    assert {mail["Message-ID"] for mail in mails} == {"<the-key@centre.test>"}
    assert (mails[0]["Subject"], mails[0]["To"], mails[0]["X-Priority"]) == ("家护 Jiahu: 跌倒 Fall", "wang@family.test", "1")
    assert mails[0].get_content().splitlines() == ["跌倒 Fall"]


@pytest.mark.parametrize(("answer", "is_final"), [("451 later", False), ("452 full", False), ("550 no", True), ("554 spam", True)])
def test_an_answer_says_whether_trying_again_may_help(server: tuple[MailServer, NotifyConfig], answer: str, is_final: bool) -> None:
    handler, settings = server
    handler.answers = [answer]
    with pytest.raises(NotDelivered, match=answer[:3]) as failure:
        send(settings)
    assert failure.value.is_final is is_final


def test_a_mail_that_was_taken_is_sent_whatever_the_server_says_to_a_good_bye(server: tuple[MailServer, NotifyConfig]) -> None:
    handler, settings = server
    handler.farewell = "500 what?"
    send(settings)
    assert len(handler.taken) == 1


def test_a_server_that_takes_a_mail_and_hangs_up_leaves_a_doubt(server: tuple[MailServer, NotifyConfig]) -> None:
    handler, settings = server
    handler.hangs_up = True
    with pytest.raises(NotDelivered) as failure:
        send(settings)
    assert len(handler.taken) == 1 and failure.value.is_in_doubt and not failure.value.is_final


@pytest.mark.parametrize(("answer", "is_final"), [("450 grey", False), ("550 unknown", True)])
def test_a_refused_address_too(server: tuple[MailServer, NotifyConfig], answer: str, is_final: bool) -> None:
    handler, settings = server
    handler.refused = answer
    with pytest.raises(NotDelivered, match=f"address refused: {answer[:3]}") as failure:
        send(settings)
    assert failure.value.is_final is is_final


@pytest.mark.parametrize(
    ("settings", "address", "is_final"),
    [
        (NotifyConfig(), "wang@family.test", True),
        (NotifyConfig(smtp_host="127.0.0.1", smtp_port=free_port(), smtp_starttls=False), "wang@family.test", False),
    ],
    ids=["no server named", "nobody there"],
)
def test_without_a_server_nothing_is_sent_and_the_reason_said(settings: NotifyConfig, address: str, is_final: bool) -> None:
    with pytest.raises(NotDelivered) as failure:
        send(settings, address)
    assert failure.value.is_final is is_final
