/**
 * THE layout of everything that two processes share: segments, records, opcodes, limits.
 *
 * This is the only place where a shared-memory offset is written. `generate.ts` turns it into
 * `layout.gen.h` (C++), `layout.gen.ts` (TypeScript) and the tables of `PROTOCOL.md`.
 *
 * Every field says who writes it: `server`, `client` or `both`. What a client may write, the server
 * treats as hostile: it is read once, copied, checked, then used. All numbers are little-endian.
 * Names are those of POSIX and of linux/fuse.h wherever an operation has a twin there.
 */

export type FieldType = 'u32' | 'i32' | 'u64' | 'i64' | 'bytes';
export type Writer = 'server' | 'client' | 'both';

export interface Field {
  readonly name: string;
  readonly type: FieldType;
  /** Byte offset inside the record. */
  readonly offset: number;
  /** Number of elements; `bytes` is always an array. */
  readonly count?: number;
  readonly writer: Writer;
  readonly doc: string;
}

export interface Struct {
  readonly name: string;
  readonly size: number;
  readonly doc: string;
  readonly fields: readonly Field[];
}

/** A constant that both languages see. */
export interface Constant {
  readonly name: string;
  readonly value: number;
  readonly doc: string;
}

/** Raised whenever src/image writes other bytes for the same object. Part of the image's file name. */
export const IMAGE_VERSION = 93;

/** "BTFIMG1\0" read as a little-endian u64. */
export const IMAGE_MAGIC = 0x0031474d49465442n;

/** Raised whenever any meaning changes, even where no offset does. */
export const VERSION = 1;

/** "BTFUSE1\0" read as a little-endian u64. */
export const MAGIC = 0x0031455355465442n;

const KIB = 1024;
const MIB = 1024 * KIB;

// ---------------------------------------------------------------------------------------------
// Limits and fixed placements
// ---------------------------------------------------------------------------------------------

export const constants = [
  { name: 'PAGE_SIZE', value: 4 * KIB, doc: 'Bytes of a block, a page and a segment header.' },
  { name: 'CACHE_LINE_PAIR', value: 128, doc: 'Hot words stand alone on two cache lines.' },

  { name: 'NAME_MAX', value: 255, doc: 'Longest component of a path, in bytes.' },
  { name: 'PATH_MAX', value: 4096, doc: 'Longest path with its NUL, in bytes.' },
  { name: 'IMAGE_SMALL_STACKS', value: 1, doc: 'ImageTrailer.flags: the program makes system calls with hardly any stack left (Go).' },
  { name: 'IMAGE_LOADED', value: 1, doc: 'Slot.flags of IMAGE: ld.so has loaded the object; without it, a program without a loader is one to be launched.' },
  { name: 'IMAGE_PIECES_MAX', value: 12, doc: 'Runs of pages that an image puts over a text, at most.' },
  { name: 'SYMLOOP_MAX', value: 40, doc: 'Symbolic links followed in one walk, as in the kernel.' },
  { name: 'LINK_MAX', value: 0x7fffffff, doc: 'Most links of one inode; tmpfs has no lower bound.' },
  { name: 'PREFIX_MAX', value: 255, doc: 'Longest mount prefix, in bytes, without NUL.' },
  { name: 'SESSION_NAME_MAX', value: 63, doc: 'Longest session name, in bytes, without NUL.' },
  { name: 'XATTR_NAME_MAX', value: 255, doc: 'Longest name of an extended attribute, namespace and all, in bytes.' },
  { name: 'XATTR_SIZE_MAX', value: 64 * KIB, doc: 'Largest value of an extended attribute, in bytes.' },
  { name: 'XATTR_LIST_MAX', value: 64 * KIB, doc: 'Largest list of names that listxattr gives.' },
  { name: 'GROUPS_MAX', value: 64, doc: 'Supplementary groups that are kept per process.' },

  { name: 'SLOTS_MAX', value: 1024, doc: 'Request slots of a ring: one per client thread.' },
  { name: 'SLOTS_PER_LEAF', value: 32, doc: 'Slots that share one word of the leaf bitmap.' },
  { name: 'LEAVES_MAX', value: 32, doc: 'Words of the leaf bitmap; one summary word covers them.' },
  { name: 'PROCESSES_MAX', value: 1024, doc: 'Client processes of a session; index 0 is never used.' },
  { name: 'LOCKS_MAX', value: 65536, doc: 'File locks of a session, record 0 never used; one more is ENOLCK.' },
  { name: 'LOCK_QUEUED', value: 1, doc: 'Slot.status of a SETLKW that has to wait, and Slot.lock_wake until it shall ask again.' },
  { name: 'DESCRIPTIONS_MAX', value: 65536, doc: 'Open file descriptions; id 0 means "none".' },
  { name: 'FDS_MAX', value: 64512, doc: 'Highest virtual fd + 1 that a process can hold.' },
  { name: 'OPEN_TO_EXECUTE', value: 0x20, doc: 'Flag of OPEN that no O_* has (__FMODE_EXEC of the kernel): the caller wants to execute the file and need not be able to read it.' },
  { name: 'EXEC_COPIES_BYTES', value: 1024 * MIB, doc: 'Most that the server holds of copies of programs that the kernel runs.' },
  { name: 'MAPPINGS_MAX', value: 1024, doc: 'Open file descriptions that the memory maps of a process hold.' },
  { name: 'MAPPING_MORE', value: 0x10000000, doc: 'SETUPMAPPING: the map is there already, no time moves.' },
  { name: 'MAPPING_TOUCH', value: 0x20000000, doc: 'SETUPMAPPING: a page of the range was touched, its holes get blocks.' },
  { name: 'SLAB_SIZE', value: 1 * MIB, doc: 'Payload slab of a slot; larger transfers go in pieces.' },
  { name: 'SLAB_BACKED_MIN', value: 16 * KIB, doc: 'Slab bytes that a client backs when it first claims a slot.' },
  { name: 'INLINE_SIZE', value: 3584, doc: 'Payload bytes inside the slot itself.' },
  { name: 'DIRECT_MIN', value: 32 * KIB, doc: 'Reads and writes from this size on copy straight from or to the data segment.' },
  { name: 'SPARE_MIN', value: 512, doc: 'Writes from this size on, up to a block, may stand in the spare block of the slot.' },
  { name: 'EXTENTS_PER_REPLY', value: 128, doc: 'Most DirectExtent records in one reply.' },

  { name: 'RESOLVE_SHIFT', value: 24, doc: 'OPEN, CREATE, TMPFILE: flags holds RESOLVE_* of openat2 from this bit on.' },
  { name: 'UMASK_CAPABILITIES', value: 0x80000000, doc: 'Slot.umask, Process.umask: the process is a root that lacks capabilities of files, or another user that has some.' },
  { name: 'UMASK_REAL', value: 0x40000000, doc: 'Slot.umask, besides UMASK_CAPABILITIES: an access(2) with the real ids.' },
  { name: 'FILE_CAPABILITIES', value: 0x8820021f, doc: 'Capabilities that the tree asks for: CHOWN, DAC_OVERRIDE, DAC_READ_SEARCH, FOWNER, FSETID, LINUX_IMMUTABLE, SYS_ADMIN, MKNOD, SETFCAP.' },
  { name: 'PRIVATE_FD_MIN', value: 900, doc: "The shim's own descriptors sit at or above this number." },
  { name: 'RENDEZVOUS_SPIN_US', value: 50, doc: 'How long the idle server spins before it parks, by default.' },

  { name: 'ROOT_INO', value: 1, doc: 'Inode of the root directory (FUSE_ROOT_ID).' },

  // Placement of the ring segment. Byte offsets from its start.
  { name: 'RING_LEAVES_OFFSET', value: 8 * KIB, doc: 'Leaf bitmap: LEAVES_MAX words, 64 bytes apart.' },
  { name: 'RING_LEAF_STRIDE', value: 64, doc: 'Bytes from one leaf word to the next.' },
  { name: 'RING_PROCESSES_OFFSET', value: 64 * KIB, doc: 'Process records.' },
  { name: 'RING_WARM_OFFSET', value: 640 * KIB, doc: 'Idle descriptions by inode: WARM_MAX words holding description ids. Hints.' },
  { name: 'WARM_MAX', value: 4096, doc: 'Words of that table; inode i has word i % WARM_MAX.' },
  { name: 'RING_OBJECTS_OFFSET', value: 704 * KIB, doc: 'Loaded objects that need no image: OBJECTS_MAX words, each the first eight bytes of a build-id with the lowest bit set; 0: free. Written by the server.' },
  { name: 'OBJECTS_MAX', value: 4096, doc: 'Words of that table. A build-id is looked for from word (its bytes 4 to 7) % OBJECTS_MAX on.' },
  { name: 'OBJECTS_PROBES', value: 16, doc: 'Words that are looked at.' },
  { name: 'HOLDER_PROCESS_BITS', value: 10, doc: 'Low bits of DescriptionState.holder: the process index; above them its generation.' },
  { name: 'REFERENCES_FREED', value: 0x80000000, doc: 'DescriptionState.references of a description that the server has freed: no longer to be revived.' },
  { name: 'RING_SLOTS_OFFSET', value: 1 * MIB, doc: 'Slots.' },
  { name: 'RING_DESCRIPTIONS_OFFSET', value: 8 * MIB, doc: 'DescriptionState records.' },
  { name: 'RING_QUERIED_OFFSET', value: 12 * MIB, doc: 'Per inode (ino % QUERIED_MAX) one byte: 1 once somebody was told its time stamps, 0 when a write is about to renew them.' },
  { name: 'QUERIED_MAX', value: 65536, doc: 'Bytes of that table.' },
  { name: 'RING_FD_TABLES_OFFSET', value: 16 * MIB, doc: 'Per process: FDS_MAX + MAPPINGS_MAX words holding description ids.' },
  { name: 'RING_FD_TABLE_SIZE', value: 256 * KIB, doc: 'Bytes of one fd table.' },
  { name: 'RING_SLABS_OFFSET', value: 512 * MIB, doc: 'Payload slabs, SLAB_SIZE each.' },
  { name: 'RING_SIZE', value: 1536 * MIB, doc: 'Virtual size of the ring segment (sparse).' },

  { name: 'SUPERBLOCK_OFFSET', value: 4 * KIB, doc: 'Superblock in the store segment.' },
  { name: 'STORE_TABLES_OFFSET', value: 8 * KIB, doc: 'First table of the store segment; see storeLayout().' },
  { name: 'DATA_BLOCKS_OFFSET', value: 4 * KIB, doc: 'Data block 1 begins here: block b is at b * PAGE_SIZE; block 0 is the header.' },
] as const satisfies readonly Constant[];

