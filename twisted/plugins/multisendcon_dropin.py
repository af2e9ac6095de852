"""Makes `twistd multisendcon` known."""

from twisted.application.service import ServiceMaker

multisendcon = ServiceMaker(
    "multisendcon",
    "multisendcon_plugin.tap",
    "A mail relay that chooses the way out by the sender",
    "multisendcon",
)
