/**
 * ld.so is an object like others but for the place of the handler word: it hands the rest of its last
 * page of .bss out as its first heap (elf/dl-minimal-malloc.c). The second word of its global offset table
 * is free instead: the ABI keeps it for lazy binding, and ld.so binds nothing of its own lazily.
 */
import { type Elf, ElfError, offsetOf, readU64 } from './elf.ts';

const DT_PLTGOT = 3;
const DT_STRTAB = 5;
const DT_SONAME = 14;
const SONAME = 'ld-linux-x86-64.so.';
const WORD = 8;

export function isLoader(elf: Elf): boolean {
  const strings = elf.dynamic.get(DT_STRTAB);
  const name = elf.dynamic.get(DT_SONAME);
  if (strings === undefined || name === undefined) return false;
  const at = offsetOf(elf, strings + name);
  if (at < 0) return false;
  return Buffer.from(elf.bytes.subarray(at, at + SONAME.length)).toString('latin1') === SONAME;
}

/** Address of the handler word. Throws ElfError when the word is not as free as the ABI says. */
export function loaderSlot(elf: Elf): number {
  const table = elf.dynamic.get(DT_PLTGOT);
  const at = table === undefined ? -1 : offsetOf(elf, table);
  if (table === undefined || at < 0) throw new ElfError('it has no global offset table');
  if (readU64(elf.view, at + WORD) !== 0 || readU64(elf.view, at + 2 * WORD) !== 0) {
    throw new ElfError('the reserved words of its global offset table are in use');
  }
  return table + WORD;
}
