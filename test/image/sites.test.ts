/**
 * The patcher against machine code: golden listings of one site of every kind, and the whole of this
 * system's libc.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { classOf, RT_SIGRETURN, syscallName } from '../../ringbuf/syscalls.ts';
import { ElfError, parseElf } from '../../src/image/elf.ts';
import { type Analysis, analyse, systemLibc } from '../../src/image/prepare.ts';
import type { Site } from '../../src/image/sites.ts';
import { iced } from '../../src/image/sweep.ts';

const work = mkdtempSync(join(tmpdir(), 'btfuse-sites-'));
const source = fileURLToPath(new URL('native/sites.S', import.meta.url));
const object = join(work, 'sites.so');
let golden: Analysis;

function assemble(path: string, ...options: string[]): void {
  const linking = ['-shared', '-nostdlib', '-Wl,--build-id=sha1', ...options];
  execFileSync('gcc', [...linking, '-o', path, source]);
}

beforeAll(() => {
  assemble(object);
  golden = analyse(parseElf(readFileSync(object)));
});
afterAll(() => rmSync(work, { recursive: true, force: true }));

/** Listing of the patched text: addresses relative to the site, to the slot and to the first stub byte. */
function listing(
  of: Analysis,
  from: number,
  count: number,
  names: Record<number, string>,
): string[] {
  const { Decoder, Formatter, FormatterSyntax } = iced();
  const decoder = new Decoder(64, of.text.subarray(from - of.trailer.textVaddr), 0);
  decoder.ip = BigInt(from);
  const formatter = new Formatter(FormatterSyntax.Gas);
  formatter.branchLeadingZeros = false;
  formatter.leadingZeros = false;
  const lines: string[] = [];
  for (let i = 0; i < count; i++) {
    const instruction = decoder.decode();
    const text = formatter.format(instruction).replace(/0x([0-9A-Fa-f]+)/g, (all, digits) => {
      return names[Number.parseInt(digits, 16)] ?? all.toLowerCase();
    });
    lines.push(text);
    instruction.free();
  }
  formatter.free();
  decoder.free();
  return lines;
}

/** Where the jump that replaced the displaced bytes leads. */
function stubOf(of: Analysis, site: Site): number {
  const at = site.from - of.trailer.textVaddr;
  expect(of.text[at]).toBe(0xe9);
  return site.from + 5 + new DataView(of.text.buffer, at + 1).getInt32(0, true);
}

function names(of: Analysis, site: Site): Record<number, string> {
  return { [of.trailer.slotVaddr]: 'slot', [site.vaddr + 2]: 'after', [site.to]: 'to' };
}

