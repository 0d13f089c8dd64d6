"""Channel `email`: one mail by the centre's mail server.

SMTP cannot do "exactly once": a worker that dies after the server has taken the mail and before that is written down sends it again. The
Message-ID is the same at every try, by which mail servers and programs know a repeat, and the window is one round trip.
"""

import smtplib
import ssl
from contextlib import suppress
from email.message import EmailMessage

from backend.config import SMTP_PASSWORD, NotifyConfig, secret
from backend.notify.channels.failure import NotDelivered
from backend.notify.channels.message import Message

TIMEOUT_S = 30
"""Of each answer of the server: one that gives up before the server has answered sends the mail twice (RFC 5321, 4.5.3.2)."""


def send(message: Message, settings: NotifyConfig, *, timeout_s: float = TIMEOUT_S) -> None:
    """Send one mail. Raises NotDelivered, final for a 5xx answer, a refused address, or when no mail server is configured."""
    if settings.smtp_host is None:
        raise NotDelivered("no mail server: give [notify] smtp_host", is_final=True)
    is_handed_over = False
    try:
        server = smtplib.SMTP(settings.smtp_host, settings.smtp_port, timeout=timeout_s)
        try:
            if settings.smtp_starttls:
                server.starttls(context=ssl.create_default_context())
            if (password := secret(SMTP_PASSWORD)) is not None:
                server.login(settings.smtp_user or settings.smtp_from, password)
            mail = _mail(message, settings)
            is_handed_over = True
            server.send_message(mail)
        finally:  # what a server says to a good-bye changes nothing about a mail that it has taken
            with suppress(smtplib.SMTPException, OSError):
                server.quit()
    except smtplib.SMTPRecipientsRefused as error:
        code = max(answer[0] for answer in error.recipients.values())
        raise NotDelivered(f"address refused: {code}", is_final=code >= 500) from error
    except smtplib.SMTPResponseException as error:
        raise NotDelivered(f"answered {error.smtp_code}", is_final=error.smtp_code >= 500) from error
    except (smtplib.SMTPException, OSError) as error:
        raise NotDelivered(f"{type(error).__name__}: {error}", is_final=False, is_in_doubt=is_handed_over) from error
    except ValueError as error:
        raise NotDelivered(f"not a usable address: {error}", is_final=True) from error


def _mail(message: Message, settings: NotifyConfig) -> EmailMessage:
    mail = EmailMessage()
    mail["Subject"] = message.title
    mail["From"] = settings.smtp_from
    mail["To"] = message.address
    mail["Message-ID"] = f"<{message.key}@{settings.smtp_from.rpartition('@')[2]}>"
    mail["Auto-Submitted"] = "auto-generated"
    mail["X-Priority"] = "1" if message.body.get("priority", "high") == "high" else "3"
    mail.set_content(message.text)
    return mail
