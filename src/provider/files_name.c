#include "provider/files_name.h"

#include "base/text.h"

bool files_name_part(struct span name, bool hidden)
{
	if (name.n == 0 || name.n > FILES_NAME_MAX || span_eq(name, SPAN(".")) || span_eq(name, SPAN("..")))
		return false;
	if (!hidden && name.p[0] == '.')
		return false;
	for (size_t i = 0; i < name.n; i++)
		if ((unsigned char)name.p[i] < 0x20 || name.p[i] == 0x7F || name.p[i] == '/')
			return false;
	return utf8_valid(name);
}

bool files_name_path(struct span path, bool hidden)
{
	unsigned parts = 0;
	size_t start = 0;

	if (path.n == 0 || path.n > FILES_PATH_MAX)
		return false;
	for (size_t i = 0; i <= path.n; i++) {
		if (i < path.n && path.p[i] != '/')
			continue;
		if (++parts > FILES_DEPTH_MAX || !files_name_part(span_of(path.p + start, i - start), hidden))
			return false;
		start = i + 1;
	}
	return true;
}

unsigned files_name_depth(struct span path)
{
	unsigned parts = path.n > 0 ? 1 : 0;

	for (size_t i = 0; i < path.n; i++)
		parts += path.p[i] == '/';
	return parts;
}

struct span files_name_last(struct span path)
{
	size_t at = path.n;

	while (at > 0 && path.p[at - 1] != '/')
		at--;
	return span_from(path, at);
}

