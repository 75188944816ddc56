/** Extended attributes and access control lists. */
import { type Case, family } from '../case.ts';

const namesOfAttributes = [
  'user.a',
  'trusted.a',
  'security.a',
  'system.a',
  'user.',
  'user',
  '',
  'nothing.a',
  'USER.a',
  'system.posix_acl_access',
  'system.posix_acl_default',
  'security.capability',
];

/** Version 2; each entry has tag, rights and id. */
function acl(...entries: readonly (readonly [tag: number, rights: number, id?: number])[]): string {
  const bytes = [2, 0, 0, 0];
  for (const [tag, rights, id = 0xffffffff] of entries)
    bytes.push(tag, 0, rights, 0, ...[0, 8, 16, 24].map((shift) => (id >>> shift) & 0xff));
  return `"${bytes.map((byte) => `\\x${byte.toString(16).padStart(2, '0')}`).join('')}"`;
}
const [OWNER, USER, GROUP_OWNER, GROUP, MASK, OTHER] = [1, 2, 4, 8, 16, 32];
const forUser = acl([OWNER, 6], [USER, 6, 1001], [GROUP_OWNER, 0], [MASK, 7], [OTHER, 0]);
const forGroup = acl([OWNER, 6], [GROUP_OWNER, 0], [GROUP, 4, 1005], [MASK, 4], [OTHER, 0]);
const minimal = acl([OWNER, 7], [GROUP_OWNER, 5], [OTHER, 1]);

