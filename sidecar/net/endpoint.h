/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * One connected socket on a worker's loop: bytes in by callback, bytes out at once or queued, half-close and
 * reset exactly as TCP has them. Knows nothing of TLS or of what the bytes mean.
 *
 * Reads land in a buffer that all endpoints of a loop share, so an idle endpoint owns none. A write goes out
 * at once as far as the kernel takes it; the rest is copied to the heap, and endpoint_queued() tells how much
 * waits: whoever feeds this endpoint stops reading its own source until `drained` comes.
 */
#ifndef SIDECAR_NET_ENDPOINT_H
#define SIDECAR_NET_ENDPOINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

struct endpoint;

/* None of these is called after endpoint_close() or endpoint_reset() but `closed`. */
struct endpoint_calls {
    /* DATA is the loop's shared buffer: valid during the call only. */
    void (*data)(struct endpoint *ep, const uint8_t *data, size_t size);
    /* The peer sent FIN: no data comes any more; writing still works. */
    void (*end)(struct endpoint *ep);
    /* Reading failed with ERR, a negative UV_ error: nothing can be read or written any more. */
    void (*broken)(struct endpoint *ep, int err);
    /* All that was queued has gone to the kernel, or a write failed and the queue was given up. */
    void (*drained)(struct endpoint *ep);
    /* The handle is gone; the memory may be freed. */
    void (*closed)(struct endpoint *ep);
};

enum { ENDPOINT_BUFFER = 256 * 1024 /* bytes of one read, and of one endpoint in a turn of the loop */ };

/* What the endpoints of one loop share. */
struct endpoint_io {
    uint8_t *buffer; /* ENDPOINT_BUFFER bytes */
};

struct endpoint {
    union {
        uv_handle_t handle;
        uv_stream_t stream;
        uv_tcp_t tcp;
        uv_pipe_t pipe;
    } uv;
    const struct endpoint_calls *calls;
    struct endpoint_io *io;
    size_t queued;
    bool open;         /* between endpoint_open() and endpoint_close() */
    bool reading;      /* as the owner wants it */
    bool write_broken; /* a write failed: what is written goes nowhere; reading may still give data */
    bool shut_pending; /* FIN follows the queue */
    bool shut;         /* FIN was sent */
    bool had_turn;     /* the last read was full: the others come first */
};

/* False: out of memory. */
bool endpoint_io_init(struct endpoint_io *io) __attribute__((warn_unused_result));
/* No endpoint reads any more. Of one that is all zero, too. */
void endpoint_io_free(struct endpoint_io *io);

/*
 * Takes over FD, a connected non-blocking TCP or UNIX stream socket, also when it fails (it is closed then).
 * FAMILY is its address's (AF_UNIX or other), AF_UNSPEC where the caller does not know it. Returns 0 or a
 * negative UV_ error; after an error, endpoint_close() where EP->open, else EP is unused.
 */
int endpoint_open(struct endpoint *ep, uv_loop_t *loop, struct endpoint_io *io, int fd, int family,
                  const struct endpoint_calls *calls) __attribute__((warn_unused_result));

void endpoint_read_start(struct endpoint *ep);
void endpoint_read_stop(struct endpoint *ep);

/* Sends, queueing what the kernel does not take; to an endpoint that is shut, closed or write_broken it goes
 * nowhere. False: out of memory, and the endpoint is write_broken. */
bool endpoint_write(struct endpoint *ep, const uint8_t *data, size_t size);

/* Bytes queued on the heap. */
static inline size_t endpoint_queued(const struct endpoint *ep)
{
    return ep->queued;
}

/* Bytes that the kernel holds and the peer has not acknowledged; 0 where it cannot be told. */
size_t endpoint_unsent(const struct endpoint *ep);

/* FIN after what is queued. */
void endpoint_shutdown(struct endpoint *ep);

/*
 * Gives the connection away: EP is closed as by endpoint_close(), but the connection goes on under the
 * descriptor that is returned, the caller's. Only with nothing queued. Negative: a UV_ error, and EP is as it
 * was.
 */
int endpoint_release(struct endpoint *ep) __attribute__((warn_unused_result));

/* Closes; what is queued is dropped, what the kernel has still goes out. `closed` follows. */
void endpoint_close(struct endpoint *ep);
/* The same by RST: what the peer has not received yet may be lost. */
void endpoint_reset(struct endpoint *ep);

#endif