static bool is_alnum(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/* RFC 3986 2.3. */
static bool is_unreserved(char c)
{
	return is_alnum(c) || c == '-' || c == '.' || c == '_' || c == '~';
}

/* RFC 3986 3.3: what a path segment may hold as it is. */
static bool is_segment(char c)
{
	return is_unreserved(c) || (c != 0 && strchr("!$&'()*+,;=:@", c));
}

void files_name_uri(struct buf *b, struct span server, struct span path)
{
	static const char hex[] = "0123456789ABCDEF";

	BUF_LIT(b, "files://");
	buf_put(b, server);
	buf_char(b, '/');
	for (size_t i = 0; i < path.n; i++) {
		unsigned char c = (unsigned char)path.p[i];

		if (is_unreserved(path.p[i]) || c == '/') {
			buf_char(b, path.p[i]);
		} else {
			buf_char(b, '%');
			buf_char(b, hex[c >> 4]);
			buf_char(b, hex[c & 15]);
		}
	}
}

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = span_lower(c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool decode(struct buf *path, struct span text)
{
	for (size_t i = 0; i < text.n; i++) {
		char c = text.p[i];

		if (c == '%') {
			bool whole = text.n - i > 2;
			int high = whole ? hex_value(text.p[i + 1]) : -1, low = whole ? hex_value(text.p[i + 2]) : -1;

			if (high < 0 || low < 0)
				return false;
			c = (char)(unsigned char)(high << 4 | low);
			if (c == '/')
				return false;
			i += 2;
		} else if (c != '/' && !is_segment(c)) {
			return false;
		}
		buf_char(path, c);
	}
	return !path->full;
}

bool files_name_of_uri(struct buf *path, struct span server, struct span uri, bool hidden)
{
	size_t start = path->n;

	if (!span_starts(uri, SPAN("files://")))
		return false;
	uri = span_from(uri, 8);
	if (!span_starts(uri, server) || uri.n <= server.n || uri.p[server.n] != '/')
		return false;
	if (decode(path, span_from(uri, server.n + 1)) && files_name_path(span_from(buf_span(path), start), hidden))
		return true;
	path->n = start;
	path->full = false;
	return false;
}

struct span files_name_mime(struct span path)
{
	static const struct { struct span ext, mime; } table[] = {
#define ROW(e, m) { { e, sizeof(e) - 1 }, { m, sizeof(m) - 1 } }
		ROW("md", "text/markdown"), ROW("markdown", "text/markdown"), ROW("txt", "text/plain"), ROW("text", "text/plain"),
		ROW("log", "text/plain"), ROW("conf", "text/plain"), ROW("ini", "text/plain"), ROW("html", "text/html"),
		ROW("htm", "text/html"), ROW("css", "text/css"), ROW("csv", "text/csv"), ROW("tsv", "text/tab-separated-values"),
		ROW("js", "text/javascript"), ROW("mjs", "text/javascript"), ROW("json", "application/json"),
		ROW("jsonl", "application/jsonl"), ROW("xml", "application/xml"), ROW("yaml", "application/yaml"),
		ROW("yml", "application/yaml"), ROW("toml", "application/toml"), ROW("c", "text/x-c"), ROW("h", "text/x-c"),
		ROW("cc", "text/x-c"), ROW("cpp", "text/x-c"), ROW("hpp", "text/x-c"), ROW("py", "text/x-python"),
		ROW("sh", "text/x-shellscript"), ROW("pl", "text/x-perl"), ROW("rb", "text/x-ruby"), ROW("rs", "text/x-rust"),
		ROW("go", "text/x-go"), ROW("java", "text/x-java"), ROW("ts", "text/x-typescript"), ROW("sql", "application/sql"),
		ROW("tex", "text/x-tex"), ROW("rst", "text/x-rst"), ROW("diff", "text/x-diff"), ROW("patch", "text/x-diff"),
		ROW("svg", "image/svg+xml"), ROW("png", "image/png"), ROW("jpg", "image/jpeg"), ROW("jpeg", "image/jpeg"),
		ROW("gif", "image/gif"), ROW("webp", "image/webp"), ROW("ico", "image/vnd.microsoft.icon"), ROW("bmp", "image/bmp"),
		ROW("tiff", "image/tiff"), ROW("mp3", "audio/mpeg"), ROW("ogg", "audio/ogg"), ROW("wav", "audio/wav"),
		ROW("mp4", "video/mp4"), ROW("webm", "video/webm"), ROW("pdf", "application/pdf"), ROW("zip", "application/zip"),
		ROW("gz", "application/gzip"), ROW("tar", "application/x-tar"), ROW("wasm", "application/wasm"),
		ROW("epub", "application/epub+zip"), ROW("rtf", "application/rtf"), ROW("woff2", "font/woff2"),
#undef ROW
	};
	struct span name = files_name_last(path);
	size_t dot = name.n;

	while (dot > 0 && name.p[dot - 1] != '.')
		dot--;
	/* ".profile" has no extension, and a name without a dot is as likely text as not. */
	if (dot > 1)
		for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
			if (span_ieq(table[i].ext, span_from(name, dot)))
				return table[i].mime;
	return SPAN("application/octet-stream");
}

static void two(struct buf *b, int64_t v)
{
	buf_char(b, (char)('0' + v / 10 % 10));
	buf_char(b, (char)('0' + v % 10));
}

void files_name_time(struct buf *b, int64_t seconds)
{
	const int64_t day = 86400, first = INT64_C(-62167219200), last = INT64_C(253402300799);
	int64_t days, rest, era, doe, yoe, doy, month, year;

	if (seconds < first)
		seconds = first;
	if (seconds > last)
		seconds = last;
	days = seconds / day - (seconds % day < 0);
	rest = seconds - days * day;
	/* The proleptic Gregorian calendar in eras of 400 years that begin on 1 March: then the leap day is a year's last. */
	days += 719468;
	era = days / 146097 - (days % 146097 < 0);
	doe = days - era * 146097;
	yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	month = (5 * doy + 2) / 153;
	year = yoe + era * 400 + (month >= 10);
	two(b, year / 100);
	two(b, year % 100);
	buf_char(b, '-');
	two(b, month < 10 ? month + 3 : month - 9);
	buf_char(b, '-');
	two(b, doy - (153 * month + 2) / 5 + 1);
	buf_char(b, 'T');
	two(b, rest / 3600);
	buf_char(b, ':');
	two(b, rest / 60 % 60);
	buf_char(b, ':');
	two(b, rest % 60);
	buf_char(b, 'Z');
}
