/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Answers to probes: the first byte chooses the kind. A verdict, once given, stays, whatever follows. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "sidecar/admin/probe.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *why;
    unsigned number;
    if (size == 0)
        return 0;
    enum config_probe_kind kind = data[0] & 1 ? CONFIG_PROBE_GRPC : CONFIG_PROBE_HTTP;
    enum probe_verdict before = PROBE_MORE;
    for (size_t i = 0; i < size; i++) {
        enum probe_verdict now = probe_read(kind, data + 1, i, &why, &number);
        if (before != PROBE_MORE && now != before)
            abort();
        before = now;
    }
    return 0;
}
