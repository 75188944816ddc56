/** dup, fcntl, close_range, exec, fork: descriptors and descriptions. */
import { type Case, family } from '../case.ts';

const commands = [
  'F_GETFD',
  'F_GETFL',
  'F_GETOWN',
  'F_GETSIG',
  'F_GETLEASE',
  'F_GETPIPE_SZ',
  'F_GET_SEALS',
  'F_DUPFD_QUERY',
  'F_CREATED_QUERY',
  '9999',
  '-1',
];
const setters = [
  'F_SETFD, FD_CLOEXEC',
  'F_SETFD, 0xff',
  'F_SETFL, O_APPEND',
  'F_SETFL, O_NONBLOCK|O_APPEND',
  'F_SETFL, O_SYNC|O_CREAT',
  'F_SETFL, O_DIRECT',
  'F_SETFL, O_NOATIME',
  'F_SETFL, O_ASYNC',
  'F_SETFL, -1',
  'F_SETOWN, 0',
  'F_SETSIG, 0',
  'F_SETSIG, 1000',
  'F_SETLEASE, F_UNLCK',
  'F_SETLEASE, F_RDLCK',
  'F_SETLEASE, 77',
  'F_NOTIFY, 0',
  'F_NOTIFY, 0x80000000',
  'F_SETPIPE_SZ, 4096',
  'F_ADD_SEALS, F_SEAL_WRITE',
  'F_DUPFD, -1',
  'F_DUPFD, 100',
  'F_DUPFD, 1 << 30',
  'F_DUPFD_CLOEXEC, 50',
  'F_DUPFD_QUERY, f',
  'F_DUPFD_QUERY, 99',
  'F_GET_RW_HINT, longs(7)',
  'F_SET_RW_HINT, longs(2)',
  'F_SET_RW_HINT, longs(99)',
  'F_GET_RW_HINT, BADPTR',
  'F_SETLK, NULL',
  'F_SETLK, BADPTR',
  'F_GETLK, BADPTR',
];
const ioctls = [
  'FIONREAD, ints(0)',
  'FIONREAD, BADPTR',
  'FIONBIO, ints(1)',
  'FIONBIO, BADPTR',
  'FIOASYNC, ints(1)',
  'FIOCLEX',
  'FIONCLEX',
  'FS_IOC_GETFLAGS, ints(0)',
  'FS_IOC_GETFLAGS, BADPTR',
  'FS_IOC_SETFLAGS, ints(0)',
  'FS_IOC_SETFLAGS, ints(FS_IMMUTABLE_FL)',
  'FS_IOC_SETFLAGS, ints(FS_NODUMP_FL)',
  'FS_IOC_SETFLAGS, ints(1 << 27)',
  'FS_IOC_GETVERSION, ints(0)',
  'FICLONE, f',
  'FICLONERANGE, longs(3, 0, 0, 0)',
  'FIDEDUPERANGE, buf(64)',
  'FIBMAP, ints(0)',
  'FIGETBSZ, ints(0)',
  'TCGETS, buf(100)',
  'TIOCGWINSZ, buf(100)',
  'BLKGETSIZE64, longs(0)',
  'FS_IOC_FIEMAP, buf(64)',
  'FS_IOC_FSGETXATTR, buf(64)',
  '0x1234',
  '-1',
];
const opened: Readonly<Record<string, string>> = {
  'a file': 'f = open("f", O_CREAT|O_RDWR, 0644)\nwrite(f, "contents")\nlseek(f, 2, SEEK_SET)',
  'a directory': 'f = open(".", O_DIRECTORY)',
  'an O_PATH descriptor': 'open("f", O_CREAT, 0644)\nf = open("f", O_PATH)',
  'a closed descriptor': 'f = set(77)',
};

