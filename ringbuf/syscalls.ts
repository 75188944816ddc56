/**
 * Which system calls of x86-64 the shim must see, and what it does with each before any C++ runs.
 *
 * This is the only list: `generate.ts` turns it into the class table of the entry stub
 * (`preload/image/classes.gen.h`), and src/image decides by it which `syscall` sites it rewrites. A site
 * whose number is known and `pass` stays as it is.
 *
 *   fd     ours only when the descriptor in rdi stands in the fd table of the process
 *   ask    btfuse_dispatch decides: paths, descriptors elsewhere than in rdi, state that we mirror
 *   later  touches files, but passing it on is right for now; counts as `pass`
 *
 * What `later` leaves to the kernel, and why that is right for a tree that it does not have: epoll_ctl says EPERM
 * of the directory behind a descriptor, as of any regular file; finit_module and kexec_file_load fail on it;
 * bpf pins to its own file system only; quotactl and fsconfig name block devices, which the tree has not;
 * setns and unshare change what the host looks like. Unlisted ones that take a descriptor: landlock_add_rule
 * (the rule is about a directory of ours, the tree is not bound by it), kcmp (KCMP_FILE calls any two files of the
 * tree the same), prctl(PR_SET_MM_EXE_FILE) (EACCES for a directory), statmount and listmount (ids only).
 *
 * A number that the kernel had not given out when this was written is `ask`, so that dispatch can
 * refuse it: a call that nobody has thought about must not reach the host under the prefix.
 */

import { createHash } from 'node:crypto';

export type SyscallClass = 'fd' | 'ask' | 'later';

export interface Syscall {
  readonly nr: number;
  readonly name: string;
  readonly class: SyscallClass;
}

/** Size of the class table; a number from here on is `ask`. */
export const SYSCALLS_MAX = 512;

/** Numbers in these ranges (inclusive) that the table does not name are known and no business of ours. */
export const knownRanges: readonly (readonly [number, number])[] = [
  [0, 334],
  [424, 469],
];

/** rt_sigreturn: its site is recognised by its bytes when a signal frame is unwound. Never patched. */
export const RT_SIGRETURN = 15;

const rows: Readonly<Record<SyscallClass, string>> = {
  fd: `
    0:read 1:write 5:fstat 8:lseek 16:ioctl 17:pread64 18:pwrite64 19:readv 20:writev 32:dup 72:fcntl
    73:flock 74:fsync 75:fdatasync 77:ftruncate 91:fchmod 93:fchown 138:fstatfs
    187:readahead 190:fsetxattr 193:fgetxattr 196:flistxattr 199:fremovexattr
    221:fadvise64 277:sync_file_range 278:vmsplice 285:fallocate 295:preadv 296:pwritev 306:syncfs
    327:preadv2 328:pwritev2 443:quotactl_fd 451:cachestat`,
  ask: `
    2:open 3:close 4:stat 6:lstat 9:mmap 10:mprotect 11:munmap 12:brk 13:rt_sigaction 21:access 25:mremap 26:msync 28:madvise 33:dup2
    40:sendfile 42:connect 43:accept 44:sendto 45:recvfrom 46:sendmsg 47:recvmsg 49:bind
    51:getsockname 52:getpeername 288:accept4 299:recvmmsg 307:sendmmsg 56:clone 57:fork 58:vfork 59:execve 60:exit 67:shmdt 76:truncate 78:getdents 79:getcwd 80:chdir 81:fchdir
    82:rename 83:mkdir 84:rmdir 85:creat 86:link 87:unlink 88:symlink 89:readlink 90:chmod 92:chown
    94:lchown 95:umask 105:setuid 106:setgid 113:setreuid 114:setregid 116:setgroups 117:setresuid
    119:setresgid 122:setfsuid 123:setfsgid 126:capset 132:utime 133:mknod 137:statfs 155:pivot_root
    160:setrlimit 161:chroot 162:sync 163:acct 165:mount 166:umount2 167:swapon 168:swapoff
    209:io_submit 188:setxattr 189:lsetxattr 191:getxattr 192:lgetxattr 194:listxattr 195:llistxattr
    197:removexattr 198:lremovexattr 216:remap_file_pages 217:getdents64 231:exit_group 235:utimes 254:inotify_add_watch 257:openat
    258:mkdirat 259:mknodat 260:fchownat 261:futimesat 262:newfstatat 263:unlinkat 264:renameat
    265:linkat 266:symlinkat 267:readlinkat 268:fchmodat 269:faccessat 275:splice 276:tee
    280:utimensat 292:dup3 301:fanotify_mark 302:prlimit64 303:name_to_handle_at
    272:unshare 308:setns 304:open_by_handle_at 316:renameat2 322:execveat 326:copy_file_range 329:pkey_mprotect 332:statx
    425:io_uring_setup 428:open_tree 429:move_mount 433:fspick 435:clone3 436:close_range
    437:openat2 438:pidfd_getfd 439:faccessat2 442:mount_setattr 452:fchmodat2 463:setxattrat 464:getxattrat
    465:listxattrat 466:removexattrat 467:open_tree_attr 468:file_getattr 469:file_setattr`,
  later: `
    179:quotactl 206:io_setup
    233:epoll_ctl
    313:finit_module 320:kexec_file_load 321:bpf 431:fsconfig`,
};

function parse(): Syscall[] {
  const all = Object.entries(rows).flatMap(([kind, text]) =>
    text
      .trim()
      .split(/\s+/)
      .map((entry): Syscall => {
        const [nr, name] = entry.split(':');
        return { nr: Number(nr), name: name!, class: kind as SyscallClass };
      }),
  );
  all.sort((a, b) => a.nr - b.nr);
  for (const [i, { nr, name }] of all.entries()) {
    if (all[i + 1]?.nr === nr) throw new Error(`system call ${nr} (${name}) stands twice`);
    if (!(nr >= 0 && nr < SYSCALLS_MAX)) throw new Error(`${name} does not fit the table`);
  }
  return all;
}

/** Ascending by number. */
export const syscalls: readonly Syscall[] = parse();

const byNumber = new Map(syscalls.map((call) => [call.nr, call]));

const isKnown = (nr: number): boolean =>
  knownRanges.some(([first, last]) => nr >= first && nr <= last);

/** What the entry stub does with a number. */
export function classOf(nr: number): 'pass' | 'fd' | 'ask' {
  const call = byNumber.get(nr);
  if (call === undefined) return isKnown(nr) ? 'pass' : 'ask';
  return call.class === 'later' ? 'pass' : call.class;
}

export function syscallName(nr: number): string {
  return byNumber.get(nr)?.name ?? `#${nr}`;
}

/** Names the set of hooked calls: an image made for another set is another file. */
export function callsHash(): bigint {
  const hooked = Array.from({ length: SYSCALLS_MAX }, (_, nr) => (classOf(nr) === 'pass' ? 0 : 1));
  return createHash('sha256').update(Buffer.from(hooked)).digest().readBigUInt64LE(0);
}
