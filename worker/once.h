/*
 * once.h - the header Idempotency-Key: a creating POST that is sent again makes nothing again and gets the first answer,
 * byte for byte, for 24 hours.
 *
 * The answer is stored in the transaction that made the thing, so after a lost connection or a crash the client who sends
 * again never makes two and never gets a wrong no. Keys belong to who sends them (user or API key). The elements of an
 * array are stored one by one: what a crash kept from being made is made when the request comes again.
 * (draft-ietf-httpapi-idempotency-key-header)
 */
#ifndef AGENTD_ONCE_H
#define AGENTD_ONCE_H

#include "calls.h"

/* Reads the header into request->once; without one there is none. STEP_DONE: it is not valid, and the answer says why. */
enum step once_read(struct request *request);

/* Sends a call of such a request, or answers it from what is stored; ends it with call_end(). */
void once_send(struct call *call);

#endif
