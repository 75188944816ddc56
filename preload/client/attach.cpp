// How a process joins a session: the segments are found, checked and mapped, and a process record
// is taken over from the image that this one replaces, or claimed.
#include "client.h"

#include "../image/call.h"
#include "idle.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>

namespace btfuse {
namespace {

enum Kind : uint32_t { RING = BT_SEGMENT_RING, STORE = BT_SEGMENT_STORE, DATA = BT_SEGMENT_DATA };

constexpr char kDirectory[] = "/dev/shm/btfuse.";
/** How far below the limit our descriptors go where PRIVATE_FD_MIN is out of reach. */
constexpr long kPrivateFdRoom = 16;

struct Checked {
  uint64_t size;
  uint64_t session_id;
};

/** Is fd a segment of this kind, version and schema, all there, ready, and root's or our own? */
int check(int fd, Kind kind, Checked& out) {
  struct stat status;
  if (kernel(SYS_fstat, fd, &status) < 0) return -EBADF;
  if (!S_ISREG(status.st_mode)) return -EPROTO;
  if (status.st_uid != 0 && status.st_uid != (uint32_t)kernel(SYS_geteuid)) return -EPERM;
  alignas(8) unsigned char head[offsetof(SegmentHeader, prefix)];
  if (kernel(SYS_pread64, fd, head, sizeof head, 0) != (long)sizeof head) return -EPROTO;
  const SegmentHeader* header = (const SegmentHeader*)head;
  if (header->magic != BT_MAGIC || header->version != BT_VERSION) return -EPROTO;
  if (header->schema_hash != BT_SCHEMA_HASH || header->kind != kind) return -EPROTO;
  if (header->size > (uint64_t)status.st_size || header->prefix_length > BT_PREFIX_MAX) {
    return -EPROTO;
  }
  if (kind == RING && header->size != BT_RING_SIZE) return -EPROTO;
  if (header->state == BT_SEGMENT_STATE_BUILDING) return -EAGAIN;
  if (header->state != BT_SEGMENT_STATE_READY) return -ECONNREFUSED;
  out = {header->size, header->session_id};
  return 0;
}

int open_segment(const char* session, const char* suffix, int flags) {
  char path[sizeof kDirectory + BT_SESSION_NAME_MAX + 8];
  uint32_t at = 0;
  for (const char* c = kDirectory; *c != 0; c++) path[at++] = *c;
  for (const char* c = session; *c != 0; c++) {
    if (at >= sizeof kDirectory - 1 + BT_SESSION_NAME_MAX || *c == '/') return -EINVAL;
    path[at++] = *c;
  }
  for (const char* c = suffix; *c != 0; c++) path[at++] = *c;
  path[at] = 0;
  return (int)kernel(SYS_openat, AT_FDCWD, path, flags | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
}

/**
 * Virtual descriptors are duplicates of it. A directory: a read or write that the shim missed fails
 * with EISDIR. One in /proc: so does a name that the shim missed, relative to it.
 */
int open_anchor() {
  long fd = kernel(SYS_openat, AT_FDCWD, "/proc/self/fdinfo", O_RDONLY | O_DIRECTORY);
  if (fd < 0) fd = kernel(SYS_openat, AT_FDCWD, "/", O_RDONLY | O_DIRECTORY);
  return raise(fd);
}

bool is_directory(int fd) {
  struct stat status;
  return fd >= 0 && kernel(SYS_fstat, fd, &status) == 0 && S_ISDIR(status.st_mode);
}

struct Files {
  int ring, store, data;
  Checked ring_checked, store_checked, data_checked;
};

/** The three descriptors belong together. Store and data may be missing where the session grants
 * none. */
int check_all(Files& files) {
  int error = check(files.ring, RING, files.ring_checked);
  if (error == 0 && files.store >= 0) error = check(files.store, STORE, files.store_checked);
  if (error == 0 && files.data >= 0) error = check(files.data, DATA, files.data_checked);
  if (error != 0) return error;
  const uint64_t id = files.ring_checked.session_id;
  if (files.store >= 0 && files.store_checked.session_id != id) return -EPROTO;
  if (files.data >= 0 && files.data_checked.session_id != id) return -EPROTO;
  return 0;
}

int open_all(const char* session, Files& files) {
  files.ring = open_segment(session, ".ring", O_RDWR);
  if (files.ring < 0) return files.ring;
  files.ring = raise(files.ring);
  files.store = raise(open_segment(session, ".store", O_RDONLY));
  files.data = raise(open_segment(session, ".data", O_RDWR));
  const int error = check_all(files);
  if (error == 0) return 0;
  const int opened[] = {files.ring, files.store, files.data};
  for (const int fd : opened) {
    if (fd >= 0) kernel(SYS_close, fd);
  }
  return error;
}

bool failed(const void* address) {
  return (uint64_t)address > -4096ul;
}

int map_all(const Files& files) {
  void* ring =
      (void*)kernel(SYS_mmap, 0, BT_RING_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, files.ring, 0);
  if (failed(ring)) return (int)(long)ring;
  void* store = nullptr;
  if (files.store >= 0) {
    store =
        (void*)kernel(SYS_mmap, 0, files.store_checked.size, PROT_READ, MAP_SHARED, files.store, 0);
    if (failed(store)) {
      kernel(SYS_munmap, ring, BT_RING_SIZE);
      return (int)(long)store;
    }
  }
  client.ring = (unsigned char*)ring;
  client.store = (const unsigned char*)store;
  client.ring_fd = files.ring;
  client.store_fd = files.store;
  client.data_fd = files.data;
  client.store_size = files.store >= 0 ? files.store_checked.size : 0;
  client.data_size = files.data >= 0 ? files.data_checked.size : 0;
  client.prefix = (const char*)ring_segment()->prefix;
  client.prefix_length = ring_segment()->prefix_length;
  return 0;
}

uint64_t stack_here() {
  return (uint64_t)__builtin_frame_address(0);
}

/** The kernel has closed a descriptor of that file: what this process has locked in it goes. */
void close_record_locks(uint32_t description) {
  if (process_at(client.process)->lock_filter == 0) return;
  Slot* slot = begin(thread, stack_here());
  if (slot == nullptr) return;
  slot->opcode = BT_OP_LOCK_CLOSE;
  slot->description = description;
  transact(slot);
  end(thread);
}

/** After an exec: descriptors that were close-on-exec are gone, and so are all memory maps. */
void drop_what_exec_dropped(uint32_t index) {
  Process* process = process_at(index);
  uint32_t* table = fd_table_of(index);
  const uint32_t limit = process->fd_limit < BT_FDS_MAX ? process->fd_limit : BT_FDS_MAX;
  uint32_t open = 0, highest = 0;
  for (uint32_t fd = 0; fd < limit && process->virtual_fds != 0; fd++) {
    if (table[fd] == 0) continue;
    if (kernel(SYS_fcntl, fd, F_GETFD) >= 0) {
      open++;
      highest = fd + 1;
      continue;
    }
    const uint32_t id = __atomic_exchange_n(&table[fd], 0, __ATOMIC_ACQ_REL);
    close_record_locks(id);
    release_reference(thread, id, stack_here());
  }
  process->virtual_fds = open;
  process->fd_limit = highest;
  uint32_t* mappings = mapping_table_of(index);
  const uint32_t mapped =
      process->mapping_limit < BT_MAPPINGS_MAX ? process->mapping_limit : BT_MAPPINGS_MAX;
  for (uint32_t i = 0; i < mapped; i++) {
    if (mappings[i] == 0) continue;
    release_reference(thread, __atomic_exchange_n(&mappings[i], 0, __ATOMIC_ACQ_REL), stack_here());
  }
  process->mapping_limit = 0;
}

/** The record that the old image of this process left us, 0 when there is none. */
uint32_t inherited_record(const Inherited* inherited) {
  if (inherited == nullptr) return 0;
  const uint32_t index = inherited->process;
  if (index == 0 || index >= BT_PROCESSES_MAX) return 0;
  const Process* process = process_at(index);
  const uint32_t state = __atomic_load_n(&process->state, __ATOMIC_ACQUIRE);
  const bool ours = process->pid == client.pid && state == BT_PROCESS_STATE_LIVE;
  const bool fresh = process->pid == 0 && state == BT_PROCESS_STATE_FORKING;
  return ours || fresh ? index : 0;
}

/** The record that the last image of this process had, when others still used its descriptors. */
void give_back_replaced(Process* process) {
  const uint32_t index = process->replaces;
  process->replaces = 0;
  if (index == 0 || index >= BT_PROCESSES_MAX) return;
  Process* old = process_at(index);
  if (old->pid != client.pid ||
      __atomic_load_n(&old->state, __ATOMIC_ACQUIRE) != BT_PROCESS_STATE_LIVE)
    return;
  old->pid = 0;
  __atomic_store_n(&old->state, BT_PROCESS_STATE_EXITED, __ATOMIC_RELEASE);
}

void become(uint32_t index) {
  client.process = index;
  Process* process = process_at(index);
  load_credentials(index);
  process->pid = client.pid;
  client.namespaced = (process->namespaces & BT_NAMESPACE_FOREIGN) != 0;
  if (client.namespaced) show_life(index);
  __atomic_store_n(&process->state, BT_PROCESS_STATE_LIVE, __ATOMIC_RELEASE);
  give_back_replaced(process);
  thread.process = 0;
  btfuse_fd_table = fd_table_of(index);
}

/** Leaves nothing of an earlier life in the words that the server looks at. */
void clear_tables(uint32_t index) {
  Process* process = process_at(index);
  uint32_t* table = fd_table_of(index);
  const uint32_t backed = process->backed / sizeof(uint32_t);
  const uint32_t limit = process->fd_limit < backed ? process->fd_limit : backed;
  for (uint32_t fd = 0; fd < limit && fd < BT_FDS_MAX; fd++) table[fd] = 0;
  for (uint32_t i = 0; i < process->mapping_limit && i < BT_MAPPINGS_MAX; i++) {
    mapping_table_of(index)[i] = 0;
  }
  process->fd_limit = process->mapping_limit = process->virtual_fds = 0;
}

long back(uint32_t process, uint64_t offset, uint64_t length) {
  const uint64_t table = BT_RING_FD_TABLES_OFFSET + (uint64_t)process * BT_RING_FD_TABLE_SIZE;
  long result;
  do {
    result = kernel(SYS_fallocate, client.ring_fd, 0, table + offset, length);
  } while (result == -EINTR);
  return result;
}

}  // namespace

int raise(long fd) {
  if (fd < 0 || fd >= (long)BT_PRIVATE_FD_MIN) return (int)fd;
  long high = kernel(SYS_fcntl, fd, F_DUPFD, (long)BT_PRIVATE_FD_MIN);
  if (high < 0) {
    rlimit limit;
    if (kernel(SYS_prlimit64, 0, RLIMIT_NOFILE, nullptr, &limit) < 0) return (int)fd;
    const long floor = (long)limit.rlim_cur - kPrivateFdRoom;
    if (floor > fd) high = kernel(SYS_fcntl, fd, F_DUPFD, floor);
  }
  if (high < 0) return (int)fd;
  kernel(SYS_close, fd);
  return (int)high;
}

void show_life(uint32_t index) {
  struct flock lock = {};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  lock.l_start = (off_t)(BT_RING_PROCESSES_OFFSET + (uint64_t)index * sizeof(Process));
  lock.l_len = 1;
  kernel(SYS_fcntl, client.ring_fd, F_SETLK, &lock);
}

int attach(const char* session, const Inherited* inherited) {
  Files files = {};
  int error = -EBADF;
  if (inherited != nullptr) {
    files.ring = inherited->ring_fd;
    files.store = inherited->store_fd;
    files.data = inherited->data_fd;
    error = check_all(files);
  }
  if (error != 0) error = open_all(session, files);
  if (error == 0) error = map_all(files);
  if (error != 0) return error;
  client.pid = (uint32_t)kernel(SYS_getpid);
  client.nodes_fd = -1;
  const bool anchored = inherited != nullptr && is_directory(inherited->anchor_fd);
  client.anchor_fd = anchored ? inherited->anchor_fd : open_anchor();
  if (client.anchor_fd < 0) return client.anchor_fd;
  const uint32_t record = inherited_record(inherited);
  if (record != 0) {
    become(record);
    drop_what_exec_dropped(record);
    return 0;
  }
  const uint32_t claimed = claim_process(0);
  if (claimed == 0) return -EAGAIN;
  become(claimed);
  return 0;
}

uint32_t claim_process(uint32_t parent) {
  RingHeader* header = ring_header();
  const uint32_t hint = __atomic_load_n(&header->process_hint, __ATOMIC_RELAXED);
  for (uint32_t i = 0; i < BT_PROCESSES_MAX; i++) {
    const uint32_t index = (hint + i) % BT_PROCESSES_MAX;
    Process* process = process_at(index);
    uint32_t free = BT_PROCESS_STATE_FREE;
    if (index == 0 || __atomic_load_n(&process->state, __ATOMIC_RELAXED) != free) continue;
    if (!__atomic_compare_exchange_n(&process->state, &free, BT_PROCESS_STATE_FORKING, false,
                                     __ATOMIC_ACQ_REL, __ATOMIC_RELAXED)) {
      continue;
    }
    process->parent = parent;
    process->pid = 0;
    process->shares = process->shared = process->replaces = process->namespaces = 0;
    process->cwd = 0;
    process->nodes_fd = 0;
    process->group_count = 0;
    process->lock_filter = 0;
    clear_tables(index);
    if (!back_fd_table(index, BT_PAGE_SIZE)) {
      __atomic_store_n(&process->state, BT_PROCESS_STATE_FREE, __ATOMIC_RELEASE);
      return 0;
    }
    __atomic_store_n(&header->process_hint, (index + 1) % BT_PROCESSES_MAX, __ATOMIC_RELAXED);
    return index;
  }
  return 0;
}

bool back_fd_table(uint32_t index, uint64_t bytes) {
  Process* process = process_at(index);
  constexpr uint64_t kTable = BT_FDS_MAX * sizeof(uint32_t);
  const uint64_t backed = process->backed;
  if (bytes <= backed) return true;
  if (bytes > kTable) return false;
  uint64_t wanted = BT_PAGE_SIZE;
  while (wanted < bytes) wanted *= 2;
  if (wanted > kTable) wanted = kTable;
  // The mapping references have the last page; it is backed with the first.
  if (backed == 0 && back(index, kTable, BT_RING_FD_TABLE_SIZE - kTable) < 0) return false;
  if (back(index, 0, wanted) < 0) return false;
  process->backed = (uint32_t)wanted;
  return true;
}

/** → UMASK_CAPABILITIES when the uids do not say it all. */
static uint32_t load_capabilities(Process* process) {
  struct {
    uint32_t version;
    int pid;
  } header = {0x20080522, 0};  // _LINUX_CAPABILITY_VERSION_3
  struct {
    uint32_t effective, permitted, inheritable;
  } sets[2];
  const uint32_t usual = process->uid == 0 ? BT_FILE_CAPABILITIES : 0;
  if (kernel(SYS_capget, &header, sets) != 0) return 0;
  process->capabilities = sets[0].effective & BT_FILE_CAPABILITIES;
  process->permitted = sets[0].permitted & BT_FILE_CAPABILITIES;
  if (process->capabilities != usual) return BT_UMASK_CAPABILITIES;
  return process->ruid == 0 && process->permitted != BT_FILE_CAPABILITIES ? BT_UMASK_CAPABILITIES
                                                                          : 0;
}

void load_credentials(uint32_t index) {
  Process* process = process_at(index);
  process->uid = (uint32_t)kernel(SYS_setfsuid, -1);
  process->gid = (uint32_t)kernel(SYS_setfsgid, -1);
  process->ruid = (uint32_t)kernel(SYS_getuid);
  process->rgid = (uint32_t)kernel(SYS_getgid);
  const long groups = kernel(SYS_getgroups, (long)BT_GROUPS_MAX, process->groups);
  process->group_count = groups < 0 ? 0 : (uint32_t)groups;
  const long mask = kernel(SYS_umask, 0);
  kernel(SYS_umask, mask);
  process->umask = (uint32_t)mask | load_capabilities(process);
}

void release_reference(Thread& self, uint32_t description, uint64_t user_stack) {
  if (description == 0 || description >= BT_DESCRIPTIONS_MAX) return;
  DescriptionState* state = description_state(description);
  if (__atomic_load_n(&state->references, __ATOMIC_RELAXED) == 1) announce_idle(description);
  if (__atomic_fetch_sub(&state->references, 1, __ATOMIC_SEQ_CST) != 1) return;
  if (may_stay_idle(description)) return;
  Slot* slot = begin(self, user_stack);
  if (slot == nullptr) return;
  slot->opcode = BT_OP_RELEASE;
  slot->description = description;
  // Who watches it finds the event as soon as close has returned.
  if (is_watched(description))
    transact(slot);
  else
    post(slot);
  end(self);
}

}  // namespace btfuse
