#include "wire/x509_der.h"

static unsigned byte_at(struct span s, size_t i) { return (unsigned char)s.p[i]; }

bool der_any(struct span *in, unsigned *tag, struct span *body, struct span *whole)
{
	struct span s = *in;
	size_t head = 2, n;

	if (s.n < 2 || (byte_at(s, 0) & 0x1F) == 0x1F)
		return false;
	n = byte_at(s, 1);
	if (n == 0x81) {
		if (s.n < 3 || byte_at(s, 2) < 0x80)
			return false;
		n = byte_at(s, 2);
		head = 3;
	} else if (n == 0x82) {
		if (s.n < 4 || byte_at(s, 2) == 0)
			return false;
		n = byte_at(s, 2) << 8 | byte_at(s, 3);
		head = 4;
	} else if (n >= 0x80) {
		return false;
	}
	if (n > s.n - head)
		return false;
	*tag = byte_at(s, 0);
	*body = span_of(s.p + head, n);
	if (whole != NULL)
		*whole = span_of(s.p, head + n);
	*in = span_from(s, head + n);
	return true;
}

bool der_take(struct span *in, unsigned tag, struct span *body)
{
	struct span s = *in, found;
	unsigned is;

	if (!der_any(&s, &is, &found, NULL) || is != tag)
		return false;
	*in = s;
	*body = found;
	return true;
}

bool der_maybe(struct span *in, unsigned tag, struct span *body)
{
	struct span s = *in, found;
	unsigned is;

	*body = span_of(NULL, 0);
	if (in->n == 0)
		return true;
	if (!der_any(&s, &is, &found, NULL))
		return false;
	if (is == tag) {
		*in = s;
		*body = found;
	}
	return true;
}

bool der_positive(struct span *in, struct span *magnitude)
{
	struct span s;

	if (!der_take(in, DER_INTEGER, &s) || s.n == 0 || byte_at(s, 0) >= 0x80)
		return false;
	if (byte_at(s, 0) == 0) {
		if (s.n == 1 || byte_at(s, 1) < 0x80)
			return false; /* zero, or a zero too many */
		s = span_from(s, 1);
	}
	*magnitude = s;
	return true;
}

/* Two decimal digits at s.p + at, or 100. */
static unsigned two(struct span s, size_t at)
{
	unsigned a = byte_at(s, at) - '0', b = byte_at(s, at + 1) - '0';

	return a > 9 || b > 9 ? 100 : a * 10 + b;
}

static int64_t days_of(unsigned year, unsigned month, unsigned day)
{
	/* Years that begin in March, so that the leap day is the last one. */
	int64_t y = (int64_t)year - (month <= 2), shifted = (month + 9) % 12;

	return y * 365 + y / 4 - y / 100 + y / 400 + (shifted * 153 + 2) / 5 + day - 1 - 719468;
}

bool der_time(struct span *in, int64_t *unix_ms)
{
	static const uint8_t lengths[12] = { 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	struct span s;
	unsigned tag, year, high, low, month, day, hour, minute, second;
	size_t at;

	if (!der_any(in, &tag, &s, NULL))
		return false;
	if (tag == DER_UTC_TIME && s.n == 13) {
		low = two(s, 0);
		high = low < 50 ? 20 : 19;
		at = 2;
	} else if (tag == DER_GENERALIZED_TIME && s.n == 15) {
		high = two(s, 0);
		low = two(s, 2);
		at = 4;
	} else {
		return false;
	}
	month = two(s, at);
	day = two(s, at + 2);
	hour = two(s, at + 4);
	minute = two(s, at + 6);
	second = two(s, at + 8);
	if (high > 99 || low > 99 || month < 1 || month > 12 || day < 1 || day > lengths[month - 1] || hour > 23 || minute > 59
	    || second > 59 || s.p[at + 10] != 'Z')
		return false;
	year = high * 100 + low;
	if (year == 0 || (month == 2 && day == 29 && (year % 4 != 0 || (year % 100 == 0 && year % 400 != 0))))
		return false;
	*unix_ms = (((days_of(year, month, day) * 24 + hour) * 60 + minute) * 60 + second) * 1000;
	return true;
}
