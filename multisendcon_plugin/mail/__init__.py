"""What a mail is: addresses, envelope, header, replies, and a message with its deliveries.

Pure values and rules.  Content is never parsed and written anew: byte ranges of it are changed.
"""
