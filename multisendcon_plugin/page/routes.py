"""The paths of the page, and what answers at each.

Below a path that ends with a name in braces, that is what stands in its place.
"""

from __future__ import annotations

from collections.abc import Mapping

from .answers import Handler
from .pages import (
    account_file,
    account_keys,
    account_login,
    accounts,
    changes,
    configuration,
    explain,
    mails,
    overview,
    queue,
    settings,
)

#: Links, in the order of the page.
NAVIGATION: Mapping[str, str] = {
    "Overview": "/",
    "Mails": "/mails",
    "Queue": "/queue",
    "Accounts": "/accounts",
    "Explain": "/explain",
    "Settings": "/settings",
    "Configuration": "/configuration",
}

#: By path and method.
ROUTES: Mapping[str, Mapping[str, Handler]] = {
    "": {"GET": overview.show},
    "accounts": {"GET": accounts.show},
    "accounts/add": {"GET": account_keys.add, "POST": account_keys.save_new},
    "accounts/{name}": {"GET": accounts.show_one},
    "accounts/{name}/edit": {"GET": account_keys.edit, "POST": account_keys.save},
    "accounts/{name}/login": {"GET": account_login.show, "POST": account_login.step},
    "accounts/{name}/remove": {"GET": accounts.show_one, "POST": account_file.remove},
    "accounts/{name}/order": {"GET": accounts.show_one, "POST": account_file.move},
    "accounts/{name}/test": {"GET": accounts.show_one, "POST": accounts.test},
    # Whoever loads anew what a button has led to sees the account.
    **{
        f"accounts/{{name}}/{verb}": {"GET": accounts.show_one, "POST": accounts.act(verb)}
        for verb in accounts.DONE
    },
    "explain": {"GET": explain.show, "POST": explain.answer},
    "settings": {"GET": settings.show},
    "settings/{name}": {"GET": settings.show, "POST": settings.save},
    "settings/{name}/remove": {"GET": settings.show, "POST": settings.remove},
    "configuration": {"GET": configuration.show, "POST": configuration.save},
    "configuration/reload": {"POST": configuration.reload},
    "mails": {"GET": mails.show},
    "mails/{id}": {"GET": mails.show_one},
    "queue": {"GET": queue.show},
    # Whoever loads the page of a question anew sees from where it came.
    **{
        f"mails/{{id}}/{verb}": {"GET": mails.show_one, "POST": changes.of_mail(verb)}
        for verb in changes.DONE
    },
    **{
        f"queue/{verb}": {"GET": queue.show, "POST": changes.of_queue(verb)}
        for verb in changes.DONE
    },
    "live": {"GET": overview.stream},
}