// ---------------------------------------------------------------------------------------------
// Named values
// ---------------------------------------------------------------------------------------------

export const segmentKinds = { STORE: 1, DATA: 2, RING: 3 } as const;

/** SegmentHeader.state */
export const segmentStates = { BUILDING: 0, READY: 1, STOPPED: 2 } as const;

/** Slot.state. Who moves it: client IDLE→REQUEST, REQUEST→SLEEPING, DONE→IDLE; server →DONE. */
export const slotStates = { IDLE: 0, REQUEST: 1, SLEEPING: 2, DONE: 3 } as const;

/** Process.state. FORKING: filled by the parent, the child has not run yet. */
export const processStates = { FREE: 0, FORKING: 1, LIVE: 2, EXITED: 3 } as const;

/** Opcodes below 4096 are those of linux/fuse.h; the rest are ours. */
export const opcodes = {
  LOOKUP: 1,
  GETATTR: 3,
  SETATTR: 4,
  READLINK: 5,
  SYMLINK: 6,
  MKNOD: 8,
  MKDIR: 9,
  UNLINK: 10,
  RMDIR: 11,
  LINK: 13,
  OPEN: 14,
  READ: 15,
  WRITE: 16,
  STATFS: 17,
  RELEASE: 18,
  FSYNC: 20,
  SETXATTR: 21,
  GETXATTR: 22,
  LISTXATTR: 23,
  REMOVEXATTR: 24,
  GETLK: 31,
  SETLK: 32,
  SETLKW: 33,
  ACCESS: 34,
  CREATE: 35,
  READDIR: 28,
  FALLOCATE: 43,
  RENAME2: 45,
  LSEEK: 46,
  COPY_FILE_RANGE: 47,
  SETUPMAPPING: 48,
  SYNCFS: 50,
  TMPFILE: 51,
  NOOP: 4096,
  EXIT: 4097,
  IMAGE: 4098,
  PATH: 4099,
  READ_DIRECT: 4100,
  WRITE_PREPARE: 4101,
  WRITE_COMMIT: 4102,
  TOUCH: 4103,
  BIND: 4120,
  ADDRESS: 4121,
  PEER: 4122,
  TOKEN: 4123,
  TAKE: 4124,
  ADOPT: 4125,
  EXEC: 4150,
  EXEC_KEEP: 4151,
  WATCH: 4140,
  OPEN_HANDLE: 4170,
  LOCK_CANCEL: 4110,
  LOCK_CLOSE: 4111,
} as const;

