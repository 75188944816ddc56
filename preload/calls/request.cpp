#include "request.h"

#include <errno.h>
#include <fcntl.h>

#include "../client/memory.h"
#include "descriptors.h"
#include "host_walk.h"

namespace btfuse {

namespace {

/** The slab as scratch: request payload and walk share the first half, each path has a page. */
constexpr uint64_t kScratch = 4 * BT_PATH_MAX;
static_assert(kScratch <= BT_SLAB_BACKED_MIN);

PathBuffer buffer_of(Slot* slot, uint32_t which) {
  unsigned char* slab = slab_at(index_of(slot));
  return {(char*)slab + (2 + which) * BT_PATH_MAX, (char*)slab};
}

long dirfd_of(const Call& call, const PathArgument& argument) {
  return argument.dirfd < 0 ? AT_FDCWD : call.args[(int)argument.dirfd];
}

const char* path_of(const Call& call, const PathArgument& argument) {
  return (const char*)call.args[(int)argument.path];
}

/** The call on the host, with the paths that a crossing rewrote. */
long on_host(const Call& call, const PathCall& paths, const Target* targets) {
  long args[6];
  memcpy(args, call.args, sizeof args);
  args[(int)paths.first.path] = (long)targets[0].path;
  if (paths.second.path >= 0) args[(int)paths.second.path] = (long)targets[1].path;
  return syscall6(call.nr, args[0], args[1], args[2], args[3], args[4], args[5]);
}

/** Does a symlink of the host lead one of the paths into the tree? 1, 0 or -errno. */
int leads_into_tree(Slot* slot, const PathCall& paths, Target* targets, uint32_t count) {
  int found = 0;
  for (uint32_t i = 0; i < count; i++) {
    Target& target = targets[i];
    uint32_t flags = i == 0 ? paths.first.flags : paths.second.flags;
    if (target.walked || target.where != Where::HOST || target.length == 0) continue;
    bool nofollow = (flags & PATH_NOFOLLOW) != 0;
    bool may =
        prefix_on_host() ? meets_symlink(target, nofollow) : may_lead_into_tree(target, nofollow);
    if (!may) continue;
    int error = resolve(target, flags, buffer_of(slot, i));
    if (error != 0) return error;
    if (target.where == Where::TREE) found = 1;
  }
  return found;
}

/** Copies the paths into the slot, or into its slab when they are too long for it. False: no
 * memory. */
bool send_paths(Slot* slot, const PathCall& paths, const Target* targets, uint32_t count) {
  const char* second = count == 2 ? targets[1].path : paths.text;
  uint32_t second_length = count == 2 ? targets[1].length : paths.text_length;
  uint32_t length = targets[0].length + second_length + paths.tail_length;
  unsigned char* payload = slot->payload;
  slot->request_flags = 0;
  if (length > BT_INLINE_SIZE) {
    slot->request_flags = BT_REQUEST_SLAB;
    payload = slab_of(slot, length);
    if (payload == nullptr) return false;
  }
  // In this order: a rewritten path may stand in the slab where the tail will.
  memcpy(payload, targets[0].path, targets[0].length);
  if (second_length != 0) memcpy(payload + targets[0].length, second, second_length);
  if (paths.tail_length != 0) {
    memcpy(payload + targets[0].length + second_length, paths.tail, paths.tail_length);
  }
  slot->path_length = targets[0].length;
  slot->path2_length = second_length;
  slot->payload_length = length;
  slot->symlinks = targets[0].symlinks;
  slot->description = targets[0].description;
  if (count == 2) {
    slot->description2 = targets[1].description;
    if (targets[1].symlinks > slot->symlinks) slot->symlinks = targets[1].symlinks;
  }
  return true;
}

/** OPEN and its kin have O_* in flags; an empty path says enough there. */
bool takes_at_flags(uint32_t opcode) {
  return opcode != BT_OP_OPEN && opcode != BT_OP_CREATE && opcode != BT_OP_TMPFILE;
}

constexpr uint32_t kCrossed = BT_REPLY_CROSSED_UP | BT_REPLY_CROSSED_ABSOLUTE;

/** What a turn of the loop came to. */
enum class Turn { AGAIN, SERVED, ANSWERED };

Turn ask_server(Call& call, Thread& self, Slot* slot, const PathCall& paths, Target* targets,
                uint32_t count, Fill fill) {
  slot->flags = 0;
  fill(*slot, call);
  if (targets[0].empty && takes_at_flags(slot->opcode)) slot->flags |= AT_EMPTY_PATH;
  if (!send_paths(slot, paths, targets, count)) {
    call.result = -ENOMEM;
    return Turn::ANSWERED;
  }
  slot->reply_flags = 0;
  int32_t status = transact(slot);
  slot->status = status;
  if (!(slot->reply_flags & kCrossed)) return Turn::SERVED;
  uint32_t which = count == 2 && (slot->reply_flags & BT_REPLY_CROSSED_SECOND) ? 1 : 0;
  uint32_t flags = which == 0 ? paths.first.flags : paths.second.flags;
  int error = cross(self, slot, flags, targets[which], buffer_of(slot, which));
  if (error == 0) return Turn::AGAIN;
  call.result = error;
  return Turn::ANSWERED;
}

Turn ask_kernel(Call& call, Slot* slot, const PathCall& paths, Target* targets, uint32_t count) {
  if (prefix_on_host()) {
    // A symlink into it would succeed there: looked at before the kernel gets the path.
    int led = leads_into_tree(slot, paths, targets, count);
    if (led > 0) return Turn::AGAIN;
    if (led < 0) {
      call.result = led;
      return Turn::ANSWERED;
    }
  }
  call.result = on_host(call, paths, targets);
  if (call.result != -ENOENT) return Turn::ANSWERED;
  int led = leads_into_tree(slot, paths, targets, count);
  if (led > 0) return Turn::AGAIN;
  if (led < 0) call.result = led;
  return Turn::ANSWERED;
}

bool all(Where where, const Target* targets, uint32_t count) {
  return targets[0].where == where && (count == 1 || targets[1].where == where);
}

/** 0, or -EBADF when the descriptor that "" names is none. */
long descriptor_there(long dirfd) {
  if (dirfd == AT_FDCWD) return 0;
  return kernel(SYS_fcntl, dirfd, F_GETFD) < 0 ? -EBADF : 0;
}

/**
 * One path leads into the tree, the other to the host: EXDEV, unless the host's is no path at all
 * or does not lead anywhere.
 */
int refuse_mixed(const Call& call, const Target* targets, uint32_t count, uint32_t first_flags) {
  const bool links = call.nr == SYS_link || call.nr == SYS_linkat;
  for (uint32_t i = 0; i < count; i++) {
    if (targets[i].where != Where::HOST) continue;
    long error = kernel(SYS_faccessat, targets[i].dirfd, targets[i].path, 0);
    if (targets[i].length == 0 && error == -ENOENT && i == 0 && (first_flags & PATH_EMPTY))
      error = descriptor_there(targets[i].dirfd);
    // What is to be linked is looked up at once.
    struct stat status;
    if (error == -ENOENT && links && i == 0 && targets[i].length != 0)
      error = kernel(SYS_newfstatat, targets[i].dirfd, targets[i].path, &status,
                     (first_flags & PATH_NOFOLLOW) ? AT_SYMLINK_NOFOLLOW : 0);
    if (error == -ENOENT && links && i == 0) return -ENOENT;
    // A name that is missing may be one to be made.
    if (error < 0 && (targets[i].length == 0 || error != -ENOENT)) return (int)error;
  }
  return -EXDEV;
}

/**
 * The second path is none: what the kernel says of the first one, which it walks before, or 0. The
 * server is asked with the root of the tree as the second name, which nothing may take.
 */
int first_before_second(Call& call, Slot* slot, const PathCall& paths, const Target* targets,
                        Fill fill) {
  Target both[2] = {targets[0], Target{}};
  both[1].where = Where::TREE;
  both[1].path = "";
  slot->flags = 0;
  fill(*slot, call);
  if (both[0].empty) slot->flags |= AT_EMPTY_PATH;
  if (!send_paths(slot, paths, both, 2)) return 0;
  slot->reply_flags = 0;
  int32_t status = transact(slot);
  bool told = !(slot->reply_flags & kCrossed) && status != -EBUSY && status != -EEXIST;
  return told ? status : 0;
}

/**
 * The first path is one of the host's: what the kernel says of the second one before it compares
 * the file systems, or -EXDEV. The server is asked with the root of the tree as the first, which
 * nobody may move or link.
 */
int second_before_mixed(Call& call, Slot* slot, const PathCall& paths, const Target* targets,
                        Fill fill) {
  Target both[2] = {Target{}, targets[1]};
  both[0].where = Where::TREE;
  both[0].path = ".";
  both[0].length = 1;
  slot->flags = 0;
  fill(*slot, call);
  if (!send_paths(slot, paths, both, 2)) return -EXDEV;
  slot->reply_flags = 0;
  int32_t status = transact(slot);
  bool other = (slot->reply_flags & kCrossed) || status >= 0 || status == -EBUSY ||
               status == -EPERM || status == -EACCES;
  return other ? -EXDEV : status;
}

/** Everything but the plain host call. */
Slot* ask_long(Call& call, Thread& self, const PathCall& paths, Fill fill, Target* targets,
               uint32_t count, bool host_answered) {
  Slot* slot = begin(self, call.stack);
  if (slot == nullptr || slab_of(slot, kScratch) == nullptr) {
    if (slot != nullptr) end(self);
    call.result = slot != nullptr ? -ENOMEM : -EIO;
    return nullptr;
  }
  int error = 0;
  for (uint32_t i = 0; i < count && error == 0; i++) {
    uint32_t flags = i == 0 ? paths.first.flags : paths.second.flags;
    if (targets[i].where == Where::UNSURE) {
      error = resolve(targets[i], flags, buffer_of(slot, i));
    }
  }
  if (error == 0 && host_answered) {
    int led = leads_into_tree(slot, paths, targets, count);
    if (led <= 0) {
      if (led < 0) call.result = led;
      end(self);
      return nullptr;
    }
  }
  Turn turn = Turn::AGAIN;
  while (error == 0 && turn == Turn::AGAIN) {
    if (all(Where::TREE, targets, count)) {
      turn = ask_server(call, self, slot, paths, targets, count, fill);
    } else if (all(Where::HOST, targets, count)) {
      turn = ask_kernel(call, slot, paths, targets, count);
    } else {
      // One side each; but a symlink of the host may still lead its side into the tree.
      int led = leads_into_tree(slot, paths, targets, count);
      if (led <= 0) error = led < 0 ? led : refuse_mixed(call, targets, count, paths.first.flags);
      if (led <= 0 && error != -EXDEV && targets[0].where == Where::TREE) {
        int before = first_before_second(call, slot, paths, targets, fill);
        if (before != 0) error = before;
      } else if (led == 0 && error == -EXDEV && targets[1].where == Where::TREE) {
        error = second_before_mixed(call, slot, paths, targets, fill);
      }
    }
  }
  if (turn == Turn::SERVED) return slot;
  if (error != 0) call.result = error;
  end(self);
  return nullptr;
}

/** True when the store segment has answered: call.result, and quick.attributes unless that is an
 * error. */
bool ask_store(Call& call, Thread& self, const PathCall& paths, const Target& target) {
  QuickAnswer& quick = *paths.quick;
  if (target.where != Where::TREE || target.magic || target.empty) return false;
  const Searcher who = searcher_of(self, quick.real_ids);
  const bool nofollow = (paths.first.flags & PATH_NOFOLLOW) != 0;
  switch (quick_lookup(who, target.description, target.path, target.length, nofollow,
                       quick.attributes)) {
    case Quick::HIT:
      if (quick.accept != nullptr && !quick.accept(call, self, who, quick)) return false;
      quick.answered = true;
      call.result = 0;
      return true;
    case Quick::ABSENT:
      call.result = -ENOENT;
      return true;
    case Quick::ASK:
      break;
  }
  return false;
}

}  // namespace

/** CAP_DAC_OVERRIDE; linux/capability.h and libc's headers do not go together. */
static constexpr uint32_t kDacOverride = 1u << 1;

Searcher searcher_of(Thread& self, bool real_ids) {
  const Process* process = process_at(process_of(self));
  const bool odd = (process->umask & BT_UMASK_CAPABILITIES) != 0;
  if (real_ids) {
    const bool root = process->ruid == 0 && (!odd || (process->permitted & kDacOverride));
    return {process->ruid, process->rgid, process, root};
  }
  const bool root = odd ? (process->capabilities & kDacOverride) != 0 : process->uid == 0;
  return {process->uid, process->gid, process, root};
}

Slot* ask(Call& call, Thread& self, const PathCall& paths, Fill fill) {
  Target targets[2];
  uint32_t count = paths.second.path >= 0 ? 2 : 1;
  classify(self, dirfd_of(call, paths.first), path_of(call, paths.first), paths.first.flags,
           call.stack, targets[0]);
  if (count == 2) {
    classify(self, dirfd_of(call, paths.second), path_of(call, paths.second), paths.second.flags,
             call.stack, targets[1]);
  }
  if (paths.quick != nullptr && ask_store(call, self, paths, targets[0])) return nullptr;
  bool host = all(Where::HOST, targets, count) && !prefix_on_host();
  if (host) {
    call.result = on_kernel(call);
    if (call.result != -ENOENT) return nullptr;
    // Asked before a slot is taken: many a process never has another need for one.
    bool may = may_lead_into_tree(targets[0], paths.first.flags & PATH_NOFOLLOW) ||
               (count == 2 && may_lead_into_tree(targets[1], paths.second.flags & PATH_NOFOLLOW));
    if (!may) return nullptr;
  }
  return ask_long(call, self, paths, fill, targets, count, host);
}

Verdict reply(Call& call, Thread& self, long result) {
  end(self);
  return done(call, result);
}

Verdict ask_status(Call& call, Thread& self, const PathCall& paths, Fill fill) {
  Slot* slot = ask(call, self, paths, fill);
  return slot == nullptr ? Verdict::DONE : reply(call, self, slot->status);
}

Slot* begin_on(Call& call, Thread& self, uint32_t description) {
  Slot* slot = begin(self, call.stack);
  if (slot == nullptr) {
    call.result = -EIO;
    return nullptr;
  }
  slot->description = description;
  return slot;
}

int32_t transact_plain(Slot* slot) {
  slot->path_length = 0;
  slot->path2_length = 0;
  slot->payload_length = 0;
  slot->request_flags = 0;
  slot->status = transact(slot);
  return slot->status;
}

}  // namespace btfuse
