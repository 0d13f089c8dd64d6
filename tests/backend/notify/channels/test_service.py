"""The channel of chat, SMS and voice services: the library really speaks, to an HTTP server of ours."""

from collections.abc import Iterator

import pytest

from backend.config import NotifyConfig
from backend.notify.channels import service
from backend.notify.channels.failure import NotDelivered
from backend.notify.channels.message import Message
from tests.backend.notify.channels.test_webhook import Receiver, receiver

__all__ = ["receiver"]


def send(address: str) -> None:
    service.send(Message(address, "the-key", "家护 Jiahu: 跌倒", "跌倒 Fall", {}), NotifyConfig())


@pytest.fixture
def hook(receiver: Receiver) -> Iterator[tuple[Receiver, str]]:
    yield receiver, receiver.url.replace("http://", "json://")


def test_a_service_gets_title_and_text_once(hook: tuple[Receiver, str]) -> None:
    receiver, address = hook
    send(address)
    [(_, body)] = receiver.received
    assert isinstance(body, dict)
    assert (body["title"], body["message"]) == ("家护 Jiahu: 跌倒", "跌倒 Fall")


def test_a_service_that_refuses_may_be_tried_again_and_is_not_tried_by_the_library(hook: tuple[Receiver, str]) -> None:
    receiver, address = hook
    receiver.answers = [500]
    with pytest.raises(NotDelivered) as failure:
        send(address)
    assert not failure.value.is_final
    assert len(receiver.received) == 1


@pytest.mark.parametrize("address", ["", "nothing", "gopher://x", "dingtalk://"])
def test_what_the_library_does_not_know_is_never_tried_again(address: str) -> None:
    with pytest.raises(NotDelivered) as failure:
        send(address)
    assert failure.value.is_final


@pytest.mark.parametrize(
    "address",
    ["dingtalk://abcdef0123456789", "wecombot://abcdef01-2345-6789-abcd-ef0123456789", "feishu://abcdef01-2345-6789-abcd-ef0123456789"],
)
def test_the_services_of_china_are_known(address: str) -> None:
    import apprise

    assert apprise.Apprise.instantiate(address) is not None
