"""The Pub/Sub Kernel Agent: which topics there are. Records pass it by, straight to the engine."""

from __future__ import annotations

from oneos.actor.actor import Actor, Address
from oneos.engine.topics import Topics
from oneos.ids import HostName
from oneos.kernel import messages as m


class PubSub(Actor):
    """The agent.

    Args:
        address: with the epoch it was placed with.
        topics: the engine's publish/subscribe.
    """

    def __init__(self, address: Address, topics: Topics) -> None:
        super().__init__(address)
        self._topics = topics

    def receive(self, message: m.PubSubMessage, sender: HostName) -> object:
        return self._topics.topics()