/** What each operation takes and gives; becomes a table of PROTOCOL.md. */
export const opcodeDocs: Readonly<Record<keyof typeof opcodes, string>> = {
  LOOKUP: 'stat, lstat, statx of a path. flags: AT_SYMLINK_NOFOLLOW, AT_EMPTY_PATH (then `description` itself). → attr.',
  GETATTR: 'fstat. description → attr.',
  SETATTR: 'chmod, chown, utimensat, truncate. path (flags AT_SYMLINK_NOFOLLOW) or, with AT_EMPTY_PATH and no path, description. valid says which of mode, set_uid, set_gid, size, atime, mtime. FATTR_FH: the caller opened it for writing (ftruncate): no permission check for size. → attr.',
  READLINK: 'readlink. path (AT_EMPTY_PATH: description) → payload: target; result: its full length.',
  SYMLINK: 'symlink. path: the new name; path2: target.',
  MKNOD: 'mknod. path, mode (type and permission, umask not applied), rdev.',
  MKDIR: 'mkdir. path, mode.',
  UNLINK: 'unlink. path.',
  RMDIR: 'rmdir. path.',
  LINK: 'link. path (from description): old; path2 (from description2): new. flags: AT_SYMLINK_FOLLOW, AT_EMPTY_PATH.',
  OPEN: 'open without O_CREAT. path, flags (O_*). → description.',
  READ: 'read, pread. description, size ≤ SLAB_SIZE, offset, or REQUEST_POSITION to use and advance the description offset. → payload, result: bytes.',
  WRITE: 'write, pwrite. description, payload, offset or REQUEST_POSITION; O_APPEND of the description is honoured. With REQUEST_SPARE the bytes stand in block Slot.spare of the data segment. → result: bytes; offset: the file position after; spare.',
  STATFS: 'statfs, fstatfs. path or (AT_EMPTY_PATH) description → payload: StatfsReply.',
  RELEASE: 'Last reference to `description` is gone, and that matters: it has locks or maps, or its file no name. Posted with REQUEST_NO_REPLY: nobody waits.',
  FSYNC: 'fsync, fdatasync. description.',
  SETXATTR: 'setxattr. path (flags AT_SYMLINK_NOFOLLOW) or, with AT_EMPTY_PATH and no path, description; path2: the name; behind it in the payload `size` bytes of value; mode: XATTR_CREATE, XATTR_REPLACE.',
  GETXATTR: 'getxattr. The file as SETXATTR; path2: the name; size: the room of the caller, 0 asks for the length only. → result: length of the value; payload: the value when size is not 0. ERANGE when it does not fit.',
  LISTXATTR: 'listxattr. The file as SETXATTR; size as GETXATTR. → result: length of the list; payload: names, each with its NUL.',
  REMOVEXATTR: 'removexattr. The file as SETXATTR; path2: the name.',
GETLK: 'F_GETLK, F_OFD_GETLK. description, lock_start, lock_end, lock_type (F_UNLCK, of LK_OFD only: any lock of our own), flags: LK_OFD. → the first lock in the way in lock_start, lock_end, lock_type, lock_pid (-1: not of a process); lock_type F_UNLCK: none.',
  SETLK: 'F_SETLK, F_OFD_SETLK, flock with LOCK_NB. description, lock_start, lock_end, lock_type (F_RDLCK, F_WRLCK, F_UNLCK), flags: 0 (the lock is of the process), LK_OFD or LK_FLOCK (of the description). EAGAIN while another lock is in the way; a flock held before is then gone.',
  SETLKW: 'As SETLK, but waits: status LOCK_QUEUED means that the client sleeps while lock_wake is LOCK_QUEUED and then sends the same request again. Any other request of the slot ends the wait. EDEADLK as in fcntl(2).',
  ACCESS: 'access, faccessat2. path, mode (R_OK…); uid and gid are those to check with. flags: AT_SYMLINK_NOFOLLOW, AT_EMPTY_PATH.',
  CREATE: 'open with O_CREAT. As OPEN, with mode and umask.',
  READDIR: 'getdents64. description; size: bytes wanted ≤ SLAB_SIZE → payload: linux_dirent64 records; the description offset is advanced.',
  FALLOCATE: 'fallocate. description, mode, offset, size.',
  RENAME2: 'rename, renameat2. path (from description) → path2 (from description2); flags: RENAME_NOREPLACE, RENAME_EXCHANGE.',
  LSEEK: 'lseek of SEEK_END, SEEK_DATA, SEEK_HOLE (and SEEK_SET, SEEK_CUR, which clients may do themselves). description, offset, mode: whence. Sets the description offset. → result.',
  COPY_FILE_RANGE: 'copy_file_range, sendfile between two tree files. description, offset → description2, offset2, size; a REQUEST_POSITION / REQUEST_POSITION2 flag uses and advances the description offset; flags: COPY_OVERLAPPING for sendfile. → result: bytes.',
  SETUPMAPPING: 'mmap. description, offset, size (page multiples), flags: PROT_* in mode, MAP_SHARED/MAP_PRIVATE in flags, with MAPPING_MORE when the map is there already and MAPPING_TOUCH when its holes must have blocks. The blocks are allocated, contiguous runs as few as possible; holes that are very large stay (data_offset 0) without MAPPING_TOUCH. → DirectExtent records in the payload; a range past the end of file is not covered.',
  SYNCFS: 'syncfs, sync.',
  TMPFILE: 'open with O_TMPFILE. path: the directory, mode, umask, flags. → description.',
  NOOP: 'Nothing: measures the ring.',
  EXIT: 'The process ends or replaces its image by one without the shim: drop all it holds. REQUEST_NO_REPLY.',
  IMAGE: 'Prepare the image of an ELF object (payload: its path on the host); answered when the file is in the image directory. → payload: path of the image.',
  PATH: 'description → payload: path from the root of the tree ("/a/b"); reply_offset: 1 when it is the last one of a file that has no name any more, or ENOENT when nobody knows it. For getcwd, /proc/self/fd/N.',
  READ_DIRECT: 'As READ, but → payload: DirectExtent records to copy from the data segment, result: bytes. The blocks stay readable until the client stores 0 to Slot.grant.',
  WRITE_PREPARE: 'description, offset or REQUEST_POSITION, size → DirectExtent records to copy to; offset: where the write will begin. Invisible until WRITE_COMMIT where the blocks are new.',
  WRITE_COMMIT: 'Ends the WRITE_PREPARE of the same slot; size: bytes really written (0 abandons). → result, offset as WRITE.',
  OPEN_HANDLE: 'open_by_handle_at. description: any file of the tree; offset: inode number, size: its generation; flags. Only for uid 0; ESTALE when that inode is gone. → description.',
  LOCK_CANCEL: 'Nobody waits any more for the SETLKW of this slot: its sleep was interrupted.',
  LOCK_CLOSE: 'The process has closed a descriptor of the file of `description`, on which it may have record locks (Process.lock_filter): they go.',
  WATCH: 'inotify_add_watch. path, mode: IN_ONLYDIR and IN_DONT_FOLLOW count. → payload: name of the shadow of that inode in the nodes directory, which the client then watches (ADR 17).',
  TOUCH: 'Before a client overwrites bytes of the file by itself (adr 0006). description, open for writing: mtime and ctime become now, set-id bits go as with WRITE.',
  EXEC: 'execve. description. ETXTBSY when somebody holds it open for writing. → result: the descriptor of the server that holds a copy of the file for the kernel to run, -1 for none; reply_offset: its st_ino.',
  EXEC_KEEP: 'The client has made such a copy since its EXEC. description, size: its descriptor, offset: its pid. The server keeps it if the file cannot have changed.',
  BIND: 'bind of a Unix socket. path: its name, mode (umask not applied); path2: the address as the program wrote it. Makes the inode; the client then binds its socket to the node of that inode (ADR 13). → attr.',
  ADDRESS: 'ino in size, generation in offset: the address that a socket was bound to → payload: as BIND got it.',
  PEER: 'connect and send to a Unix socket. path: write permission and type are checked, ECONNREFUSED when it is no socket. → attr.',
  TOKEN: 'description goes into an SCM_RIGHTS message: from now on it lives while some token of it is locked in the token file, whoever holds it.',
  TAKE: 'The description (generation in size) of a token that came with a message → one reference, the asking client\'s.',
  ADOPT: 'A descriptor of the node with this inode number of the host (size) came with a message; flags: its O_* → description.',
};

/** Request.request_flags */
export const requestFlags = {
  /** Read and advance the offset of `description`. */
  REQUEST_POSITION: 1,
  /** The same of `description2`. */
  REQUEST_POSITION2: 2,
  /** The payload stands in the slab, not in the slot. */
  REQUEST_SLAB: 4,
  /** Nobody waits: the server sets the slot to IDLE when it is done. */
  REQUEST_NO_REPLY: 8,
  /** READ: readv and its kin, which inotify tells of even where they bring nothing. */
  REQUEST_VECTOR: 32,
  /** WRITE: the bytes stand at the start of data block Slot.spare, not in a payload. */
  REQUEST_SPARE: 16,
} as const;

/** Reply.reply_flags */
export const replyFlags = {
  /** The payload stands in the slab. */
  REPLY_SLAB: 4,
  /** The walk of path left the tree by ".." at the root; payload: the rest (no leading slash). */
  REPLY_CROSSED_UP: 16,
  /** The walk of path met an absolute symlink out of the tree; payload: the absolute path. */
  REPLY_CROSSED_ABSOLUTE: 32,
  /** One of the two above happened to path2 rather than to path. */
  REPLY_CROSSED_SECOND: 64,
} as const;

/** Request.valid of SETATTR: the values of linux/fuse.h. */
export const setattrValid = {
  FATTR_MODE: 1,
  FATTR_UID: 2,
  FATTR_GID: 4,
  FATTR_SIZE: 8,
  FATTR_ATIME: 16,
  FATTR_MTIME: 32,
  FATTR_FH: 64,
  FATTR_ATIME_NOW: 128,
  FATTR_MTIME_NOW: 256,
  /** Ours, and alone: mode holds FS_*_FL (chattr). */
  FATTR_INODE_FLAGS: 4096,
} as const;

/** Slot.flags of COPY_FILE_RANGE */
export const copyFlags = {
  /** The ranges may meet in one file. */
  COPY_OVERLAPPING: 1,
} as const;

/** Request.flags of GETLK, SETLK, SETLKW. LK_FLOCK has the value of FUSE_LK_FLOCK. */
export const lockFlags = {
  LK_FLOCK: 1,
  LK_OFD: 2,
} as const;

/** Lock.kind */
export const lockKinds = { FREE: 0, POSIX: 1, OFD: 2, FLOCK: 3 } as const;

/** Slot.grant */
export const slotGrants = { NONE: 0, SERVER: 1, PINNED: 2 } as const;

/** Process.namespaces: in a pid namespace that is not the server's, a lock on the record tells that the process lives. */
export const processNamespaces = { FOREIGN: 1, FOREIGN_CHILDREN: 2 } as const;

/** Inode.flags */
export const inodeFlags = {
  /** A description maps it: blocks stay with the inode until the last such one is released. */
  INODE_MAPPED: 1,
  /** Made by O_TMPFILE without O_EXCL: link may give it its first name. */
  INODE_LINKABLE: 2,
  /** A watch of inotify may want to know what happens to it, so nothing may happen without the server (ADR 17). */
  INODE_WATCHED: 16,
  /** Something in the nodes directory of the session stands for it: a fifo or a bound socket (ADR 13). */
  INODE_NODE: 64,
  /** fallocate gave it blocks that nobody has written yet: they are holes to SEEK_DATA. */
  INODE_UNWRITTEN: 128,
  /** It has an access ACL: its first Xattr record. The group bits of the mode are the mask then. */
  INODE_ACL: 4,
  /** A directory with a default ACL, which what is made in it inherits. */
  INODE_DEFAULT_ACL: 8,
  /** It has security.capability, which the next write takes away. */
  INODE_CAPABILITY: 256,
  /** It has an extended attribute that is no ACL. */
  INODE_XATTRS: 512,
  /** chattr +i: nobody changes, renames, links or removes it; of a directory, its entries. */
  INODE_IMMUTABLE: 4096,
  /** chattr +a: it only grows. */
  INODE_APPEND: 8192,
  /** chattr +d: kept for dump(8). What is made in a directory inherits this one and the next. */
  INODE_NODUMP: 16384,
  /** chattr +A: reads leave atime as it is. */
  INODE_NOATIME: 32768,
} as const;

/** RingHeader.special */
export const specialFlags = {
  /** A Unix socket was bound in the tree. */
  SPECIAL_BOUND: 1,
  /** Descriptors of the tree were put into a message. */
  SPECIAL_RIGHTS: 2,
} as const;

