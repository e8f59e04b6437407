#include "os/image.h"

#include <elf.h>
#include <link.h>

extern const ElfW(Ehdr) __ehdr_start __attribute__((visibility("hidden"))); /* ld(1): the program's own first byte */

static bool note_write(struct buf *b, const char *p, size_t n)
{
	while (n >= sizeof(ElfW(Nhdr))) {
		ElfW(Nhdr) note;
		size_t name, desc;

		memcpy(&note, p, sizeof note);
		name = ((size_t)note.n_namesz + 3) & ~(size_t)3;
		desc = ((size_t)note.n_descsz + 3) & ~(size_t)3;
		if (name + desc + sizeof note > n)
			return false;
		if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == 4 && memcmp(p + sizeof note, "GNU", 4) == 0) {
			buf_hex(b, p + sizeof note + name, note.n_descsz);
			return true;
		}
		p += sizeof note + name + desc;
		n -= sizeof note + name + desc;
	}
	return false;
}

void image_build_id(struct buf *b)
{
	const char *base = (const char *)&__ehdr_start;

	for (unsigned i = 0; i < __ehdr_start.e_phnum; i++) {
		ElfW(Phdr) h;

		memcpy(&h, base + __ehdr_start.e_phoff + i * sizeof h, sizeof h);
		if (h.p_type == PT_NOTE && note_write(b, base + h.p_vaddr, h.p_memsz))
			return;
	}
	BUF_LIT(b, "unknown");
}