export const attributeCases: readonly Case[] = [
  ...['f', 'd', 'l', 'p'].flatMap((path) =>
    family('xattr', {
      [`every name on ${path}`]: `
        open("f", O_CREAT|O_RDWR, 0644)
        mkdir("d", 0755)
        symlink("f", "l")
        mknod("p", S_IFIFO|0600)
        ${namesOfAttributes
          .map(
            (name) => `
        lsetxattr("${path}", "${name}", "value")
        lgetxattr("${path}", "${name}", 100)
        llistxattr("${path}", 1000)
        lremovexattr("${path}", "${name}")`,
          )
          .join('\n')}
        setxattr("${path}", "user.b", "followed")
        getxattr("${path}", "user.b", 100)
        getxattr("f", "user.b", 100)`,
      [`every name on ${path} by another user`]: `
        umask(0)
        open("f", O_CREAT|O_RDWR, 0666)
        mkdir("d", 0777)
        symlink("f", "l")
        mknod("p", S_IFIFO|0666)
        ${namesOfAttributes.map((name) => `lsetxattr("${path}", "${name}", "value")`).join('\n')}
        become(1000)
        ${namesOfAttributes
          .map(
            (name) => `
        lsetxattr("${path}", "${name}", "other")
        lgetxattr("${path}", "${name}", 100)
        lremovexattr("${path}", "${name}")`,
          )
          .join('\n')}
        llistxattr("${path}", 1000)`,
    }),
  ),
  ...family('xattr', {
    'flags, sizes and pointers': `
      f = open("f", O_CREAT|O_RDWR, 0644)
      setxattr("f", "user.a", "1", XATTR_REPLACE)
      setxattr("f", "user.a", "1", XATTR_CREATE)
      setxattr("f", "user.a", "2", XATTR_CREATE)
      setxattr("f", "user.a", "3", XATTR_REPLACE)
      setxattr("f", "user.a", "4", XATTR_CREATE|XATTR_REPLACE)
      setxattr("f", "user.a", "4", 8)
      getxattr("f", "user.a", 0)
      getxattr("f", "user.a", 1)
      setxattr("f", "user.a", "longer value")
      getxattr("f", "user.a", 5)
      getxattr("f", "user.a", BADPTR, 100)
      getxattr("f", "user.a", BADPTR, 0)
      getxattr("f", BADPTR, 100)
      setxattr("f", "user.e", "")
      getxattr("f", "user.e", 10)
      getxattr("f", "user.e", 0)
      setxattr("f", "user.n", NULL, 0, 0)
      setxattr("f", "user.n", NULL, 5, 0)
      setxattr("f", "user.n", BADPTR, 5, 0)
      setxattr("f", "user."+"n"*250, "v")
      setxattr("f", "user."+"n"*251, "v")
      setxattr("f", "user.big", "v"*65536)
      setxattr("f", "user.big", "v"*65537)
      getxattr("f", "user.big", 65536)
      listxattr("f", 3)
      listxattr("f", 0)
      listxattr("f", BADPTR, 1000)
      fsetxattr(f, "user.f", "by descriptor")
      fgetxattr(f, "user.f", 100)
      flistxattr(f, 1000)
      fremovexattr(f, "user.f")
      fremovexattr(f, "user.f")
      removexattr("f", "user.none")
      removexattr("missing", "user.none")
      p = open("f", O_PATH)
      fgetxattr(p, "user.a", 10)
      fsetxattr(p, "user.a", "x")
      flistxattr(p, 100)
      fremovexattr(p, "user.a")
      fsetxattr(99, "user.a", "x")
      r = open("f", O_RDONLY)
      fsetxattr(r, "user.r", "x")`,
    'survive rename and link, end with the file': `
      open("f", O_CREAT|O_RDWR, 0644)
      setxattr("f", "user.a", "1")
      link("f", "g")
      rename("f", "h")
      getxattr("g", "user.a", 10)
      unlink("h")
      unlink("g")
      open("f", O_CREAT|O_RDWR, 0644)
      listxattr("f", 100)`,
    'of a sticky directory': `
      umask(0)
      mkdir("d", 01777)
      become(1000)
      setxattr("d", "user.a", "1")
      become(0)
      setxattr("d", "user.a", "1")`,
    'security.capability ends with a write': `
      f = open("f", O_CREAT|O_RDWR, 0755)
      setxattr("f", "security.capability", "\\x01\\x00\\x00\\x02\\x00\\x04\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00")
      getxattr("f", "security.capability", 100)
      write(f, "x")
      getxattr("f", "security.capability", 100)`,
  }),
  ...family('acl', {
    'a named user': `
      f = open("f", O_CREAT|O_RDWR, 0600)
      setxattr("f", "system.posix_acl_access", ${forUser})
      stat("f")
      getxattr("f", "system.posix_acl_access", 100)
      become(1001)
      open("f", O_RDWR)
      become(1002)
      open("f", O_RDONLY)
      become(0)
      chmod("f", 0640)
      getxattr("f", "system.posix_acl_access", 100)
      become(1001)
      open("f", O_RDWR)
      open("f", O_RDONLY)`,
    'a named group': `
      f = open("f", O_CREAT|O_RDWR, 0600)
      setxattr("f", "system.posix_acl_access", ${forGroup})
      become(1001, 1001, 1005)
      open("f", O_RDONLY)
      open("f", O_WRONLY)
      become(1002, 1005)
      open("f", O_RDONLY)
      access("f", R_OK)
      faccessat2(AT_FDCWD, "f", R_OK, AT_EACCESS)`,
    'what the mode says already': `
      f = open("f", O_CREAT|O_RDWR, 0600)
      setxattr("f", "system.posix_acl_access", ${minimal})
      stat("f")
      listxattr("f", 100)
      getxattr("f", "system.posix_acl_access", 100)`,
    'a default is inherited': `
      umask(027)
      mkdir("d", 0755)
      setxattr("d", "system.posix_acl_default", ${forUser})
      setxattr("d", "system.posix_acl_default", ${forUser}, XATTR_CREATE)
      f = open("d/f", O_CREAT|O_RDWR, 0666)
      mkdir("d/d", 0777)
      symlink("x", "d/l")
      mknod("d/p", S_IFIFO|0666)
      getxattr("d/f", "system.posix_acl_access", 100)
      getxattr("d/d", "system.posix_acl_default", 100)
      removexattr("d", "system.posix_acl_default")
      open("d/g", O_CREAT|O_RDWR, 0666)`,
    'wrong ones': `
      open("f", O_CREAT|O_RDWR, 0600)
      mkdir("d", 0755)
      setxattr("f", "system.posix_acl_default", ${minimal})
      setxattr("f", "system.posix_acl_access", "")
      setxattr("f", "system.posix_acl_access", "\\x01\\x00\\x00\\x00")
      setxattr("f", "system.posix_acl_access", "\\x02\\x00\\x00\\x00")
      setxattr("f", "system.posix_acl_access", "\\x02\\x00\\x00\\x00\\x01")
      setxattr("f", "system.posix_acl_access", ${acl([OWNER, 7])})
      setxattr("f", "system.posix_acl_access", ${acl([OWNER, 7], [USER, 7, 5], [GROUP_OWNER, 7], [OTHER, 7])})
      setxattr("f", "system.posix_acl_access", ${acl([OWNER, 9], [GROUP_OWNER, 7], [OTHER, 7])})
      setxattr("f", "system.posix_acl_access", ${acl([GROUP_OWNER, 7], [OWNER, 7], [OTHER, 7])})
      symlink("f", "l")
      lsetxattr("l", "system.posix_acl_access", ${minimal})
      become(1000)
      setxattr("f", "system.posix_acl_access", ${minimal})
      removexattr("f", "system.posix_acl_access")`,
  }),
];