/** Xattr.kind: the records of an inode are in this order, those of kind PLAIN by name, descending. */
export const xattrKinds = { ACCESS_ACL: 1, DEFAULT_ACL: 2, PLAIN: 3 } as const;

/** Description.state */
export const descriptionStates = { FREE: 0, OPEN: 1 } as const;

// ---------------------------------------------------------------------------------------------
// Records
// ---------------------------------------------------------------------------------------------

const segmentHeader: Struct = {
  name: 'SegmentHeader',
  size: 1024,
  doc: 'At the start of every segment. Written once by the server before `state` becomes READY; checked at attach by both sides.',
  fields: [
    { name: 'magic', type: 'u64', offset: 0, writer: 'server', doc: 'MAGIC.' },
    { name: 'version', type: 'u32', offset: 8, writer: 'server', doc: 'VERSION.' },
    { name: 'kind', type: 'u32', offset: 12, writer: 'server', doc: 'SEGMENT_*.' },
    { name: 'schema_hash', type: 'u64', offset: 16, writer: 'server', doc: 'First 8 bytes of the SHA-256 of this schema.' },
    { name: 'size', type: 'u64', offset: 24, writer: 'server', doc: 'Virtual size in bytes.' },
    { name: 'session_id', type: 'u64', offset: 32, writer: 'server', doc: 'Random; the same in the segments of one session.' },
    { name: 'created_ns', type: 'u64', offset: 40, writer: 'server', doc: 'CLOCK_REALTIME.' },
    { name: 'server_pid', type: 'u32', offset: 48, writer: 'server', doc: 'Process that serves.' },
    { name: 'uid', type: 'u32', offset: 52, writer: 'server', doc: 'Owner of the session.' },
    { name: 'state', type: 'u32', offset: 56, writer: 'server', doc: 'BUILDING, READY, STOPPED. A futex word.' },
    { name: 'device', type: 'u32', offset: 60, writer: 'server', doc: 'Minor number that stat gives as st_dev (major 0).' },
    { name: 'prefix_length', type: 'u32', offset: 64, writer: 'server', doc: 'Bytes of prefix.' },
    { name: 'name_length', type: 'u32', offset: 68, writer: 'server', doc: 'Bytes of name.' },
    { name: 'covers_host', type: 'u32', offset: 72, writer: 'server', doc: '1: something stands at prefix on the host too, so a symlink of the host into the tree would lead there instead.' },
    { name: 'prefix', type: 'bytes', offset: 128, count: 256, writer: 'server', doc: 'Absolute, normal, no trailing slash; NUL-terminated.' },
    { name: 'name', type: 'bytes', offset: 384, count: 64, writer: 'server', doc: 'Session name; NUL-terminated.' },
    { name: 'nodes_device', type: 'u64', offset: 448, writer: 'server', doc: 'Ring only. st_dev of the nodes directory (ADR 13).' },
    { name: 'nodes_inode', type: 'u64', offset: 456, writer: 'server', doc: 'Its st_ino; 0: the session has none.' },
    { name: 'token_inode', type: 'u64', offset: 464, writer: 'server', doc: 'st_ino of the token file in it, which stands for descriptors in SCM_RIGHTS messages.' },
    { name: 'nodes_secret', type: 'bytes', offset: 472, count: 40, writer: 'server', doc: 'Name of the nodes directory in /dev/shm/btfuse-nodes.<session>; NUL-terminated.' },
  ],
};

const ringHeader: Struct = {
  name: 'RingHeader',
  size: 4096,
  doc: 'Second page of the ring segment: the hot words, each alone on two cache lines (D4).',
  fields: [
    { name: 'bell', type: 'u32', offset: 0, writer: 'both', doc: 'Eventcount: +1 for every wake-up of a parked server. Futex word.' },
    { name: 'parked', type: 'u32', offset: 128, writer: 'server', doc: '1 while the server sleeps or is about to. Only the server clears it.' },
    { name: 'summary', type: 'u32', offset: 256, writer: 'both', doc: 'Bit l: leaf word l may hold bits. Set after the leaf, cleared by exchange before the leaf is read.' },
    { name: 'stop', type: 'u32', offset: 384, writer: 'server', doc: '1: the server ends; clients get EIO.' },
    { name: 'server_cpu', type: 'u32', offset: 388, writer: 'server', doc: 'CPU that the serving thread was last seen on.' },
    { name: 'server_tid', type: 'u32', offset: 392, writer: 'server', doc: 'Kernel thread id of the serving thread.' },
    { name: 'spin_us', type: 'u32', offset: 396, writer: 'server', doc: 'How long the idle server spins.' },
    { name: 'heartbeat', type: 'u32', offset: 400, writer: 'server', doc: '+1 per batch served.' },
    { name: 'unknown_calls', type: 'u32', offset: 512, writer: 'client', doc: 'Calls under the prefix that the shim answered with ENOSYS.' },
    { name: 'slots_full', type: 'u32', offset: 516, writer: 'client', doc: 'Times a thread found no free slot.' },
    { name: 'slot_hint', type: 'u32', offset: 520, writer: 'client', doc: 'Where to look for a free slot first.' },
    { name: 'process_hint', type: 'u32', offset: 524, writer: 'client', doc: 'Where to look for a free process record first.' },
    { name: 'slots_high', type: 'u32', offset: 528, writer: 'client', doc: 'No slot at or above this was ever claimed: how far pins have to be looked for. Only ever raised.' },
    { name: 'locks', type: 'u32', offset: 640, writer: 'server', doc: 'File locks held in the session: while there are any, a process that ends waits until its own are gone.' },
    { name: 'life', type: 'u32', offset: 704, writer: 'both', doc: 'Robust futex word: thread id of the serving thread. When that dies the kernel sets FUTEX_OWNER_DIED and wakes one of those who wait (and have set FUTEX_WAITERS).' },
    { name: 'special', type: 'u32', offset: 768, writer: 'both', doc: 'SPECIAL_*: what this session has seen so far, so that socket calls of all others cost nothing. Bits are only ever set.' },
    { name: 'watches', type: 'u32', offset: 896, writer: 'server', doc: 'Inodes that have a shadow for inotify: while there are any, a process that ends waits until its files are closed.' },
  ],
};

const processRecord: Struct = {
  name: 'Process',
  size: 512,
  doc: 'One client process. Claimed by CAS of state FREE→FORKING; freed by the server only, when the process is gone.',
  fields: [
    { name: 'state', type: 'u32', offset: 0, writer: 'both', doc: 'FREE, FORKING, LIVE, EXITED.' },
    { name: 'pid', type: 'u32', offset: 4, writer: 'client', doc: 'Kernel pid in the namespace of the server; 0 while FORKING.' },
    { name: 'parent', type: 'u32', offset: 8, writer: 'client', doc: 'Process index of the parent, 0 for none; decides FORKING records of a dead parent.' },
    { name: 'generation', type: 'u32', offset: 12, writer: 'server', doc: '+1 whenever the record is freed.' },
    { name: 'cwd', type: 'u32', offset: 16, writer: 'client', doc: 'Description id of the current directory in the tree, 0 when it is on the host.' },
    { name: 'umask', type: 'u32', offset: 20, writer: 'client', doc: 'File mode creation mask; above it UMASK_CAPABILITIES when uid 0 does not say all about the capabilities.' },
    { name: 'uid', type: 'u32', offset: 24, writer: 'client', doc: 'fsuid.' },
    { name: 'gid', type: 'u32', offset: 28, writer: 'client', doc: 'fsgid.' },
    { name: 'group_count', type: 'u32', offset: 32, writer: 'client', doc: 'Valid entries of groups.' },
    { name: 'fd_limit', type: 'u32', offset: 36, writer: 'client', doc: 'No virtual fd is ≥ this: how far the fd table has to be looked at.' },
    { name: 'mapping_limit', type: 'u32', offset: 40, writer: 'client', doc: 'The same for mapping references.' },
    { name: 'backed', type: 'u32', offset: 44, writer: 'client', doc: 'Bytes of the fd table that fallocate has backed; survives reuse of the record.' },
    { name: 'ruid', type: 'u32', offset: 48, writer: 'client', doc: 'Real uid (access(2)).' },
    { name: 'rgid', type: 'u32', offset: 52, writer: 'client', doc: 'Real gid.' },
    { name: 'virtual_fds', type: 'u32', offset: 56, writer: 'client', doc: 'Virtual fds now open; 0 lets close and dup skip the table.' },
    { name: 'groups', type: 'u32', offset: 64, count: 64, writer: 'client', doc: 'Supplementary groups.' },
    { name: 'lock_filter', type: 'u64', offset: 320, writer: 'server', doc: 'Bit ino % 64 for every inode on which the process has record locks: a close of such a file has to be told (LOCK_CLOSE). Survives an exec.' },
    { name: 'capabilities', type: 'u32', offset: 328, writer: 'client', doc: 'Effective capabilities 0 to 31.' },
    { name: 'permitted', type: 'u32', offset: 332, writer: 'client', doc: 'Permitted ones, which access(2) checks with when the real uid is 0.' },
    { name: 'nodes_fd', type: 'u32', offset: 336, writer: 'client', doc: 'Descriptor of the nodes directory + 1, kept over execve; 0: not opened yet.' },
    { name: 'shares', type: 'u32', offset: 392, writer: 'client', doc: 'Index of the record whose fd table this process uses (CLONE_FILES), which is kept as long as this one; 0: its own.' },
    { name: 'shared', type: 'u32', offset: 396, writer: 'client', doc: '1: others have used, and may still use, this fd table: an end of this process says nothing about it.' },
    { name: 'replaces', type: 'u32', offset: 400, writer: 'client', doc: 'Index of the record that the program before this one had; the next image of this process gives it back.' },
    { name: 'namespaces', type: 'u32', offset: 404, writer: 'client', doc: 'NAMESPACE_*.' },
  ],
};

