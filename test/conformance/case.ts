/** A case: a program in the language of test/driver, whose every answer must be tmpfs's. */

export interface Case {
  /** `family: what it is about`; the key in differences.ts and for --filter. */
  readonly name: string;
  readonly lines: readonly string[];
}

/** Programs by name; a line of a program per line, blank ones and `# remarks` left out. */
export function family(name: string, programs: Readonly<Record<string, string>>): Case[] {
  return Object.entries(programs).map(([title, program]) => ({
    name: `${name}: ${title}`,
    lines: program
      .split('\n')
      .map((line) => line.trim())
      .filter((line) => line !== '' && !line.startsWith('# ')),
  }));
}

/** One of each kind, and links to them. */
export const menagerie = `
  umask(0)
  mkdir("dir", 0755)
  mkdir("dir/sub", 0755)
  mkdir("empty", 0755)
  f = open("file", O_CREAT|O_WRONLY, 0644)
  write(f, "contents")
  close(f)
  f = open("dir/inner", O_CREAT|O_WRONLY, 0644)
  close(f)
  symlink("file", "to-file")
  symlink("dir", "to-dir")
  symlink("empty/", "to-empty-slash")
  symlink("file/", "to-file-slash")
  symlink("nowhere", "dangling")
  symlink("loop2", "loop1")
  symlink("loop1", "loop2")
  mknod("fifo", S_IFIFO|0644)
  umask(022)
`;

/** Ways to name something, by what is special about each. */
export const paths: Readonly<Record<string, string>> = {
  'a file': '"file"',
  'a file with a slash': '"file/"',
  'a name below a file': '"file/x"',
  'the dot of a file': '"file/."',
  'a directory': '"dir"',
  'a directory with a slash': '"dir/"',
  'the dot of a directory': '"dir/."',
  'the dots of a directory': '"dir/.."',
  'a file in a directory': '"dir/inner"',
  'slashes and dots': '"dir//sub/..//inner"',
  'an empty directory': '"empty"',
  'a missing name': '"missing"',
  'a missing name with a slash': '"missing/"',
  'a name below a missing one': '"missing/x"',
  'a link to a file': '"to-file"',
  'a link to a file with a slash': '"to-file/"',
  'a link to a directory': '"to-dir"',
  'a link to a directory with a slash': '"to-dir/"',
  'a name below a link': '"to-dir/inner"',
  'a link with a slash to a directory': '"to-empty-slash"',
  'a link with a slash to a file': '"to-file-slash"',
  'a link to nothing': '"dangling"',
  'a link to nothing with a slash': '"dangling/"',
  'a loop': '"loop1"',
  'a name below a loop': '"loop1/x"',
  'a fifo': '"fifo"',
  dot: '"."',
  'an empty path': '""',
  'a name of 255 bytes': '"x"*255',
  'a name of 256 bytes': '"x"*256',
  'a name below one of 256 bytes': '"x"*256+"/y"',
  'a path of 4095 bytes': '"./"*2045+"file0"',
  'a path of 4096 bytes': '"./"*2048',
  'an absolute path': '"$D/dir/inner"',
  'no pointer': 'NULL',
  'a bad pointer': 'BADPTR',
  "a kernel's pointer": 'KERNELPTR',
  'a path that runs off its page': 'edge("file")',
};
