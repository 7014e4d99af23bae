"""Nothing that the product does with money is taken for a fault: each story of it leaves every rule and every proof whole."""

from __future__ import annotations

from tests.domain import proofs_of_all, stories, stories_of_books
from tests.domain.world import World


def test_no_story_of_money_breaks_a_rule(world: World) -> None:
    """All in one database, one after the other; after each one every rule, at the end everything."""
    on = stories.players(world)
    for name, story in (stories.STORIES | stories_of_books.STORIES).items():
        story(on)
        assert (name, proofs_of_all.broken_rules()) == (name, [])
    assert proofs_of_all.problems() == []
