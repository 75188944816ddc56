// The launcher of static programs, which LD_PRELOAD does not reach. The kernel runs this file in
// the program's place; it maps the program as the kernel would, with the text and the stubs of a
// prepared image, joins the session, and jumps to the program's entry with the stack that it was
// given itself. From then on it is what the shim is elsewhere.
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#include "../calls/exec_static.h"
#include "../client/memory.h"
#include "../image/start.h"
#include "threads.h"

extern "C" __attribute__((visibility("hidden"))) const Elf64_Ehdr __ehdr_start;
extern "C" __attribute__((visibility("hidden"))) void btfuse_entry();
extern "C" __attribute__((visibility("hidden"))) void btfuse_entry_small();

namespace btfuse {

namespace {

constexpr uint32_t kHeadersMax = 64;

struct Program {
  long fd, image_fd;
  const char* name;  ///< as execve was given it
  Elf64_Ehdr header;
  Elf64_Phdr segments[kHeadersMax];
  ImageTrailer image;
  uint64_t base;
};

// Not on the stack: it would be large there.
Program program;

constexpr uint64_t page_down(uint64_t n) {
  return n & ~(BT_PAGE_SIZE - 1);
}
constexpr uint64_t page_up(uint64_t n) {
  return page_down(n + BT_PAGE_SIZE - 1);
}
bool failed(long result) {
  return result < 0 && result > -4096;
}

/** "-1" or decimal, and the colon behind it. */
const char* parse_descriptor(const char* text, long& fd) {
  fd = -1;
  if (text[0] == '-' && text[1] == '1') {
    text += 2;
  } else {
    for (fd = 0; *text >= '0' && *text <= '9' && fd < INT32_MAX / 10; text++)
      fd = fd * 10 + (*text - '0');
  }
  if (*text != ':') die("BTFUSE_PROGRAM is not what the shim would have written.");
  return text + 1;
}

/** Takes the variable out of the environment; what stands behind moves up. */
const char* take_variable(char** environment, const char* name) {
  const char* value = variable(environment, name);
  if (value == nullptr) return nullptr;
  char** at = environment;
  while (*at + strlen(name) != value) at++;
  uint64_t* to = (uint64_t*)at;
  for (; *to != 0; to++) to[0] = to[1];
  // The null has moved up, and `to` is where it was: the auxiliary vector follows.
  uint64_t type;
  do {
    type = to[1];
    to[0] = type;
    to[1] = to[2];
    to += 2;
  } while (type != AT_NULL);
  return value;
}

void read_program() {
  const long got = kernel(SYS_pread64, program.fd, &program.header, sizeof program.header, 0);
  const Elf64_Ehdr& header = program.header;
  if (got != (long)sizeof header || memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 ||
      header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_machine != EM_X86_64 ||
      header.e_phentsize != sizeof(Elf64_Phdr) || header.e_phnum > kHeadersMax) {
    die("this static program is no ELF program for x86-64.");
  }
  const long size = header.e_phnum * (long)sizeof(Elf64_Phdr);
  if (kernel(SYS_pread64, program.fd, program.segments, size, header.e_phoff) != size) {
    die("the program headers of this static program cannot be read.");
  }
}

void open_image_of_program() {
  if (program.image_fd >= 0) {
    const auto euid = (uint64_t)kernel(SYS_geteuid);
    if (check_image(program.image_fd, euid, program.image) == 0) return;
    die("the prepared image of this static program may not be used.");
  }
  program.image_fd = find_file_image(thread, program.fd, program.image);
  if (program.image_fd < 0) {
    die("there is no prepared image of this static program, and the server could not make one.");
  }
}

long map_at(uint64_t address, uint64_t length, long prot, long fd, uint64_t offset) {
  const long flags = MAP_PRIVATE | MAP_FIXED | (fd < 0 ? MAP_ANONYMOUS : 0);
  return kernel(SYS_mmap, address, length, prot, flags, fd, offset);
}

void must(long result) {
  if (failed(result)) die("this static program cannot be mapped.");
}

/** Address space for all of it, annex included, so that what follows replaces only our own. */
void reserve() {
  const ImageTrailer& image = program.image;
  uint64_t from = ~0ul, to = image.annex_vaddr + image.annex_length, align = BT_PAGE_SIZE;
  for (uint32_t i = 0; i < program.header.e_phnum; i++) {
    const Elf64_Phdr& segment = program.segments[i];
    if (segment.p_type != PT_LOAD) continue;
    if (page_down(segment.p_vaddr) < from) from = page_down(segment.p_vaddr);
    if (segment.p_vaddr + segment.p_memsz + BT_PAGE_SIZE > image.slot_vaddr)
      die("the prepared image of this static program belongs to another file.");
    if (segment.p_align > align && (segment.p_align & (segment.p_align - 1)) == 0) {
      align = segment.p_align;
    }
  }
  if (from >= to) die("this static program has no segments.");
  if (program.header.e_type == ET_EXEC) {
    must(kernel(SYS_mmap, from, to - from, PROT_NONE,
                MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0));
    program.base = 0;
    return;
  }
  const uint64_t extra = align > BT_PAGE_SIZE ? align : 0;
  const long found = kernel(SYS_mmap, 0, to - from + extra, PROT_NONE,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  must(found);
  program.base = (((uint64_t)found + align - 1) & ~(align - 1)) - from;
}

void map_segment(const Elf64_Phdr& segment) {
  const uint64_t from = page_down(segment.p_vaddr);
  const uint64_t file_end = segment.p_vaddr + segment.p_filesz;
  const uint64_t end = segment.p_vaddr + segment.p_memsz;
  const long prot = ((segment.p_flags & PF_R) ? PROT_READ : 0) |
                    ((segment.p_flags & PF_W) ? PROT_WRITE : 0) |
                    ((segment.p_flags & PF_X) ? PROT_EXEC : 0);
  if (segment.p_filesz > 0) {
    must(map_at(program.base + from, page_up(file_end) - from, prot, program.fd,
                page_down(segment.p_offset)));
  }
  if (end <= file_end) return;
  if (segment.p_filesz > 0 && page_up(file_end) != file_end && (prot & PROT_WRITE)) {
    const uint64_t zeros = (end < page_up(file_end) ? page_up(end) : page_up(file_end)) - file_end;
    memset((void*)(program.base + file_end), 0, zeros);
  }
  const uint64_t rest = segment.p_filesz > 0 ? page_up(file_end) : from;
  if (page_up(end) > rest) must(map_at(program.base + rest, page_up(end) - rest, prot, -1, 0));
}

bool is_code(const ImagePiece& piece) {
  for (uint32_t i = 0; i < program.header.e_phnum; i++) {
    const Elf64_Phdr& segment = program.segments[i];
    if (segment.p_type != PT_LOAD || (segment.p_flags & PF_X) == 0) continue;
    const uint64_t from = page_down(segment.p_vaddr);
    const uint64_t to = page_up(segment.p_vaddr + segment.p_filesz);
    if (piece.vaddr >= from && piece.vaddr + piece.length <= to) return true;
  }
  return false;
}

void map_program() {
  const ImageTrailer& image = program.image;
  reserve();
  bool executable_stack = false;
  for (uint32_t i = 0; i < program.header.e_phnum; i++) {
    const Elf64_Phdr& segment = program.segments[i];
    if (segment.p_type == PT_GNU_STACK) executable_stack = (segment.p_flags & PF_X) != 0;
    if (segment.p_type != PT_LOAD || segment.p_memsz == 0) continue;
    map_segment(segment);
  }
  for (uint32_t i = 0; i < image.piece_count; i++) {
    if (!is_code(piece_of(image, i)))
      die("the prepared image of this static program belongs to another file.");
  }
  must(map_pieces(program.base, image, program.image_fd));
  const uint64_t slot = program.base + image.slot_vaddr;
  must(map_at(page_down(slot), BT_PAGE_SIZE, PROT_READ | PROT_WRITE, -1, 0));
  const bool small = (image.flags & BT_IMAGE_SMALL_STACKS) != 0;
  *(uint64_t*)slot = (uint64_t)(small ? btfuse_entry_small : btfuse_entry);
  must(kernel(SYS_mprotect, page_down(slot), BT_PAGE_SIZE, PROT_READ));
  must(map_at(program.base + image.annex_vaddr, image.annex_length, PROT_READ | PROT_EXEC,
              program.image_fd, image.text_length));
  if (executable_stack) {
    kernel(SYS_mprotect, page_down((uint64_t)__builtin_frame_address(0)), BT_PAGE_SIZE,
           PROT_READ | PROT_WRITE | PROT_EXEC | PROT_GROWSDOWN);
  }
}

/** Where the program finds its own headers. */
uint64_t headers_address() {
  const uint64_t at = program.header.e_phoff;
  for (uint32_t i = 0; i < program.header.e_phnum; i++) {
    const Elf64_Phdr& segment = program.segments[i];
    if (segment.p_type == PT_PHDR) return program.base + segment.p_vaddr;
  }
  for (uint32_t i = 0; i < program.header.e_phnum; i++) {
    const Elf64_Phdr& segment = program.segments[i];
    if (segment.p_type == PT_LOAD && at >= segment.p_offset &&
        at < segment.p_offset + segment.p_filesz) {
      return program.base + segment.p_vaddr + (at - segment.p_offset);
    }
  }
  return 0;
}

void correct(Elf64_auxv_t* auxv) {
  for (; auxv->a_type != AT_NULL; auxv++) {
    uint64_t& value = auxv->a_un.a_val;
    if (auxv->a_type == AT_PHDR) value = headers_address();
    if (auxv->a_type == AT_PHENT) value = sizeof(Elf64_Phdr);
    if (auxv->a_type == AT_PHNUM) value = program.header.e_phnum;
    if (auxv->a_type == AT_ENTRY) value = program.base + program.header.e_entry;
    if (auxv->a_type == AT_BASE) value = 0;
    if (auxv->a_type == AT_EXECFN) value = (uint64_t)program.name;
  }
}

/** What ps shows, and what /proc/self/exe shall answer. */
void name_process() {
  const char* base = program.name;
  for (const char* p = program.name; *p != 0; p++) {
    if (*p == '/' && p[1] != 0) base = p + 1;
  }
  kernel(SYS_prctl, PR_SET_NAME, base);
  if (start.exe != nullptr) return;
  char link[32];
  char* out = link;
  for (const char* p = "/proc/self/fd/"; *p != 0; p++) *out++ = *p;
  char digits[20];
  int count = 0;
  for (uint64_t n = (uint64_t)program.fd; count == 0 || n != 0; n /= 10) {
    digits[count++] = (char)('0' + n % 10);
  }
  while (count > 0) *out++ = digits[--count];
  *out = 0;
  static char exe[BT_PATH_MAX];
  const long length = kernel(SYS_readlink, link, exe, sizeof exe - 1);
  if (length > 0) start.exe = exe;
}

/** The shim's own path comes first in the list that brings it: children that are not static need
 * it. */
const char* shim_path(char** environment, bool& audit) {
  const char* value = variable(environment, "LD_AUDIT=");
  audit = value != nullptr;
  if (!audit) value = variable(environment, "LD_PRELOAD=");
  if (value == nullptr) die("LD_AUDIT is missing from the environment of a static program.");
  return value;
}

/** Nobody else relocates us: the few words that hold an address of ours are corrected here. */
void relocate() {
  const auto base = (uint64_t)&__ehdr_start;
  uint64_t table = 0, size = 0;
  const Elf64_Dyn* entry;
  asm("lea _DYNAMIC(%%rip), %0" : "=r"(entry));  // its name in C++ would be such a word
  for (; entry->d_tag != DT_NULL; entry++) {
    if (entry->d_tag == DT_RELA) table = base + entry->d_un.d_ptr;
    if (entry->d_tag == DT_RELASZ) size = entry->d_un.d_val;
  }
  const auto* end = (const Elf64_Rela*)(table + size);
  for (const auto* at = (const Elf64_Rela*)table; at < end; at++) {
    if (ELF64_R_TYPE(at->r_info) != R_X86_64_RELATIVE) {
      for (;;) kernel(SYS_exit_group, 125);
    }
    *(uint64_t*)(base + at->r_offset) = base + (uint64_t)at->r_addend;
  }
}

}  // namespace

extern "C" __attribute__((visibility("hidden"))) uint64_t btfuse_launch(uint64_t* stack) {
  relocate();
  make_first_thread();
  char** environment = (char**)(stack + 1 + stack[0] + 1);
  const char* session = variable(environment, "BTFUSE_SESSION=");
  const char* spec = take_variable(environment, "BTFUSE_PROGRAM=");
  if (session == nullptr || spec == nullptr)
    die("the launcher of static programs is only ever run by the shim.");
  char** end = environment;
  while (*end != nullptr) end++;
  const char* shim = shim_path(environment, start.audit);
  uint64_t length = 0;
  while (shim[length] != 0 && shim[length] != ':' && shim[length] != ' ') length++;
  enter_session(environment, shim, length);
  program.name = parse_descriptor(parse_descriptor(spec, program.fd), program.image_fd);
  if (program.fd < 0) {
    program.fd = kernel(SYS_open, program.name, O_RDONLY | O_CLOEXEC);
    if (program.fd < 0) die("this static program cannot be read.");
  }
  read_program();
  open_image_of_program();
  map_program();
  name_process();
  correct((Elf64_auxv_t*)(end + 1));
  kernel(SYS_close, program.fd);
  kernel(SYS_close, program.image_fd);
  return program.base + program.header.e_entry;
}

}  // namespace btfuse
