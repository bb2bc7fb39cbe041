"""Whether a page keeps its laws, whatever the peer, the network and the user do: exploration, laws, numbers."""
