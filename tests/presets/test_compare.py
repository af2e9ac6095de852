"""The comparison with the lists of others finds what differs."""

from __future__ import annotations

import json

from tests.presets.compare import AUTOCONFIG, NODEMAILER, autoconfig, differences, nodemailer

ISP = """
<clientConfig><emailProvider id="x"><outgoingServer type="smtp">
<hostname>{}</hostname><port>{}</port><socketType>{}</socketType>
</outgoingServer></emailProvider></clientConfig>
"""


def test_a_folder_of_autoconfig_is_compared(tmp_path):
    (tmp_path / "ispdb").mkdir()
    for name, *server in (
        ("gmail", "smtp.gmail.com", 465, "SSL"),
        ("gmx", "mail.gmx.net", 587, "STARTTLS"),
    ):
        (tmp_path / f"ispdb/{name}.xml").write_text(ISP.format(*server))
    found = list(differences(AUTOCONFIG, autoconfig(tmp_path)))
    assert [line for line in found if line.startswith("gmail")] == []
    assert (
        "gmx: mail.gmx.net has 465 implicit, and 587 starttls in Thunderbird's autoconfig" in found
    )
    assert "strato: smtp.strato.de is not in Thunderbird's autoconfig any more" in found


def test_a_list_of_nodemailer_is_compared(tmp_path):
    path = tmp_path / "services.json"
    services = {
        "Brevo": {"host": "smtp-relay.brevo.com", "port": 587},
        "Resend": {"host": "smtp.resend.com", "port": 2465, "secure": True},
        "Maildev": {"port": 1025},
    }
    path.write_text(json.dumps(services))
    found = list(differences(NODEMAILER, nodemailer(path)))
    assert [line for line in found if line.startswith("brevo")] == []
    assert (
        "resend: smtp.resend.com has 465 implicit, and 2465 implicit in Nodemailer's list" in found
    )
    assert "runbox: smtp.runbox.com is not in Nodemailer's list any more" in found