describe('golden listings', () => {
  const stub = (index: number, count: number): string[] => {
    const site = golden.sites[index]!;
    return listing(golden, stubOf(golden, site), count, names(golden, site));
  };
  const forms = (): string[] => golden.sites.map((s) => `${s.form} ${s.nr} ${s.to - s.from}`);

  test('every site gets the form that its surroundings allow', () => {
    expect(forms()).toEqual([
      'M 257 5',
      'skip 39 0',
      'skip 15 0',
      'M 0 9',
      'M 0 7',
      'M -1 6',
      'T -1 8',
      'T -1 6',
      'T -1 5',
    ]);
  });

  test('form M: the mov moves, the syscall stays', () => {
    const site = golden.sites[0]!;
    const code = golden.text.subarray(site.from - golden.trailer.textVaddr);
    expect(code[0]).toBe(0xe9);
    expect([...code.subarray(5, 8)]).toEqual([0x0f, 0x05, 0xc3]);
    expect(stub(0, 3)).toEqual(['mov $0x101,%eax', 'lea after,%rcx', 'jmpq *slot']);
  });

  test('form M: a rip-relative operand keeps its target, left-over bytes trap', () => {
    const site = golden.sites[3]!;
    const before = execFileSync('objdump', ['-d', object], { encoding: 'utf8' });
    const value = /<short_number>:\n.*# ([0-9a-f]+)/.exec(before)?.[1];
    expect(value).toBeDefined();
    expect(stub(3, 4)).toEqual([
      `mov 0x${value},%rdx`,
      'xor %eax,%eax',
      'lea after,%rcx',
      'jmpq *slot',
    ]);
    const at = site.from + 5 - golden.trailer.textVaddr;
    expect([...golden.text.subarray(at, at + 6)]).toEqual([0xcc, 0xcc, 0xcc, 0xcc, 0x0f, 0x05]);
  });

  test('form M: a conditional branch still leads out', () => {
    expect(stub(4, 3)).toEqual(
      ['test %rdi,%rdi', `je 0x${(golden.sites[4]!.vaddr + 2).toString(16)}`, 'xor %eax,%eax'].map(
        (line) => line.replace(/0x.*/, 'after'),
      ),
    );
  });

  test('form T: the syscall itself moves', () => {
    const site = golden.sites[6]!;
    const from = stubOf(golden, site);
    const moved = names(golden, site);
    moved[from + 15] = 'back';
    expect(listing(golden, from, 5, moved).map((line) => line.replace(/^ja .*/, 'ja out'))).toEqual(
      ['lea back,%rcx', 'jmpq *slot', 'syscall', 'cmp $0xfffffffffffff000,%rax', 'jmp to'],
    );
  });

  test('form T: with the instructions before it where there is too little behind', () => {
    const site = golden.sites[7]!;
    const from = stubOf(golden, site);
    const moved = names(golden, site);
    moved[from + 17] = 'back';
    moved[site.from - 2] = 'loop';
    expect(listing(golden, from, 6, moved)).toEqual([
      'mov %edx,%eax',
      'lea back,%rcx',
      'jmpq *slot',
      'syscall',
      'jmp loop',
      'jmp to',
    ]);
  });

  test('what is no site of ours keeps every byte', () => {
    const { bytes } = parseElf(readFileSync(object));
    const { textVaddr } = golden.trailer;
    const offset = Number(
      execFileSync('readelf', ['-lW', object], { encoding: 'utf8' }).match(
        /LOAD\s+(0x\S+).*R E/,
      )?.[1],
    );
    const touched = new Set<number>();
    for (const s of golden.sites) for (let p = s.from; p < s.to; p++) touched.add(p - textVaddr);
    const end = golden.text.length - golden.padding;
    const changed = [...golden.text.subarray(0, end).keys()].filter(
      (i) => !touched.has(i) && i + offset < bytes.length && golden.text[i] !== bytes[offset + i],
    );
    expect(changed.filter((i) => i < golden.sites.at(-1)!.to - textVaddr)).toEqual([]);
  });
});

function patched(bytes: Buffer, value: number, offset: number): Buffer {
  bytes.writeUInt16LE(value, offset);
  return bytes;
}

describe('objects that cannot be prepared', () => {
  test.each<[string, (bytes: Buffer) => Buffer]>([
    ['it is no ELF file', () => Buffer.from('#!/bin/sh\n')],
    ['it is not for 64-bit x86', (b) => patched(b, 183, 18)],
    ['a segment lies past the end of the file', (b) => b.subarray(0, 4200)],
    ['a program header lies past the end of the file', (b) => b.subarray(0, 100)],
  ])('%s', (message, change) => {
    const bytes = change(readFileSync(object));
    expect(() => analyse(parseElf(bytes))).toThrow(new ElfError(message));
  });

  test('no build-id', () => {
    const path = join(work, 'anonymous.so');
    assemble(path, '-Wl,--build-id=none');
    expect(() => analyse(parseElf(readFileSync(path)))).toThrow('it has no build-id');
  });

  test('garbage in a header is refused, not believed', () => {
    const whole = readFileSync(object);
    for (let at = 16; at < 64 + 8 * 56; at++) {
      const bytes = Buffer.from(whole);
      bytes[at] = bytes[at]! ^ 0xff;
      try {
        analyse(parseElf(bytes));
      } catch (error) {
        expect(error).toBeInstanceOf(ElfError);
      }
    }
  });
});

