"""What became of each mail: remembered from events, and searched."""

from .history import History
from .search import stories
from .story import Kind, Search, Story, StoryEvent, StoryPage

__all__ = ["History", "Kind", "Search", "Story", "StoryEvent", "StoryPage", "stories"]
