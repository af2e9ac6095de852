"""The page on which admins see and steer the relay, for browsers; with the API beside it."""
