"""The relay is killed while mails come in and go out; what it has answered for arrives."""

from __future__ import annotations

import collections
import random

from tests.interop.clients import Clients
from tests.interop.programs import needs, until
from tests.interop.relay import Relay, account
from tests.interop.sink import Sink

pytestmark = needs("smtp-sink")

MAILS = 2000
KILLS = 5
CONNECTIONS = 20
#: A mail is sent twice when it was on its way or its outcome was not written yet.  So many outcomes
#: may have waited for the disk at each kill.
UNWRITTEN = 50


def test_no_mail_that_got_its_250_is_lost_by_kill_9(tmp_path, start, record_property):
    sink = start(Sink(tmp_path))
    relay = start(
        Relay(tmp_path, account("Sink", sink.address, sink.port, max_connections=CONNECTIONS))
    )
    moments = sorted(random.sample(range(50, MAILS - 100), KILLS))
    print("killed after so many replies:", moments)

    recipients = [f"{number}@customer.example" for number in range(MAILS)]
    with Clients(relay, recipients) as clients:
        for moment in moments:
            clients.wait_for(moment)
            relay.kill()
            relay.start()
        clients.join()
    until(lambda: clients.acknowledged <= set(sink.recipients()), "all mails arrive")
    relay.stop()

    arrived = collections.Counter(sink.recipients())
    duplicates = arrived.total() - len(arrived)
    unanswered = set(arrived) - clients.acknowledged
    print(f"{len(unanswered)} arrived without a 250, {duplicates} duplicates")
    record_property("duplicates", duplicates)
    assert len(clients.acknowledged) + len(clients.doubtful) == MAILS
    assert clients.acknowledged <= set(arrived)
    assert unanswered <= clients.doubtful
    assert duplicates <= KILLS * (CONNECTIONS + UNWRITTEN)
    assert relay.waiting() == 0
