/* wire/x509_der.h: DER (X.690 10) as certificates have it: definite and shortest lengths, tags of one byte, at most 65535 bytes. Inside wire. */
#ifndef POSTERN_WIRE_X509_DER_H
#define POSTERN_WIRE_X509_DER_H

#include "base/span.h"

enum {
	DER_BOOLEAN = 0x01, DER_INTEGER = 0x02, DER_BITS = 0x03, DER_OCTETS = 0x04, DER_NULL = 0x05, DER_OID = 0x06,
	DER_UTC_TIME = 0x17, DER_GENERALIZED_TIME = 0x18, DER_SEQUENCE = 0x30
};

/* Takes one element off the front of *in. False (and *in as it was) if there is no whole one. `whole` (may be NULL) is with its header. */
bool der_any(struct span *in, unsigned *tag, struct span *body, struct span *whole);
/* The same, and it must have this tag. */
bool der_take(struct span *in, unsigned tag, struct span *body);
/* Takes one with this tag if there is one. False only if what is there is no element at all; `body` is absent if the tag was another. */
bool der_maybe(struct span *in, unsigned tag, struct span *body);
/* A positive INTEGER: its bytes without the leading zero. Shortest form only. */
bool der_positive(struct span *in, struct span *magnitude);
/* UTCTime or GeneralizedTime as RFC 5280 4.1.2.5 wants it (seconds, Z) as Unix time. */
bool der_time(struct span *in, int64_t *unix_ms);

#endif