/** Same fields, same offsets, in Inode and in the reply, so that a copy is a copy. */
const attributeFields: readonly Field[] = [
  { name: 'mode', type: 'u32', offset: 8, writer: 'server', doc: 'S_IF* and permission bits.' },
  { name: 'nlink', type: 'u32', offset: 12, writer: 'server', doc: 'Hard links.' },
  { name: 'uid', type: 'u32', offset: 16, writer: 'server', doc: 'Owner.' },
  { name: 'gid', type: 'u32', offset: 20, writer: 'server', doc: 'Group.' },
  { name: 'rdev', type: 'u32', offset: 24, writer: 'server', doc: 'Device number of a device node.' },
  { name: 'flags', type: 'u32', offset: 28, writer: 'server', doc: 'INODE_*.' },
  { name: 'size', type: 'u64', offset: 32, writer: 'server', doc: 'Bytes; for directories 20 per entry like tmpfs.' },
  { name: 'blocks', type: 'u64', offset: 40, writer: 'server', doc: 'Allocated 4 KiB blocks (st_blocks is eight times this).' },
  { name: 'atime', type: 'i64', offset: 48, writer: 'server', doc: 'Seconds.' },
  { name: 'mtime', type: 'i64', offset: 56, writer: 'server', doc: 'Seconds.' },
  { name: 'ctime', type: 'i64', offset: 64, writer: 'server', doc: 'Seconds.' },
  { name: 'btime', type: 'i64', offset: 72, writer: 'server', doc: 'Seconds.' },
  { name: 'atimensec', type: 'u32', offset: 80, writer: 'server', doc: 'Nanoseconds.' },
  { name: 'mtimensec', type: 'u32', offset: 84, writer: 'server', doc: 'Nanoseconds.' },
  { name: 'ctimensec', type: 'u32', offset: 88, writer: 'server', doc: 'Nanoseconds.' },
  { name: 'btimensec', type: 'u32', offset: 92, writer: 'server', doc: 'Nanoseconds.' },
];

const attributes: Struct = {
  name: 'Attributes',
  size: 96,
  doc: 'What stat tells. The first 96 bytes of an Inode record; words 0 and 1 hold ino and generation in a reply.',
  fields: [
    { name: 'ino', type: 'u32', offset: 0, writer: 'server', doc: 'Inode number (a reply only; in the table this word is the seqlock).' },
    { name: 'generation', type: 'u32', offset: 4, writer: 'server', doc: 'Incarnation of the inode number.' },
    ...attributeFields,
  ],
};

const inode: Struct = {
  name: 'Inode',
  size: 128,
  doc: 'Inode table, indexed by inode number; number 0 is never used. Free records are chained through `link`.',
  fields: [
    { name: 'sequence', type: 'u32', offset: 0, writer: 'server', doc: 'Seqlock: odd while the record changes.' },
    { name: 'generation', type: 'u32', offset: 4, writer: 'server', doc: '+1 whenever the number is freed.' },
    ...attributeFields,
    { name: 'references', type: 'u32', offset: 96, writer: 'server', doc: 'Open descriptions; an unlinked inode lives while this is not 0.' },
    { name: 'maps', type: 'u32', offset: 100, writer: 'server', doc: 'Of these, the ones that map it.' },
    { name: 'link', type: 'u32', offset: 104, writer: 'server', doc: 'Directory: parent inode. Symlink: first Text record. Anything else without a name: Text of the path that it had last, with a NUL. Free: next free inode.' },
    { name: 'root', type: 'u32', offset: 108, writer: 'server', doc: 'Directory: root dentry of the ordered tree. File: root Extent of the ordered tree (beyond the inline one).' },
    { name: 'extent_file_block', type: 'u32', offset: 112, writer: 'server', doc: 'File: inline extent, first file block. Directory: number of entries.' },
    { name: 'extent_data_block', type: 'u32', offset: 116, writer: 'server', doc: 'File: inline extent, first data block. Directory: next cookie.' },
    { name: 'extent_count', type: 'u32', offset: 120, writer: 'server', doc: 'File: inline extent, blocks; 0 for none. Directory: dentry that names it (for getcwd), or Text as for link once it is removed.' },
    { name: 'xattr', type: 'u32', offset: 124, writer: 'server', doc: 'First extended attribute, 0 for none.' },
  ],
};

const dentry: Struct = {
  name: 'Dentry',
  size: 128,
  doc: 'Dentry table; index 0 means none. In a hash chain by (parent, hash) and in the ordered tree of its directory by cookie. Free records are chained through hash_next.',
  fields: [
    { name: 'sequence', type: 'u32', offset: 0, writer: 'server', doc: 'Seqlock: odd while the record changes.' },
    { name: 'parent', type: 'u32', offset: 4, writer: 'server', doc: 'Inode of the directory, 0 when free.' },
    { name: 'ino', type: 'u32', offset: 8, writer: 'server', doc: 'Inode that it names.' },
    { name: 'hash', type: 'u32', offset: 12, writer: 'server', doc: 'hash_name(parent, name).' },
    { name: 'hash_next', type: 'u32', offset: 16, writer: 'server', doc: 'Next dentry of the bucket.' },
    { name: 'left', type: 'u32', offset: 20, writer: 'server', doc: 'Ordered tree.' },
    { name: 'right', type: 'u32', offset: 24, writer: 'server', doc: 'Ordered tree.' },
    { name: 'up', type: 'u32', offset: 28, writer: 'server', doc: 'Ordered tree: parent node.' },
    { name: 'balance', type: 'u32', offset: 32, writer: 'server', doc: 'Ordered tree: colour or height.' },
    { name: 'cookie', type: 'u32', offset: 36, writer: 'server', doc: 'Position in the directory (what d_off of the entry before gives): ascending in order of creation, never reused, from 3 on.' },
    { name: 'name_length', type: 'u32', offset: 40, writer: 'server', doc: 'Bytes of the name.' },
    { name: 'text', type: 'u32', offset: 44, writer: 'server', doc: 'Text record with the bytes of the name past the inline ones.' },
    { name: 'name', type: 'bytes', offset: 48, count: 80, writer: 'server', doc: 'First bytes of the name, not terminated.' },
  ],
};

const text: Struct = {
  name: 'Text',
  size: 256,
  doc: 'Long names and symlink targets, in chains. Free records are chained through next.',
  fields: [
    { name: 'next', type: 'u32', offset: 0, writer: 'server', doc: 'Next record, 0 for the last.' },
    { name: 'bytes', type: 'bytes', offset: 4, count: 252, writer: 'server', doc: 'Bytes; the length is known to the owner.' },
  ],
};

const extent: Struct = {
  name: 'Extent',
  size: 32,
  doc: 'A run of data blocks of one file, in the ordered tree of its inode by file_block. Free records are chained through left.',
  fields: [
    { name: 'file_block', type: 'u32', offset: 0, writer: 'server', doc: 'First block in the file.' },
    { name: 'data_block', type: 'u32', offset: 4, writer: 'server', doc: 'First block in the data segment.' },
    { name: 'count', type: 'u32', offset: 8, writer: 'server', doc: 'Blocks.' },
    { name: 'left', type: 'u32', offset: 12, writer: 'server', doc: 'Ordered tree.' },
    { name: 'right', type: 'u32', offset: 16, writer: 'server', doc: 'Ordered tree.' },
    { name: 'up', type: 'u32', offset: 20, writer: 'server', doc: 'Ordered tree: parent node.' },
    { name: 'balance', type: 'u32', offset: 24, writer: 'server', doc: 'Ordered tree: colour or height.' },
  ],
};

