"""Publish and subscribe: topics, who is in them, what was said last, and the way to other processes.

    hub.Hub                  the topics of an application, by name; what programs use
    topic.Topic              one of them: subscribers, members, a replay log
    seat.Seat, seat.Group    a subscriber that messages are pushed to, with a bounded buffer for when it is slow
    reading.Subscription     a subscriber that reads, `async for`
    replay.ReplayLog         the last messages, for those who come back
    presence.Presence        who is in a topic
    memory.MemoryBackplane   within this process
    redisplane.RedisBackplane, cluster.Cluster, wire   between processes

All but `redisplane` and `reading` are engines: no input, no output, no clock of their own, no await.
"""
