"""Makes up calls: about each rule of a routing table, and for each agent, at instants that matter."""
