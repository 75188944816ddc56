/**
 * Code addresses that unwind tables name: the first byte of every function with an FDE, and every
 * landing pad. Control arrives there without a branch that the sweep could see.
 */
import { type Elf, offsetOf, PT_GNU_EH_FRAME, readU64 } from './elf.ts';

/** Reads the number formats of .eh_frame and .gcc_except_table at a moving position. */
class Cursor {
  at: number;
  private readonly elf: Elf;
  /** vaddr - file offset of the section, for pc-relative values. */
  private readonly delta: number;
  constructor(elf: Elf, at: number, delta: number) {
    this.elf = elf;
    this.at = at;
    this.delta = delta;
  }
  u8(): number {
    return this.elf.view.getUint8(this.at++);
  }
  u32(): number {
    this.at += 4;
    return this.elf.view.getUint32(this.at - 4, true);
  }
  uleb(): number {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = this.u8();
      value += (byte & 127) * scale;
      if (byte < 128) return value;
    }
  }
  /** A DW_EH_PE_* value; 0 where the format says "omitted". */
  encoded(encoding: number): number {
    if (encoding === 0xff) return 0;
    const from = this.at + this.delta;
    const { view } = this.elf;
    let value: number;
    switch (encoding & 0x0f) {
      case 0x00:
      case 0x04:
      case 0x0c:
        value = readU64(view, this.at);
        this.at += 8;
        break;
      case 0x01:
        value = this.uleb();
        break;
      case 0x02:
        value = view.getUint16(this.at, true);
        this.at += 2;
        break;
      case 0x0a:
        value = view.getInt16(this.at, true);
        this.at += 2;
        break;
      case 0x03:
        value = this.u32();
        break;
      case 0x0b:
        value = view.getInt32(this.at, true);
        this.at += 4;
        break;
      default:
        throw new RangeError('unknown pointer encoding');
    }
    return value !== 0 && (encoding & 0x70) === 0x10 ? value + from : value;
  }
}

interface Augmentation {
  readonly pointer: number;
  readonly lsda: number;
}

/** Encodings that a CIE lays down for its FDEs. */
function readCie(elf: Elf, at: number, delta: number): Augmentation {
  const c = new Cursor(elf, at + 8, delta);
  c.u8(); // version
  let text = '';
  for (let byte = c.u8(); byte !== 0; byte = c.u8()) text += String.fromCharCode(byte);
  c.uleb(); // code alignment
  c.uleb(); // data alignment: signed, but of the same length
  c.uleb(); // return address register
  let pointer = 0;
  let lsda = 0xff;
  if (text.startsWith('z')) {
    c.uleb();
    for (const letter of text.slice(1)) {
      if (letter === 'R') pointer = c.u8();
      else if (letter === 'L') lsda = c.u8();
      else if (letter === 'P') c.encoded(c.u8());
    }
  }
  return { pointer, lsda };
}

/** Landing pads in the call-site table of one function. */
function landingPads(
  elf: Elf,
  lsda: number,
  functionStart: number,
  add: (vaddr: number) => void,
): void {
  const at = offsetOf(elf, lsda);
  if (at < 0) return;
  const c = new Cursor(elf, at, lsda - at);
  const startEncoding = c.u8();
  const base = startEncoding === 0xff ? functionStart : c.encoded(startEncoding);
  if (c.u8() !== 0xff) c.uleb();
  const encoding = c.u8();
  const end = c.uleb() + c.at;
  while (c.at < end) {
    c.encoded(encoding);
    c.encoded(encoding);
    const pad = c.encoded(encoding);
    c.uleb();
    if (pad !== 0) add(base + pad);
  }
}

/**
 * Calls `add` with every function start and landing pad, and `within` with the addresses [from, to) of every
 * function. Throws RangeError on a broken table.
 */
export function addFrameTargets(
  elf: Elf,
  add: (vaddr: number) => void,
  within?: (from: number, to: number) => void,
): void {
  const header = elf.segments.find((s) => s.type === PT_GNU_EH_FRAME);
  if (header === undefined) return;
  const h = new Cursor(elf, header.offset, header.vaddr - header.offset);
  h.u8();
  const frameEncoding = h.u8();
  h.at += 2;
  const frames = h.encoded(frameEncoding);
  let at = offsetOf(elf, frames);
  if (at < 0) return;
  const delta = frames - at;
  const cies = new Map<number, Augmentation>();
  for (;;) {
    const length = elf.view.getUint32(at, true);
    if (length === 0) return;
    if (length === 0xffffffff) throw new RangeError('64-bit unwind tables');
    const back = elf.view.getUint32(at + 4, true);
    if (back !== 0) {
      const cieAt = at + 4 - back;
      const cie = cies.get(cieAt) ?? readCie(elf, cieAt, delta);
      cies.set(cieAt, cie);
      const c = new Cursor(elf, at + 8, delta);
      const start = c.encoded(cie.pointer);
      const length = c.encoded(cie.pointer & 0x0f);
      add(start);
      within?.(start, start + length);
      if (cie.lsda !== 0xff) {
        c.uleb();
        const lsda = c.encoded(cie.lsda);
        if (lsda !== 0) landingPads(elf, lsda, start, add);
      }
    }
    at += 4 + length;
  }
}
