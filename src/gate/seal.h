/* gate/seal.h: what is given to somebody who is to bring it back unchanged: cursors, ids of tasks, states of requests, identities.
 *
 * Text: three characters that say what it is, and unpadded base64url of
 *     plain bytes | the first 16 bytes of an HMAC-SHA256
 * where the MAC covers the three characters, the lengths of what it is bound to, that itself, and the plain bytes. So one key may seal several kinds,
 * and nothing can move from one part to the next. Nothing is hidden, and one content has one text. Numbers inside are as the machine has them: a seal is
 * opened by the program that made it. */
#ifndef POSTERN_GATE_SEAL_H
#define POSTERN_GATE_SEAL_H

#include "base/buf.h"

enum { SEAL_KEY = 32, SEAL_MAC = 16, SEAL_KIND = 3, SEAL_BOUND = 5 };

#define SEAL_TEXT(plain) (SEAL_KIND + (((plain) + SEAL_MAC) * 4 + 2) / 3) /* characters for so many plain bytes */
#define SEAL_PLAIN(text) (((text) - SEAL_KIND) * 3 / 4 - SEAL_MAC)        /* plain bytes for which so many are enough */

struct seal {
	struct span kind;              /* SEAL_KIND characters that need no escape in JSON */
	const uint8_t *key;            /* SEAL_KEY bytes */
	struct span bound[SEAL_BOUND]; /* what is not in the text and has to be the same when it comes back; any bytes, those left out are empty */
};

/* Appends the text. `plain` needs SEAL_MAC bytes more than are in it, and is used up. If it is full or the text does not fit, out->full is set and nothing
 * is written. */
void seal_write(struct buf *out, const struct seal *s, struct buf *plain);

/* In two steps, since what is inside may say to what it is bound. seal_text() takes the text apart and believes nothing: it needs s->kind only. False: not of
 * this kind, or too long for plain->cap, which is to have SEAL_MAC bytes more than the plain ones. *plain is what a stranger says until seal_good() is true. */
bool seal_text(const struct seal *s, struct span text, struct buf *plain);
bool seal_good(const struct seal *s, const struct buf *plain);

#endif