const xattr: Struct = {
  name: 'Xattr',
  size: 128,
  doc: 'An extended attribute, or an ACL. In the chain of its inode. Free records are chained through next.',
  fields: [
    { name: 'next', type: 'u32', offset: 0, writer: 'server', doc: 'Next attribute of the inode.' },
    { name: 'kind', type: 'u32', offset: 4, writer: 'server', doc: 'XATTR_KIND_*.' },
    { name: 'name_length', type: 'u32', offset: 8, writer: 'server', doc: 'Bytes of the name, 0 for an ACL.' },
    { name: 'value_length', type: 'u32', offset: 12, writer: 'server', doc: 'Bytes of the value; of an ACL: 8 per entry (tag, permissions, id, as in system.posix_acl_*, without the header).' },
    { name: 'text', type: 'u32', offset: 16, writer: 'server', doc: 'Text record with what does not fit here.' },
    { name: 'bytes', type: 'bytes', offset: 20, count: 108, writer: 'server', doc: 'The name and, right behind it, the value: the first bytes.' },
  ],
};

const description: Struct = {
  name: 'Description',
  size: 32,
  doc: 'Open file description: what the server vouches for. In the store segment, so clients cannot change it.',
  fields: [
    { name: 'state', type: 'u32', offset: 0, writer: 'server', doc: 'FREE, OPEN.' },
    { name: 'ino', type: 'u32', offset: 4, writer: 'server', doc: 'Inode; holds a reference.' },
    { name: 'open_flags', type: 'u32', offset: 8, writer: 'server', doc: 'O_* of the open: access mode, O_PATH, O_DIRECTORY.' },
    { name: 'generation', type: 'u32', offset: 12, writer: 'server', doc: '+1 whenever it is freed.' },
    { name: 'locks', type: 'u32', offset: 16, writer: 'server', doc: '1 while it holds locks (flock, F_OFD_SETLK), which must go with the last reference.' },
    { name: 'maps', type: 'u32', offset: 20, writer: 'server', doc: '1 once a memory map was set up through it.' },
    { name: 'next_free', type: 'u32', offset: 24, writer: 'server', doc: 'Chain of free descriptions.' },
    { name: 'mode', type: 'u32', offset: 28, writer: 'server', doc: 'S_IFMT of the inode: lets a client tell a directory without asking.' },
  ],
};

const lock: Struct = {
  name: 'Lock',
  size: 64,
  doc: 'One held file lock. Only the server looks at them; in the store segment so that they outlive it.',
  fields: [
    { name: 'kind', type: 'u32', offset: 0, writer: 'server', doc: 'LOCK_KIND_*.' },
    { name: 'ino', type: 'u32', offset: 4, writer: 'server', doc: 'The locked inode.' },
    { name: 'type', type: 'u32', offset: 8, writer: 'server', doc: 'F_RDLCK, F_WRLCK.' },
    { name: 'owner', type: 'u32', offset: 12, writer: 'server', doc: 'LOCK_KIND_POSIX: process index; else description.' },
    { name: 'owner_generation', type: 'u32', offset: 16, writer: 'server', doc: 'Generation of that record.' },
    { name: 'pid', type: 'i32', offset: 20, writer: 'server', doc: 'What F_GETLK tells.' },
    { name: 'start', type: 'i64', offset: 24, writer: 'server', doc: 'First byte.' },
    { name: 'end', type: 'i64', offset: 32, writer: 'server', doc: 'Last byte.' },
    { name: 'rank', type: 'u32', offset: 40, writer: 'server', doc: 'Order of the owners on one inode: F_GETLK tells the first conflict by rank, then by start.' },
    { name: 'next_free', type: 'u32', offset: 44, writer: 'server', doc: 'Chain of free records.' },
  ],
};

const descriptionState: Struct = {
  name: 'DescriptionState',
  size: 64,
  doc: 'The half of a description that its holders share and change: in the ring segment.',
  fields: [
    { name: 'position', type: 'i64', offset: 0, writer: 'both', doc: 'File offset.' },
    { name: 'references', type: 'u32', offset: 8, writer: 'both', doc: 'Table entries of all processes that hold it. The one who takes it to 0 posts RELEASE, or leaves it idle: open, to be revived by an open of the same file with the same flags, or to be freed by the server.' },
    { name: 'holder', type: 'u32', offset: 12, writer: 'both', doc: 'Who revived it last, 0 for nobody: HOLDER_PROCESS_BITS of process index, generation of the record above. Changed together with references by one 64-bit CAS.' },
    { name: 'status_flags', type: 'u32', offset: 16, writer: 'both', doc: 'O_APPEND, O_NONBLOCK, O_DIRECT, O_NOATIME, as F_SETFL changes them.' },
    { name: 'owner_signal', type: 'u32', offset: 20, writer: 'client', doc: 'F_SETOWN and friends: id of a thread, process or process group, 0 for none; kept, never delivered.' },
    { name: 'owner_kind', type: 'u32', offset: 24, writer: 'client', doc: 'Low byte: F_OWNER_* of owner_signal; next byte: F_SETSIG.' },
  ],
};

