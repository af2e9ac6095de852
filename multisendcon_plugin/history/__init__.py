"""What became of each mail: remembered from events, and searched."""

from .history import History
from .search import BACKWARD, FORWARD, Way, stories
from .story import Kind, Search, Story, StoryEvent, StoryPage

__all__ = [
    "BACKWARD",
    "FORWARD",
    "History",
    "Kind",
    "Search",
    "Story",
    "StoryEvent",
    "StoryPage",
    "Way",
    "stories",
]
