"""Limits and leniencies, by name: the one place where Eyewall's defaults stand.

A `Profile` says how much a server takes from a client before it refuses, how long it waits, and which
deviations from the standards it accepts. There are two: `NATIVE`, strict and safe, and `TORNADO`, which keeps
Tornado's documented defaults where a safe one would break a program written for it. The code below a profile is
the same for both. Clients take theirs from it as well.

Sizes are bytes, times are seconds, counts are counts. A time of 0 means no deadline.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Never

KIB = 1024
MIB = 1024 * KIB


class Profile:
    """A named set of limits and leniencies. Immutable: `replace` makes a changed copy.

    `name` is its own, `server_token` what the `Server` response header says; a limit that `limits` does not state has
    its default. Raises TypeError for a name that is not a limit.

    Not a dataclass: making one of so many fields takes longer than all else that an import of this module does.
    """

    # Whatever stands in its __dict__ is a limit.
    __slots__ = ("__dict__", "__weakref__", "_hash")
    if TYPE_CHECKING:
        _hash: int

    name: str
    #: What the `Server` response header says; empty for none.
    server_token: str

    # -- the head of a request --------------------------------------------------------------------------
    #: Request line and header fields together, line ends included (431 beyond it).
    head_bytes: int = 64 * KIB
    #: Number of header fields (431 beyond it).
    head_fields: int = 128
    #: Length of the request target (414 beyond it).
    target_bytes: int = 16 * KIB
    #: From the first byte of a head, or from the connection, to its end; a trickled header does not extend it.
    head_timeout: float = 10.0
    #: Requests that may wait on one connection behind the one being answered; reading pauses at the limit.
    pipelined_requests: int = 32
    #: An open connection without a request is closed after this.
    idle_timeout: float = 75.0
    #: A bare LF ends a line, in a head that uses it throughout (RFC 9112 section 2.2).
    bare_lf: bool = False
    #: Octets beyond ASCII are let through in a request target.
    lenient_target: bool = False
    #: A Content-Length that comes several times with the same value counts once (RFC 9110 section 8.6).
    repeated_content_length: bool = False
    #: A request of HTTP/1.0 may have chunked content (RFC 9112 section 6.1 advises against it).
    chunked_in_1_0: bool = False
    #: An HTTP/1.1 request may lack the Host field.
    missing_host: bool = False
    #: Length of an X-Request-ID that is taken over; a longer one is replaced.
    request_id_bytes: int = 128
    #: Informational (1xx) responses the client role accepts before the final one.
    informational_responses: int = 16

    # -- requests in flight -----------------------------------------------------------------------------
    #: Requests in flight at once, for one server in one process (503 beyond it). 0: no limit.
    requests: int = 0
    #: Requests that wait for a place beyond that, and how long (503 beyond it).
    request_queue: int = 0
    request_queue_timeout: float = 1.0

    # -- bodies -----------------------------------------------------------------------------------------
    #: Content of one request, also when chunked, also after decompression (413 beyond it).
    body_bytes: int = 100 * MIB
    #: Extensions of all chunks of one body together (400 beyond it).
    chunk_extension_bytes: int = 16 * KIB
    #: Trailer section of a chunked body (431 beyond it).
    trailer_bytes: int = 16 * KIB
    #: After `body_grace` a body must arrive at this many bytes a second, on average (408 below it). 0: any.
    body_min_rate: float = 240.0
    body_grace: float = 5.0
    #: A whole body must have arrived after this (408 beyond it). 0: no limit but the rate.
    body_timeout: float = 0.0
    #: Decompressed size of a body that came with a Content-Encoding, as a multiple of what came over the wire,
    #: beyond the first MiB (400 beyond it).
    decompression_ratio: int = 100

    #: Bytes received while an application is busy with content; reading pauses beyond it.
    body_backlog_bytes: int = 64 * KIB
    #: Content of a request that was answered before it came whole, which is still read so that the connection can
    #: be kept; beyond it the connection ends with the response.
    unread_body_bytes: int = 64 * KIB

    # -- deadlines --------------------------------------------------------------------------------------
    #: The most that a client may state as the time of its request (`trust_request_timeout`); more counts as this.
    #: 0: any.
    stated_timeout: float = 60.0
    #: A handler that was cancelled at its deadline is answered for when it does not end within this.
    cancel_grace: float = 1.0

    # -- forms ------------------------------------------------------------------------------------------
    #: Parts of a multipart body (400 beyond it).
    multipart_parts: int = 1000
    #: Header bytes of one part (400 beyond it).
    multipart_header_bytes: int = 10 * KIB
    #: A multipart body may begin with the header of its first part, without a boundary before it.
    multipart_bare_start: bool = False
    #: A part larger than this is spooled to a temporary file, where the interface that reads it allows.
    multipart_memory_bytes: int = MIB
    #: Fields of a form body, and of a query string (400 beyond it).
    form_fields: int = 1000

    # -- writing ----------------------------------------------------------------------------------------
    #: Bytes waiting to be written above which writers wait.
    write_high_water: int = 64 * KIB
    #: Bytes that the kernel keeps of one connection and has not sent (Linux, macOS); else it keeps megabytes for a
    #: client that reads slowly, and copying them in takes time from everybody. 0: the kernel decides.
    write_kernel_bytes: int = 128 * KIB
    #: A connection whose client takes no byte for this long while bytes wait for it is closed.
    write_timeout: float = 60.0

    #: A response whose handler fails after a part of it was sent is ended as if it were whole; otherwise the
    #: connection breaks off, so that nobody takes the part for the whole.
    complete_failed_responses: bool = False

    #: A Transfer-Encoding that a handler states is sent with a response that is written as a whole, true or not;
    #: otherwise framing is the connection's business alone.
    stated_transfer_encoding: bool = False

    #: A malformed request is answered with 400 whatever was wrong with it, without fields or content; with nothing
    #: where it does not come in time, its head is too large, or the application failed outside of a handler.
    terse_refusals: bool = False

    #: After an early end of a connection, what the client still sends is read and dropped for this long, so that the
    #: response reaches it.
    linger_timeout: float = 2.0

    # -- connections ------------------------------------------------------------------------------------
    tls_handshake_timeout: float = 10.0
    #: Closing a TLS connection waits this long for what is left to be sent and for the peer's part of it.
    tls_shutdown_timeout: float = 30.0
    #: Connections open at once, for one server in one process (refused with 503 beyond it). 0: no limit.
    connections: int = 0
    #: Of these, from one IPv4 address or one IPv6 network of 64 bits; not counted over Unix sockets, nor by a server
    #: that is told to believe its proxy. 0: no limit.
    connections_per_address: int = 0
    listen_backlog: int = 1024

    # -- streams ----------------------------------------------------------------------------------------
    #: Bytes that an IOStream keeps for its reader; a read that needs more closes it.
    stream_buffer_bytes: int = 100 * MIB
    #: Bytes that an IOStream reads at once.
    stream_chunk_bytes: int = 64 * KIB
    #: Bytes waiting to be written to an IOStream above which writing raises. 0: any.
    stream_unsent_bytes: int = 100 * MIB

    # -- WebSockets -------------------------------------------------------------------------------------
    #: One message, after decompression and reassembly (close code 1009 beyond it).
    websocket_message_bytes: int = 10 * MIB
    #: Frames of one message (1008 beyond it).
    websocket_frames: int = 16 * KIB
    #: A ping is sent this often, and its pong awaited this long, before the peer counts as dead. 0: no pings.
    websocket_ping_interval: float = 20.0
    websocket_ping_timeout: float = 20.0
    #: After sending a close frame, the peer's is awaited this long.
    websocket_close_timeout: float = 5.0
    #: Bytes waiting to be written to one WebSocket above which the connection is aborted: behind so much, a close
    #: frame would reach nobody.
    websocket_write_bytes: int = 64 * MIB
    #: Messages handed to one WebSocket's handler in one turn of the loop, before the others have theirs.
    websocket_burst: int = 256
    #: Bytes received while a WebSocket's handler is busy with a message; reading pauses beyond it.
    websocket_backlog_bytes: int = 64 * KIB
    #: Messages that wait to be read on a client's WebSocket, and for an ASGI application; reading from the socket
    #: pauses at the limit.
    websocket_queue: int = 16
    #: permessage-deflate: zlib's compression level, and what bounds the memory of one connection: zlib's memory
    #: level and the bits of the window asked for in both directions, (4 << bits) + (512 << level) bytes to send.
    websocket_deflate_level: int = 6
    websocket_deflate_mem_level: int = 5
    websocket_deflate_window_bits: int = 12

    # -- event streams ----------------------------------------------------------------------------------
    #: Bytes of events that a client has not taken above which its stream is broken off.
    sse_unsent_bytes: int = MIB

    # -- static files -----------------------------------------------------------------------------------
    #: A file up to this size may be kept in memory.
    static_file_bytes: int = 256 * KIB
    #: Files kept in memory, all together; the least recently used go first. 0: none are kept.
    static_cache_bytes: int = 16 * MIB
    #: A file kept in memory is looked at again after this. 0: at every request.
    static_fresh: float = 1.0

    # -- executors --------------------------------------------------------------------------------------
    #: Threads of a loop's default executor, and jobs queued behind them (refused with 503 beyond it). 0: any number.
    executor_threads: int = 32
    executor_queue: int = 1000
    #: Threads that look up host names, and look-ups queued behind them, which wait beyond it. 0 threads: the loop does
    #: it, in its own way. 0 in the queue: any number.
    dns_threads: int = 8
    dns_queue: int = 1000
    #: Threads that read files, and reads queued behind them (refused with 503 beyond it). 0 in the queue: any number.
    file_threads: int = 8
    file_queue: int = 1000

    # -- memory -----------------------------------------------------------------------------------------
    #: Objects made and not freed yet, beyond which the interpreter looks for garbage among them, in the process of a
    #: server; see `guard.garbage`. 0: as many as the interpreter says. A number that the program has set stays.
    young_objects: int = 10_000

    # -- HTTP clients -----------------------------------------------------------------------------------
    #: What the `User-Agent` field of a client's requests says; empty for none.
    client_token: str = ""
    #: Requests of one client that wait for their turn, beyond the `max_clients` that are being made. 0: any number.
    client_queue: int = 10_000
    #: They wait this long at most; the timeouts of the request count as well. 0: only these.
    client_queue_timeout: float = 0.0
    #: Connections that one client has open at once: to one server, and altogether. Requests wait beyond it. 0: any.
    client_host_connections: int = 64
    client_connections: int = 256
    #: Of these, connections that are kept for a later request; the oldest is closed beyond it. 0: none is kept.
    client_idle_connections: int = 64
    #: A connection that is kept and not used is closed after this.
    client_idle_timeout: float = 30.0
    #: Bytes of a response that have come and nobody has taken; reading pauses beyond it.
    client_backlog_bytes: int = 256 * KIB
    #: Content of a response that nobody wants (a redirect's), which is read so that the connection can be kept.
    client_unread_bytes: int = 64 * KIB
    #: As `decompression_ratio`, for responses. 0: any.
    client_decompression_ratio: int = 100
    #: A client that announces content waits this long for 100 (Continue) before it sends it anyway.
    client_continue_timeout: float = 1.0
    #: A request is finished even when the future that `fetch` returned was cancelled; otherwise it is broken off.
    client_finish_cancelled: bool = False

    def __init__(self, name: str, server_token: str, **limits: object) -> None:
        unknown = limits.keys() - Profile.__annotations__.keys()
        if unknown:
            raise TypeError(f"no such limit: {', '.join(sorted(unknown))}")
        vars(self).update(limits, name=name, server_token=server_token)
        # Each connection looks something up by its profile.
        object.__setattr__(self, "_hash", hash(self._values()))

    @classmethod
    def kinds(cls) -> dict[str, str]:
        """Returns the names of the limits, in their order, with the names of their types."""
        return {name: kind for name, kind in cls.__annotations__.items() if name != "name"}

    def replace(self, **changes: Any) -> Profile:
        """Returns a copy with `changes` applied. Raises TypeError for a name that is not a limit."""
        return Profile(**{**vars(self), **changes})

    def __setattr__(self, name: str, value: object) -> Never:
        raise AttributeError(f"a profile does not change; replace({name}=...) makes another")

    def __delattr__(self, name: str) -> Never:
        raise AttributeError("a profile does not change")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Profile) and self._values() == other._values()

    def __hash__(self) -> int:
        return self._hash

    def __reduce__(self) -> tuple[Callable[[dict[str, Any]], Profile], tuple[dict[str, Any]]]:
        # In another process the same texts have other hashes.
        return _restored, (vars(self),)

    def _values(self) -> tuple[object, ...]:
        return tuple([getattr(self, name) for name in Profile.__annotations__])

    def __repr__(self) -> str:
        return f"<Profile {self.name}>"


def _restored(limits: dict[str, Any]) -> Profile:
    return Profile(**limits)


#: Strict and safe: the profile of programs that choose none.
NATIVE = Profile(name="native", server_token="Eyewall", client_token="Eyewall")  # noqa: S106 - product tokens

#: Tornado's documented defaults: no pings, no head deadline or body rate, an hour of idle time.
TORNADO = Profile(
    name="tornado",
    server_token="TornadoServer/6.6.1",  # noqa: S106 - as above
    client_token="Tornado/6.6.1",  # noqa: S106 - as above
    head_bytes=64 * KIB,
    head_fields=16 * MIB,
    target_bytes=64 * KIB,
    head_timeout=3600.0,
    idle_timeout=3600.0,
    bare_lf=True,
    lenient_target=True,
    repeated_content_length=True,
    body_min_rate=0.0,
    multipart_parts=100,
    multipart_bare_start=True,
    chunked_in_1_0=True,
    websocket_ping_interval=0.0,
    websocket_ping_timeout=0.0,
    write_timeout=0.0,
    stream_unsent_bytes=0,
    listen_backlog=128,
    static_fresh=0.0,
    complete_failed_responses=True,
    terse_refusals=True,
    stated_transfer_encoding=True,
    unread_body_bytes=0,
    executor_queue=0,
    dns_threads=0,
    dns_queue=0,
    file_queue=0,
    client_queue=0,
    client_host_connections=0,
    client_connections=0,
    client_idle_connections=0,
    client_decompression_ratio=0,
    client_finish_cancelled=True,
)

_chosen = NATIVE
_overrides: dict[str, object] = {}
_active = NATIVE


def active() -> Profile:
    """Returns the profile that servers and applications take when they are given none."""
    return _active


def activate(profile: Profile) -> None:
    """Makes `profile` the one that servers and applications created from now on take by default."""
    global _active, _chosen
    _chosen = profile
    _active = profile.replace(**_overrides) if _overrides else profile


def prefer(profile: Profile) -> None:
    """Activates `profile` where none was activated before, or the native one."""
    if _chosen is NATIVE:
        activate(profile)


def override(**limits: object) -> None:
    """Has `limits` hold in whichever profile is active, now and from now on, in place of those set this way before.

    For whoever runs a program that may choose its profile by itself. Raises TypeError for a name that is no limit.
    """
    global _overrides
    Profile.replace(_chosen, **limits)
    _overrides = limits
    activate(_chosen)
