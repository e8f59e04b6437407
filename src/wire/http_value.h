/* wire/http_value.h: the bytes and small grammars of HTTP field values (RFC 9110 5.6, 12.4.2, 12.5.1, 8.3.1; RFC 3986 3.2.2).
 *
 * Everything here looks at spans and copies nothing. What does not follow its grammar is never guessed at: a malformed media range
 * admits nothing, a malformed authority or media type is refused. All are linear in the bytes given. */
#ifndef POSTERN_WIRE_HTTP_VALUE_H
#define POSTERN_WIRE_HTTP_VALUE_H

#include "base/span.h"

/* What a byte may be part of; 0 for every byte over 0x7F. */
enum {
	HTTP_C_TOKEN = 1,   /* tchar, RFC 9110 5.6.2 */
	HTTP_C_TARGET = 2,  /* pchar, "/" and "?", RFC 3986 3.3 and 3.4; not "%", which needs its two digits */
	HTTP_C_REGNAME = 4, /* reg-name, RFC 3986 3.2.2; not "%" either */
	HTTP_C_HEX = 8
};
extern const uint8_t http_class[256];

static inline bool http_is(char c, unsigned wanted) { return (http_class[(unsigned char)c] & wanted) != 0; }
static inline bool http_is_digit(char c) { return c >= '0' && c <= '9'; }
static inline bool http_is_ows(char c) { return c == ' ' || c == '\t'; }

/* The first control byte but HTAB in p..end, or `end`. */
const char *http_value_stop(const char *p, const char *end);

/* True if no byte is a control byte other than HTAB. */
bool http_value_ok(struct span value);

/* True for a token (at least one byte, all tchar). */
bool http_token_ok(struct span token);

/* True for "name: value": a token, a colon and a value without control bytes, and so one line of a head and no more. */
bool http_field_ok(struct span line);

/* Where the run of `wanted` bytes and percent-encoded bytes that begins at s.p[0] ends. */
size_t http_encoded_end(struct span s, unsigned wanted);

/* The next element of a comma-separated list, trimmed, commas in quotes passed over; may be empty. False at the end; *list is then empty. */
bool http_list_next(struct span *list, struct span *element);

/* True if the list has the token, without case. */
bool http_list_has(struct span value, struct span token);

/* True for a list of codings, each a token with parameters, with no empty element (RFC 9110 10.1.4). */
bool http_coding_list_ok(struct span value);

/* True if an Accept value (may be absent: then true) admits the media type type/subtype. The most exact range decides; q=0 refuses;
 * other parameters are read and do not matter; a malformed range is passed over. An empty value admits nothing. */
bool http_accepts(struct span accept, struct span type, struct span subtype);

/* True if a Content-Type value is type/subtype with nothing but well-formed parameters, and charset, if given, is utf-8. */
bool http_media_type_is(struct span value, struct span type, struct span subtype);

/* Host (without port) and port of a Host value or an authority; false if malformed (userinfo and an empty host are). An IPv6 literal
 * keeps its brackets and is checked in outline only. The port is absent, empty ("host:"), or a number up to 65535. */
bool http_authority(struct span value, struct span *host, struct span *port);

#endif