export const descriptorCases: readonly Case[] = [
  ...Object.entries(opened).flatMap(([what, open]) =>
    family('descriptors', {
      [`fcntl of ${what}`]: `${open}\n${[...commands, ...setters].map((command) => `fcntl(f, ${command})\nfcntl(f, F_GETFL)\nfcntl(f, F_GETFD)`).join('\n')}`,
      [`ioctl of ${what}`]: `${open}\n${ioctls.map((command) => `ioctl(f, ${command})`).join('\n')}\nfcntl(f, F_GETFL)\nfcntl(f, F_GETFD)`,
      [`dup of ${what}`]: `${open}
        dup(f)
        dup2(f, f)
        dup2(f, 20)
        dup2(f, 1)
        dup2(f, -1)
        dup2(f, 1 << 30)
        dup3(f, f)
        dup3(f, 21, O_CLOEXEC)
        dup3(f, 22, 1)
        fcntl(21, F_GETFD)
        fcntl(20, F_GETFD)
        fstat(1)
        close(f)
        fstat(20)
        dup2(20, 21)
        fstat(21)
        poll(21)
        select(21)`,
      [`epoll of ${what}`]: `${open}
        e = epoll_create1()
        epoll_ctl(e, EPOLL_CTL_ADD, f, EPOLLIN)
        poll(f, POLLIN|POLLPRI)
        select(f)`,
    }),
  ),
  ...family('descriptors', {
    close_range: `
      f = open("f", O_CREAT|O_RDWR, 0644)
      dup2(f, 10)
      dup2(f, 11)
      dup2(f, 12)
      close_range(11, 11)
      fstat(11)
      fstat(10)
      close_range(10, 12, CLOSE_RANGE_CLOEXEC)
      fcntl(10, F_GETFD)
      fcntl(12, F_GETFD)
      close_range(12, 10)
      close_range(10, 20, 1)
      close_range(20, 100)
      close_range(3, 100)
      fstat(3)
      fstat(10)
      open("f", O_RDONLY)`,
    'close_range with CLOSE_RANGE_UNSHARE in a thread': `
      f = open("f", O_CREAT|O_RDWR, 0644)
      thread t
      t: close_range(3, 100, CLOSE_RANGE_UNSHARE)
      t: fstat(f)
      fstat(f)
      write(f, "still here")`,
    'exec keeps what is not close-on-exec': `
      a = open("a", O_CREAT|O_RDWR|O_CLOEXEC, 0644)
      b = open("b", O_CREAT|O_RDWR, 0644)
      d = open(".", O_DIRECTORY)
      write(b, "12345678")
      lseek(b, 4, SEEK_SET)
      fcntl(b, F_SETFL, O_APPEND)
      exec
      fstat(a)
      fstat(b)
      fcntl(b, F_GETFL)
      read(b, 10)
      write(b, "9")
      pread(b, 20, 0)
      openat(d, "b", O_RDONLY)
      open("c", O_CREAT|O_RDWR, 0644)
      getcwd(100)`,
    'fork shares descriptions, not tables': `
      f = open("f", O_CREAT|O_RDWR, 0644)
      write(f, "0123456789")
      fork b
      b: lseek(f, 3, SEEK_SET)
      read(f, 2)
      b: close(f)
      read(f, 2)
      b: open("g", O_CREAT|O_RDWR, 0644)
      open("h", O_CREAT|O_RDWR, 0644)
      b: chdir("/")
      getcwd(100)
      kill b
      read(f, 2)`,
    'threads share everything': `
      f = open("f", O_CREAT|O_RDWR, 0644)
      thread t
      t: write(f, "abc")
      t: g = dup(f)
      close(f)
      write(g, "def")
      t: fstat(f)
      t: chdir("/")
      getcwd(100)`,
    'O_APPEND of two processes': `
      f = open("f", O_CREAT|O_RDWR|O_APPEND, 0644)
      fork b
      b: g = open("f", O_WRONLY|O_APPEND)
      write(f, "1")
      b: write(g, "2")
      write(f, "3")
      b: write(f, "4")
      b: write(g, "5")
      pread(f, 10, 0)
      b: lseek(g, 0, SEEK_CUR)`,
    'passed over a socket': `
      f = open("f", O_CREAT|O_RDWR, 0644)
      write(f, "0123456789")
      s, t = socketpair()
      fork b
      sendfd(s, f)
      close(f)
      b: close(f)
      b: g = recvfd(t)
      b: lseek(g, 0, SEEK_CUR)
      b: pread(g, 4, 0)
      b: fstat(g)
      d = open(".", O_DIRECTORY)
      sendfd(s, d)
      b: e = recvfd(t)
      b: openat(e, "f", O_RDONLY)
      b: fchdir(e)`,
    'passed over a socket and the sender is gone': `
      f = open("f", O_CREAT|O_RDWR, 0644)
      write(f, "0123456789")
      s, t = socketpair()
      fork b
      b: sendfd(s, f)
      b: close(f)
      b: exit 0
      unlink("f")
      close(f)
      g = recvfd(t)
      pread(g, 4, 0)
      fstat(g)`,
    'execve of programs in the tree': `
      copyin("/bin/echo", "echo")
      run("./echo", "hello")
      run("$D/echo", "absolute")
      chmod("echo", 0644)
      run("./echo", "x")
      chmod("echo", 0711)
      run("./echo", "x")
      become(1000)
      run("./echo", "as another")
      become(0)
      f = open("script", O_CREAT|O_WRONLY, 0755)
      write(f, "#!./echo from script\\n")
      close(f)
      run("./script", "arg")
      f = open("shell", O_CREAT|O_WRONLY, 0755)
      write(f, "#!/bin/sh\\necho $0; cat script\\n")
      close(f)
      run("./shell")
      f = open("text", O_CREAT|O_WRONLY, 0755)
      write(f, "just text")
      close(f)
      run("./text")
      open("nothing", O_CREAT|O_WRONLY, 0755)
      run("./nothing")
      mkdir("dir", 0755)
      run("./dir")
      run("./missing")
      run("./echo/x")
      symlink("echo", "link")
      run("./link", "by link")
      symlink("link", "link2")
      run("./link2", "by links")
      f = open("bad", O_CREAT|O_WRONLY, 0755)
      write(f, "#!/no/such/interpreter\\n")
      close(f)
      run("./bad")
      run("")`,
    'children see the tree': `
      f = open("f", O_CREAT|O_RDWR, 0644)
      write(f, "text")
      run("/bin/cat", "f")
      run("/bin/sh", "-c", "echo more >>f; cat f; ls")
      run("/usr/bin/env", "-i", "/bin/cat", "f")
      run("/bin/sh", "-c", "cd /; cat $D/f")`,
  }),
];