const slot: Struct = {
  name: 'Slot',
  size: 4096,
  doc: 'One request under way. Owned by one client thread; its slab has the same index.',
  fields: [
    // Line 0: who owns the slot, and the head of the reply.
    { name: 'state', type: 'u32', offset: 0, writer: 'both', doc: 'IDLE, REQUEST, SLEEPING, DONE. Futex word.' },
    { name: 'owner', type: 'u32', offset: 4, writer: 'both', doc: 'Kernel tid of the owning thread (in a foreign pid namespace 2^31 + its process index), 0 when free; claimed by CAS, given back by the owner, or by the server when the owner is dead.' },
    { name: 'process', type: 'u32', offset: 8, writer: 'client', doc: 'Process index of the owner.' },
    { name: 'generation', type: 'u32', offset: 12, writer: 'server', doc: '+1 whenever the server takes it back.' },
    { name: 'grant', type: 'u32', offset: 16, writer: 'both', doc: 'The server sets 1 with a READ_DIRECT or WRITE_PREPARE reply; the client sets GRANT_PINNED while it overwrites blocks by itself, and 0 when it has copied.' },
    { name: 'slab_backed', type: 'u32', offset: 20, writer: 'client', doc: 'Bytes of the slab that fallocate has backed; survives reuse.' },
    { name: 'cpu', type: 'u32', offset: 24, writer: 'client', doc: 'CPU that the client posted from: lets the server see that both share one.' },
    { name: 'spare', type: 'u32', offset: 28, writer: 'server', doc: 'Data block that a WRITE with REQUEST_SPARE of this slot may stand in (ADR 10); 0 for none. It changes only while such a request or another WRITE is served.' },
    { name: 'status', type: 'i32', offset: 32, writer: 'server', doc: '0 or -errno.' },
    { name: 'reply_flags', type: 'u32', offset: 36, writer: 'server', doc: 'REPLY_*.' },
    { name: 'reply_length', type: 'u32', offset: 40, writer: 'server', doc: 'Bytes of the reply payload.' },
    { name: 'reply_description', type: 'u32', offset: 44, writer: 'server', doc: 'New description.' },
    { name: 'result', type: 'i64', offset: 48, writer: 'server', doc: 'Bytes moved, new offset, length, by opcode.' },
    { name: 'reply_offset', type: 'i64', offset: 56, writer: 'server', doc: 'File position after a WRITE.' },
    // Line 1: the request, as far as most operations read it.
    { name: 'opcode', type: 'u32', offset: 64, writer: 'client', doc: 'Operation.' },
    { name: 'request_flags', type: 'u32', offset: 68, writer: 'client', doc: 'REQUEST_*.' },
    { name: 'uid', type: 'u32', offset: 72, writer: 'client', doc: 'fsuid to check with.' },
    { name: 'gid', type: 'u32', offset: 76, writer: 'client', doc: 'fsgid to check with; supplementary groups stand in the process record.' },
    { name: 'description', type: 'u32', offset: 80, writer: 'client', doc: 'The file, or where the walk of path begins; 0: root of the tree.' },
    { name: 'flags', type: 'u32', offset: 84, writer: 'client', doc: 'O_*, AT_*, RENAME_*, MAP_*, by opcode.' },
    { name: 'mode', type: 'u32', offset: 88, writer: 'client', doc: 'Mode, access mask, whence, PROT_*, by opcode.' },
    { name: 'umask', type: 'u32', offset: 92, writer: 'client', doc: 'Applied to mode by CREATE, MKDIR, MKNOD, TMPFILE. UMASK_CAPABILITIES: the capabilities stand in the process record; UMASK_REAL: the permitted ones, for uid 0 only.' },
    { name: 'path_length', type: 'u32', offset: 96, writer: 'client', doc: 'Bytes of path at the start of the payload, without NUL.' },
    { name: 'payload_length', type: 'u32', offset: 100, writer: 'client', doc: 'Bytes of the payload, paths and all.' },
    { name: 'symlinks', type: 'u32', offset: 104, writer: 'client', doc: 'Links that this call has followed already (crossings back into the tree).' },
    { name: 'description2', type: 'u32', offset: 108, writer: 'client', doc: 'The same for path2, or the second file.' },
    { name: 'offset', type: 'i64', offset: 112, writer: 'client', doc: 'File offset.' },
    { name: 'size', type: 'u64', offset: 120, writer: 'client', doc: 'Bytes wanted, or the new size of SETATTR.' },
    // Lines 2 and 3: what most replies give.
    { name: 'attr', type: 'bytes', offset: 128, count: 96, writer: 'server', doc: 'Attributes.' },
    { name: 'reply_symlinks', type: 'u32', offset: 224, writer: 'server', doc: 'Links followed up to the crossing.' },
    // The rest of the request: a client writes these only when the opcode reads them.
    { name: 'valid', type: 'u32', offset: 256, writer: 'client', doc: 'FATTR_* of SETATTR.' },
    { name: 'set_uid', type: 'u32', offset: 264, writer: 'client', doc: 'SETATTR: new owner.' },
    { name: 'set_gid', type: 'u32', offset: 268, writer: 'client', doc: 'SETATTR: new group.' },
    { name: 'rdev', type: 'u32', offset: 272, writer: 'client', doc: 'MKNOD.' },
    { name: 'atimensec', type: 'u32', offset: 276, writer: 'client', doc: 'SETATTR.' },
    { name: 'atime', type: 'i64', offset: 280, writer: 'client', doc: 'SETATTR.' },
    { name: 'mtime', type: 'i64', offset: 288, writer: 'client', doc: 'SETATTR.' },
    { name: 'mtimensec', type: 'u32', offset: 296, writer: 'client', doc: 'SETATTR.' },
    { name: 'file_size_limit', type: 'u64', offset: 304, writer: 'client', doc: 'RLIMIT_FSIZE of the caller, all ones for none.' },
    { name: 'offset2', type: 'i64', offset: 312, writer: 'client', doc: 'File offset in the second file.' },
    { name: 'path2_length', type: 'u32', offset: 320, writer: 'client', doc: 'Bytes of path2, which follows path at once.' },
    { name: 'lock_start', type: 'i64', offset: 344, writer: 'both', doc: 'GETLK, SETLK, SETLKW: first byte of the range.' },
    { name: 'lock_end', type: 'i64', offset: 352, writer: 'both', doc: 'Its last byte; 2^63-1: to the end of the file, however it grows.' },
    { name: 'lock_type', type: 'u32', offset: 360, writer: 'both', doc: 'F_RDLCK, F_WRLCK, F_UNLCK.' },
    { name: 'lock_pid', type: 'i32', offset: 364, writer: 'server', doc: 'GETLK: who holds the lock that was found; -1 for one of an open file description.' },
    { name: 'lock_wake', type: 'u32', offset: 368, writer: 'server', doc: 'LOCK_QUEUED while a SETLKW of this slot waits. Futex word.' },
    { name: 'payload', type: 'bytes', offset: 512, count: 3584, writer: 'both', doc: 'Paths, small data, extents.' },
  ],
};

const directExtent: Struct = {
  name: 'DirectExtent',
  size: 16,
  doc: 'In the reply payload of READ_DIRECT, WRITE_PREPARE and SETUPMAPPING: one run, in file order.',
  fields: [
    { name: 'data_offset', type: 'u64', offset: 0, writer: 'server', doc: 'Byte offset in the data segment; 0: a hole, read as zeros.' },
    { name: 'length', type: 'u64', offset: 8, writer: 'server', doc: 'Bytes.' },
  ],
};

const statfsReply: Struct = {
  name: 'StatfsReply',
  size: 40,
  doc: 'In the reply payload of STATFS.',
  fields: [
    { name: 'blocks', type: 'u64', offset: 0, writer: 'server', doc: 'Blocks in all, of PAGE_SIZE.' },
    { name: 'blocks_free', type: 'u64', offset: 8, writer: 'server', doc: 'Free blocks.' },
    { name: 'files', type: 'u64', offset: 16, writer: 'server', doc: 'Inodes in all.' },
    { name: 'files_free', type: 'u64', offset: 24, writer: 'server', doc: 'Free inodes.' },
    { name: 'fsid', type: 'u64', offset: 32, writer: 'server', doc: 'f_fsid.' },
  ],
};

const superblock: Struct = {
  name: 'Superblock',
  size: 4096,
  doc: 'Second page of the store segment: capacities, placements (bytes from the start of the segment), counters, heads of free chains.',
  fields: [
    { name: 'namespace_epoch', type: 'u32', offset: 0, writer: 'server', doc: 'Seqlock over the shape of the tree: odd while a rename moves a directory, +2 in all.' },
    { name: 'hash_level', type: 'u32', offset: 4, writer: 'server', doc: 'Linear hashing: buckets in use are 2^level + split.' },
    { name: 'hash_split', type: 'u32', offset: 8, writer: 'server', doc: 'Linear hashing: next bucket to split.' },
    { name: 'intent', type: 'u32', offset: 12, writer: 'server', doc: 'Opcode under way, 0 for none (D7).' },

    { name: 'inode_capacity', type: 'u32', offset: 128, writer: 'server', doc: 'Records of the inode table.' },
    { name: 'dentry_capacity', type: 'u32', offset: 132, writer: 'server', doc: 'Records of the dentry table.' },
    { name: 'bucket_capacity', type: 'u32', offset: 136, writer: 'server', doc: 'Words of the bucket table, a power of two.' },
    { name: 'text_capacity', type: 'u32', offset: 140, writer: 'server', doc: 'Records of the text table.' },
    { name: 'extent_capacity', type: 'u32', offset: 144, writer: 'server', doc: 'Records of the extent table.' },
    { name: 'block_capacity', type: 'u32', offset: 148, writer: 'server', doc: 'Blocks of the data segment, header block included.' },
    { name: 'block_limit', type: 'u32', offset: 152, writer: 'server', doc: 'Most blocks in use: the --memory limit.' },
    { name: 'inode_limit', type: 'u32', offset: 156, writer: 'server', doc: 'Most inodes in use: the --inodes limit.' },
    { name: 'xattr_capacity', type: 'u32', offset: 160, writer: 'server', doc: 'Records of the xattr table.' },

    { name: 'inodes_offset', type: 'u64', offset: 192, writer: 'server', doc: 'Inode table.' },
    { name: 'dentries_offset', type: 'u64', offset: 200, writer: 'server', doc: 'Dentry table.' },
    { name: 'buckets_offset', type: 'u64', offset: 208, writer: 'server', doc: 'Hash buckets: words holding dentry indices.' },
    { name: 'texts_offset', type: 'u64', offset: 216, writer: 'server', doc: 'Text table.' },
    { name: 'extents_offset', type: 'u64', offset: 224, writer: 'server', doc: 'Extent table.' },
    { name: 'descriptions_offset', type: 'u64', offset: 232, writer: 'server', doc: 'Description table.' },
    { name: 'bitmap_offset', type: 'u64', offset: 240, writer: 'server', doc: 'Block bitmap: bit set = in use.' },
    { name: 'xattrs_offset', type: 'u64', offset: 248, writer: 'server', doc: 'Xattr table.' },

    { name: 'inodes_used', type: 'u32', offset: 256, writer: 'server', doc: 'Inodes in use.' },
    { name: 'inodes_free_head', type: 'u32', offset: 260, writer: 'server', doc: 'Chain of freed inodes.' },
    { name: 'inodes_fresh', type: 'u32', offset: 264, writer: 'server', doc: 'First inode number never used so far.' },
    { name: 'dentries_used', type: 'u32', offset: 268, writer: 'server', doc: 'Dentries in use.' },
    { name: 'dentries_free_head', type: 'u32', offset: 272, writer: 'server', doc: 'Chain of freed dentries.' },
    { name: 'dentries_fresh', type: 'u32', offset: 276, writer: 'server', doc: 'First dentry never used so far.' },
    { name: 'texts_free_head', type: 'u32', offset: 280, writer: 'server', doc: 'Chain of freed text records.' },
    { name: 'texts_fresh', type: 'u32', offset: 284, writer: 'server', doc: 'First text record never used so far.' },
    { name: 'extents_free_head', type: 'u32', offset: 288, writer: 'server', doc: 'Chain of freed extents.' },
    { name: 'extents_fresh', type: 'u32', offset: 292, writer: 'server', doc: 'First extent never used so far.' },
    { name: 'blocks_used', type: 'u32', offset: 296, writer: 'server', doc: 'Data blocks in use, header excluded.' },
    { name: 'block_hint', type: 'u32', offset: 300, writer: 'server', doc: 'Where the search for free blocks begins.' },
    { name: 'blocks_backed', type: 'u32', offset: 304, writer: 'server', doc: 'Blocks below this are backed by fallocate (and by ftruncate).' },
    { name: 'descriptions_used', type: 'u32', offset: 308, writer: 'server', doc: 'Descriptions in use.' },
    { name: 'descriptions_free_head', type: 'u32', offset: 312, writer: 'server', doc: 'Chain of freed descriptions.' },
    { name: 'descriptions_fresh', type: 'u32', offset: 316, writer: 'server', doc: 'First description never used so far.' },
    { name: 'text_used', type: 'u32', offset: 320, writer: 'server', doc: 'Text records in use.' },
    { name: 'extents_used', type: 'u32', offset: 324, writer: 'server', doc: 'Extents in use.' },
    { name: 'store_backed', type: 'u64', offset: 328, writer: 'server', doc: 'Reserved for the growth of the tables.' },
    { name: 'xattrs_used', type: 'u32', offset: 336, writer: 'server', doc: 'Xattr records in use.' },
    { name: 'xattrs_free_head', type: 'u32', offset: 340, writer: 'server', doc: 'Chain of freed xattr records.' },
    { name: 'xattrs_fresh', type: 'u32', offset: 344, writer: 'server', doc: 'First xattr record never used so far.' },
    { name: 'xattr_inodes', type: 'u32', offset: 348, writer: 'server', doc: 'Inodes that xattr_space stands for: tmpfs takes attributes out of the inode limit, 1 KiB for one.' },
    { name: 'xattr_space', type: 'u64', offset: 352, writer: 'server', doc: 'Bytes of all attributes but ACLs, as tmpfs counts them.' },

    { name: 'locks_offset', type: 'u64', offset: 512, writer: 'server', doc: 'Lock table.' },
    { name: 'lock_capacity', type: 'u32', offset: 520, writer: 'server', doc: 'Records of the lock table.' },
    { name: 'locks_used', type: 'u32', offset: 524, writer: 'server', doc: 'Locks held.' },
    { name: 'locks_free_head', type: 'u32', offset: 528, writer: 'server', doc: 'Chain of free lock records.' },
    { name: 'locks_fresh', type: 'u32', offset: 532, writer: 'server', doc: 'First lock record never used so far.' },
    { name: 'locks_rank', type: 'u32', offset: 536, writer: 'server', doc: 'Last Lock.rank given out.' },
  ],
};

