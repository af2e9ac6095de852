"""Knows what TLS the mail servers of a domain have to have: MTA-STS (RFC 8461), DANE (RFC 7672).

Sends no mail and checks no certificate of a mail server: that is `relay.tls`, as `routing.hop`
says.
"""
