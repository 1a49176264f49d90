"""The latch: output to a device, and its status, that the engine serves without leaving."""

NEWLINE = 10


def latched(S, w, kind):
    """Serve the device's byte register or its status without leaving: 1 when done.

    A newline is the device's, and so are a status that is asked for twice in a row, since who does
    that waits for something, and what is stored when there is no more room.
    """
    if kind == EXIT_LOAD:
        if S.access_address != S.latch_status or S.latch_asked != 0:
            return 0
        S.latch_asked = 1
        st64(S + ((w >> 8 & 255) << 3), extend(S.latch_value, 1, S.access_extension))
        return 1
    value = S.access_value & 255
    if S.access_address != S.latch_data or S.latch_count == LATCH_BYTES or value == NEWLINE:
        return 0
    st8(S.latch_bytes + S.latch_count, value)
    S.latch_count += 1
    S.latch_asked = 0
    return 1
