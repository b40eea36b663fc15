"""One live call: the machine, who has the floor, what is watched, and how it ends."""
