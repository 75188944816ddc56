// Extended attributes: twelve calls and the four *xattrat ones, all of one shape: what the call
// says of the attribute is read and checked first, as in the kernel, then the file is found.
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "../client/memory.h"
#include "descriptors.h"
#include "request.h"
#include "user_memory.h"

namespace btfuse {

namespace {

constexpr long kSetxattrAt = 463, kGetxattrAt = 464, kListxattrAt = 465, kRemovexattrAt = 466;
constexpr uint32_t kAtFlags = AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH;

/** struct xattr_args of linux/xattr.h, which not every header has. */
struct XattrArgs {
  uint64_t value;
  uint32_t size;
  uint32_t flags;
};

/** A call with what it says of the attribute: a Fill gets it as the Call that it is. */
struct XattrCall : Call {
  uint32_t opcode;
  uint32_t at_flags;  ///< AT_SYMLINK_NOFOLLOW
  const char* name;   ///< nullptr: listxattr
  uint32_t name_length;
  uint32_t flags;  ///< XATTR_CREATE, XATTR_REPLACE
  void* buffer;    ///< the value, or room for the answer
  uint64_t size;
};

struct XattrQuick : QuickAnswer {
  const XattrCall* xattr;
};

uint32_t opcode_of(long nr) {
  switch (nr) {
    case SYS_setxattr:
    case SYS_lsetxattr:
    case SYS_fsetxattr:
    case kSetxattrAt:
      return BT_OP_SETXATTR;
    case SYS_getxattr:
    case SYS_lgetxattr:
    case SYS_fgetxattr:
    case kGetxattrAt:
      return BT_OP_GETXATTR;
    case SYS_listxattr:
    case SYS_llistxattr:
    case SYS_flistxattr:
    case kListxattrAt:
      return BT_OP_LISTXATTR;
    default:
      return BT_OP_REMOVEXATTR;
  }
}

bool stops_at_symlink(const Call& call) {
  return call.nr == SYS_lsetxattr || call.nr == SYS_lgetxattr || call.nr == SYS_llistxattr ||
         call.nr == SYS_lremovexattr;
}

/** The name, and for setxattr the flags before it and the value behind it: 0 or -errno. */
long check(XattrCall& call) {
  const bool sets = call.opcode == BT_OP_SETXATTR;
  if (sets && (call.flags & ~(uint32_t)(XATTR_CREATE | XATTR_REPLACE))) return -EINVAL;
  if (call.opcode != BT_OP_LISTXATTR) {
    const long length = string_length(call.name, BT_XATTR_NAME_MAX + 1, call.stack);
    if (length == 0 || length == -ENAMETOOLONG) return -ERANGE;
    if (length < 0) return length;
    call.name_length = (uint32_t)length;
  }
  if (sets) {
    if (call.size > BT_XATTR_SIZE_MAX) return -E2BIG;
    if (call.size != 0 && !readable(call.buffer, call.size, call.stack)) return -EFAULT;
  }
  return 0;
}

/** The calls that take a path or a descriptor as their first argument. */
long read_plain(XattrCall& call) {
  call.opcode = opcode_of(call.nr);
  call.at_flags = stops_at_symlink(call) ? AT_SYMLINK_NOFOLLOW : 0;
  const bool lists = call.opcode == BT_OP_LISTXATTR;
  call.name = lists ? nullptr : (const char*)call.args[1];
  call.name_length = 0;
  call.flags = call.opcode == BT_OP_SETXATTR ? (uint32_t)call.args[4] : 0;
  call.buffer = (void*)call.args[lists ? 1 : 2];
  call.size = (uint64_t)call.args[lists ? 2 : 3];
  return check(call);
}

/** copy_struct_from_user of setxattrat and getxattrat. */
long read_args(const Call& call, XattrArgs& args) {
  const auto* user = (const unsigned char*)call.args[4];
  const auto size = (uint64_t)call.args[5];
  if (size < sizeof args) return -EINVAL;
  if (size > BT_PAGE_SIZE) return -E2BIG;
  if (!readable(user, size, call.stack)) return -EFAULT;
  for (uint64_t i = sizeof args; i < size; i++) {
    if (user[i] != 0) return -E2BIG;
  }
  memcpy(&args, user, sizeof args);
  return 0;
}

long read_at(XattrCall& call) {
  call.opcode = opcode_of(call.nr);
  const auto at_flags = (uint32_t)call.args[2];
  call.at_flags = at_flags & AT_SYMLINK_NOFOLLOW;
  call.name = call.opcode == BT_OP_LISTXATTR ? nullptr : (const char*)call.args[3];
  call.name_length = 0;
  call.flags = 0;
  call.buffer = nullptr;
  call.size = 0;
  if (call.opcode == BT_OP_LISTXATTR) {
    call.buffer = (void*)call.args[3];
    call.size = (uint64_t)call.args[4];
  } else if (call.opcode != BT_OP_REMOVEXATTR) {
    XattrArgs args;
    const long error = read_args(call, args);
    if (error != 0) return error;
    if (call.opcode == BT_OP_GETXATTR && args.flags != 0) return -EINVAL;
    call.flags = args.flags;
    call.buffer = (void*)args.value;
    call.size = args.size;
  }
  return at_flags & ~kAtFlags ? -EINVAL : check(call);
}

void fill(Slot& slot, const Call& call) {
  const auto& xattr = static_cast<const XattrCall&>(call);
  slot.opcode = xattr.opcode;
  slot.flags = xattr.at_flags;
  slot.mode = xattr.flags;
  slot.size = xattr.size;
}

uint32_t tail_of(const XattrCall& call) {
  return call.opcode == BT_OP_SETXATTR ? (uint32_t)call.size : 0;
}

/** What the reply means to the program. */
long answer(const XattrCall& call, Slot* slot) {
  if (slot->status != 0) return slot->status;
  if (call.opcode == BT_OP_SETXATTR || call.opcode == BT_OP_REMOVEXATTR) return 0;
  if (call.size == 0) return slot->result;
  const uint64_t length = slot->reply_length;
  if (length > call.size) return -EIO;
  if (length != 0) {
    if (!writable(call.buffer, length, call.stack)) return -EFAULT;
    memcpy(call.buffer, reply_payload(slot), length);
  }
  return (long)length;
}

bool has_prefix(const XattrCall& call, const char* prefix) {
  const uint32_t length = (uint32_t)strlen(prefix);
  return call.name_length >= length && memcmp(call.name, prefix, length) == 0;
}

bool is_named(const XattrCall& call, const char* name) {
  return call.name_length == strlen(name) && has_prefix(call, name);
}

/**
 * May the store segment answer? It says whether there are attributes at all, which is nearly always
 * enough: ls and cp ask every file for an ACL. src/store/operations/xattr.ts for files without any.
 */
bool accept(const Call&, Thread&, const Searcher& who, QuickAnswer& quick) {
  const XattrCall& call = *static_cast<XattrQuick&>(quick).xattr;
  const Attributes& file = quick.attributes;
  if (call.opcode == BT_OP_LISTXATTR) {
    return !(file.flags & (BT_INODE_ACL | BT_INODE_DEFAULT_ACL | BT_INODE_XATTRS));
  }
  if (S_ISLNK(file.mode)) return false;
  if (is_named(call, "system.posix_acl_access")) return !(file.flags & BT_INODE_ACL);
  if (is_named(call, "system.posix_acl_default")) return !(file.flags & BT_INODE_DEFAULT_ACL);
  if (file.flags & BT_INODE_XATTRS) return false;
  if (has_prefix(call, "security.")) return call.name_length > 9;
  return has_prefix(call, "user.") && call.name_length > 5 &&
         (S_ISREG(file.mode) || S_ISDIR(file.mode)) && quick_access(who, file, R_OK);
}

Verdict on_path(Call& call, Thread& self, XattrCall& xattr, PathArgument name) {
  XattrQuick quick;
  quick.accept = accept;
  quick.xattr = &xattr;
  const bool looks = xattr.opcode == BT_OP_GETXATTR || xattr.opcode == BT_OP_LISTXATTR;
  const PathCall paths{.first = name,
                       .text = xattr.name,
                       .text_length = xattr.name_length,
                       .quick = looks ? &quick : nullptr,
                       .tail = xattr.buffer,
                       .tail_length = tail_of(xattr)};
  Slot* slot = ask(xattr, self, paths, fill);
  if (slot != nullptr) return reply(call, self, answer(xattr, slot));
  if (quick.answered) return done(call, xattr.opcode == BT_OP_LISTXATTR ? 0 : -ENODATA);
  return done(call, xattr.result);
}

Verdict on_description(Call& call, Thread& self, XattrCall& xattr, uint32_t description) {
  if (description_record(description)->open_flags & O_PATH) return done(call, -EBADF);
  Slot* slot = begin_on(call, self, description);
  if (slot == nullptr) return Verdict::DONE;
  fill(*slot, xattr);
  slot->flags = AT_EMPTY_PATH;
  const uint32_t tail = tail_of(xattr), length = xattr.name_length + tail;
  unsigned char* payload = slot->payload;
  slot->request_flags = 0;
  if (length > BT_INLINE_SIZE) {
    payload = slab_of(slot, length);
    if (payload == nullptr) return reply(call, self, -ENOMEM);
    slot->request_flags = BT_REQUEST_SLAB;
  }
  if (xattr.name_length != 0) memcpy(payload, xattr.name, xattr.name_length);
  if (tail != 0) memcpy(payload + xattr.name_length, xattr.buffer, tail);
  slot->path_length = 0;
  slot->path2_length = xattr.name_length;
  slot->payload_length = length;
  slot->symlinks = 0;
  slot->reply_flags = 0;
  slot->status = transact(slot);
  return reply(call, self, answer(xattr, slot));
}

}  // namespace

Verdict sys_path_xattr(Call& call, Thread& self) {
  XattrCall xattr;
  static_cast<Call&>(xattr) = call;
  const long error = read_plain(xattr);
  if (error != 0) return done(call, error);
  return on_path(call, self, xattr,
                 {.path = 0, .flags = stops_at_symlink(call) ? PATH_NOFOLLOW : 0});
}

Verdict sys_path_at_xattr(Call& call, Thread& self) {
  XattrCall xattr;
  static_cast<Call&>(xattr) = call;
  const long error = read_at(xattr);
  if (error != 0) return done(call, error);
  const auto at_flags = (uint32_t)call.args[2];
  if (at_flags & AT_EMPTY_PATH) {
    // No path is the empty path; either means the descriptor itself, as in the f… calls.
    if (xattr.args[1] == 0) xattr.args[1] = (long)"";
    const auto* path = (const char*)xattr.args[1];
    if (readable(path, 1, call.stack) && *path == 0) {
      const uint32_t description = description_of(self, call.args[0]);
      if (description != 0) return on_description(call, self, xattr, description);
      // removexattrat forgets that AT_FDCWD is a place too.
      if (call.nr == kRemovexattrAt && (int)call.args[0] < 0) return done(call, -EBADF);
    }
  }
  return on_path(call, self, xattr,
                 {.dirfd = 0,
                  .path = 1,
                  .flags = path_flags_of(at_flags) | (at_flags & AT_EMPTY_PATH ? PATH_NULL : 0)});
}

Verdict sys_fd_xattr(Call& call, Thread& self) {
  const uint32_t description = description_of(self, call.args[0]);
  if (description == 0) return Verdict::PASS;
  XattrCall xattr;
  static_cast<Call&>(xattr) = call;
  const long error = read_plain(xattr);
  if (error != 0) return done(call, error);
  return on_description(call, self, xattr, description);
}

}  // namespace btfuse
