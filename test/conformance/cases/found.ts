/** What the fuzzer found, as small as it made it. */
import { type Case, family } from '../case.ts';

export const foundCases: readonly Case[] = [
  ...family('found', {
    'two names of which the second is none: the first is walked before': `
      mknod("f", S_IFREG|0644)
      rename("f/.", "")
      rename("f/x", "")
      rename("f", "")
      rename("nothing", "")
      rename("nothing/x", BADPTR)
      renameat2(AT_FDCWD, "f/x", 77, "y", 0)
      renameat2(AT_FDCWD, "f", 77, "y", 0)
      renameat2(AT_FDCWD, "f", 77, "y", RENAME_NOREPLACE)
      renameat2(77, "f", AT_FDCWD, "", 0)
      linkat(AT_FDCWD, "f/x", 77, "y", 0)
      linkat(AT_FDCWD, "nothing", 77, "y", 0)
      linkat(AT_FDCWD, "f", 77, "y", 0)
      link("nothing", "")
      link("f", "")
      rename("nothing", "x"*4096)
      rename("f", "x"*4096)`,
    'nothing from a directory': `
      d = open(".", O_RDONLY)
      f = open("f", O_CREAT|O_RDWR, 0644)
      read(d, 0)
      pread(d, 0, 0)
      readv(d, iov(0, 0))
      readv(d, iov(0, 1))
      preadv(d, iov(0), 1, 0)
      sendfile(f, d, NULL, 0)
      sendfile(f, d, longs(1), 0)
      sendfile(f, d, NULL, 1)`,
    'what is not there': `
      linkat(AT_FDCWD, "/proc/self/fd/150", AT_FDCWD, "a", AT_SYMLINK_FOLLOW)
      link("/nothing/at/all", "a")
      link("/proc/self/nothing", "a")
      f = open("f", O_CREAT|O_RDWR, 0644)
      read(f, BADPTR, 1)
      write(f, "abc")
      read(f, BADPTR, 1)
      lseek(f, 0, SEEK_SET)
      read(f, BADPTR, 1)
      lseek(f, 0, SEEK_CUR)
      become(1000)
      open_by_handle_at(AT_FDCWD, handle(0, 0), O_PATH)
      open_by_handle_at(AT_FDCWD, handle(0, 200), O_PATH)
      open_by_handle_at(AT_FDCWD, handle(0, 8), O_PATH)`,
    'a name of the host onto one of the tree': `
      mkdir("d", 0755)
      link("/dev/null", "d")
      link("/dev/null", "nothing/x")
      link("/dev/null", "n"*256)
      link("/dev/null", "x")
      linkat(AT_FDCWD, "/proc/self/fd/1", AT_FDCWD, "x/", AT_SYMLINK_FOLLOW)
      rename("/dev/null", "nothing/x")
      rename("/dev/null", "d")
      tree(".")`,
    'a handle, and a descriptor that is a path': `
      f = open("f", O_CREAT|O_RDWR, 0644)
      name_to_handle_at(AT_FDCWD, "f", handle(0, 128), ints(0, 0), 0)
      g = open("f", O_PATH)
      open_by_handle_at(g, handle(0), O_RDONLY)
      open_by_handle_at(f, handle(0), O_RDONLY)`,
    'poll on a path by who has become another user': `
      mkdir("a", 01777)
      become(1000, 1000, 1)
      g = open("a/.", O_PATH)
      poll(g, POLLIN)
      fstat(g)
      openat(g, "x", O_RDONLY)
      h = dup(g)
      fstat(h)
      close(g)
      fcntl(h, F_GETFL)`,
    'a socket below a default ACL': `
      mkdir("d", 0755)
      setxattr("d", "system.posix_acl_default", "\\x02\\x00\\x00\\x00\\x01\\x00\\x07\\x00\\xff\\xff\\xff\\xff\\x04\\x00\\x07\\x00\\xff\\xff\\xff\\xff\\x20\\x00\\x07\\x00\\xff\\xff\\xff\\xff")
      s = socket(AF_UNIX, SOCK_STREAM)
      bind(s, sun("d/s"))
      mkdir("d/d", 0777)
      open("d/f", O_WRONLY|O_CREAT, 0666)`,
    'copies that meet the limit': `
      f = open("f", O_CREAT|O_RDWR, 0644)
      g = open("g", O_CREAT|O_RDWR, 0644)
      write(f, "x"*100)
      setrlimit(RLIMIT_FSIZE, 10)
      copy_file_range(f, longs(-1), g, longs(10), 0)
      copy_file_range(f, longs(-1), g, longs(1), 0)
      sendfile(g, f, longs(0), 4)
      sendfile(g, f, longs(0), 50)
      sendfile(g, f, longs(0), 50)
      sendfile(g, f, longs(100), 50)
      fstat(g)`,
  }),
];