const imageTrailer: Struct = {
  name: 'ImageTrailer',
  size: 256,
  doc: 'The last bytes of a prepared image file, behind the text pages. Written by src/image, checked by the start-up of the shim before it maps them.',
  fields: [
    { name: 'magic', type: 'u64', offset: 0, writer: 'server', doc: 'IMAGE_MAGIC.' },
    { name: 'version', type: 'u32', offset: 8, writer: 'server', doc: 'IMAGE_VERSION.' },
    { name: 'build_id_length', type: 'u32', offset: 12, writer: 'server', doc: 'Bytes of build_id.' },
    { name: 'calls_hash', type: 'u64', offset: 16, writer: 'server', doc: 'IMAGE_CALLS_HASH: which system calls are hooked.' },
    { name: 'text_vaddr', type: 'u64', offset: 24, writer: 'server', doc: 'Where the first piece belongs, from the base of the object. A page boundary.' },
    { name: 'text_length', type: 'u64', offset: 32, writer: 'server', doc: 'Bytes of all pieces, which stand one behind the other from the start of the file: whole pages.' },
    { name: 'slot_vaddr', type: 'u64', offset: 40, writer: 'server', doc: 'The word that the stubs jump through, from the base of the object.' },
    { name: 'sites', type: 'u32', offset: 48, writer: 'server', doc: 'syscall instructions in the text.' },
    { name: 'sites_skipped', type: 'u32', offset: 52, writer: 'server', doc: 'Of these, left alone: the number is known and no file call.' },
    { name: 'sites_before', type: 'u32', offset: 56, writer: 'server', doc: 'Rewritten in form M.' },
    { name: 'sites_after', type: 'u32', offset: 60, writer: 'server', doc: 'Rewritten in form T.' },
    { name: 'build_id', type: 'bytes', offset: 64, count: 32, writer: 'server', doc: 'NT_GNU_BUILD_ID of the object; of a static program, the SHA-256 of its file.' },
    { name: 'sha256', type: 'bytes', offset: 96, count: 32, writer: 'server', doc: 'SHA-256 of the whole file with these 32 bytes zero.' },
    { name: 'flags', type: 'u32', offset: 128, writer: 'server', doc: 'IMAGE_SMALL_STACKS.' },
    { name: 'annex_vaddr', type: 'u64', offset: 136, writer: 'server', doc: 'Static program: where the stubs belong, behind its last segment. The page before them is the handler word\'s.' },
    { name: 'annex_length', type: 'u64', offset: 144, writer: 'server', doc: 'Bytes of stubs, which stand in the file behind the pieces: whole pages.' },
    { name: 'piece_count', type: 'u32', offset: 152, writer: 'server', doc: 'Runs of pages; ascending, and apart from each other.' },
    { name: 'pieces', type: 'u32', offset: 160, count: 24, writer: 'server', doc: 'Of each the page number from the base of the object, and how many pages.' },
  ],
};

export const structs: readonly Struct[] = [
  segmentHeader,
  ringHeader,
  processRecord,
  slot,
  descriptionState,
  attributes,
  directExtent,
  statfsReply,
  superblock,
  inode,
  dentry,
  text,
  extent,
  xattr,
  description,
  lock,
  imageTrailer,
];

// ---------------------------------------------------------------------------------------------
// Placement of the store tables, which depends on the capacities
// ---------------------------------------------------------------------------------------------

export interface StoreCapacities {
  /** Records, counted with the unused record 0. */
  readonly inodes: number;
  readonly dentries: number;
  /** A power of two. */
  readonly buckets: number;
  readonly texts: number;
  readonly extents: number;
  readonly xattrs: number;
  readonly descriptions: number;
  readonly locks: number;
  /** Data blocks, header block included. */
  readonly blocks: number;
}

export interface StorePlacement {
  readonly inodes: number;
  readonly dentries: number;
  readonly buckets: number;
  readonly texts: number;
  readonly extents: number;
  readonly xattrs: number;
  readonly descriptions: number;
  readonly bitmap: number;
  readonly locks: number;
  /** Bytes of the whole segment. */
  readonly size: number;
}

const PAGE = 4 * KIB;
const pageAlign = (bytes: number): number => Math.ceil(bytes / PAGE) * PAGE;

/** Byte offsets of the tables in the store segment. Each begins on a page. */
export function storeLayout(capacities: StoreCapacities): StorePlacement {
  let next = 2 * PAGE;
  const place = (bytes: number): number => {
    const at = next;
    next += pageAlign(bytes);
    return at;
  };
  return {
    inodes: place(capacities.inodes * inode.size),
    dentries: place(capacities.dentries * dentry.size),
    buckets: place(capacities.buckets * 4),
    texts: place(capacities.texts * text.size),
    extents: place(capacities.extents * extent.size),
    descriptions: place(capacities.descriptions * description.size),
    bitmap: place(Math.ceil(capacities.blocks / 32) * 4),
    locks: place(capacities.locks * lock.size),
    xattrs: place(capacities.xattrs * xattr.size),
    size: next,
  };
}

/** Named value groups and the prefix that their names get in C++ and TypeScript. */
export const groups = {
  SEGMENT: segmentKinds,
  SEGMENT_STATE: segmentStates,
  SLOT_STATE: slotStates,
  GRANT: slotGrants,
  NAMESPACE: processNamespaces,
  PROCESS_STATE: processStates,
  DESCRIPTION_STATE: descriptionStates,
  LOCK_KIND: lockKinds,
  XATTR_KIND: xattrKinds,
  OP: opcodes,
  '': {
    ...requestFlags,
    ...replyFlags,
    ...setattrValid,
    ...inodeFlags,
    ...specialFlags,
    ...copyFlags,
    ...lockFlags,
  },
} as const;