describe("this system's libc", () => {
  const libc = systemLibc();
  const analysis = analyse(parseElf(readFileSync(libc)));
  const { sites, trailer } = analysis;

  test('every syscall instruction is found', () => {
    const listed = spawnSync('objdump', ['-d', '--no-show-raw-insn', libc], {
      encoding: 'utf8',
      maxBuffer: 1 << 30,
    }).stdout.match(/\tsyscall\s*$/gm);
    expect(sites.length).toBe(listed?.length);
  });

  test('every file call is hooked, nothing else is touched', () => {
    for (const site of sites) {
      const skip = site.nr === RT_SIGRETURN || (site.nr >= 0 && classOf(site.nr) === 'pass');
      const where = `${syscallName(site.nr)} at 0x${site.vaddr.toString(16)}: ${site.reason}`;
      expect(skip ? 'skip' : 'hooked', where).toBe(site.form === 'skip' ? 'skip' : 'hooked');
      expect(site.form, where).not.toBe('none');
    }
    const { before, after, skipped } = trailer;
    expect(before + after + skipped).toBe(sites.length);
    console.log(
      `${libc}: ${analysis.instructions} instructions, ${sites.length} sites: ${before} form M, ` +
        `${after} form T, ${skipped} left alone; ${analysis.paddingUsed} of ${analysis.padding} bytes of padding`,
    );
  });

  test('the calls that programs live by are among them', () => {
    const hooked = new Set(sites.filter((s) => s.form !== 'skip').map((s) => syscallName(s.nr)));
    const expected =
      `read write openat close newfstatat lseek mmap munmap mremap ioctl pread64 pwrite64 readv
      writev access dup dup2 dup3 sendfile fcntl flock fsync fdatasync truncate ftruncate getdents64
      getcwd chdir fchdir rename mkdir rmdir link unlink symlink readlink chmod fchmod chown fchown lchown
      umask statfs fstatfs mkdirat unlinkat renameat renameat2 linkat symlinkat readlinkat fchmodat
      faccessat faccessat2 utimensat fallocate copy_file_range statx execve execveat clone vfork`.split(
        /\s+/,
      );
    expect(expected.filter((name) => !hooked.has(name))).toEqual([]);
  });

  test('each stub hands on the address behind its syscall', () => {
    for (const site of sites.filter((s) => s.form === 'M')) {
      const from = stubOf(analysis, site);
      let lines = listing(analysis, from, 12, names(analysis, site));
      const leaOf = () => lines.findIndex((line) => line.startsWith('lea after,%rcx'));
      // Where the padding is full the stub lies in pieces, each with a jump to the next.
      for (let piece = 0; piece < 5; piece++) {
        const jump = lines.findIndex((line) => line.startsWith('jmp 0x'));
        if (jump < 0 || (leaOf() >= 0 && leaOf() < jump)) break;
        const next = Number(lines[jump]!.slice('jmp '.length));
        const rest = listing(analysis, next, 12, names(analysis, site));
        lines = [...lines.slice(0, jump), ...rest];
      }
      const lea = leaOf();
      expect(lea, `0x${site.vaddr.toString(16)}: ${lines}`).toBeGreaterThan(0);
      expect(lines[lea + 1]).toMatch(/^jmp(q \*slot| 0x)/);
      const at = site.vaddr - trailer.textVaddr;
      expect([...analysis.text.subarray(at, at + 2)]).toEqual([0x0f, 0x05]);
    }
  });
});

describe('less padding behind the text than the stubs need', () => {
  const elf = parseElf(readFileSync(systemLibc()));

  test.each([3000, 500, 0])(
    '%i bytes: the rest goes into gaps that nothing executes',
    (padding) => {
      const less = analyse(elf, padding);
      expect(less.paddingUsed).toBeLessThanOrEqual(padding);
      expect(less.inGaps).toBeGreaterThan(0);
      const { buildId: _, textLength: __, ...counts } = less.trailer;
      const whole = analyse(elf).trailer;
      expect(whole).toMatchObject(counts);
      // Every byte that changed was displaced at a site, or filler.
      const text = elf.segments.find((s) => (s.flags & 1) !== 0 && s.type === 1)!;
      const displaced = new Set<number>();
      for (const s of less.sites) {
        for (let p = s.from; p < s.to; p++) displaced.add(p - less.trailer.textVaddr);
      }
      const fillers = new Set([0x90, 0x66, 0x2e, 0x0f, 0x1f, 0x40, 0x44, 0x80, 0x84, 0x00, 0xcc]);
      for (let i = 0; i < text.fileSize; i++) {
        const before = elf.bytes[text.offset + i]!;
        if (less.text[i] === before || displaced.has(i)) continue;
        expect(fillers.has(before), `0x${(text.vaddr + i).toString(16)}`).toBe(true);
      }
    },
  );
});
