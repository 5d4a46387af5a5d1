"""One room per provider API: a chat becomes a request, the answer becomes events. Pure, no I/O."""
